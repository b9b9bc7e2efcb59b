// test/shim/shim.h: what the parts of gh_shim.so know of one another.
//
// How:    hooks.c has libc's functions; files.c says which file a descriptor is; rules.c what is to happen to a call;
//         transfers.c does it to reads and writes; journal.c notes what has not been synced.
// Limits: no memory is allocated and nothing is kept locked between calls, so that a fork or a signal finds nothing half done.
// SPDX-License-Identifier: PostgreSQL
#ifndef GH_SHIM_H
#define GH_SHIM_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { SECTOR = 512, PAGE = 8192, PATH_MOST = 256 };

enum function
{
	F_OPEN, F_CLOSE, F_PREAD, F_PREADV, F_READ, F_PWRITE, F_PWRITEV, F_WRITE, F_FSYNC, F_FDATASYNC, F_SYNC_FILE_RANGE,
	F_FTRUNCATE, F_TRUNCATE, F_UNLINK, F_RENAME, F_FALLOCATE, F_POSIX_FADVISE, FUNCTIONS
};

enum fork { FORK_NONE, FORK_MAIN, FORK_FSM, FORK_VM, FORK_INIT };

// ---- files.c
struct shim_file
{
	dev_t device;
	ino_t inode;
	bool journaled;
	enum fork fork;
	int64_t first_block;    // of its segment
	char path[PATH_MOST];    // below the data directory
};

const char *data_folder(void);    // NULL: this process works in none
void entered_folder(void);
bool relative_path(const char *path, char *relative);
bool describe(const char *relative, struct shim_file *file);
const struct shim_file *file_of(int fd);
void remember(int fd, const char *path);
void forget_descriptor(int fd);
void forget_paths(void);

// ---- rules.c
enum action { A_NONE, A_DELAY, A_ERROR, A_SHORT, A_LOSE, A_TORN, A_KILL, A_SKIP_SYNC };

struct verdict
{
	enum action action;
	int error;
	uint64_t random;    // the same for the same seed, rule and count of matches
};

bool has_rules(void);
struct verdict ask_rules(enum function function, const struct shim_file *file, off_t from, off_t length);
uint64_t next_random(uint64_t *state);

// ---- transfers.c
struct transfer
{
	enum function function;
	int fd;
	const struct iovec *parts;
	int count;
	off_t at;
	bool positioned;    // read and write are not
	bool writes;
};

ssize_t do_transfer(const struct transfer *transfer);
off_t short_length(off_t length, uint64_t random);
void die_here(void) __attribute__((noreturn));

// ---- journal.c: without GH_SHIM_JOURNAL, and on files that are not journaled, nothing happens.
struct journal_hold
{
	int fd;    // -1: not in the journal
	bool was_empty;
};

bool has_journal(void);
struct journal_hold journal_change(int fd, off_t at, off_t length);
struct journal_hold journal_truncation(int fd, off_t size);
void journal_changed(struct journal_hold hold, off_t at, off_t length, bool durable);
uint64_t journal_sync_begins(const struct shim_file *file);
void journal_sync_ends(const struct shim_file *file, uint64_t noted);
void journal_sync_failed(const struct shim_file *file);
struct journal_hold journal_lock(dev_t device, ino_t inode);
void journal_release(struct journal_hold hold, dev_t device, ino_t inode, bool remove);

#endif
