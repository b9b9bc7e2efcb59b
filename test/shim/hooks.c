// test/shim/hooks.c: the functions of libc that gh_shim.so stands in for.
//
// How:    the real work is done by system calls, so that nothing has to be looked up and the fortified and the 64-bit names
//         (__pread_chk, pread64) are the same function.  What is not a file of the data directory passes untouched.
// SPDX-License-Identifier: PostgreSQL
#include "shim.h"

#include <dlfcn.h>
#include <stdarg.h>

#define EXPORTED __attribute__((visibility("default")))
#define ALSO(name, of) EXPORTED __typeof__(of) name __attribute__((alias(#of)))

_Static_assert(sizeof(long) == 8 && sizeof(off_t) == 8, "system calls take offsets in one piece");

static bool is_needed(void) { return data_folder() && (has_rules() || has_journal()); }

// What a call that names a file gets to hear.
static struct verdict ask_about(enum function function, const char *path)
{
	struct shim_file file = { 0 };
	char relative[PATH_MOST];
	if (has_rules() && relative_path(path, relative) && describe(relative, &file)) return ask_rules(function, &file, 0, 0);
	return (struct verdict){ A_NONE, 0, 0 };
}

// Whether the call is to be made; if not, its answer is in *answer.
static bool may_go_on(struct verdict verdict, int *answer)
{
	if (verdict.action == A_KILL) die_here();
	if (verdict.action == A_ERROR) errno = verdict.error;
	*answer = verdict.action == A_ERROR ? -1 : 0;
	return verdict.action == A_NONE;
}

// -------------------------------------------------------------------------------------------- open, close
static int open_file(int folder, const char *path, int flags, mode_t mode)
{
	struct stat before;
	int answer;
	if (!is_needed()) return (int)syscall(SYS_openat, folder, path, flags, mode);
	if (!may_go_on(ask_about(F_OPEN, path), &answer)) return answer;
	bool existed = !(flags & O_CREAT) || fstatat(folder, path, &before, 0) == 0;
	int fd = (int)syscall(SYS_openat, folder, path, flags & ~O_TRUNC, mode);
	if (fd < 0) return fd;
	forget_descriptor(fd);
	if (folder == AT_FDCWD || path[0] == '/') remember(fd, path);
	const struct shim_file *file = file_of(fd);
	if (file && !existed)    // an inode that may have been another file's
		journal_release(journal_lock(file->device, file->inode), file->device, file->inode, true);
	if (flags & O_TRUNC)
	{
		struct journal_hold hold = journal_truncation(fd, 0);
		int result = (int)syscall(SYS_ftruncate, fd, 0);
		journal_changed(hold, 0, 0, false);
		if (result != 0 && file)
		{
			syscall(SYS_close, fd);
			return -1;
		}
	}
	return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

EXPORTED int open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_file(AT_FDCWD, path, flags, mode);
}
ALSO(open64, open);

EXPORTED int openat(int folder, const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_file(folder, path, flags, mode);
}
ALSO(openat64, openat);

EXPORTED int creat(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
ALSO(creat64, creat);

EXPORTED int __open_2(const char *path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
EXPORTED int __open64_2(const char *path, int flags) { return open_file(AT_FDCWD, path, flags, 0); }
EXPORTED int __openat_2(int folder, const char *path, int flags) { return open_file(folder, path, flags, 0); }
EXPORTED int __openat64_2(int folder, const char *path, int flags) { return open_file(folder, path, flags, 0); }

EXPORTED int close(int fd)
{
	if (is_needed())
	{
		const struct shim_file *file = has_rules() ? file_of(fd) : NULL;
		struct verdict verdict = { A_NONE, 0, 0 };
		if (file) verdict = ask_rules(F_CLOSE, file, 0, 0);
		forget_descriptor(fd);
		if (verdict.action == A_KILL) die_here();
		if (verdict.action == A_ERROR)    // closed all the same, as on Linux
		{
			syscall(SYS_close, fd);
			errno = verdict.error;
			return -1;
		}
	}
	return (int)syscall(SYS_close, fd);
}

EXPORTED int chdir(const char *path)
{
	int result = (int)syscall(SYS_chdir, path);
	if (result == 0) entered_folder();
	return result;
}

// -------------------------------------------------------------------------------------------- transfers
static ssize_t one_part(enum function function, bool positioned, bool writes, int fd, const void *bytes, size_t length, off_t at)
{
	struct iovec part = { (void *)(uintptr_t)bytes, length };
	struct transfer transfer = { .function = function, .fd = fd, .parts = &part, .count = 1, .at = at, .positioned = positioned, .writes = writes };
	return do_transfer(&transfer);
}

EXPORTED ssize_t read(int fd, void *to, size_t length)
{
	if (!is_needed()) return syscall(SYS_read, fd, to, length);
	return one_part(F_READ, false, false, fd, to, length, 0);
}

EXPORTED ssize_t write(int fd, const void *from, size_t length)
{
	if (!is_needed()) return syscall(SYS_write, fd, from, length);
	return one_part(F_WRITE, false, true, fd, from, length, 0);
}

EXPORTED ssize_t pread(int fd, void *to, size_t length, off_t at)
{
	if (!is_needed()) return syscall(SYS_pread64, fd, to, length, at);
	return one_part(F_PREAD, true, false, fd, to, length, at);
}
ALSO(pread64, pread);

EXPORTED ssize_t pwrite(int fd, const void *from, size_t length, off_t at)
{
	if (!is_needed()) return syscall(SYS_pwrite64, fd, from, length, at);
	return one_part(F_PWRITE, true, true, fd, from, length, at);
}
ALSO(pwrite64, pwrite);

EXPORTED ssize_t preadv(int fd, const struct iovec *parts, int count, off_t at)
{
	struct transfer transfer = { .function = F_PREADV, .fd = fd, .parts = parts, .count = count, .at = at, .positioned = true };
	return is_needed() ? do_transfer(&transfer) : syscall(SYS_preadv, fd, parts, count, at, 0);
}
ALSO(preadv64, preadv);

EXPORTED ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
	struct transfer transfer = { .function = F_PWRITEV, .fd = fd, .parts = parts, .count = count, .at = at, .positioned = true, .writes = true };
	return is_needed() ? do_transfer(&transfer) : syscall(SYS_pwritev, fd, parts, count, at, 0);
}
ALSO(pwritev64, pwritev);

// Flags ask for what no file of a server needs.
EXPORTED ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
	return flags == 0 && at >= 0 ? preadv(fd, parts, count, at) : syscall(SYS_preadv2, fd, parts, count, at, 0, flags);
}
ALSO(preadv64v2, preadv2);

EXPORTED ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
	return flags == 0 && at >= 0 ? pwritev(fd, parts, count, at) : syscall(SYS_pwritev2, fd, parts, count, at, 0, flags);
}
ALSO(pwritev64v2, pwritev2);

// The fortified names: the compiler has found that the length may be too great for the buffer.
static void check_length(size_t length, size_t room)
{
	if (length > room) abort();
}

EXPORTED ssize_t __read_chk(int fd, void *to, size_t length, size_t room)
{
	check_length(length, room);
	return read(fd, to, length);
}

EXPORTED ssize_t __pread_chk(int fd, void *to, size_t length, off_t at, size_t room)
{
	check_length(length, room);
	return pread(fd, to, length, at);
}
ALSO(__pread64_chk, __pread_chk);

// ------------------------------------------------------------------------------------------------- syncs
// With the journal what is durable is the journal's business; the disk is spared unless GH_SHIM_REAL_SYNC says otherwise.
static int real_sync(int fd, long call)
{
	static int wanted = -1;
	if (wanted < 0) wanted = !has_journal() || getenv("GH_SHIM_REAL_SYNC");
	return wanted ? (int)syscall(call, fd) : 0;
}

static int sync_file(enum function function, int fd, long call)
{
	const struct shim_file *file = is_needed() ? file_of(fd) : NULL;
	if (!file) return is_needed() ? real_sync(fd, call) : (int)syscall(call, fd);
	uint64_t noted = journal_sync_begins(file);
	struct verdict verdict = { A_NONE, 0, 0 };
	if (has_rules()) verdict = ask_rules(function, file, 0, INT64_MAX - 1);
	if (verdict.action == A_KILL) die_here();
	if (verdict.action == A_LOSE || verdict.action == A_SKIP_SYNC) return 0;
	if (verdict.action == A_ERROR)
	{
		journal_sync_failed(file);
		errno = verdict.error;
		return -1;
	}
	int result = real_sync(fd, call);
	if (result == 0)
		journal_sync_ends(file, noted);
	else
		journal_sync_failed(file);
	return result;
}

EXPORTED int fsync(int fd) { return sync_file(F_FSYNC, fd, SYS_fsync); }
EXPORTED int fdatasync(int fd) { return sync_file(F_FDATASYNC, fd, SYS_fdatasync); }

// Starts writing, and promises nothing: the journal takes no note.
EXPORTED int sync_file_range(int fd, off_t at, off_t length, unsigned flags)
{
	const struct shim_file *file = is_needed() && has_rules() ? file_of(fd) : NULL;
	int answer;
	if (file && !may_go_on(ask_rules(F_SYNC_FILE_RANGE, file, at, length), &answer)) return answer;
	return (int)syscall(SYS_sync_file_range, fd, at, length, flags);
}

// Answers with the error itself; errno is left alone.
EXPORTED int posix_fadvise(int fd, off_t at, off_t length, int advice)
{
	const struct shim_file *file = is_needed() && has_rules() ? file_of(fd) : NULL;
	int answer, saved = errno;
	if (file && !may_go_on(ask_rules(F_POSIX_FADVISE, file, at, length), &answer))
	{
		answer = answer < 0 ? errno : 0;
		errno = saved;
		return answer;
	}
	answer = syscall(SYS_fadvise64, fd, at, length, advice) < 0 ? errno : 0;
	errno = saved;
	return answer;
}
ALSO(posix_fadvise64, posix_fadvise);

// ------------------------------------------------------------------------------------------------ lengths
static int change_size(enum function function, int fd, const char *path, off_t size)
{
	int answer;
	const struct shim_file *file = has_rules() ? file_of(fd) : NULL;
	struct verdict verdict = { A_NONE, 0, 0 };
	if (file) verdict = ask_rules(function, file, size, INT64_MAX - size - 1);
	if (!may_go_on(verdict, &answer)) return answer;
	struct journal_hold hold = journal_truncation(fd, size);
	int result = path ? (int)syscall(SYS_truncate, path, size) : (int)syscall(SYS_ftruncate, fd, size);
	int saved = errno;
	journal_changed(hold, 0, 0, false);
	errno = saved;
	return result;
}

EXPORTED int ftruncate(int fd, off_t size)
{
	return is_needed() ? change_size(F_FTRUNCATE, fd, NULL, size) : (int)syscall(SYS_ftruncate, fd, size);
}
ALSO(ftruncate64, ftruncate);

EXPORTED int truncate(const char *path, off_t size)
{
	int fd = is_needed() ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
	if (fd < 0) return (int)syscall(SYS_truncate, path, size);
	remember(fd, path);
	int result = change_size(F_TRUNCATE, fd, path, size);
	int saved = errno;
	close(fd);
	errno = saved;
	return result;
}
ALSO(truncate64, truncate);

// What is short has reserved a part, as a full file system may have when it says so.
// Only lengthening is noted; a hole punched in a file would escape the journal, and PostgreSQL punches none.
EXPORTED int fallocate(int fd, int mode, off_t at, off_t length)
{
	const struct shim_file *file = is_needed() ? file_of(fd) : NULL;
	int answer;
	if (!file) return (int)syscall(SYS_fallocate, fd, mode, at, length);
	struct verdict verdict = { A_NONE, 0, 0 };
	if (has_rules()) verdict = ask_rules(F_FALLOCATE, file, at, length);
	const bool part = verdict.action == A_SHORT;
	if (!part && !may_go_on(verdict, &answer)) return answer;
	if (part) length = short_length(length, verdict.random);
	struct journal_hold hold = mode == 0 && length > 0 ? journal_change(fd, at, length) : (struct journal_hold){ -1, false };
	int result = length > 0 ? (int)syscall(SYS_fallocate, fd, mode, at, length) : -1;
	int saved = part ? ENOSPC : errno;
	if (part) result = -1;
	journal_changed(hold, 0, 0, false);
	errno = saved;
	return result;
}
ALSO(fallocate64, fallocate);

// Errors are returned here, not left in errno.
EXPORTED int posix_fallocate(int fd, off_t at, off_t length)
{
	if (is_needed() && file_of(fd)) return fallocate(fd, 0, at, length) == 0 ? 0 : errno;
	static int (*real)(int, off_t, off_t);
	if (!real) real = (int (*)(int, off_t, off_t))dlsym(RTLD_NEXT, "posix_fallocate");
	return real(fd, at, length);
}
ALSO(posix_fallocate64, posix_fallocate);

// -------------------------------------------------------------------------------------------------- names
// A file that loses its last name loses its journal, which is locked meanwhile: the inode may be another's at once.
struct lost_file { bool loses; struct stat info; struct journal_hold hold; };

static struct lost_file about_to_lose(const char *path)
{
	struct lost_file lost = { .hold = { -1, false } };
	char relative[PATH_MOST];
	lost.loses = has_journal() && relative_path(path, relative) && lstat(path, &lost.info) == 0 && S_ISREG(lost.info.st_mode)
		&& lost.info.st_nlink <= 1;
	if (lost.loses) lost.hold = journal_lock(lost.info.st_dev, lost.info.st_ino);
	return lost;
}

static int has_lost(struct lost_file lost, int result)
{
	journal_release(lost.hold, lost.info.st_dev, lost.info.st_ino, result == 0);
	return result;
}

EXPORTED int unlink(const char *path)
{
	int answer;
	if (!is_needed()) return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	if (!may_go_on(ask_about(F_UNLINK, path), &answer)) return answer;
	struct lost_file lost = about_to_lose(path);
	return has_lost(lost, (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

EXPORTED int rename(const char *from, const char *to)
{
	struct stat old, replaced;
	int answer;
	if (!is_needed()) return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
	if (!may_go_on(ask_about(F_RENAME, from), &answer)) return answer;
	struct lost_file lost = { .hold = { -1, false } };
	if (lstat(from, &old) == 0 && lstat(to, &replaced) == 0 && old.st_ino != replaced.st_ino) lost = about_to_lose(to);
	int result = has_lost(lost, (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
	forget_paths();
	return result;
}
