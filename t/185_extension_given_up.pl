# t/185_extension_given_up.pl: a load has made the file longer, has the new pages' I/O, and tells the map of them; the map's page
# cannot be written (the workers have just left, the disk fails).  That is no error, but it gives up all I/O of the process: others may
# have read the new pages by then, and put rows there, so the load must not make them up any more.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapShim;
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no guardians' unless is_glassheap();

my $node = new_shim_node('given_up', restart_after_crash => 'off', 'glassheap.writer_max_pages' => 0, bgwriter_lru_maxpages => 0, autovacuum => 'off');
plan skip_all => 'needs stop points (GH_CHECKS=1)' unless has_stop_points($node);
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $workers = "backend_type IN ('glassheap checkpoint guardian', 'glassheap pool writer')";
sub write_back { $node->poll_query_until('postgres', "SELECT mode = 'write-back' FROM glassheap_stat_checkpointer") or die 'no write-back'; return; }

# One row a page; the table is large enough for batches.
my ($there, $loaded) = (1100, 100);
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/rows", join('', map { "$_\t" . ('y' x 7000) . "\n" } 100_001 .. 100_000 + $loaded));
chmod 0644, "$folder/rows";
sql("CREATE TABLE t (id int, pad text); ALTER TABLE t ALTER pad SET STORAGE PLAIN; INSERT INTO t SELECT g, repeat('x', 7000) FROM generate_series(1, $there) g");
sql('VACUUM t');
sql('CHECKPOINT');
write_back();
my $file = sql("SELECT pg_relation_filepath('t')");
sub pages { return (-s $node->data_dir . "/$file") / 8192; }

# The next hint after the file is longer is the one that tells the map.  The first extension adds one page, the second many.
sql("SELECT glassheap_stop_point_set('buffer.extend_before_file', 'wait', 1)");
my $load = start_background($node, sql => "COPY t FROM '$folder/rows'", stdout => "$folder/load");
sql("SELECT glassheap_stop_point_wait('buffer.extend_before_file')");
sql('CHECKPOINT');    # the map is clean
sql("SELECT glassheap_stop_point_set('buffer.hint_image_logged', 'wait')");
sql("SELECT glassheap_stop_point_clear('buffer.extend_before_file')");
sql("SELECT glassheap_stop_point_wait('buffer.hint_image_logged')");
is(sql("SELECT count(*) FROM pg_locks WHERE locktype = 'extend' AND granted"), 1, 'the load has the extension lock');
my $last = pages() - 1;
cmp_ok($last, '>', $there + 8, '... and has made the file longer');
my $reader = GlassheapSession->new($node);
$reader->begin("SELECT count(*) FROM t WHERE ctid = '($last,1)'");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'BufferIO'") or die 'nobody waits';
pass('who knows of a new page waits for it');

sql("SELECT glassheap_stop_point_set('buffer.veto_page_read', 'wait')");
my $old = sql("SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE $workers");
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE $workers");
sql("SELECT glassheap_stop_point_wait('buffer.veto_page_read')");
$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE $workers AND pid NOT IN ($old)") or die 'no workers';
is(sql('SELECT mode FROM glassheap_stat_checkpointer'), 'write-through', 'the workers have left');
set_rules($node, "pwrite ${file}_fsm error EIO");
sql("SELECT glassheap_stop_point_clear('buffer.hint_image_logged')");
IPC::Run::finish($load);
is(slurp_file("$folder/load.err"), '', 'the load succeeds');
cmp_ok(fired($node), '>', 0, '... though the map could not be written');
$reader->end;
set_rules($node);
sql("SELECT glassheap_stop_point_clear('buffer.veto_page_read')");
write_back();

sql("INSERT INTO t SELECT g, repeat('z', 7000) FROM generate_series(200001, 200070) g");
for my $when ('at once', 'after kill -9')
{
	is(sql('SELECT count(*), count(DISTINCT id) FROM t'), join('|', ($there + $loaded + 70) x 2), "$when: rows");
	is(sql("SELECT count(*) FROM glassheap_verify('t')"), 0, "$when: nothing to complain about");
	is(sql('SELECT count(*) FROM glassheap_buffercache WHERE pinning_backends > 0'), 0, "$when: no pin is left");
	next if $when ne 'at once';
	kill_server_9($node);
	$node->start;
}
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
done_testing();
