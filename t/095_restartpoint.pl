# t/095_restartpoint.pl: a page that a standby cannot write at a checkpoint record costs the restartpoint, not the
# standby; the next checkpoint record tries again.  A standby killed in between has lost nothing, because it starts where
# the last restartpoint was.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs prlimit' unless grep { -x "$_/prlimit" } split /:/, $ENV{PATH};

my $primary = new_node('primary', wal_keep_size => '1GB');
plan skip_all => 'heap writes in the checkpointer' unless is_glassheap();
my $standby = new_standby($primary, 'standby', log_checkpoints => 'on');

sub redo_of
{
	return $standby->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()');
}

$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE t (a int PRIMARY KEY, b text);
INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g;
CHECKPOINT;
SQL
$primary->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'CHECKPOINT');
my $before = redo_of();

# More pages than the images after the next checkpoint will heal.
$primary->safe_psql('postgres', "UPDATE t SET b = repeat('y', 100)");
$primary->wait_for_catchup($standby);
my $log = -s $standby->logfile;
# The startup process may write to the first block of a file only (and so to pg_control, and its log).
my $startup = $standby->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'");
system_or_bail('prlimit', '--fsize=8192:', "--pid=$startup");
for my $round (1 .. 3)
{
	$primary->safe_psql('postgres', "UPDATE t SET a = a WHERE a = $round; CHECKPOINT");
	$primary->wait_for_catchup($standby);
}
cmp_ok(-s $standby->logfile, '<', 8192, 'the log is not cut off by the limit');
like(slurp_file($standby->logfile, $log), qr/no restartpoint at \S+, because glassheap pages could not be written/,
	'the log says that there is no restartpoint, and why');
$standby->safe_psql('postgres', 'CHECKPOINT');
is(redo_of(), $before, 'the restartpoint is where it was');

my $digest = table_digest($primary, 't');
is(table_digest($standby, 't'), $digest, 'the standby goes on, with all rows');
kill_server_9($standby);
$standby->start;
$primary->wait_for_catchup($standby);
is(table_digest($standby, 't'), $digest, 'killed now, it has them still');

$primary->safe_psql('postgres', "UPDATE t SET b = repeat('z', 100) WHERE a % 2 = 0; CHECKPOINT");
$primary->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'CHECKPOINT');
isnt(redo_of(), $before, 'the next checkpoint record brings a restartpoint');
$digest = table_digest($primary, 't');
kill_server_9($standby);
$standby->start;
$primary->wait_for_catchup($standby);
is(table_digest($standby, 't'), $digest, 'from which the standby starts with all rows');
$standby->stop;
$primary->stop;
done_testing();
