/*
 * foreign_writer.c: an extension that reads and writes tables with heap's own functions, as extensions do that
 * were written before there were other table access methods.  Each SQL function calls one of them, by name.
 *
 * Built ten ways (Makefile), by how the functions of the server are reached: the linkage table, bound when loaded
 * (plt) or later (lazy), the global offset table (noplt), pointers in a static initialiser (pointers),
 * such pointers of which the library has changed one (changed; not where the data folder has a file "unchanged"),
 * pointers that _PG_init fills in (copied), addresses in its code (code), a pointer beside a function
 * (beside; stays is never unloaded), and dlsym, which escapes the import guard: the control that shows what
 * would happen.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define _GNU_SOURCE
#include "postgres.h"

#include <dlfcn.h>
#include <unistd.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/hio.h"
#include "access/multixact.h"
#include "access/parallel.h"
#include "access/rewriteheap.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/visibilitymap.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "catalog/indexing.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_am.h"
#include "catalog/storage.h"
#include "commands/vacuum.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "postmaster/bgworker.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/freespace.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

#if defined(USE_POINTERS)
static volatile struct
{
#define F(name) __typeof__(&name) name##_;
#include "functions.h"
#undef F
} table
#ifndef COPIED
= {
#define F(name) .name##_ = name,
#include "functions.h"
#undef F
}
#endif
;
#define CALL(name) (table.name##_)

#ifdef BESIDE
/* A kind of relocation that the guard does not know: function plus four. */
void	   *volatile beside = (char *) heap_insert + 4;
#endif
#ifdef CHANGED
static bool
no_fetch(Relation rel, Snapshot snapshot, HeapTuple tuple, Buffer *buffer, bool keep)
{
	*buffer = InvalidBuffer;
	tuple->t_data = NULL;
	return false;
}

static void __attribute__((constructor))
change(void)
{
	if (access("unchanged", F_OK) != 0)
		table.heap_fetch_ = no_fetch;
}
#endif
#ifdef COPIED
void		_PG_init(void);

void
_PG_init(void)
{
#define F(name) table.name##_ = name;
#include "functions.h"
#undef F
}
#endif
#elif defined(USE_DLSYM)
#define CALL(name) ((__typeof__(&name)) dlsym(RTLD_DEFAULT, #name))
#else
#define CALL(name) name
#endif

#define IS(text) (strcmp(how, text) == 0)

static void
unknown(const char *how)
{
	elog(ERROR, "foreign_writer: no function \"%s\"", how);
}

static HeapTuple
form(Relation rel, int32 id, text *v)
{
	Datum		values[2];
	bool		nulls[2] = {false, v == NULL};

	values[0] = Int32GetDatum(id);
	values[1] = PointerGetDatum(v);
	return heap_form_tuple(RelationGetDescr(rel), values, nulls);
}

static void
insert_one(Relation rel, HeapTuple tuple, const char *how)
{
	if (IS("heap_insert"))
		CALL(heap_insert) (rel, tuple, GetCurrentCommandId(true), 0, NULL);
	else if (IS("simple_heap_insert"))
		CALL(simple_heap_insert) (rel, tuple);
	else if (IS("CatalogTupleInsert"))
		CALL(CatalogTupleInsert) (rel, tuple);
	else if (IS("CatalogTupleInsertWithInfo"))
	{
		CatalogIndexState indexes = CatalogOpenIndexes(rel);

		CALL(CatalogTupleInsertWithInfo) (rel, tuple, indexes);
		CatalogCloseIndexes(indexes);
	}
	else
		unknown(how);
}

/* fw_insert(table, id, v, how): the new row's ctid, and that the tuple says which table it is of */
PG_FUNCTION_INFO_V1(fw_insert);
Datum
fw_insert(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), RowExclusiveLock);
	HeapTuple	tuple = form(rel, PG_GETARG_INT32(1), PG_GETARG_TEXT_PP(2));
	ItemPointer tid = palloc(sizeof(ItemPointerData));

	insert_one(rel, tuple, text_to_cstring(PG_GETARG_TEXT_PP(3)));
	if (tuple->t_tableOid != RelationGetRelid(rel))
		elog(ERROR, "t_tableOid is %u", tuple->t_tableOid);
	*tid = tuple->t_self;
	table_close(rel, NoLock);
	PG_RETURN_POINTER(tid);
}

/* fw_multi_insert(table, first, last, v, how) */
PG_FUNCTION_INFO_V1(fw_multi_insert);
Datum
fw_multi_insert(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), RowExclusiveLock);
	int32		first = PG_GETARG_INT32(1);
	int			count = PG_GETARG_INT32(2) - first + 1;
	char	   *how = text_to_cstring(PG_GETARG_TEXT_PP(4));
	TupleTableSlot **slots = palloc(count * sizeof(TupleTableSlot *));

	for (int i = 0; i < count; i++)
	{
		slots[i] = MakeSingleTupleTableSlot(RelationGetDescr(rel), table_slot_callbacks(rel));
		ExecForceStoreHeapTuple(form(rel, first + i, PG_GETARG_TEXT_PP(3)), slots[i], true);
	}
	if (IS("heap_multi_insert"))
		CALL(heap_multi_insert) (rel, slots, count, GetCurrentCommandId(true), 0, NULL);
	else if (IS("CatalogTuplesMultiInsertWithInfo"))
	{
		CatalogIndexState indexes = CatalogOpenIndexes(rel);

		CALL(CatalogTuplesMultiInsertWithInfo) (rel, slots, count, indexes);
		CatalogCloseIndexes(indexes);
	}
	else
		unknown(how);
	for (int i = 0; i < count; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* fw_update(table, ctid, id, v, how): was it a heap-only update? */
PG_FUNCTION_INFO_V1(fw_update);
Datum
fw_update(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), RowExclusiveLock);
	ItemPointerData tid = *(ItemPointer) PG_GETARG_POINTER(1);
	HeapTuple	tuple = form(rel, PG_GETARG_INT32(2), PG_GETARG_TEXT_PP(3));
	char	   *how = text_to_cstring(PG_GETARG_TEXT_PP(4));

	if (IS("heap_update"))
	{
		TM_FailureData failure;
		LockTupleMode mode;
		TM_Result	result = CALL(heap_update) (rel, &tid, tuple, GetCurrentCommandId(true), InvalidSnapshot,
												true, &failure, &mode);

		if (result != TM_Ok)
			elog(ERROR, "heap_update says %d", result);
	}
	else if (IS("simple_heap_update"))
		CALL(simple_heap_update) (rel, &tid, tuple);
	else if (IS("CatalogTupleUpdate"))
		CALL(CatalogTupleUpdate) (rel, &tid, tuple);
	else if (IS("CatalogTupleUpdateWithInfo"))
	{
		CatalogIndexState indexes = CatalogOpenIndexes(rel);

		CALL(CatalogTupleUpdateWithInfo) (rel, &tid, tuple, indexes);
		CatalogCloseIndexes(indexes);
	}
	else
		unknown(how);
	table_close(rel, NoLock);
	PG_RETURN_BOOL(HeapTupleIsHeapOnly(tuple));
}

/* fw_delete(table, ctid, how) */
PG_FUNCTION_INFO_V1(fw_delete);
Datum
fw_delete(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), RowExclusiveLock);
	ItemPointerData tid = *(ItemPointer) PG_GETARG_POINTER(1);
	char	   *how = text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (IS("heap_delete"))
	{
		TM_FailureData failure;
		TM_Result	result = CALL(heap_delete) (rel, &tid, GetCurrentCommandId(true), InvalidSnapshot, true,
												&failure, false);

		if (result != TM_Ok)
			elog(ERROR, "heap_delete says %d", result);
	}
	else if (IS("simple_heap_delete"))
		CALL(simple_heap_delete) (rel, &tid);
	else if (IS("CatalogTupleDelete"))
		CALL(CatalogTupleDelete) (rel, &tid);
	else
		unknown(how);
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

static text *
describe(Relation rel, const char *what, HeapTuple tuple)
{
	bool		null;
	Datum		id;

	if (tuple->t_data == NULL)
		return cstring_to_text(psprintf("%s, no row", what));
	id = heap_getattr(tuple, 1, RelationGetDescr(rel), &null);
	return cstring_to_text(psprintf("%s, row %d of %s at (%u,%u)", what, DatumGetInt32(id),
									tuple->t_tableOid == RelationGetRelid(rel) ? "this table" : "another table",
									ItemPointerGetBlockNumber(&tuple->t_self),
									ItemPointerGetOffsetNumber(&tuple->t_self)));
}

/* fw_lock(table, ctid): result and row of heap_lock_tuple, FOR UPDATE, without waiting */
PG_FUNCTION_INFO_V1(fw_lock);
Datum
fw_lock(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), RowShareLock);
	HeapTupleData tuple;
	Buffer		buffer;
	TM_FailureData failure;
	TM_Result	result;
	text	   *answer;

	tuple.t_self = *(ItemPointer) PG_GETARG_POINTER(1);
	result = CALL(heap_lock_tuple) (rel, &tuple, GetCurrentCommandId(false), LockTupleExclusive, LockWaitError,
									false, &buffer, &failure);
	answer = describe(rel, psprintf("result %d", result), &tuple);
	ReleaseBuffer(buffer);
	table_close(rel, NoLock);
	PG_RETURN_TEXT_P(answer);
}

/* fw_fetch(table, ctid, keep): what heap_fetch finds */
PG_FUNCTION_INFO_V1(fw_fetch);
Datum
fw_fetch(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	HeapTupleData tuple;
	Buffer		buffer;
	text	   *answer;
	bool		found;

	tuple.t_self = *(ItemPointer) PG_GETARG_POINTER(1);
	found = CALL(heap_fetch) (rel, GetActiveSnapshot(), &tuple, &buffer, PG_GETARG_BOOL(2));
	answer = describe(rel, psprintf("%s, %s", found ? "visible" : "not visible",
									BufferIsValid(buffer) ? "pinned" : "no pin"), &tuple);
	if (BufferIsValid(buffer))
		ReleaseBuffer(buffer);
	table_close(rel, NoLock);
	PG_RETURN_TEXT_P(answer);
}

/* What pgrowlocks and others do between two calls of heap_getnext. */
static void
look_at(TableScanDesc scan, HeapTuple tuple)
{
	Buffer		buffer = ((HeapScanDesc) scan)->rs_cbuf;
	TM_Result	result;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	result = HeapTupleSatisfiesUpdate(tuple, GetCurrentCommandId(false), buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (result != TM_Ok)
		elog(ERROR, "a row that can be seen is %d", result);
}

/* heap unpins its page when there is no row any more, and before it starts anew. */
static void
expect_no_pin(TableScanDesc scan, const char *when)
{
	if (BufferIsValid(((HeapScanDesc) scan)->rs_cbuf))
		elog(ERROR, "%s the scan has a pin", when);
}

static void
add_up(Relation rel, TableScanDesc scan, bool judge, int64 *count, int64 *sum)
{
	HeapTuple	tuple;
	bool		null;

	while ((tuple = CALL(heap_getnext) (scan, ForwardScanDirection)) != NULL)
	{
		if (judge)
			look_at(scan, tuple);
		++*count;
		*sum += DatumGetInt32(heap_getattr(tuple, 1, RelationGetDescr(rel), &null));
	}
	expect_no_pin(scan, "after its last row");
}

/* The rows are read in a subtransaction, as PL handlers do, which has ended when the scan does. */
static void
add_up_in_subtransaction(Relation rel, TableScanDesc scan, int64 *count, int64 *sum)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	add_up(rel, scan, false, count, sum);
	ReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/* fw_scan(table, how): number of rows and sum of their ids; backwards and again must give the same */
PG_FUNCTION_INFO_V1(fw_scan);
Datum
fw_scan(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	char	   *how = text_to_cstring(PG_GETARG_TEXT_PP(1));
	TableScanDesc scan;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsBufferHeapTuple);
	int64		count = 0;
	int64		sum = 0;
	int64		back = 0;
	bool		null;

	if (IS("table_beginscan") || IS("rs_cbuf"))
		scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	else if (IS("stock"))		/* as a copied pointer would */
		scan = ((__typeof__(&heap_beginscan)) dlsym(RTLD_DEFAULT, "heap_beginscan"))
			(rel, GetActiveSnapshot(), 0, NULL, NULL, SO_TYPE_SEQSCAN | SO_ALLOW_PAGEMODE);
	else if (IS("heap_beginscan") || IS("subtransaction") || IS("off midway"))
		scan = CALL(heap_beginscan) (rel, GetActiveSnapshot(), 0, NULL, NULL,
									 SO_TYPE_SEQSCAN | SO_ALLOW_STRAT | SO_ALLOW_SYNC | SO_ALLOW_PAGEMODE);
	else
		scan = CALL(heap_beginscan) (rel, SnapshotAny, 0, NULL, NULL, SO_TYPE_SEQSCAN);
	if (IS("subtransaction"))
		add_up_in_subtransaction(rel, scan, &count, &sum);
	else
		add_up(rel, scan, IS("rs_cbuf"), &count, &sum);
	if (IS("off midway"))
		SetConfigOption("glassheap.import_guard", "off", PGC_SUSET, PGC_S_SESSION);
	CALL(heap_getnext) (scan, ForwardScanDirection);
	CALL(heap_rescan) (scan, NULL, false, false, false, false);
	expect_no_pin(scan, "when it starts anew");
	while (CALL(heap_getnextslot) (scan, BackwardScanDirection, slot))
		back += DatumGetInt32(slot_getattr(slot, 1, &null));
	if (back != sum)
		elog(ERROR, "forwards %lld, backwards %lld", (long long) sum, (long long) back);
	ExecDropSingleTupleTableSlot(slot);
	CALL(heap_endscan) (scan);
	table_close(rel, NoLock);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%lld rows, sum %lld", (long long) count, (long long) sum)));
}

/*
 * fw_slot(table, how, kind, sql): the first row of a scan and a copy of its slot, read after the scan has ended and
 * the SQL was run
 */
PG_FUNCTION_INFO_V1(fw_slot);
Datum
fw_slot(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	char	   *how = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const TupleTableSlotOps *kind = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(2)), "buffer") == 0 ?
		&TTSOpsBufferHeapTuple : &TTSOpsVirtual;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), kind);
	TupleTableSlot *copy = MakeSingleTupleTableSlot(RelationGetDescr(rel), kind);
	bool		by_range = IS("heap_getnextslot_tidrange");
	TableScanDesc scan = CALL(heap_beginscan) (rel, GetActiveSnapshot(), 0, NULL, NULL, SO_ALLOW_PAGEMODE |
											   (by_range ? SO_TYPE_TIDRANGESCAN : SO_TYPE_SEQSCAN));
	ItemPointerData range[2];
	char	   *answer;
	bool		null;

	ItemPointerSet(&range[0], 0, 3);
	ItemPointerSet(&range[1], 0, 9);
	if (by_range)
		CALL(heap_set_tidrange) (scan, &range[0], &range[1]);
	if (!(by_range ? CALL(heap_getnextslot_tidrange) (scan, ForwardScanDirection, slot)
		  : CALL(heap_getnextslot) (scan, ForwardScanDirection, slot)))
		elog(ERROR, "no row");
	if (!BufferIsValid(((HeapScanDesc) scan)->rs_cbuf))
		elog(ERROR, "the scan of a slot's row has no pin");
	ExecCopySlot(copy, slot);
	CALL(heap_endscan) (scan);
	if (!TTS_SHOULDFREE(slot) && !BufferIsValid(((BufferHeapTupleTableSlot *) slot)->buffer))
		elog(ERROR, "nothing keeps the row that the slot holds");
	SPI_connect();
	SPI_execute(text_to_cstring(PG_GETARG_TEXT_PP(3)), false, 0);
	SPI_finish();
	answer = psprintf("row %d at (%u,%u) of %s, copy %d", DatumGetInt32(slot_getattr(slot, 1, &null)),
					  ItemPointerGetBlockNumber(&slot->tts_tid), ItemPointerGetOffsetNumber(&slot->tts_tid),
					  slot->tts_tableOid == RelationGetRelid(rel) ? "this table" : "another table",
					  DatumGetInt32(slot_getattr(copy, 1, &null)));
	ExecDropSingleTupleTableSlot(slot);
	ExecDropSingleTupleTableSlot(copy);
	table_close(rel, NoLock);
	PG_RETURN_TEXT_P(cstring_to_text(answer));
}

/* fw_flush(table): FlushRelationBuffers */
PG_FUNCTION_INFO_V1(fw_flush);
Datum
fw_flush(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessExclusiveLock);

	CALL(FlushRelationBuffers) (rel);
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* fw_speculative(table, id, v, keep): insert speculatively, then keep the row or take it back */
PG_FUNCTION_INFO_V1(fw_speculative);
Datum
fw_speculative(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), RowExclusiveLock);
	HeapTuple	tuple = form(rel, PG_GETARG_INT32(1), PG_GETARG_TEXT_PP(2));

	HeapTupleHeaderSetSpeculativeToken(tuple->t_data, 7);
	CALL(heap_insert) (rel, tuple, GetCurrentCommandId(true), HEAP_INSERT_SPECULATIVE, NULL);
	if (PG_GETARG_BOOL(3))
		CALL(heap_finish_speculative) (rel, &tuple->t_self);
	else
		CALL(heap_abort_speculative) (rel, &tuple->t_self);
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* fw_latest(table, ctid): where heap_get_latest_tid ends */
PG_FUNCTION_INFO_V1(fw_latest);
Datum
fw_latest(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	ItemPointer tid = palloc(sizeof(ItemPointerData));
	TableScanDesc scan = CALL(heap_beginscan) (rel, GetActiveSnapshot(), 0, NULL, NULL, SO_TYPE_TIDSCAN);

	*tid = *(ItemPointer) PG_GETARG_POINTER(1);
	CALL(heap_get_latest_tid) (scan, tid);
	CALL(heap_endscan) (scan);
	table_close(rel, NoLock);
	PG_RETURN_POINTER(tid);
}

/* fw_limits(table, first, count): number of rows and sum of their ids in these blocks */
PG_FUNCTION_INFO_V1(fw_limits);
Datum
fw_limits(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	TableScanDesc scan = CALL(heap_beginscan) (rel, GetActiveSnapshot(), 0, NULL, NULL,
											   SO_TYPE_SEQSCAN | SO_ALLOW_PAGEMODE);
	int64		count = 0;
	int64		sum = 0;

	CALL(heap_setscanlimits) (scan, PG_GETARG_INT32(1), PG_GETARG_INT32(2));
	add_up(rel, scan, false, &count, &sum);
	CALL(heap_endscan) (scan);
	table_close(rel, NoLock);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%lld rows, sum %lld", (long long) count, (long long) sum)));
}

/* fw_index_delete(table, from, to): which of the rows at these line pointers of block 0 an index may forget */
PG_FUNCTION_INFO_V1(fw_index_delete);
Datum
fw_index_delete(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	int			from = PG_GETARG_INT32(1);
	int			count = PG_GETARG_INT32(2) - from + 1;
	TM_IndexDelete *deltids = palloc0(count * sizeof(TM_IndexDelete));
	TM_IndexStatus *status = palloc0(count * sizeof(TM_IndexStatus));
	TM_IndexDeleteOp op = {.irel = rel,.ndeltids = count,.deltids = deltids,.status = status};
	TransactionId horizon;
	int			deletable = 0;
	int			sum = 0;

	for (int i = 0; i < count; i++)
	{
		ItemPointerSet(&deltids[i].tid, 0, from + i);
		deltids[i].id = i;
		status[i].idxoffnum = i + 1;
	}
	horizon = CALL(heap_index_delete_tuples) (rel, &op);
	for (int i = 0; i < op.ndeltids; i++)
	{
		if (!status[deltids[i].id].knowndeletable)
			continue;
		deletable++;
		sum += ItemPointerGetOffsetNumber(&deltids[i].tid);
	}
	table_close(rel, NoLock);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%d deletable, sum %d, horizon %s", deletable, sum,
											  TransactionIdIsNormal(horizon) ? "set" : "none")));
}

/* fw_vacuum(table): heap_vacuum_rel */
PG_FUNCTION_INFO_V1(fw_vacuum);
Datum
fw_vacuum(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), ShareUpdateExclusiveLock);
	VacuumParams params = {.options = VACOPT_VACUUM,.freeze_min_age = -1,.freeze_table_age = -1,
		.multixact_freeze_min_age = -1,.multixact_freeze_table_age = -1,.log_min_duration = -1,
		.index_cleanup = VACOPTVALUE_ENABLED,.truncate = VACOPTVALUE_DISABLED,.nworkers = -1};

	CALL(heap_vacuum_rel) (rel, &params, GetAccessStrategy(BAS_VACUUM));
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* A heap table's buffer, which such a function is about to work on; ours has none. */
static Buffer
buffer_of(Relation rel, int lock)
{
	Buffer		buffer;

	if (rel->rd_rel->relam != HEAP_TABLE_AM_OID)
		return InvalidBuffer;
	buffer = ReadBuffer(rel, 0);
	if (lock < 0)
		LockBufferForCleanup(buffer);
	else if (lock != BUFFER_LOCK_UNLOCK)
		LockBuffer(buffer, lock);
	return buffer;
}

static void
done_with(Buffer buffer)
{
	if (BufferIsValid(buffer))
		UnlockReleaseBuffer(buffer);
}

static bool
refused_space(Relation rel, const char *how)
{
	BlockNumber end = RelationGetNumberOfBlocks(rel);

	if (IS("FreeSpaceMapPrepareTruncateRel"))
		CALL(FreeSpaceMapPrepareTruncateRel) (rel, end);
	else if (IS("FreeSpaceMapVacuum"))
		CALL(FreeSpaceMapVacuum) (rel);
	else if (IS("FreeSpaceMapVacuumRange"))
		CALL(FreeSpaceMapVacuumRange) (rel, 0, end);
	else if (IS("GetPageWithFreeSpace"))
		CALL(GetPageWithFreeSpace) (rel, 100);
	else if (IS("RecordAndGetPageWithFreeSpace"))
		CALL(RecordAndGetPageWithFreeSpace) (rel, 0, 0, 100);
	else if (IS("RecordPageWithFreeSpace"))
		CALL(RecordPageWithFreeSpace) (rel, 0, 0);
	else if (IS("RelationTruncate"))
		CALL(RelationTruncate) (rel, end);
	else if (IS("log_newpage_range"))
		CALL(log_newpage_range) (rel, MAIN_FORKNUM, 0, end, true);
	else
		return false;
	return true;
}

static bool
refused_page(Relation rel, const char *how, HeapTuple tuple)
{
	Buffer		buffer = InvalidBuffer;

	if (IS("heap_hot_search_buffer"))
	{
		buffer = buffer_of(rel, BUFFER_LOCK_SHARE);
		CALL(heap_hot_search_buffer) (&tuple->t_self, rel, buffer, GetActiveSnapshot(), tuple, NULL, true);
	}
	else if (IS("heap_page_prune"))
	{
		buffer = buffer_of(rel, -1);
		CALL(heap_page_prune) (rel, buffer, InvalidTransactionId, GlobalVisTestFor(rel), InvalidTransactionId, 0,
							   &(int) {0}, NULL);
	}
	else if (IS("heap_page_prune_opt"))
	{
		buffer = buffer_of(rel, BUFFER_LOCK_UNLOCK);
		CALL(heap_page_prune_opt) (rel, buffer);
		if (BufferIsValid(buffer))
			ReleaseBuffer(buffer);
		return true;
	}
	else if (IS("RelationGetBufferForTuple"))
		buffer = CALL(RelationGetBufferForTuple) (rel, tuple->t_len, InvalidBuffer, 0, NULL, &(Buffer) {InvalidBuffer}, NULL);
	else
		return false;
	done_with(buffer);
	return true;
}

/*
 * Not called with heap tables: RelationPutHeapTuple and visibilitymap_set leave a page that a record must follow, the two
 * of 15.10 want a row of a catalog.
 */
static bool
refused_only(Relation rel, const char *how, HeapTuple tuple)
{
	if (IS("RelationPutHeapTuple"))
		CALL(RelationPutHeapTuple) (rel, InvalidBuffer, tuple, false);
	else if (IS("visibilitymap_set"))
		CALL(visibilitymap_set) (rel, 0, InvalidBuffer, InvalidXLogRecPtr, InvalidBuffer, InvalidTransactionId, 1);
#if PG_VERSION_NUM >= 150010
	else if (IS("heap_inplace_lock"))
		CALL(heap_inplace_lock) (rel, tuple, InvalidBuffer, NULL, NULL);
	else if (IS("systable_inplace_update_begin"))
		CALL(systable_inplace_update_begin) (rel, InvalidOid, false, NULL, 0, NULL, &tuple, &(void *) {NULL});
#endif
	else
		return false;
	return true;
}

static void
read_one_page(Relation rel)
{
	TableScanDesc scan = CALL(heap_beginscan) (rel, GetActiveSnapshot(), 0, NULL, NULL,
											   SO_TYPE_SEQSCAN | SO_ALLOW_PAGEMODE);

	CALL(heapgetpage) (scan, 0);
	CALL(heap_endscan) (scan);
}

/* The row itself once more: written in place, it stays what it was. */
static void
update_in_place(Relation rel, ItemPointer tid)
{
	HeapTupleData found = {.t_self = *tid};
	Buffer		buffer;
	HeapTuple	copy;

	if (!CALL(heap_fetch) (rel, GetActiveSnapshot(), &found, &buffer, false))
		elog(ERROR, "no row");
	copy = heap_copytuple(&found);
	ReleaseBuffer(buffer);
	CALL(heap_inplace_update) (rel, copy);
}

/* fw_refused(table, how): functions that nobody can do for another access method; with a heap table they succeed */
PG_FUNCTION_INFO_V1(fw_refused);
Datum
fw_refused(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessExclusiveLock);
	char	   *how = text_to_cstring(PG_GETARG_TEXT_PP(1));
	HeapTuple	tuple = form(rel, 1, NULL);

	ItemPointerSet(&tuple->t_self, 0, 1);
	if (IS("heap_inplace_update"))
		update_in_place(rel, &tuple->t_self);
	else if (IS("heapgetpage"))
		read_one_page(rel);
	else if (IS("begin_heap_rewrite"))
		CALL(begin_heap_rewrite) (rel, rel, GetOldestNonRemovableTransactionId(rel), FirstNormalTransactionId,
								  FirstMultiXactId);
	else if (!refused_space(rel, how) && !refused_page(rel, how, tuple) && !refused_only(rel, how, tuple))
		unknown(how);
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* fw_in_worker(): runs this in a parallel worker? */
PG_FUNCTION_INFO_V1(fw_in_worker);
Datum
fw_in_worker(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(IsParallelWorker());
}

/* fw_dlopen(path): loads a library behind the server's back, its functions not bound yet */
PG_FUNCTION_INFO_V1(fw_dlopen);
Datum
fw_dlopen(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(dlopen(text_to_cstring(PG_GETARG_TEXT_PP(0)), RTLD_LAZY | RTLD_GLOBAL) != NULL);
}

/* fw_reopen(path): unloads what fw_dlopen has loaded, and loads it again: is it gone meanwhile? */
PG_FUNCTION_INFO_V1(fw_reopen);
Datum
fw_reopen(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	void	   *handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	bool		gone;

	if (handle == NULL)
		elog(ERROR, "%s is not loaded", path);
	dlclose(handle);
	dlclose(handle);
	gone = dlopen(path, RTLD_LAZY | RTLD_NOLOAD) == NULL;
	PG_RETURN_BOOL(dlopen(path, RTLD_LAZY) != NULL && gone);
}

/* fw_finds(name): does a library find another's symbol without naming its file? */
PG_FUNCTION_INFO_V1(fw_finds);
Datum
fw_finds(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(dlsym(RTLD_DEFAULT, text_to_cstring(PG_GETARG_TEXT_PP(0))) != NULL);
}

/* A background worker that loads this library for the first time: one row into table "by_worker". */
PGDLLEXPORT void fw_worker_main(Datum argument);

void
fw_worker_main(Datum argument)
{
	Relation	rel;

	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	rel = table_openrv(makeRangeVar("public", "by_worker", -1), RowExclusiveLock);
	insert_one(rel, form(rel, 1, cstring_to_text("worker")), "CatalogTupleInsert");
	table_close(rel, NoLock);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* fw_start_worker(library): starts it and waits until it has ended; needs no library of its own loaded first */
PG_FUNCTION_INFO_V1(fw_start_worker);
Datum
fw_start_worker(PG_FUNCTION_ARGS)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	strlcpy(worker.bgw_name, "foreign_writer", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, text_to_cstring(PG_GETARG_TEXT_PP(0)), BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "fw_worker_main", BGW_MAXLEN);
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		elog(ERROR, "no background worker to be had");
	PG_RETURN_BOOL(WaitForBackgroundWorkerShutdown(handle) == BGWH_STOPPED);
}
