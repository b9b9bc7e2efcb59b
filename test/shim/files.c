// test/shim/files.c: which file of the data directory is a descriptor, and what is known of it by its name.
//
// How:    names are noted at open() and believed while the descriptor still has the inode that it had; other descriptors
//         (dup, fopen) are asked of /proc.  The data directory is GH_SHIM_DATA, or what the process entered by chdir()
//         if it looks like one, as the postmaster does before anything else.
// SPDX-License-Identifier: PostgreSQL
#include "shim.h"

enum { DESCRIPTORS = 4096, BLOCKS_OF_SEGMENT = 131072 };

static struct shim_file known[DESCRIPTORS];
static char folder[4096];
static size_t folder_length;
static bool works_there;    // so that relative names are below it

const char *data_folder(void) { return folder_length > 0 ? folder : NULL; }

static void use_folder(const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/') length--;
	if (length >= sizeof folder) return;
	memcpy(folder, path, length);
	folder[length] = '\0';
	folder_length = length;
}

// After chdir(), too: a server enters its data directory before anything else, and never leaves it.
void entered_folder(void)
{
	char path[4096];
	if (!getcwd(path, sizeof path)) return;
	if (!getenv("GH_SHIM_DATA") && access("PG_VERSION", F_OK) == 0 && access("global", F_OK) == 0) use_folder(path);
	works_there = data_folder() && strcmp(path, folder) == 0;
}

__attribute__((constructor)) static void find_folder(void)
{
	const char *given = getenv("GH_SHIM_DATA");
	if (!given) return;
	use_folder(given);
	entered_folder();
}

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

static bool in_data_folder(const char *path)
{
	return starts_with(path, folder) && path[folder_length] == '/';
}

bool relative_path(const char *path, char *relative)
{
	if (!data_folder()) return false;
	if (path[0] == '/')
	{
		if (!in_data_folder(path)) return false;
		path += folder_length + 1;
	}
	else if (!works_there)
		return false;
	while (path[0] == '.' && path[1] == '/') path += 2;
	if (strlen(path) >= PATH_MOST) return false;
	strcpy(relative, path);
	return true;
}

// What a server writes without ever asking for its being durable, and looks at in no recovery.
static bool is_journaled(const char *path)
{
	static const char *const folders[] = { "log/", "pg_log/", "pg_stat/", "pg_stat_tmp/", "pg_dynshmem/" };
	static const char *const files[] = { "postmaster.pid", "postmaster.opts", "current_logfiles" };
	const char *name = strrchr(path, '/');
	name = name ? name + 1 : path;
	for (size_t i = 0; i < LENGTH_OF(folders); i++)
		if (starts_with(path, folders[i])) return false;
	for (size_t i = 0; i < LENGTH_OF(files); i++)
		if (strcmp(path, files[i]) == 0) return false;
	if (strstr(path, "pgsql_tmp") || starts_with(name, "pg_internal.init")) return false;
	return !(name[0] == 't' && name[1] >= '0' && name[1] <= '9');    // a temporary table: t3_16384
}

static enum fork fork_by_suffix(const char *suffix, size_t length)
{
	static const char *const names[] = { "", "_fsm", "_vm", "_init" };
	for (size_t i = 0; i < LENGTH_OF(names); i++)
		if (strlen(names[i]) == length && strncmp(names[i], suffix, length) == 0) return FORK_MAIN + (enum fork)i;
	return FORK_NONE;
}

// Fork and segment by the name of a relation's file: base/5/16384_vm.1.
static void describe_relation(struct shim_file *file)
{
	const char *name = strrchr(file->path, '/');
	file->fork = FORK_NONE;
	file->first_block = 0;
	if (!name || !(starts_with(file->path, "base/") || starts_with(file->path, "global/") || starts_with(file->path, "pg_tblspc/"))) return;
	name++;
	size_t digits = strspn(name, "0123456789");
	if (digits == 0) return;
	size_t suffix = strcspn(name + digits, ".");
	file->fork = fork_by_suffix(name + digits, suffix);
	if (name[digits + suffix] == '.') file->first_block = atoll(name + digits + suffix + 1) * BLOCKS_OF_SEGMENT;
}

bool describe(const char *relative, struct shim_file *file)
{
	if (strlen(relative) >= PATH_MOST) return false;
	strcpy(file->path, relative);
	file->journaled = is_journaled(relative);
	describe_relation(file);
	return true;
}

static bool in_table(int fd) { return fd >= 0 && fd < DESCRIPTORS; }

void remember(int fd, const char *path)
{
	struct stat info;
	if (!in_table(fd)) return;
	struct shim_file *file = &known[fd];
	file->inode = 0;
	char relative[PATH_MOST];
	if (!relative_path(path, relative) || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || !describe(relative, file)) return;
	file->device = info.st_dev;
	file->inode = info.st_ino;
}

void forget_descriptor(int fd)
{
	if (in_table(fd)) known[fd].inode = 0;
}

// After a rename; other processes notice at their next open().
void forget_paths(void)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++)
		if (known[fd].inode != 0) known[fd].inode = 0;
}

static bool ask_proc(int fd, struct shim_file *file)
{
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length <= 0) return false;
	path[length] = '\0';
	return in_data_folder(path) && describe(path + folder_length + 1, file);
}

// NULL: not a regular file below the data directory.  Valid until the next call.
const struct shim_file *file_of(int fd)
{
	static struct shim_file other;
	struct stat info;
	if (!data_folder() || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return NULL;
	struct shim_file *file = in_table(fd) ? &known[fd] : &other;
	if (in_table(fd) && file->inode == info.st_ino && file->device == info.st_dev) return file;
	file->inode = 0;
	if (!ask_proc(fd, file)) return NULL;
	file->device = info.st_dev;
	file->inode = info.st_ino;
	return file;
}
