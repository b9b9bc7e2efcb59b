# t/138_hints_on_standby.pl: on a standby without checksums, code that bypasses the table access method sets hint bits in an old copy of a page
# of ours, and PostgreSQL writes it over ours: between our write and our look at what is there, while files are copied, before a
# restart.  Our row is not lost.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use TwoPools ':all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', wal_log_hints => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
$node->stop;
command_ok([ 'pg_checksums', '-D', $node->data_dir, '--disable' ], 'no checksums');
$node->start;
create_two_pools_functions($node);
sql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE other LOCATION ''");
sql('CREATE DATABASE moved');
create_two_pools_functions($node, 'moved');
my $standby = new_standby($node, 'standby', max_standby_streaming_delay => '100ms');
my $ten = '1 2 3 4 5 6 7 8 9 10';

sub there { my ($query, $database) = @_; return $standby->safe_psql($database // 'postgres', $query); }
sub ids_there { my ($table, $database) = @_; return there("SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table", $database); }
sub dirty { my ($table) = @_; return there("SELECT count(*) FROM glassheap_buffercache WHERE isdirty AND relfilenode = pg_relation_filenode('$table')"); }
sub redo_there { return there('SELECT redo_lsn FROM pg_control_checkpoint()'); }
sub caught_up { $node->wait_for_catchup($standby); return; }
sub checkpoint { sql('CHECKPOINT'); caught_up(); return; }

# Somebody there holds a copy with a hint that is not written; then ours gets another row.
sub hold_old_copy
{
	my ($table, $database) = @_;
	my $holder = GlassheapSession->new($standby, $database // 'postgres');
	$holder->ask("BEGIN; SELECT two_pools_hold('$table', 0), two_pools_hint('$table', 0)");
	sql("INSERT INTO $table VALUES (11, 'ours')", $database // 'postgres');
	caught_up();
	return $holder;
}

# ---- between our write and our look theirs is written; then it is let go, or is even gone
for my $gone (0, 1)
{
	my ($table, $name) = ("written$gone", $gone ? 'thrown out after our write' : 'let go after our write');
	make_table($table);
	checkpoint();
	is(ids_there($table), $ten, "$name: read on the standby");
	my $holder = hold_old_copy($table);
	is(there('SELECT count(*) FROM glassheap_buffercache WHERE isdirty'), 1, "$name: ours is the only page to be written");
	there("SELECT glassheap_stop_point_set('buffer.page_written', 'wait')");
	sql('CHECKPOINT');
	there("SELECT glassheap_stop_point_wait('buffer.page_written')");
	there("SELECT two_pools_flush('$table', false)");
	$holder->ask('ROLLBACK');
	there("SELECT two_pools_flush('$table', true)") if $gone;
	there('SELECT glassheap_stop_point_clear()');
	caught_up();
	is(dirty($table), 0, "$name: ours is written");
	there("SELECT glassheap_buffercache_evict_relation('$table')");
	is(ids_there($table), "$ten 11", "$name: our row is in the file");
	$holder->close;
}

# ---- core copies the files
sql("CREATE TABLE copied (id int, note text); INSERT INTO copied SELECT g, 'ours' FROM generate_series(1, 10) g", 'moved');
sql('SELECT count(*) FROM copied; CHECKPOINT', 'moved');
caught_up();
is(ids_there('copied', 'moved'), $ten, 'files are copied: read on the standby');
my $holder = hold_old_copy('copied', 'moved');
sql('ALTER DATABASE moved SET TABLESPACE other');
caught_up();
is(ids_there('copied', 'moved'), "$ten 11", 'files are copied: our row, too');
$holder->close;

# ---- a reader reads for long: replay waits for it, and does not write our page again and again
sub writes_there { return there('SELECT writes FROM glassheap_stat_totals()'); }
make_table('slow');
checkpoint();
is(ids_there('slow'), $ten, 'a slow reader: read on the standby');
my $slow = GlassheapSession->new($standby);
$slow->ask("BEGIN; SELECT two_pools_read_slowly('slow', 0, true)");
sql("INSERT INTO slow VALUES (11, 'ours')");
caught_up();
there("SELECT glassheap_stop_point_set('buffer.old_copy_awaited', 'wait')");
my $writes = writes_there();
sql("SELECT glassheap_buffercache_evict_relation('slow'); SELECT two_pools_insert('slow', 21, 'theirs')");
there("SELECT glassheap_stop_point_wait('buffer.old_copy_awaited')");
there('SELECT glassheap_stop_point_clear()');
there("SELECT 'a moment'") for 1 .. 50;
cmp_ok(writes_there() - $writes, '<', 10, 'a slow reader: our page is written a few times at most, while fifty queries pass');
$slow->ask("SELECT two_pools_read_slowly('slow', 0, false); COMMIT");
caught_up();
is(ids_there('slow'), "$ten 11 21", 'a slow reader: replay goes on, and has both rows');
$slow->close;

# ---- a reader's read fails while replay waits for it
make_table('unread');
checkpoint();
is(ids_there('unread'), $ten, 'a read fails: read on the standby');
my $reader = GlassheapSession->new($standby);
$reader->ask("BEGIN; SELECT two_pools_read_slowly('unread', 0, true)");
sql("INSERT INTO unread VALUES (11, 'ours')");
caught_up();
there("SELECT glassheap_stop_point_set('buffer.old_copy_awaited', 'wait')");
sql("SELECT glassheap_buffercache_evict_relation('unread'); SELECT two_pools_insert('unread', 21, 'theirs')");
there("SELECT glassheap_stop_point_wait('buffer.old_copy_awaited')");
$reader->ask('SELECT two_pools_read_fails(0)');
$reader->ask('ROLLBACK');
there('SELECT glassheap_stop_point_clear()');
caught_up();
is(ids_there('unread'), "$ten 11 21", 'a read fails: replay goes on, and has both rows');
$reader->close;

# ---- PD_ALL_VISIBLE, which moves no LSN
sql("CREATE TABLE flag (id int, note text); INSERT INTO flag SELECT g, 'ours' FROM generate_series(1, 10) g; SELECT count(*) FROM flag");
checkpoint();
is(ids_there('flag'), $ten, 'the flag: read on the standby');
checkpoint();
there('CHECKPOINT');
my $flag_before = redo_there();
$holder = GlassheapSession->new($standby);
$holder->ask("BEGIN; SELECT two_pools_hold('flag', 0), two_pools_hint('flag', 0)");
sql('VACUUM flag');
caught_up();
checkpoint();
there('CHECKPOINT');
is(redo_there(), $flag_before, 'the flag: no restartpoint while an older copy without it is held');
$holder->ask('ROLLBACK');
$holder->close;
checkpoint();
there('CHECKPOINT');
isnt(redo_there(), $flag_before, 'the flag: and then one');

# ---- a restart
make_table('restarted');
checkpoint();
is(ids_there('restarted'), $ten, 'restart: read on the standby');
there('CHECKPOINT');
my $before = redo_there();
$holder = hold_old_copy('restarted');
checkpoint();
is(dirty('restarted'), 1, 'restart: ours is written, and is to be written again');
like(slurp_file($standby->logfile), qr/no restartpoint at .*older copy/, 'restart: the log says that replay would begin here again');
there('CHECKPOINT');
is(redo_there(), $before, 'restart: no restartpoint');
$standby->stop('fast');
$holder->close;
$standby->start;
caught_up();
is(ids_there('restarted'), "$ten 11", 'restart: our row is there');
checkpoint();
there('CHECKPOINT');
isnt(redo_there(), $before, 'restart: a restartpoint, for nobody holds anything any more');
there("SELECT glassheap_buffercache_evict_relation('restarted')");
is(ids_there('restarted'), "$ten 11", 'restart: our row is in the file');
$standby->promote;
is(ids_there('restarted'), "$ten 11", 'restart: promoted');
$standby->stop;
$node->stop;
done_testing();
