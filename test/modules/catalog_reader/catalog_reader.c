/*
 * catalog_reader: an output plugin that reads a user_catalog_table at every change, as of that change.
 *
 * For each row change it writes one line: the values of the first column (int4) of the table named by the option
 * "catalog", as the historic snapshot shows them, in the order of the scan.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "replication/logical.h"
#include "replication/output_plugin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;
extern PGDLLEXPORT void _PG_output_plugin_init(OutputPluginCallbacks *cb);

static void
startup(LogicalDecodingContext *ctx, OutputPluginOptions *options, bool is_init)
{
	ListCell   *cell;

	options->output_type = OUTPUT_PLUGIN_TEXTUAL_OUTPUT;
	ctx->output_plugin_private = NULL;
	foreach(cell, ctx->output_plugin_options)
	{
		DefElem    *option = lfirst(cell);

		if (strcmp(option->defname, "catalog") == 0)
			ctx->output_plugin_private = strVal(option->arg);
	}
}

static void
nothing(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
}

static void
commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr lsn)
{
}

static void
change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, Relation rel, ReorderBufferChange *what)
{
	RangeVar   *name = makeRangeVar("public", ctx->output_plugin_private, -1);
	Relation	catalog = table_openrv(name, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	row;

	OutputPluginPrepareWrite(ctx, true);
	appendStringInfo(ctx->out, "%s:", RelationGetRelationName(rel));
	while ((row = systable_getnext(scan)) != NULL)
	{
		bool		isnull;
		Datum		value = heap_getattr(row, 1, RelationGetDescr(catalog), &isnull);

		appendStringInfo(ctx->out, " %d", isnull ? -1 : DatumGetInt32(value));
	}
	OutputPluginWrite(ctx, true);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

void
_PG_output_plugin_init(OutputPluginCallbacks *cb)
{
	cb->startup_cb = startup;
	cb->begin_cb = nothing;
	cb->change_cb = change;
	cb->commit_cb = commit;
}
