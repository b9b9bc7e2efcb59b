# t/180_stop_point_delays.pl: GH_STOP_POINT_DELAYS holds whoever passes a stop point for a short time, who then goes on by
# himself; without it, and after a restart without it, nobody is held.  The loop of test/crash is built on that.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'about stop points' unless is_glassheap();
my $node = new_node('main');
plan skip_all => 'needs a build with stop points' unless has_stop_points($node);
# Many tables: a look at pg_stat_activity that takes long still meets one of the passes.
$node->safe_psql('postgres', join ';', map { "CREATE TABLE h$_ AS SELECT g AS id FROM generate_series(1, 3) g" } 1 .. 10);
my $read = join ';', map { "SELECT count(*) FROM h$_" } 1 .. 10;

my $held = "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND wait_event_type = 'Extension'";

# Every pass, up to two seconds each: some of it is seen, and it ends.
sub read_with_delays
{
	local $ENV{GH_STOP_POINT_DELAYS} = '7 1000 2000000';
	$node->restart;
	my $out = PostgreSQL::Test::Utils::tempdir() . '/out';
	my $reader = start_background($node, sql => $read, stdout => $out);
	ok($node->poll_query_until('postgres', $held), 'a reader is held at a stop point that nobody has armed');
	IPC::Run::finish($reader);
	return slurp_file($out);
}

is(read_with_delays(), "3\n" x 10, '... and goes on by itself');
$node->restart;
$node->safe_psql('postgres', $read) for 1 .. 2;
is($node->safe_psql('postgres', $held), 'f', 'without the variable nobody is');

# What cannot be read is said, and ignored.
{
	local $ENV{GH_STOP_POINT_DELAYS} = '7 1000 2s';
	$node->restart;
}
like(slurp_file($node->logfile), qr/WARNING:  GH_STOP_POINT_DELAYS is ignored: "7 1000 2s"/, 'a variable that says something else is ignored, with a warning');
$node->stop;
done_testing();
