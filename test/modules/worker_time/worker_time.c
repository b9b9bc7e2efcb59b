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
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>

#include "../preloaded_workers.h"

static volatile int64_t *told;	/* null: nothing is changed */

__attribute__((constructor)) static void
map_file(void)
{
	told = map_shared("GH_TIME", 3 * sizeof(int64_t));
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

int
epoll_wait(int set, struct epoll_event *events, int room, int timeout)
{
	static int	(*real) (int, struct epoll_event *, int, int);
	int			ready;

	if (real == NULL)
		real = (int (*) (int, struct epoll_event *, int, int)) dlsym(RTLD_NEXT, "epoll_wait");
	if (timeout < 400 || told == NULL || told[1] == 0 || which_worker() != 1)
		return real(set, events, room, timeout);
	told[2] = 1;
	ready = real(set, events, room, -1);
	told[2] = 0;
	return ready;
}
