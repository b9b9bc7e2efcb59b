/*
 * test/modules/two_pools/two_pools.c - code that bypasses the table access method: reads and changes pages of any
 * table in shared_buffers, with heap's functions.
 *
 * They are looked up by name when they are called, so no guard that patches a library's imports can help; what is
 * left is the tripwire, which t/105 tests.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "postgres.h"

#include <dlfcn.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/resowner.h"

PG_MODULE_MAGIC;

typedef void (*insert_function) (Relation, HeapTuple, CommandId, int, BulkInsertState);
typedef void (*delete_function) (Relation, ItemPointer);
typedef void (*flush_function) (Relation);
typedef void (*drop_function) (SMgrRelation, ForkNumber *, int, BlockNumber *);

static void *
by_name(const char *name)
{
	void	   *address = dlsym(RTLD_DEFAULT, name);

	if (address == NULL)
		elog(ERROR, "the server has no function %s", name);
	return address;
}

/* two_pools_insert(table, number, note): the table has these two columns; no index gets an entry. */
PG_FUNCTION_INFO_V1(two_pools_insert);
Datum
two_pools_insert(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), RowExclusiveLock);
	Datum		values[2] = {PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	bool		nulls[2] = {PG_ARGISNULL(1), PG_ARGISNULL(2)};
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	((insert_function) by_name("heap_insert")) (rel, tuple, GetCurrentCommandId(true), 0, NULL);
	table_close(rel, NoLock);
	PG_RETURN_DATUM(PointerGetDatum(&tuple->t_self));
}

PG_FUNCTION_INFO_V1(two_pools_delete);
Datum
two_pools_delete(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), RowExclusiveLock);

	((delete_function) by_name("simple_heap_delete")) (rel, (ItemPointer) PG_GETARG_POINTER(1));
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* two_pools_read(table, block): a clean copy comes into shared_buffers. */
PG_FUNCTION_INFO_V1(two_pools_read);
Datum
two_pools_read(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);

	ReleaseBuffer(ReadBuffer(rel, PG_GETARG_INT32(1)));
	relation_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}

/* two_pools_hold(table, block): the same, and it stays pinned until the transaction is aborted. */
PG_FUNCTION_INFO_V1(two_pools_hold);
Datum
two_pools_hold(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	ResourceOwner owner = CurrentResourceOwner;

	CurrentResourceOwner = TopTransactionResourceOwner;
	(void) ReadBuffer(rel, PG_GETARG_INT32(1));
	CurrentResourceOwner = owner;
	relation_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}

/* two_pools_set_visible(table, block): PD_ALL_VISIBLE without a record, as a VACUUM does without checksums. */
PG_FUNCTION_INFO_V1(two_pools_set_visible);
Datum
two_pools_set_visible(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	Buffer		buffer = ReadBuffer(rel, PG_GETARG_INT32(1));

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	PageSetAllVisible(BufferGetPage(buffer));
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
	relation_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}

/* two_pools_hint(table, block): as after a hint bit, without checksums. */
PG_FUNCTION_INFO_V1(two_pools_hint);
Datum
two_pools_hint(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	Buffer		buffer = ReadBuffer(rel, PG_GETARG_INT32(1));

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	MarkBufferDirtyHint(buffer, true);
	UnlockReleaseBuffer(buffer);
	relation_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}

/* two_pools_flush(table, drop): the copies of its main fork are written, and leave shared_buffers. */
PG_FUNCTION_INFO_V1(two_pools_flush);
Datum
two_pools_flush(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	ForkNumber	fork = MAIN_FORKNUM;
	BlockNumber first = 0;

	((flush_function) by_name("FlushRelationBuffers")) (rel);
	if (PG_GETARG_BOOL(1))
		((drop_function) by_name("DropRelFileNodeBuffers")) (RelationGetSmgr(rel), &fork, 1, &first);
	relation_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}

/*
 * two_pools_read_slowly(table, block, begin): the buffer looks as while it is being read in, until it is called again for
 * the block in the same session without "begin".  A session has at most 64 neighbouring blocks, of one table.
 */
static Buffer buffers[64];

PG_FUNCTION_INFO_V1(two_pools_read_slowly);
Datum
two_pools_read_slowly(PG_FUNCTION_ARGS)
{
	bool		begin = PG_GETARG_BOOL(2);
	Buffer	   *buffer = &buffers[PG_GETARG_INT32(1) % 64];
	BufferDesc *desc;
	uint32		state;

	if (begin)
	{
		Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
		ResourceOwner owner = CurrentResourceOwner;

		CurrentResourceOwner = TopTransactionResourceOwner;
		*buffer = ReadBuffer(rel, PG_GETARG_INT32(1));
		CurrentResourceOwner = owner;
		relation_close(rel, AccessShareLock);
	}
	desc = GetBufferDescriptor(*buffer - 1);
	state = LockBufHdr(desc);
	if (begin)
		state = (state | BM_IO_IN_PROGRESS) & ~BM_VALID;
	else
		state = (state | BM_VALID) & ~BM_IO_IN_PROGRESS;
	UnlockBufHdr(desc, state);
	PG_RETURN_VOID();
}

/* two_pools_read_fails(block): such a read ends with an error, which leaves the buffer without data. */
PG_FUNCTION_INFO_V1(two_pools_read_fails);
Datum
two_pools_read_fails(PG_FUNCTION_ARGS)
{
	BufferDesc *desc = GetBufferDescriptor(buffers[PG_GETARG_INT32(0) % 64] - 1);
	uint32		state = LockBufHdr(desc);

	state = (state | BM_IO_ERROR) & ~(BM_IO_IN_PROGRESS | BM_VALID);
	UnlockBufHdr(desc, state);
	PG_RETURN_VOID();
}

/* two_pools_index(table, key, tid): enters a row that was put in behind the back into all indexes (each of one int column). */
PG_FUNCTION_INFO_V1(two_pools_index);
Datum
two_pools_index(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), RowExclusiveLock);
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(cell), RowExclusiveLock);
		Datum		values[INDEX_MAX_KEYS] = {PG_GETARG_DATUM(1)};
		bool		nulls[INDEX_MAX_KEYS] = {false};
		ItemPointer tid = (ItemPointer) PG_GETARG_POINTER(2);

		index_insert(index, values, nulls, tid, rel, UNIQUE_CHECK_NO, false, BuildIndexInfo(index));
		index_close(index, NoLock);
	}
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}
