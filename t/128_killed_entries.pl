# t/128_killed_entries.pl: an index scan of a page that code bypassing the table access method has changed, in shared_buffers, must not
# call index entries dead for what it does not see there: neither with the old page pinned, while our own rows go to the new one, nor
# before anybody has noticed.
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

my $node = new_node('main', 'glassheap.writer_delay' => '10ms', restart_after_crash => 'off', autovacuum => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);
my $by_index = 'SET enable_seqscan = off; SET enable_bitmapscan = off';

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

sub wait_until_noticed
{
	my ($from) = @_;
	wait_until(sub { slurp_file($node->logfile, $from) =~ /was changed in shared_buffers/ }, 'the writer to notice');
	return;
}

# ---- a cursor has the page pinned; keys so long that it has not read the leaf with the new one yet
sql(<<'SQL');
CREATE FUNCTION key(int) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT lpad($1::text, 6, '0') || string_agg(md5($1 || ',' || g), '') FROM generate_series(1, 35) g $$
SQL
for my $table (qw(added reused))
{
	sql("CREATE TABLE $table (id int, note text); INSERT INTO $table SELECT g * 10, 'ours' FROM generate_series(1, 20) g");
	sql("CREATE INDEX ON $table (key(id))");
	sql("DELETE FROM $table WHERE id = 100") if $table eq 'reused';
	sql("SELECT count(*) FROM $table; CHECKPOINT");
	my $cursor = GlassheapSession->new($node);
	$cursor->ask($by_index);
	$cursor->ask("BEGIN; DECLARE c CURSOR FOR SELECT id FROM $table ORDER BY key(id)");
	is($cursor->ask('FETCH 1 FROM c'), 10, "$table: a cursor");
	my $from = -s $node->logfile;
	sql("SELECT two_pools_insert('$table', 1000, 'theirs')");
	wait_until_noticed($from);
	sql("VACUUM (INDEX_CLEANUP on) $table") if $table eq 'reused';
	is(sql("INSERT INTO $table VALUES (155, 'ours') RETURNING ctid"), $table eq 'reused' ? '(0,10)' : '(0,22)', "$table: a row of ours");
	$cursor->ask('FETCH ALL FROM c');
	$cursor->ask('COMMIT');
	is(sql("SELECT id FROM $table WHERE id = 155"), 155, "$table: found without the index");
	is(sql("$by_index; SELECT id FROM $table WHERE key(id) = key(155)"), 155, "$table: found by the index");
}

# ---- before it is noticed: an entry whose line pointer the old page does not have, or has not in use
for my $table (qw(early unused))
{
	sql("CREATE TABLE $table (id int, note text); INSERT INTO $table SELECT g, 'ours' FROM generate_series(1, 20) g");
	sql("CREATE INDEX ON $table (id)");
	sql("DELETE FROM $table WHERE id = 10") if $table eq 'unused';
	sql("VACUUM (INDEX_CLEANUP on) $table; SELECT count(*) FROM $table; CHECKPOINT");
	my $from = -s $node->logfile;
	sql("SELECT glassheap_stop_point_set('buffer.watch_core_pool', 'wait')");
	sql("SELECT glassheap_stop_point_wait('buffer.watch_core_pool')");
	my $tid = sql("SELECT two_pools_insert('$table', 21, 'theirs')");
	is($tid, $table eq 'unused' ? '(0,10)' : '(0,21)', "$table: a row of theirs");
	sql("SELECT two_pools_index('$table', 21, '$tid')");
	is(sql("$by_index; SELECT id FROM $table WHERE id = 21"), '', "$table: the old page does not have it");
	sql('SELECT glassheap_stop_point_clear()');
	wait_until_noticed($from);
	is(sql("SELECT id FROM $table WHERE note = 'theirs'"), 21, "$table: found without the index");
	is(sql("$by_index; SELECT id FROM $table WHERE id = 21"), 21, "$table: found by the index");
}
$node->stop;
done_testing();
