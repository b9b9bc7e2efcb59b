/*
 * test/modules/late_inserter/late_inserter.c - a library that inserts rows, one by one, in its callbacks of the end of a
 * transaction or subtransaction (t/192).
 *
 * late_inserter.at: where ("pre_commit", "pre_commit_sub"; empty: nowhere).  Into the table "late" (id int, v
 * text), if there is one.  late_inserter.nest: an internal subtransaction comes and goes first.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/table.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "catalog/namespace.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/resowner.h"

PG_MODULE_MAGIC;

#define ROWS 100				/* more than a run needs to begin */

static char *at = NULL;
static bool nest = false;
static bool busy = false;

static void
insert_rows(void)
{
	Oid			oid = RangeVarGetRelid(makeRangeVar("public", "late", -1), RowExclusiveLock, true);
	Relation	rel;
	TupleTableSlot *slot;

	if (!OidIsValid(oid))
		return;
	rel = table_open(oid, NoLock);
	slot = table_slot_create(rel, NULL);
	for (int i = 0; i < ROWS; i++)
	{
		ExecClearTuple(slot);
		slot->tts_values[0] = Int32GetDatum(i);
		slot->tts_values[1] = CStringGetTextDatum("inserted late, and long enough that the page is full in the midst of it: ........................");
		slot->tts_isnull[0] = slot->tts_isnull[1] = false;
		ExecStoreVirtualTuple(slot);
		simple_table_tuple_insert(rel, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

static void
come_late(const char *moment)
{
	if (busy || at == NULL || strcmp(at, moment) != 0)
		return;
	busy = true;
	PG_TRY();
	{
		if (nest)
		{
			MemoryContext context = CurrentMemoryContext;
			ResourceOwner owner = CurrentResourceOwner;

			BeginInternalSubTransaction(NULL);
			ReleaseCurrentSubTransaction();
			MemoryContextSwitchTo(context);
			CurrentResourceOwner = owner;
		}
		insert_rows();
	}
	PG_FINALLY();
	{
		busy = false;
	}
	PG_END_TRY();
}

static void
at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT)
		come_late("pre_commit");
}

static void
at_subxact_end(SubXactEvent event, SubTransactionId me, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
		come_late("pre_commit_sub");
}

void		_PG_init(void);

void
_PG_init(void)
{
	DefineCustomStringVariable("late_inserter.at", "Where rows are inserted: pre_commit, pre_commit_sub.", NULL, &at, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("late_inserter.nest", "A subtransaction comes and goes before.", NULL, &nest, false,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(at_xact_end, NULL);
	RegisterSubXactCallback(at_subxact_end, NULL);
}
