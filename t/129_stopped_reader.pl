# t/129_stopped_reader.pl: somebody is stopped while he reads a page of ours into shared_buffers.  The page is not written meanwhile, and
# that is all: queries that need frames choose others, the pool writer writes and looks at other pages, no table is marked (but where he
# changes what he has read beside our write), and without workers nobody panics.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use TwoPools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', 'glassheap.buffers' => '2MB', 'glassheap.writer_delay' => '10ms', wal_log_hints => 'off', autovacuum => 'off', restart_after_crash => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);
my $ten = '1 2 3 4 5 6 7 8 9 10';
my $refused = qr/cannot be written, because another process/;

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub ids { my ($table) = @_; return sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"); }
sub marks { return scalar(grep { m{/\d+_\d+_\d+$} } glob($node->data_dir . '/glassheap_two_pools/*')); }

sql("CREATE TABLE $_ (id int, note text); INSERT INTO $_ SELECT g, 'ours' FROM generate_series(1, 10) g") for qw(slow other);
sql("CREATE TABLE big AS SELECT g AS id, repeat('b', 900) AS v FROM generate_series(1, 8000) g; CREATE INDEX ON big (id)");
sql('VACUUM big; CHECKPOINT');
my $reader = GlassheapSession->new($node);
$reader->ask("BEGIN; SELECT two_pools_read_slowly('slow', 0, true)");
sql("INSERT INTO slow VALUES (11, 'ours')");

# ---- the clock goes round several times
my $from = -s $node->logfile;
my ($rc, $out, $err) = $node->psql('postgres', 'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(v) FROM big WHERE id > 0');
is("$out$err", 8000, 'a query that needs many frames');
sql("UPDATE big SET v = 'c' WHERE id % 100 = 0");
unlike(slurp_file($node->logfile, $from), $refused, 'nobody was refused');

# ---- a checkpoint has to fail; the others are looked at all the same
($rc, $out, $err) = $node->psql('postgres', 'CHECKPOINT');
like($err, qr/checkpoint request failed/, 'a checkpoint fails');
like(slurp_file($node->logfile, $from), $refused, 'the log says why');
is(ids('other'), $ten, 'another table');
$from = -s $node->logfile;
sql("SELECT two_pools_insert('other', 11, 'theirs')");
wait_until(sub { slurp_file($node->logfile, $from) =~ /was changed in shared_buffers/ || ids('other') eq "$ten 11" }, 'the other table');
sql("INSERT INTO other VALUES (12, 'ours')");
is(ids('other'), "$ten 11 12", 'another table: both rows');
$reader->ask("SELECT two_pools_read_slowly('slow', 0, false); COMMIT");
wait_until(sub { my ($bad) = $node->psql('postgres', 'CHECKPOINT'); return $bad == 0; }, 'a checkpoint');
is(marks(), 0, 'nothing is marked');
is(ids('slow'), "$ten 11", 'all rows');

# ---- he begins between the look and the write: ours is in the file, and nothing need be decided
sub is_dirty { return sql("SELECT count(*) FROM glassheap_buffercache WHERE isdirty AND relfilenode = pg_relation_filenode('slow')"); }
sql("INSERT INTO slow VALUES (12, 'ours')");
sql("SELECT glassheap_stop_point_set('buffer.write_looked', 'wait')");
my $checkpoint = start_background($node, sql => 'CHECKPOINT');
sql("SELECT glassheap_stop_point_wait('buffer.write_looked')");
$reader->ask("BEGIN; SELECT two_pools_read_slowly('slow', 0, true)");
sql("SELECT glassheap_stop_point_clear('buffer.write_looked')");
ok(IPC::Run::finish($checkpoint), 'the checkpoint that has written it succeeds');
is(marks(), 0, 'still nothing is marked');
is(is_dirty(), 1, 'the page will be written again');
is(ids('slow'), "$ten 11 12", 'it can be read');

# ---- nor does he hinder changes while the workers are away
my $workers = "backend_type IN ('glassheap checkpoint guardian', 'glassheap pool writer')";
$reader->ask("SELECT two_pools_read_slowly('slow', 0, false); COMMIT");
sql('CHECKPOINT');
my $old = sql("SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE $workers");
sql("SELECT glassheap_stop_point_set('buffer.veto_page_read', 'wait')");
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE $workers");
sql("SELECT glassheap_stop_point_wait('buffer.veto_page_read')");
$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE $workers AND pid NOT IN ($old)") or die 'no workers';
$reader->ask("BEGIN; SELECT two_pools_read_slowly('slow', 0, true)");
$from = -s $node->logfile;
sql("INSERT INTO slow VALUES (13, 'ours')");
isnt($node->psql('postgres', 'CHECKPOINT'), 0, 'in write-through mode a checkpoint fails');
like(slurp_file($node->logfile, $from), qr/LOG:  block 0 of relation .* $refused/, 'the log says why');
is(ids('slow'), "$ten 11 12 13", 'and the change is there');
$reader->ask("SELECT two_pools_read_slowly('slow', 0, false); COMMIT");
sql("INSERT INTO other VALUES (13, 'ours')");
is($node->psql('postgres', 'CHECKPOINT'), 0, 'a checkpoint succeeds after the next change');
is(is_dirty(), 0, 'which has written the page');
is(marks(), 0, 'nothing is marked by this either');
sql("SELECT glassheap_stop_point_clear('buffer.veto_page_read')");

# ---- as many of them as a ring has frames: VACUUM takes others
sql("CREATE TABLE ring AS SELECT g AS id, repeat('r', 900) AS v FROM generate_series(1, 2000) g; DELETE FROM ring WHERE id % 5 = 0; CHECKPOINT");
$node->restart;
$reader = GlassheapSession->new($node);
$reader->ask("BEGIN; SELECT count(two_pools_read_slowly('ring', g, true)::text) FROM generate_series(0, 39) g");
($rc, $out, $err) = $node->psql('postgres', 'VACUUM ring', timeout => 120, timed_out => \my $late);
is($late ? 'timed out' : "$rc$err", 0, 'VACUUM, which dirties what its ring holds');
$reader->ask("SELECT count(two_pools_read_slowly('ring', g, false)::text) FROM generate_series(0, 39) g; COMMIT");

# ---- he begins between the look and the write, so that he has the page of before; and changes it
$node->not_compared('a table is in two pools');
sql("CREATE TABLE late (id int, note text); INSERT INTO late SELECT g, 'ours' FROM generate_series(1, 10) g");
sql('SELECT count(*) FROM late; CHECKPOINT');
sql("INSERT INTO late VALUES (11, 'ours')");
sql("SELECT glassheap_stop_point_set('buffer.write_looked', 'wait')");
$checkpoint = start_background($node, sql => 'CHECKPOINT');
sql("SELECT glassheap_stop_point_wait('buffer.write_looked')");
$reader->ask("BEGIN; SELECT two_pools_read_slowly('late', 0, true)");
sql("SELECT glassheap_stop_point_clear('buffer.write_looked')");
ok(IPC::Run::finish($checkpoint), 'the checkpoint succeeds');
$reader->ask("SELECT two_pools_read_slowly('late', 0, false), two_pools_insert('late', 21, 'theirs'); COMMIT");
wait_until(
	sub {
		($rc, $out, $err) = $node->psql('postgres', "SELECT string_agg(id::text, ' ' ORDER BY id) FROM late");
		return "$out$err" =~ /21|two buffer pools/;
	},
	'their change to be noticed');
like("$out$err", qr/two buffer pools|11 21/, 'both versions are kept, or theirs has ours: our row is not lost');
$node->stop;
done_testing();
