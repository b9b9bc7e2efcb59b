/*
 * test/modules/preloaded_workers.h - for libraries that LD_PRELOAD puts into a server: memory that they share with the test, and which of
 * our workers a process is.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file that the environment's `variable` names; null: none. */
static void *
map_shared(const char *variable, size_t size)
{
	const char *name = getenv(variable);
	int			file = name != NULL ? open(name, O_RDWR) : -1;
	void	   *place;

	if (file < 0)
		return NULL;
	place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	return place != MAP_FAILED ? place : NULL;
}

/* 0: the guardian, 1: the writer, -1: somebody else. */
static int
which_worker(void)
{
	char		title[256];
	int			file = open("/proc/self/cmdline", O_RDONLY);
	ssize_t		length = file >= 0 ? read(file, title, sizeof title - 1) : 0;

	if (file >= 0)
		close(file);
	title[length > 0 ? length : 0] = '\0';
	if (strstr(title, "glassheap checkpoint guardian") != NULL)
		return 0;
	return strstr(title, "glassheap pool writer") != NULL ? 1 : -1;
}
