# t/lib/ForeignWriter.pm: the SQL side of test/modules/foreign_writer, which tools/check installs.
#
# Why:    the same statements run on a heap table and on its glassheap twin; answers and errors must be equal.
# SPDX-License-Identifier: PostgreSQL
package ForeignWriter;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(foreign_writer_functions row_statements indexed_statements refused_functions run_on);

# SQL that creates the functions of one build of the library (plt, noplt, pointers, dlsym) in a schema of that name.
sub foreign_writer_functions
{
	my ($build) = @_;
	my %arguments = (
		fw_insert => 'regclass, int, text, text) RETURNS tid',
		fw_multi_insert => 'regclass, int, int, text, text) RETURNS void',
		fw_update => 'regclass, tid, int, text, text) RETURNS bool',
		fw_delete => 'regclass, tid, text) RETURNS void',
		fw_lock => 'regclass, tid) RETURNS text',
		fw_fetch => 'regclass, tid, bool) RETURNS text',
		fw_scan => 'regclass, text) RETURNS text PARALLEL SAFE',
		fw_slot => 'regclass, text, text, text) RETURNS text',
		fw_latest => 'regclass, tid) RETURNS tid',
		fw_limits => 'regclass, int, int) RETURNS text',
		fw_index_delete => 'regclass, int, int) RETURNS text',
		fw_vacuum => 'regclass) RETURNS void',
		fw_flush => 'regclass) RETURNS void',
		fw_in_worker => ') RETURNS bool PARALLEL SAFE',
		fw_dlopen => 'text) RETURNS bool',
		fw_speculative => 'regclass, int, text, bool) RETURNS void',
		fw_refused => 'regclass, text) RETURNS void',
		fw_start_worker => 'text) RETURNS bool',
	);
	return "CREATE SCHEMA $build;\n" . join('',
		map { "CREATE FUNCTION $build.$_($arguments{$_} LANGUAGE C STRICT AS 'foreign_writer_$build';\n" }
		sort keys %arguments);
}

my $row = '(SELECT ctid FROM TBL WHERE id = %d)';
sub at { return sprintf($row, $_[0]); }

# Every row function of heap's on a table (id int, v text) with ids 1 to 1000 and no index.
sub row_statements
{
	my @sql = (
		q{SELECT fw_insert('TBL', 2001, 'heap_insert', 'heap_insert') IS NOT NULL},
		q{SELECT fw_insert('TBL', 2002, 'simple_heap_insert', 'simple_heap_insert') IS NOT NULL},
		q{SELECT fw_insert('TBL', 2003, (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 500) g), 'heap_insert') IS NOT NULL},
		q{SELECT fw_multi_insert('TBL', 3001, 3400, repeat('multi', 20), 'heap_multi_insert')},
		"SELECT fw_update('TBL', " . at(10) . ", 10, 'heap_update', 'heap_update') IS NOT NULL",
		"SELECT fw_update('TBL', " . at(11) . ", 11, 'simple_heap_update', 'simple_heap_update') IS NOT NULL",
		# Where there is room on the page the update is heap-only, and the caller must be told.
		"SELECT fw_update('TBL', " . at(3400) . ", 3400, 'short', 'heap_update')",
		"SELECT fw_delete('TBL', " . at(20) . ", 'heap_delete')",
		"SELECT fw_delete('TBL', " . at(21) . ", 'simple_heap_delete')",
		"SELECT fw_delete('TBL', " . at(22) . ", 'CatalogTupleDelete')",
		# what concurrent and repeated work is answered
		"SELECT fw_delete('TBL', c, 'simple_heap_delete') FROM (SELECT ctid AS c FROM TBL WHERE id = 23) s, generate_series(1, 2)",
		"SELECT fw_update('TBL', c, 23, 'twice', 'simple_heap_update') FROM (SELECT ctid AS c FROM TBL WHERE id = 23) s, generate_series(1, 2)",
		"BEGIN; SELECT ctid AS gone FROM TBL WHERE id = 24 \\gset\nDELETE FROM TBL WHERE id = 24; SAVEPOINT s; "
		  . "SELECT fw_delete('TBL', :'gone', 'simple_heap_delete'); ROLLBACK TO s; "
		  . "SELECT fw_update('TBL', :'gone', 24, 'gone', 'heap_update'); ROLLBACK TO s; "
		  . "SELECT fw_lock('TBL', :'gone') LIKE 'result 2,%'; COMMIT",
		# changed by a transaction that has committed
		"SELECT ctid AS old FROM TBL WHERE id = 30 \\gset\nDELETE FROM TBL WHERE id = 30; SELECT fw_delete('TBL', :'old', 'simple_heap_delete')",
		"SELECT ctid AS old FROM TBL WHERE id = 31 \\gset\nDELETE FROM TBL WHERE id = 31; SELECT fw_update('TBL', :'old', 31, 'x', 'simple_heap_update')",
		"SELECT ctid AS old FROM TBL WHERE id = 32 \\gset\nUPDATE TBL SET v = 'new' WHERE id = 32; SELECT fw_update('TBL', :'old', 32, 'x', 'simple_heap_update')",
		"SELECT ctid AS old FROM TBL WHERE id = 33 \\gset\nUPDATE TBL SET v = 'new' WHERE id = 33; SELECT fw_delete('TBL', :'old', 'heap_delete')",
		# heap_fetch (24 was deleted, 25 not), heap_lock_tuple
		"SELECT fw_fetch('TBL', :'gone', false), fw_fetch('TBL', :'gone', true), fw_fetch('TBL', " . at(25) . ', false)',
		"BEGIN; SELECT fw_lock('TBL', " . at(25) . "); SELECT fw_lock('TBL', " . at(25) . '); COMMIT',
		# half of it rolled back
		q{BEGIN; SAVEPOINT s; SELECT fw_insert('TBL', 4001, 'lost', 'heap_insert') IS NOT NULL; ROLLBACK TO s;}
		  . q{SELECT fw_insert('TBL', 4002, 'kept', 'heap_insert') IS NOT NULL; COMMIT},
		q{SELECT fw_speculative('TBL', 4003, 'kept', true)},
		q{SELECT fw_speculative('TBL', 4004, 'taken back', false)},
		q{SELECT fw_scan('TBL', 'table_beginscan'), fw_scan('TBL', 'heap_beginscan'), fw_scan('TBL', 'rs_cbuf'), fw_scan('TBL', 'subtransaction'), length(fw_scan('TBL', 'SnapshotAny')) > 0},
		# a row in a slot outlives its scan, and other slots are an error
		(map { "SELECT fw_slot('TBL', '$_', 'buffer', 'SELECT 1')" } 'heap_getnextslot', 'heap_getnextslot_tidrange'),
		q{SELECT fw_slot('TBL', 'heap_getnextslot', 'virtual', 'SELECT 1')},
		"SELECT ctid AS old FROM TBL WHERE id = 34 \\gset\nUPDATE TBL SET v = 'new' WHERE id = 34; UPDATE TBL SET v = 'newer' WHERE id = 34; SELECT fw_latest('TBL', :'old')",
		q{SELECT fw_limits('TBL', 1, 3), fw_limits('TBL', 0, 1), fw_limits('TBL', 2, 0)},
		# rows that are dead for everybody, and rows that are not
		q{DELETE FROM TBL WHERE id BETWEEN 41 AND 45}, q{SELECT fw_index_delete('TBL', 35, 50)},
		q{SELECT fw_flush('TBL')},
		q{SELECT fw_vacuum('TBL')},
		q{SELECT relpages, reltuples, relallvisible FROM pg_class WHERE oid = 'TBL'::regclass},
		q{SELECT fw_insert('TBL', 5001, 'after it', 'heap_insert')},
		q{SELECT count(*), sum(id), sum(hashtextextended(v, 0)) FROM TBL});
	return join('', map { "$_;\n" } @sql);
}

# Every catalog function on the same table with a primary key.
sub indexed_statements
{
	my @sql = (
		q{SELECT fw_insert('TBL', 2001, 'CatalogTupleInsert', 'CatalogTupleInsert') IS NOT NULL},
		q{SELECT fw_insert('TBL', 2002, 'WithInfo', 'CatalogTupleInsertWithInfo') IS NOT NULL},
		q{SELECT fw_multi_insert('TBL', 3001, 3400, repeat('multi', 20), 'CatalogTuplesMultiInsertWithInfo')},
		"SELECT fw_update('TBL', " . at(10) . ", 10, 'same key', 'CatalogTupleUpdate') IS NOT NULL",
		"SELECT fw_update('TBL', " . at(11) . ", 5011, 'other key', 'CatalogTupleUpdate')",
		"SELECT fw_update('TBL', " . at(12) . ", 5012, 'other key', 'CatalogTupleUpdateWithInfo')",
		"SELECT fw_update('TBL', " . at(3400) . ", 3400, 'short', 'CatalogTupleUpdate')",
		"SELECT fw_delete('TBL', " . at(20) . ", 'CatalogTupleDelete')",
		q{SELECT fw_insert('TBL', 100, 'taken', 'CatalogTupleInsert')},    # unique violation
		"SELECT fw_update('TBL', " . at(13) . ", 100, 'taken', 'CatalogTupleUpdate')",
		q{SET enable_seqscan = off},
		q{SET enable_bitmapscan = off},
		q{SELECT id, v FROM TBL WHERE id IN (10, 11, 12, 13, 20, 100, 2001, 2002, 3001, 3400, 5011, 5012) ORDER BY id},
		q{SELECT count(*), sum(id), sum(hashtextextended(v, 0)) FROM TBL WHERE id > 0},
		q{RESET enable_seqscan},
		q{SELECT count(*), sum(id), sum(hashtextextended(v, 0)) FROM TBL});
	return join('', map { "$_;\n" } @sql);
}

# Functions that are refused: with a heap table they succeed, or (the second list) make no sense alone, see the library.
sub refused_functions
{
	my ($with_heap) = @_;
	return qw(FreeSpaceMapPrepareTruncateRel FreeSpaceMapVacuum FreeSpaceMapVacuumRange GetPageWithFreeSpace
	  RecordAndGetPageWithFreeSpace RecordPageWithFreeSpace RelationGetBufferForTuple RelationTruncate begin_heap_rewrite
	  heap_hot_search_buffer heap_inplace_update heap_page_prune heap_page_prune_opt heapgetpage log_newpage_range)
	  if $with_heap;
	return qw(RelationPutHeapTuple visibilitymap_set heap_inplace_lock systable_inplace_update_begin);
}

# Runs statements on one table with one build of the library; answers and errors as one text without its name.
sub run_on
{
	my ($node, $build, $table, $statements) = @_;
	(my $sql = $statements) =~ s/TBL/$table/g;
	my ($rc, $out, $err) = $node->psql('postgres', "SET search_path = public, $build;\n$sql", on_error_stop => 0);
	my $answer = "$out\n$err";
	$answer =~ s/\b\Q$table\E(?=\b|_)/TABLE/g;
	return $answer;
}

1;
