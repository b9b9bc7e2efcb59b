/*
 * test/modules/worker_time/worker_time.c - for LD_PRELOAD: a server whose clock the test sets, and whose pool writer's naps (all but
 * those between turns that follow each other) end by its latch only.  So a wake-up that gets lost is a test that hangs, not one that
 * is slow.
 *
 * The file that GH_TIME names has three int64: microseconds to add to the time of day; whether naps last; and, told by the server,
 * whether the writer naps.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *told;	/* null: nothing is changed */

__attribute__((constructor)) static void
map_file(void)
{
	const char *name = getenv("GH_TIME");
	int			file = name != NULL ? open(name, O_RDWR) : -1;
	void	   *place;

	if (file < 0)
		return;
	place = mmap(NULL, 3 * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (place != MAP_FAILED)
		told = place;
	close(file);
}

int
gettimeofday(struct timeval *now, void *zone)
{
	struct timespec real;
	int64_t		micros;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &real);
	micros = (int64_t) real.tv_sec * 1000000 + real.tv_nsec / 1000 + (told != NULL ? told[0] : 0);
	now->tv_sec = micros / 1000000;
	now->tv_usec = micros % 1000000;
	return 0;
}

static int
is_writer(void)
{
	char		title[256];
	int			file = open("/proc/self/cmdline", O_RDONLY);
	ssize_t		length = file >= 0 ? read(file, title, sizeof title - 1) : 0;

	if (file >= 0)
		close(file);
	title[length > 0 ? length : 0] = '\0';
	return strstr(title, "glassheap pool writer") != NULL;
}

int
epoll_wait(int set, struct epoll_event *events, int room, int timeout)
{
	static int	(*real) (int, struct epoll_event *, int, int);
	int			ready;

	if (real == NULL)
		real = (int (*) (int, struct epoll_event *, int, int)) dlsym(RTLD_NEXT, "epoll_wait");
	if (timeout < 400 || told == NULL || told[1] == 0 || !is_writer())
		return real(set, events, room, timeout);
	told[2] = 1;
	ready = real(set, events, room, -1);
	told[2] = 0;
	return ready;
}
