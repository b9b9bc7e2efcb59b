# t/157_synchronous.pl: a synchronous standby.  With remote_apply every kind of scan there sees a row as soon as its commit is acknowledged; with
# remote_write, on and remote_apply no acknowledged row is lost when the primary is killed with SIGKILL and the standby promoted.
# A control: what was acknowledged without the standby is lost.
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

my $seed = seed_from_environment();
my $rows = 1000;
my $primary = new_node('n0', 'glassheap.buffers' => '2MB', wal_writer_delay => '10ms');
$primary->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, pad text) WITH (fillfactor = 85); CREATE INDEX ON t (n);"
	. "INSERT INTO t SELECT g, 0, repeat('s', 150) FROM generate_series(0, $rows - 1) g");
$primary->safe_psql('postgres', 'VACUUM t');

sub set_on
{
	my ($node, %settings) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET $_ = '$settings{$_}'") for sort keys %settings;
	$node->reload;
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM (VALUES " . join(', ', map { "('$_', '$settings{$_}')" } sort keys %settings)
		. ") AS wanted (name, value) WHERE current_setting(name) <> value") or die 'the settings do not come';
	return;
}
sub add_standby
{
	my ($name, $level) = @_;
	my $standby = new_standby($primary, $name, synchronous_standby_names => "''");
	set_on($primary, synchronous_standby_names => $name, synchronous_commit => $level);
	$primary->poll_query_until('postgres', "SELECT sync_state = 'sync' FROM pg_stat_replication WHERE application_name = '$name'") or die 'not synchronous';
	return $standby;
}

# ---- acknowledged is seen at once
my $standby = add_standby('n1', 'remote_apply');
my ($here, $there) = map { my $session = GlassheapSession->new($_); sub { return $session->ask($_[0]) } } $primary, $standby;
my $next = 10000;
my @changes = (
	sub { my $id = int rand $rows; "UPDATE t SET n = n + 1 WHERE id % 50 = $id % 50" },
	sub { $next += 20; "INSERT INTO t SELECT g, g, 'new' FROM generate_series($next, $next + 19) g" },
	sub { my $id = $next + int rand 20; "DELETE FROM t WHERE id >= 10000 AND id % 7 = $id % 7" },
	sub { $next += 20; "UPDATE t SET id = $next WHERE id = (SELECT max(id) FROM t)" },
	sub { 'VACUUM t' });
uses_every_scan($there, 't', 'id');
for my $number (1 .. 25)
{
	my $change = $changes[ rand @changes ]->();
	$here->($change);
	# VACUUM's own commit waits for nobody; no row depends on it.
	my %said = by_every_scan($here, 't', qw(id n));
	is_by_every_scan($there, 't', [qw(id n)], $said{sequential}, "remote_apply, $number: $change");
}
$primary->safe_psql('postgres', 'DELETE FROM t WHERE id >= 10000');

# ---- no acknowledged row is lost
sub work_until_killed
{
	my ($server) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my @writers = map { start_acknowledging_writer($server, number => $_, writers => 2, rows => $rows, table => 't', folder => $folder, until_stopped => 1) } 0, 1;
	wait_until(sub { !grep { (-s "$_->{base}.out" // 0) < 1000 } @writers }, 'acknowledgements');
	kill_server_9($server);
	return map { %{ acknowledged($_) } } @writers;
}
my $number = 1;
for my $level (qw(remote_apply on remote_write))
{
	set_on($primary, synchronous_commit => $level);
	my %acknowledged = work_until_killed($primary);
	$standby->promote;
	cmp_ok(scalar keys %acknowledged, '>', 50, "$level: rows were acknowledged");
	is(join(' ', lost_rows($standby, 't', \%acknowledged)), '', "$level: the promoted standby has all of them");
	is_by_every_scan(sub { $standby->safe_psql('postgres', $_[0]) }, 't', [qw(id n)], undef, "$level: every kind of scan says the same");
	$primary->not_compared('it was left behind');
	$primary = $standby;
	$primary->safe_psql('postgres', 'VACUUM t');
	$standby = add_standby('n' . ++$number, $level);
}

# ---- the control
set_on($primary, synchronous_commit => 'local');
$primary->wait_for_catchup($standby);
$standby->stop('fast');
my %acknowledged = work_until_killed($primary);
$primary->not_compared('it was left behind');
$standby->start;
$standby->promote;
cmp_ok(scalar lost_rows($standby, 't', \%acknowledged), '>', 0, 'control: what nobody waited for is lost');
done_testing();
