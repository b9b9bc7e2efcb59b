# t/158_restartpoints.pl: restartpoints under load in a pool of 1 MB, and the standby killed with SIGKILL in their midst, twelve times; then it is
# promoted and has every acknowledged row.  It comes by a physical slot with hot_standby_feedback, which keeps what a reader of the
# standby needs also while the standby is down; a logical slot of the primary decodes every change of all that.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapScans;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

seed_from_environment();
my ($rows, $cycles) = (4000, 12);
my $primary = new_node('primary', 'glassheap.buffers' => '1MB', wal_level => 'logical', wal_writer_delay => '10ms', max_replication_slots => 4);
sub sql { my ($query) = @_; return $primary->safe_psql('postgres', $query); }
sql("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, pad text) WITH (fillfactor = 85); CREATE INDEX ON t (n);"
	. "INSERT INTO t SELECT g, 0, repeat('r', 300) FROM generate_series(0, $rows - 1) g");
sql('VACUUM t');
cmp_ok(sql("SELECT pg_relation_size('t') / 8192"), '>', 150, 'the table is larger than the pool');
sql("SELECT pg_create_physical_replication_slot('for_standby', true), pg_create_logical_replication_slot('decoded', 'test_decoding')");
my $standby = new_standby($primary, 'standby', primary_slot_name => 'for_standby', hot_standby_feedback => 'on', wal_receiver_status_interval => '1s');
$primary->wait_for_catchup($standby);
sub there { my ($query) = @_; return $standby->safe_psql('postgres', $query); }
sub redo_there { return there('SELECT redo_lsn FROM pg_control_checkpoint()'); }

# ---- kills in the midst of restartpoints
my @writers = map { start_acknowledging_writer($primary, number => $_, writers => 2, rows => $rows, table => 't',
	folder => $PostgreSQL::Test::Utils::tmp_check, until_stopped => 1) } 0, 1;
my (%redo, $equal);
for my $cycle (1 .. $cycles)
{
	sql('VACUUM t') if $cycle % 4 == 0;
	my $before = there('SELECT sum(n) FROM t');
	$standby->poll_query_until('postgres', "SELECT sum(n) > $before FROM t") or die 'replay does not go on';
	sql('CHECKPOINT');
	my $lsn = sql('SELECT redo_lsn FROM pg_control_checkpoint()');
	$standby->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() > '$lsn'") or die 'replay does not go on';
	# Every other time the kill may come while it is being taken.
	my $restartpoint = start_background($standby, sql => 'CHECKPOINT');
	IPC::Run::finish($restartpoint) if $cycle % 2;
	$redo{ redo_there() } = 1;
	kill_server_9($standby);
	eval { IPC::Run::finish($restartpoint) } unless $cycle % 2;
	$standby->start;
	my %said = by_every_scan(sub { return there("BEGIN ISOLATION LEVEL REPEATABLE READ; $_[0]") }, 't', qw(id n));
	$equal++ if keys %{ { reverse %said } } == 1;
}
is($equal, $cycles, "after each of $cycles kills every kind of scan says the same");
cmp_ok(scalar keys %redo, '>', $cycles / 2, 'there were ' . keys(%redo) . ' restartpoints');
my %acknowledged = stop_writers(@writers);
cmp_ok(scalar keys %acknowledged, '>', 200, 'the writers have worked');

# ---- the slot keeps what a reader of the standby needs, though the standby is gone
$primary->wait_for_catchup($standby);
my $reader = GlassheapSession->new($standby);
my $xmin = $reader->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_snapshot_xmin(pg_current_snapshot())');
$primary->poll_query_until('postgres', "SELECT xmin::text = '$xmin' FROM pg_replication_slots WHERE slot_name = 'for_standby'") or die 'no feedback';
sql("INSERT INTO t SELECT g, 0, 'gone' FROM generate_series(3000001, 3000100) g; DELETE FROM t WHERE id > 3000000");
kill_server_9($standby);
eval { $reader->close };
sql('VACUUM t');
is(sql("SELECT xmin FROM pg_replication_slots WHERE slot_name = 'for_standby'"), $xmin, 'the slot keeps the xmin');
SKIP:
{
	skip 'heap has no such function', 1 unless is_glassheap();
	cmp_ok(sql("SELECT dead_tuple_count FROM glassheap_stattuple('t')"), '>=', 100, 'VACUUM has left the rows to the reader');
}
$standby->start;
$primary->poll_query_until('postgres', "SELECT active AND xmin IS DISTINCT FROM '$xmin' FROM pg_replication_slots WHERE slot_name = 'for_standby'") or die 'the slot stands still';
sql('VACUUM t');

# ---- the logical slot has seen it all
my $catalog_xmin = sql("SELECT catalog_xmin IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'decoded'");
is($catalog_xmin, 't', 'a logical slot holds the catalog');
my %decoded = map { split /\|/ } split /\n/, sql(<<'SQL');
SELECT m[1]::int % 1000000, max(m[2]::int) FROM pg_logical_slot_get_changes('decoded', NULL, NULL),
 regexp_match(data, 'table public.t: (?:INSERT|UPDATE):.* id\[integer\]:(\d+) n\[integer\]:(\d+)') m WHERE m IS NOT NULL GROUP BY 1
SQL
my @missing = grep { ($decoded{$_} // -1) < $acknowledged{$_} } keys %acknowledged;
is(scalar @missing, 0, 'it decodes every acknowledged change');

# ---- promotion
$primary->wait_for_catchup($standby);
is(join(' ', lost_rows($_, 't', \%acknowledged)), '', $_->name . ': all acknowledged rows') for $primary, $standby;
my %said = by_every_scan(\&sql, 't', qw(id n));
is_by_every_scan(\&there, 't', [qw(id n)], $said{sequential}, 'the standby has the rows');
$primary->stop;
$standby->promote;
is_by_every_scan(\&there, 't', [qw(id n)], $said{sequential}, 'so it has when it is promoted');
there('UPDATE t SET n = n + 1 WHERE id % 3 = 0; CHECKPOINT');
my %worked = by_every_scan(\&there, 't', qw(id n));
kill_server_9($standby);
$standby->start;
is_by_every_scan(\&there, 't', [qw(id n)], $worked{sequential}, 'and after a crash of its own');
done_testing();
