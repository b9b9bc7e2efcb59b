// test/shim/journal.c: what has been written and not been synced, so that power_loss can take it back.
//
// How:    GH_SHIM_JOURNAL has a file for each changed file, by device and inode: a header, then records in the order of the
//         changes, each with the bytes that it is about to replace (whole sectors).  The file itself has the last version.
//         The lock (flock, of a descriptor opened for each change) is held over record and change, so the order is the
//         right one among processes, and who dies in between leaves a record of a change that did not happen.
// Sync:   what was noted before the call forgets its old bytes.  After a sync that failed records stay: the kernel takes
//         what it could not write for clean, so no later sync makes it durable; power_loss does that arithmetic.
// Layout: struct header, struct record; test/shim/power_loss reads them.
// SPDX-License-Identifier: PostgreSQL
#include "shim.h"

#include <sys/file.h>

enum { HEADER_SIZE = 4096, MAGIC = 0x4A534847 };    // "GHSJ"
enum kind { K_CHANGE = 1, K_DURABLE = 2, K_SYNC = 3, K_SYNC_FAILED = 4 };

struct header
{
	uint32_t magic, failed;    // a sync has failed
	uint64_t base;    // of all that was ever noted, where the records begin
	uint64_t end;    // of the records in this file
	uint64_t start;    // before it records are forgotten
	char path[PATH_MOST];    // for people
};

struct record
{
	uint32_t magic, kind;
	uint64_t offset, length;    // what is changed; of a sync: offset is the end of what it covers
	uint64_t old_size, new_size;
	uint64_t image_offset, image_length;    // the bytes before, which follow
};

static char folder[4096];

bool has_journal(void) { return folder[0] != '\0'; }

__attribute__((constructor)) static void find_journal(void)
{
	const char *path = getenv("GH_SHIM_JOURNAL");
	if (path && strlen(path) + 64 < sizeof folder) strcpy(folder, path);
}

static ssize_t read_at(int fd, void *to, size_t length, off_t at) { return syscall(SYS_pread64, fd, to, length, at); }

static void complain(const char *what)
{
	fprintf(stderr, "gh_shim: journal %s: %s: %s\n", folder, what, strerror(errno));
	abort();    // a test must not go on with a journal that lies
}

static void write_at(int fd, const void *from, size_t length, off_t at)
{
	if (syscall(SYS_pwrite64, fd, from, length, at) != (ssize_t)length) complain("could not write");
}

static void name_of(dev_t device, ino_t inode, char *path, size_t room)
{
	snprintf(path, room, "%s/%llu-%llu", folder, (unsigned long long)device, (unsigned long long)inode);
}

// Opened and locked; -1 if there is none.  One that was removed meanwhile is none.
static int open_locked(dev_t device, ino_t inode, bool create)
{
	char path[sizeof folder + 64];
	name_of(device, inode, path, sizeof path);
	for (;;)
	{
		struct stat info;
		int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0666);
		if (fd < 0 && errno == ENOENT && !create) return -1;
		if (fd < 0) complain("could not open");
		while (flock(fd, LOCK_EX) != 0)
			if (errno != EINTR) complain("could not lock");
		if (fstat(fd, &info) == 0 && info.st_nlink > 0) return fd;
		syscall(SYS_close, fd);
	}
}

static void read_header(int fd, struct header *header, const char *path)
{
	if (read_at(fd, header, sizeof *header, 0) == sizeof *header && header->magic == MAGIC) return;
	*header = (struct header){ .magic = MAGIC, .end = HEADER_SIZE, .start = HEADER_SIZE };
	snprintf(header->path, sizeof header->path, "%s", path);
}

static void append(int fd, struct header *header, const struct record *record, int data_fd)
{
	static char image[1 << 16];
	off_t at = (off_t)header->end;
	write_at(fd, record, sizeof *record, at);
	at += sizeof *record;
	for (uint64_t done = 0; done < record->image_length;)
	{
		size_t part = record->image_length - done < sizeof image ? record->image_length - done : sizeof image;
		if (read_at(data_fd, image, part, (off_t)(record->image_offset + done)) != (ssize_t)part) complain("could not read what is replaced");
		write_at(fd, image, part, at);
		done += part;
		at += (off_t)part;
	}
	header->end = (uint64_t)at;
	write_at(fd, header, sizeof *header, 0);    // now the record counts
}

// [first, end) of the bytes that go, as far as there are any.
static void save_image(struct record *record, off_t first, off_t end, off_t old_size)
{
	first = first / SECTOR * SECTOR;
	end = (end + SECTOR - 1) / SECTOR * SECTOR;
	if (end > old_size) end = old_size;
	record->image_offset = (uint64_t)first;
	record->image_length = end > first ? (uint64_t)(end - first) : 0;
}

// For a descriptor that can only write, another one.
static int readable_descriptor(int fd)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if ((syscall(SYS_fcntl, fd, F_GETFL) & O_ACCMODE) != O_WRONLY) return fd;
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

// A file is about to be changed; it stays locked until journal_changed.
static struct journal_hold note_change(int fd, off_t at, off_t length, bool truncates)
{
	struct journal_hold hold = { -1, false };
	struct stat info;
	struct header header;
	const struct shim_file *file = has_journal() ? file_of(fd) : NULL;
	if (!file || !file->journaled) return hold;
	int saved = errno, readable = readable_descriptor(fd);
	hold.fd = open_locked(file->device, file->inode, true);
	if (readable < 0 || fstat(fd, &info) != 0) complain("could not look at the file");
	read_header(hold.fd, &header, file->path);
	hold.was_empty = header.end == HEADER_SIZE;
	struct record record = { .magic = MAGIC, .kind = K_CHANGE, .offset = (uint64_t)at, .length = (uint64_t)length,
		.old_size = (uint64_t)info.st_size };
	record.new_size = truncates || at + length > info.st_size ? (uint64_t)(at + length) : record.old_size;
	save_image(&record, at, truncates ? info.st_size : at + length, info.st_size);
	if (info.st_nlink > 0)
		append(hold.fd, &header, &record, readable);
	else    // nobody will find it again
		journal_release(hold, file->device, file->inode, true);
	if (info.st_nlink == 0) hold.fd = -1;
	if (readable != fd) syscall(SYS_close, readable);
	errno = saved;
	return hold;
}

struct journal_hold journal_change(int fd, off_t at, off_t length) { return note_change(fd, at, length, false); }
struct journal_hold journal_truncation(int fd, off_t size) { return note_change(fd, size, 0, true); }

static void empty(int fd, struct header *header)
{
	header->base += header->end - HEADER_SIZE;
	header->end = header->start = HEADER_SIZE;
	write_at(fd, header, sizeof *header, 0);
	syscall(SYS_ftruncate, fd, (off_t)HEADER_SIZE);
}

void journal_changed(struct journal_hold hold, off_t at, off_t length, bool durable)
{
	if (hold.fd < 0) return;
	struct header header;
	if (durable)
	{
		read_header(hold.fd, &header, "");
		struct record record = { .magic = MAGIC, .kind = K_DURABLE, .offset = (uint64_t)at, .length = (uint64_t)length };
		if (hold.was_empty)
			empty(hold.fd, &header);
		else
			append(hold.fd, &header, &record, -1);
	}
	syscall(SYS_close, hold.fd);
}

// How much had been noted; 0: nothing.
uint64_t journal_sync_begins(const struct shim_file *file)
{
	struct header header;
	int saved = errno;
	int fd = has_journal() ? open_locked(file->device, file->inode, false) : -1;
	errno = saved;
	if (fd < 0) return 0;
	read_header(fd, &header, file->path);
	syscall(SYS_close, fd);
	return header.base + header.end;
}

void journal_sync_ends(const struct shim_file *file, uint64_t noted)
{
	struct header header;
	int saved = errno;
	int fd = noted > 0 ? open_locked(file->device, file->inode, false) : -1;
	if (fd >= 0)
	{
		read_header(fd, &header, file->path);
		uint64_t covered = noted > header.base ? noted - header.base : 0;    // emptied meanwhile: nothing is left to do
		struct record record = { .magic = MAGIC, .kind = K_SYNC, .offset = covered };
		if (covered > header.start && header.failed)
			append(fd, &header, &record, -1);
		else if (covered >= header.end)
			empty(fd, &header);
		else if (covered > header.start)
		{
			header.start = covered;
			write_at(fd, &header, sizeof header, 0);
			syscall(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)HEADER_SIZE, (off_t)(covered - HEADER_SIZE));
		}
		syscall(SYS_close, fd);
	}
	errno = saved;
}

void journal_sync_failed(const struct shim_file *file)
{
	struct header header;
	int saved = errno;
	int fd = has_journal() ? open_locked(file->device, file->inode, false) : -1;
	if (fd >= 0)
	{
		read_header(fd, &header, file->path);
		if (header.end > HEADER_SIZE)
		{
			struct record record = { .magic = MAGIC, .kind = K_SYNC_FAILED, .offset = header.end };
			header.failed = 1;
			append(fd, &header, &record, -1);
		}
		syscall(SYS_close, fd);
	}
	errno = saved;
}

// The inode is going to be another file's, or no file's: locked until journal_release.
struct journal_hold journal_lock(dev_t device, ino_t inode)
{
	int saved = errno;
	struct journal_hold hold = { has_journal() ? open_locked(device, inode, false) : -1, false };
	errno = saved;
	return hold;
}

void journal_release(struct journal_hold hold, dev_t device, ino_t inode, bool remove)
{
	int saved = errno;
	char path[sizeof folder + 64];
	if (hold.fd < 0) return;
	name_of(device, inode, path, sizeof path);
	if (remove) syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	syscall(SYS_close, hold.fd);
	errno = saved;
}
