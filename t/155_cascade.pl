# t/155_cascade.pl: primary, standby, and a standby of that one, under load: the middle one is killed with SIGKILL and comes back; then it is
# promoted, and the last one follows it to the new timeline.  All forks of all three are compared, of the last one as of its new primary.
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
my $primary = new_node('primary', 'glassheap.buffers' => '2MB', wal_writer_delay => '10ms');
sub sql { my ($query) = @_; return $primary->safe_psql('postgres', $query); }
my $rows = 2000;
sql("CREATE TABLE ledger (id int PRIMARY KEY, n int NOT NULL, pad text) WITH (fillfactor = 85); CREATE INDEX ON ledger (n);"
	. "INSERT INTO ledger SELECT g, 0, repeat('l', 150) FROM generate_series(0, $rows - 1) g");
sql('VACUUM ledger');
my @feedback = (hot_standby_feedback => 'on', wal_receiver_status_interval => '1s');
my $middle = new_standby($primary, 'middle', @feedback);
my $last = new_standby($middle, 'last', @feedback);

# By position: what stands behind the middle one is no connection of the primary's.
sub catch_up
{
	my ($from, @nodes) = @_;
	my $lsn = $from->lsn('insert');
	for my $node (@nodes)
	{
		$node->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'") or die $node->name . ' does not catch up';
	}
	return;
}
sub all_say_the_same
{
	my ($what, $from, @nodes) = @_;
	my %said = by_every_scan(sub { $from->safe_psql('postgres', $_[0]) }, 'ledger', qw(id n));
	for my $node ($from, @nodes)
	{
		is_by_every_scan(sub { $node->safe_psql('postgres', $_[0]) }, 'ledger', [qw(id n)], $said{sequential}, "$what: " . $node->name);
	}
	return;
}
sub start_load
{
	my ($node) = @_;
	return map { start_acknowledging_writer($node, number => $_, writers => 2, rows => $rows, table => 'ledger', folder => $PostgreSQL::Test::Utils::tmp_check, until_stopped => 1) } 0, 1;
}
# Every acknowledged row has at least what was acknowledged, on each of the nodes.
sub nothing_is_lost
{
	my ($what, $acknowledged, @nodes) = @_;
	for my $node (@nodes)
	{
		is(join(' ', lost_rows($node, 'ledger', $acknowledged)), '', "$what: " . $node->name . ' has all ' . keys(%$acknowledged) . ' acknowledged rows');
	}
	return;
}
sub progress { my ($node) = @_; return $node->safe_psql('postgres', 'SELECT sum(n) FROM ledger'); }
sub until_further
{
	my ($node, $before) = @_;
	$node->poll_query_until('postgres', "SELECT sum(n) > $before + 100 FROM ledger") or die 'nothing comes';
	return;
}

# ---- the middle one dies under load, twice, and comes back
my @writers = start_load($primary);
for my $cycle (1, 2)
{
	until_further($last, progress($last));
	$middle->safe_psql('postgres', 'CHECKPOINT') if $cycle == 2;
	kill_server_9($middle);
	sql('VACUUM ledger');
	until_further($primary, progress($primary));
	$middle->start;
}
my %acknowledged = stop_writers(@writers);
cmp_ok(scalar keys %acknowledged, '>', 100, 'the writers have worked');
sql('VACUUM ledger');
catch_up($primary, $middle, $last);
nothing_is_lost('the middle one was killed', \%acknowledged, $primary, $middle, $last);
all_say_the_same('the middle one was killed', $primary, $middle, $last);

# ---- what a reader of the last one needs, the first one keeps
my $reader = GlassheapSession->new($last);
my $xmin = $reader->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_snapshot_xmin(pg_current_snapshot())');
my $ask = sub { return $reader->ask($_[0]) };
my %seen = by_every_scan($ask, 'ledger', qw(id n));
ok($primary->poll_query_until('postgres', "SELECT backend_xmin::text = '$xmin' FROM pg_stat_replication"), 'feedback goes through the middle one');
sql($_) for 'UPDATE ledger SET n = n + 1 WHERE id % 2 = 0', 'DELETE FROM ledger WHERE id % 7 = 0', 'VACUUM ledger';
catch_up($primary, $last);
is_by_every_scan($ask, 'ledger', [qw(id n)], $seen{sequential}, 'the reader sees his rows after VACUUM on the primary');
is($reader->ask('COMMIT'), '', 'and was not cancelled');
$reader->close;
sql("INSERT INTO ledger SELECT g, 0, 'again' FROM generate_series(0, $rows - 1, 7) g");

# ---- it is promoted under load; the last one goes with it
@writers = start_load($primary);
until_further($last, progress($last));
kill_server_9($primary);
acknowledged($_) for @writers;
$primary->not_compared('it is left behind, with transactions of its own');
$middle->promote;
is($middle->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 'f', 'the middle one is promoted');
@writers = start_load($middle);
until_further($middle, progress($middle)) for 1 .. 5;
%acknowledged = stop_writers(@writers);
cmp_ok(scalar keys %acknowledged, '>', 100, 'writers work there');
$middle->safe_psql('postgres', 'VACUUM ledger');
catch_up($middle, $last);
is($last->safe_psql('postgres', 'SELECT received_tli FROM pg_stat_wal_receiver'), 2, 'the last one follows to the new timeline');
nothing_is_lost('after promotion', \%acknowledged, $middle, $last);
all_say_the_same('after promotion', $middle, $last);
kill_server_9($last);
$last->start;
$middle->safe_psql('postgres', 'DELETE FROM ledger WHERE id % 2 = 0');
$middle->safe_psql('postgres', 'VACUUM ledger');
catch_up($middle, $last);
all_say_the_same('the last one was killed', $middle, $last);
done_testing();
