// test/shim/transfers.c: reads and writes, as the rules want them and noted in the journal.
// SPDX-License-Identifier: PostgreSQL
#include "shim.h"

#include <signal.h>

enum { PARTS = 128 };

static off_t length_of(const struct transfer *transfer)
{
	off_t length = 0;
	for (int i = 0; i < transfer->count; i++) length += (off_t)transfer->parts[i].iov_len;
	return length;
}

// The bytes [from, from + length) of a transfer as parts of their own.
static int cut(const struct transfer *transfer, off_t from, off_t length, struct iovec *parts)
{
	int count = 0;
	for (int i = 0; i < transfer->count && length > 0; i++)
	{
		off_t part = (off_t)transfer->parts[i].iov_len;
		if (from >= part)
		{
			from -= part;
			continue;
		}
		off_t use = part - from < length ? part - from : length;
		parts[count++] = (struct iovec){ (char *)transfer->parts[i].iov_base + from, (size_t)use };
		length -= use;
		from = 0;
	}
	return count;
}

static ssize_t call(const struct transfer *transfer, const struct iovec *parts, int count, off_t at)
{
	if (transfer->positioned) return syscall(transfer->writes ? SYS_pwritev : SYS_preadv, transfer->fd, parts, count, at, 0);
	return syscall(transfer->writes ? SYS_writev : SYS_readv, transfer->fd, parts, count);
}

static off_t place_of(const struct transfer *transfer)
{
	if (transfer->positioned) return transfer->at;
	struct stat info;
	if (transfer->writes && (syscall(SYS_fcntl, transfer->fd, F_GETFL) & O_APPEND) && fstat(transfer->fd, &info) == 0) return info.st_size;
	return lseek(transfer->fd, 0, SEEK_CUR);
}

static ssize_t write_noted(const struct transfer *transfer, const struct iovec *parts, int count, off_t at, off_t length)
{
	struct journal_hold hold = journal_change(transfer->fd, at, length);
	ssize_t done = call(transfer, parts, count, at);
	int saved = errno;
	journal_changed(hold, at, length, syscall(SYS_fcntl, transfer->fd, F_GETFL) & O_DSYNC);
	errno = saved;
	return done;
}

static ssize_t move(const struct transfer *transfer, const struct shim_file *file, off_t at, off_t from, off_t length)
{
	struct iovec parts[PARTS];
	int count = cut(transfer, from, length, parts);
	if (transfer->writes && file->journaled && has_journal()) return write_noted(transfer, parts, count, at + from, length);
	return call(transfer, parts, count, at + from);
}

// Some sectors, the others not; a write at the file's own position ends behind it.
static ssize_t move_torn(const struct transfer *transfer, const struct shim_file *file, off_t at, off_t length, uint64_t random)
{
	struct transfer piece = *transfer;
	piece.function = F_PWRITE;
	piece.positioned = true;
	int saved = errno;
	for (off_t from = 0; from < length;)
	{
		off_t end = (at + from) / SECTOR * SECTOR + SECTOR - at;
		if (end > length) end = length;
		if (next_random(&random) & 1) move(&piece, file, at, from, end - from);
		from = end;
	}
	if (!transfer->positioned) lseek(transfer->fd, at + length, SEEK_SET);
	errno = saved;
	return length;
}

off_t short_length(off_t length, uint64_t random)
{
	if (length <= 1) return 0;
	if (length <= SECTOR) return (off_t)(random % (uint64_t)length);
	return (off_t)(random % (uint64_t)((length - 1) / SECTOR + 1)) * SECTOR;
}

void die_here(void)
{
	for (;;) kill(getpid(), SIGKILL);
}

ssize_t do_transfer(const struct transfer *transfer)
{
	const struct shim_file *file = has_rules() || has_journal() ? file_of(transfer->fd) : NULL;
	if (!file || transfer->count > PARTS || transfer->count < 0) return call(transfer, transfer->parts, transfer->count, transfer->at);
	off_t length = length_of(transfer), at = place_of(transfer);
	struct verdict verdict = { A_NONE, 0, 0 };
	if (has_rules()) verdict = ask_rules(transfer->function, file, at, length);
	switch (verdict.action)
	{
		case A_ERROR:
			errno = verdict.error;
			return -1;
		case A_SHORT:
			length = short_length(length, verdict.random);
			return length == 0 ? 0 : move(transfer, file, at, 0, length);
		case A_LOSE:
			if (!transfer->positioned) lseek(transfer->fd, length, SEEK_CUR);
			return length;
		case A_TORN:
			return move_torn(transfer, file, at, length, verdict.random);
		case A_KILL:
			if (transfer->writes) move_torn(transfer, file, at, length, verdict.random);
			die_here();
		default:
			return move(transfer, file, at, 0, length);
	}
}
