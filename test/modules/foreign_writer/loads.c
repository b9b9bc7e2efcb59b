/*
 * loads.c: libraries that load others by themselves, and one that takes heap's routine, as an access method on top of
 * heap does.
 *
 * HOLDS: its constructor loads that library and keeps it.  PASSES: its constructor loads that library and closes it.
 * ROUTINE: _PG_init copies heap's routine; with PASSES it and the hook for shared memory load that library and
 * close it, and the hook's second call, after a crash, loads AGAIN before glassheap is asked.  FAILS: cannot be loaded.
 * CALLS: one call.
 * LEAVES: its constructor copies a pointer, which nobody can guard, and leaves a callback with the server.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "postgres.h"

#include <dlfcn.h>

#include "access/heapam.h"
#include "access/tableam.h"
#include "fmgr.h"
#include "storage/ipc.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

#ifdef PASSES
static void
pass(void)
{
	void	   *handle = dlopen(PASSES, RTLD_NOW);

	if (handle == NULL)
		abort();
	dlclose(handle);
}
#endif

#ifdef ROUTINE
void		_PG_init(void);
Datum		loads_insert(PG_FUNCTION_ARGS);

TableAmRoutine routine;

/* Only a library that imports such a function is looked through. */
PG_FUNCTION_INFO_V1(loads_insert);
Datum
loads_insert(PG_FUNCTION_ARGS)
{
	simple_heap_insert((Relation) PG_GETARG_POINTER(0), (HeapTuple) PG_GETARG_POINTER(1));
	PG_RETURN_VOID();
}

#ifdef PASSES
static shmem_startup_hook_type next_hook;
static bool started = false;

static void
startup(void)
{
	if (started && dlopen(AGAIN, RTLD_NOW) == NULL)
		abort();
	if (next_hook != NULL)
		next_hook();
	pass();
	started = true;
}
#endif

void
_PG_init(void)
{
	routine = *GetHeapamTableAmRoutine();
#ifdef PASSES
	pass();
	next_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
#endif
}
#elif defined(PASSES)
static void __attribute__((constructor))
construct(void)
{
	pass();
}
#elif defined(HOLDS)
void		loads_nothing(void);

/* By which others find this library. */
void
loads_nothing(void)
{
}

static void __attribute__((constructor))
construct(void)
{
	if (dlopen(HOLDS, RTLD_NOW) == NULL)
		abort();
}
#elif defined(LEAVES)
void	   *volatile loads_copy;

static void
leave(int code, Datum argument)
{
	elog(LOG, "foreign_writer: the callback is called");
}

static void __attribute__((constructor))
construct(void)
{
	loads_copy = (void *) simple_heap_insert;
	on_proc_exit(leave, (Datum) 0);
}
#elif defined(CALLS)
void		loads_call(Relation rel, HeapTuple tuple);

void
loads_call(Relation rel, HeapTuple tuple)
{
	heap_insert(rel, tuple, 0, 0, NULL);
}
#elif defined(FAILS)
void		no_such_function(void);
void		_PG_init(void);

void
_PG_init(void)
{
	no_such_function();
}
#endif
