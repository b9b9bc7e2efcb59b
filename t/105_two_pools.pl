# t/105_two_pools.pl: code that bypasses the table access method changes pages of our tables in shared_buffers.  It
# is noticed before a version overwrites the other: taken over where only one of them is new, else the table is
# refused until one is chosen; on the primary, after kill -9 and on a standby.  With the tripwire off the same
# steps lose rows silently (the control).
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use TwoPools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', wal_keep_size => '1GB', 'glassheap.writer_delay' => '10ms');
my $standby = new_standby($node, 'standby');
create_two_pools_functions($node);

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# Ten rows, written, in nobody's pool but ours.
sub make_table
{
	my ($name) = @_;
	sql("CREATE TABLE $name (id int, note text); INSERT INTO $name SELECT g, 'ours' FROM generate_series(1, 10) g");
	sql('CHECKPOINT');
	return;
}

sub ids { my ($table, $server) = @_; return ($server // $node)->safe_psql('postgres', "SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"); }

sub refusal
{
	my ($query) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query");
	return $err // '';
}

sub standby_agrees
{
	my ($table, $what) = @_;
	$node->wait_for_catchup($standby, 'replay');
	is(ids($table, $standby), ids($table), "$what: the standby agrees");
	return;
}

sub crash { kill_server_9($node); $node->start; return; }

sub warnings_of
{
	my ($pattern, $from) = @_;
	return scalar(() = slurp_file($node->logfile, $from // 0) =~ /$pattern/g);
}

# ---- not cached: the page is taken over
make_table('absent');
$node->restart;
sql("SELECT two_pools_insert('absent', 11, 'theirs')");
is(ids('absent'), '1 2 3 4 5 6 7 8 9 10 11', 'not cached: their row is seen at once');
ok(warnings_of('was dirty in shared_buffers and has been taken over'), 'not cached: the log says so');
sql("INSERT INTO absent VALUES (12, 'ours')");
standby_agrees('absent', 'not cached');
crash();
is(ids('absent'), '1 2 3 4 5 6 7 8 9 10 11 12', 'not cached: all rows after kill -9');
$node->restart;
is(ids('absent'), '1 2 3 4 5 6 7 8 9 10 11 12', 'not cached: all rows after a restart');
standby_agrees('absent', 'not cached, restarted');

# ---- cached, unchanged: ours leaves the pool
make_table('cached');
is(ids('cached'), '1 2 3 4 5 6 7 8 9 10', 'cached');
sql("SELECT two_pools_insert('cached', 11, 'theirs')");
$node->poll_query_until('postgres', 'SELECT count(*) = 11 FROM cached') or die 'their row never showed';
sql("SELECT two_pools_delete('cached', '(0,1)')");
$node->poll_query_until('postgres', 'SELECT count(*) = 10 FROM cached') or die 'their deletion never showed';
ok(warnings_of('was changed in shared_buffers'), 'cached: the log says so');
sql("INSERT INTO cached VALUES (12, 'ours')");
standby_agrees('cached', 'cached');
crash();
is(ids('cached'), '2 3 4 5 6 7 8 9 10 11 12', 'cached: all rows after kill -9');

# ---- cached, with an image of hint bits since it was written: the same
make_table('hinted');
sql("SET enable_seqscan = off; SET enable_bitmapscan = off; CREATE INDEX ON hinted (id); CHECKPOINT; SELECT count(note) FROM hinted WHERE id > 0");
sql("SELECT two_pools_insert('hinted', 11, 'theirs')");
$node->poll_query_until('postgres', 'SELECT count(*) = 11 FROM hinted') or die 'their row never showed';
is(ids('hinted'), '1 2 3 4 5 6 7 8 9 10 11', 'hint bits: their row is seen');
standby_agrees('hinted', 'hint bits');
crash();
is(ids('hinted'), '1 2 3 4 5 6 7 8 9 10 11', 'hint bits: all rows after kill -9');

# ---- an old clean copy in shared_buffers goes when we write
make_table('stale');
sql("SELECT two_pools_read('stale', 0)");
sql("INSERT INTO stale VALUES (11, 'ours'); SELECT count(*) FROM stale");    # no hint bits are left to be logged
sql('CHECKPOINT');
sql("SELECT two_pools_insert('stale', 12, 'theirs')");
$node->poll_query_until('postgres', 'SELECT count(*) = 12 FROM stale') or die 'their row never showed';
is(ids('stale'), '1 2 3 4 5 6 7 8 9 10 11 12', 'a stale copy: nothing is lost');
standby_agrees('stale', 'a stale copy');
$node->restart;
is(ids('stale'), '1 2 3 4 5 6 7 8 9 10 11 12', 'a stale copy: after a restart');

# ---- changed on both sides
# One connection, so that the writer has no round in between: both changes are there before anybody looks.
sub change_both
{
	my ($table) = @_;
	make_table($table);
	ids($table);
	my $from = -s $node->logfile;
	sql("BEGIN; INSERT INTO $table VALUES (11, 'ours'); SELECT two_pools_insert('$table', 21, 'theirs'); COMMIT");
	wait_until(sub { refusal("SELECT count(*) FROM $table") =~ /in two buffer pools/ }, 'the refusal');
	ok(warnings_of('is in two buffer pools and is not worked with', $from), "$table: the log warns");
	return;
}

sub is_refused
{
	my ($table, $what) = @_;
	for my $query ("SELECT count(*) FROM $table", "INSERT INTO $table VALUES (0, '')", "DELETE FROM $table", "VACUUM $table")
	{
		like(refusal($query), qr/ERROR:  XX001: relation "$table" is in two buffer pools.*HINT:  Look at both versions with glassheap_resolve/s,
			"$what: $query is refused");
	}
	return;
}

for my $keep (qw(glassheap shared_buffers))
{
	my $table = "both_$keep";
	my $right = $keep eq 'glassheap' ? '1 2 3 4 5 6 7 8 9 10 11' : '1 2 3 4 5 6 7 8 9 10 21';
	change_both($table);
	is_refused($table, 'changed on both sides');
	sql('CHECKPOINT');
	ok(1, "$keep: a checkpoint goes through");
	my $shown = sql("SELECT fork, block, rows_differing, kept IS NULL FROM glassheap_resolve('$table')");
	is($shown, 'main|0|1|t', "$keep: both versions are shown");
	crash();
	is_refused($table, 'after kill -9');
	$node->restart;
	is_refused($table, 'after a restart');
	is(sql("SELECT fork, block, rows_differing FROM glassheap_resolve('$table')"), 'main|0|1',
		"$keep: both versions outlived kill -9 and a restart");
	is(sql("SELECT block, kept FROM glassheap_resolve('$table', '$keep') WHERE fork = 'main'"), "0|$keep", "$keep: kept");
	is(ids($table), $right, "$keep: the rows");
	standby_agrees($table, $keep);
	sql("INSERT INTO $table VALUES (12, 'later')");
	crash();
	is(sql("SELECT count(*) FROM $table"), 12, "$keep: rows after kill -9");
	is(sql("SELECT count(*) FROM glassheap_verify('$table')"), 0, "$keep: nothing to complain about");
	$node->restart;
	is(sql("SELECT count(*) FROM $table"), 12, "$keep: no mark comes back");
	standby_agrees($table, "$keep, at the end");
}

# ---- a marked table can be dropped, and the mark goes with it
change_both('dropped');
sql('DROP TABLE dropped');
change_both('truncated');
sql('TRUNCATE truncated; INSERT INTO truncated VALUES (1)');
is(ids('truncated'), '1', 'TRUNCATE: the table is usable again');
standby_agrees('truncated', 'TRUNCATE');
crash();
is(ids('truncated'), '1', 'TRUNCATE: after kill -9');
is(sql("SELECT count(*) FROM both_glassheap"), 12, 'DROP: the others go on');
is(scalar(grep { !/_\d+_\d+_\d+_/ } glob($node->data_dir . '/glassheap_two_pools/*')), 0, 'DROP: no mark is left');

# ---- the control: without the tripwire rows are lost, and nobody says a word
$node->append_conf('postgresql.conf', "glassheap.debug_tripwire = off\n");
$node->restart;
make_table('control');
ids('control');
sql("BEGIN; INSERT INTO control VALUES (11, 'ours'); SELECT two_pools_insert('control', 21, 'theirs'); COMMIT");
sql('CHECKPOINT');
$node->restart;
my $left = ids('control');
isnt($left, '1 2 3 4 5 6 7 8 9 10 11 21', "control: a row is lost (left: $left)");

done_testing();
