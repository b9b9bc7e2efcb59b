/*
 * test/modules/worker_naps/worker_naps.c - for LD_PRELOAD: naps of a second or more of the two workers end by their latch
 * only, so a call that gets lost is a test that hangs, not one that is slow.  What they do is on record.
 *
 * The file that GH_NAPS names: for guardian and writer how often they began to wait, and for how many milliseconds they
 * want to right now (int64 each; -1: they are not waiting).
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "../preloaded_workers.h"

struct naps
{
	int64_t		begun;
	int64_t		asked;
};

static volatile struct naps *naps;	/* of the two; null: nothing is changed */

__attribute__((constructor)) static void
map_file(void)
{
	naps = map_shared("GH_NAPS", 2 * sizeof(struct naps));
}

int
epoll_wait(int set, struct epoll_event *events, int room, int timeout)
{
	static int	(*real) (int, struct epoll_event *, int, int);
	int			me = naps != NULL ? which_worker() : -1;
	int			found;

	if (real == NULL)
		real = (int (*) (int, struct epoll_event *, int, int)) dlsym(RTLD_NEXT, "epoll_wait");
	if (me < 0)
		return real(set, events, room, timeout);
	naps[me].begun++;
	naps[me].asked = timeout;
	if (timeout >= 1000)
		timeout = -1;
	found = real(set, events, room, timeout);
	naps[me].asked = -1;
	return found;
}
