# t/122_outdated_page.pl: a page of ours that is pinned when code that bypasses the table access method changes it in shared_buffers.  It is
# noticed, and it stays noticed: their copy is written and leaves shared_buffers, and still our next change is not made on the old page.
# Who has the old page pinned reads on, and cannot change it.  What cannot be settled at once is remembered, too.
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

my $node = new_node('main', shared_buffers => '1MB', 'glassheap.writer_delay' => '10ms', restart_after_crash => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);
my $ten = '1 2 3 4 5 6 7 8 9 10';

# Their copies leave shared_buffers, which is small; who takes their place writes them.
sub push_out
{
	my ($table) = @_;
	wait_until(sub {
		sql("SELECT count(v) FROM stock");
		return sql("SELECT count(*) FROM pg_buffercache WHERE relfilenode = pg_relation_filenode('$table') AND relforknumber = 0") == 0;
	}, "the copy of $table to leave shared_buffers");
	return;
}
sql('CREATE EXTENSION pg_buffercache');
sql("CREATE TABLE stock USING heap AS SELECT g AS id, repeat('s', 900) AS v FROM generate_series(1, 2000) g");

# ---- pinned by a cursor
make_table('cursor', 1);
my $session = GlassheapSession->new($node);
$session->ask('BEGIN; DECLARE c CURSOR FOR SELECT id FROM cursor; FETCH 1 FROM c');
my $from = -s $node->logfile;
sql("SELECT two_pools_insert('cursor', 11, 'theirs')");
wait_until(sub { noticed($from) }, 'the writer to notice');
push_out('cursor');
sql("INSERT INTO cursor VALUES (12, 'ours')");
is(ids('cursor'), "$ten 11 12", 'pinned by a cursor: both rows are there');
my $rest = $session->ask('FETCH ALL FROM c');
is(scalar(() = $rest =~ /\d+/g), 9, 'pinned by a cursor: it reads what it began to read');
$session->ask('COMMIT');
is(ids('cursor'), "$ten 11 12", 'and afterwards');

# ---- noticed, but not settled: an error
make_table('error', 1);
stop_point('buffer.page_outdated', 'error');
$from = -s $node->logfile;
sql("SELECT two_pools_insert('error', 11, 'theirs')");
wait_until(sub { slurp_file($node->logfile, $from) =~ /stop point "buffer\.page_outdated" was reached/ }, 'the error');
stop_point('buffer.watch_core_pool', 'wait');    # the page rests, and then nobody looks any more
wait_for_stop('buffer.watch_core_pool');
push_out('error');
sql("INSERT INTO error VALUES (12, 'ours')");
clear_stop_points();
is(ids('error'), "$ten 11 12", 'an error after it was noticed: both rows are there');

# ---- the same, and our page is written when it has new hint bits only
make_table('hinted', 1);
sql("DELETE FROM hinted WHERE id = 10; CHECKPOINT");
stop_point('buffer.page_outdated', 'wait');
sql("SELECT two_pools_insert('hinted', 11, 'theirs')");
wait_for_stop('buffer.page_outdated');
stop_point('buffer.watch_core_pool', 'wait');
is(ids('hinted'), '1 2 3 4 5 6 7 8 9 11', 'while it is being settled: whoever comes reads theirs');
clear_stop_points();
is(ids('hinted'), '1 2 3 4 5 6 7 8 9 11', 'and afterwards');

# ---- who has it pinned and comes back to change it
make_table('changer', 1);
$session->ask("BEGIN; UPDATE changer SET note = 'locked' WHERE id = 1");
$session->ask('COMMIT');
sql('CHECKPOINT');
stop_point('heap.before_update_wait', 'wait');
$session->ask('BEGIN; SELECT id FROM changer WHERE id = 5 FOR UPDATE');
sql('CHECKPOINT');
my $changer = GlassheapSession->new($node);
$changer->begin("UPDATE changer SET note = 'ours' WHERE id = 5");
wait_for_stop('heap.before_update_wait');
$from = -s $node->logfile;
sql("SELECT two_pools_insert('changer', 11, 'theirs')");
wait_until(sub { noticed($from) }, 'the writer to notice');
push_out('changer');
clear_stop_points();
$session->ask('COMMIT');
my $said = $changer->end;
is(ids('changer'), "$ten 11", 'who has it pinned: their row is there');
like($said, qr{ERROR:\s+40001}, 'who has it pinned: the UPDATE is refused');
sql("UPDATE changer SET note = 'again' WHERE id = 5");
is(ids('changer'), "$ten 11", 'and after another try');

# ---- who waits for its cleanup latch is told when it is noted, not when it has left the pool
make_table('cleaned');
$session->ask('BEGIN; DECLARE c CURSOR FOR SELECT id FROM cleaned; FETCH 1 FROM c');
my $vacuum = GlassheapSession->new($node);
$vacuum->begin('VACUUM (FREEZE) cleaned');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'BufferPin' AND query LIKE 'VACUUM%'") or die 'VACUUM does not wait';
stop_point('buffer.page_outdated', 'wait');
sql("SELECT two_pools_insert('cleaned', 11, 'theirs')");
wait_for_stop('buffer.page_outdated');
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'VACUUM%'") or die 'VACUUM waits';
is($vacuum->end, 'ERROR:  40001', 'noted: VACUUM does not wait any longer');
clear_stop_points();
$session->ask('COMMIT');
sql('VACUUM (FREEZE) cleaned');
is(ids('cleaned'), "$ten 11", 'noted: their row is there');

# ---- the same, noted between its last look and its sleep
make_table('sleepless');
$session->ask('BEGIN; DECLARE c CURSOR FOR SELECT id FROM sleepless; FETCH 1 FROM c');
stop_point('buffer.cleanup_begins_to_wait', 'wait');
$vacuum->begin('VACUUM (FREEZE) sleepless');
wait_for_stop('buffer.cleanup_begins_to_wait');
stop_point('buffer.page_outdated', 'wait');
sql("SELECT two_pools_insert('sleepless', 11, 'theirs')");
wait_for_stop('buffer.page_outdated');
sql("SELECT glassheap_stop_point_clear('buffer.cleanup_begins_to_wait')");
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'VACUUM%'") or die 'VACUUM waits';
is($vacuum->end, 'ERROR:  40001', 'noted before it sleeps: VACUUM does not wait');
clear_stop_points();
$session->ask('COMMIT');
is(ids('sleepless'), "$ten 11", 'noted before it sleeps: their row is there');

# ---- on disk, and in the WAL
my %digest = map { $_ => table_digest($node, $_) } qw(cursor error hinted changer cleaned sleepless);
kill_server_9($node);
$node->start;
is(table_digest($node, $_), $digest{$_}, "$_: the same after kill -9") for sort keys %digest;
is(sql("SELECT count(*) FROM glassheap_verify('$_')"), 0, "$_: nothing to complain about") for sort keys %digest;
$node->stop;
done_testing();
