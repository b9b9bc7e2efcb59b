# t/026_standby_pins.pl: replay of a prune record needs the page for itself; a cursor on the standby that stands on
# that page is cancelled after max_standby_streaming_delay, and not before.
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
use Time::HiRes qw(time);

my $primary = new_node('pins_primary');
my $standby = new_standby($primary, 'pins_standby', max_standby_streaming_delay => '2s',
	hot_standby_feedback => 'off', log_recovery_conflict_waits => 'on');

$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE t (a int, b text);
INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g;
DELETE FROM t WHERE a % 2 = 0;
SQL
$primary->wait_for_catchup($standby);

# The snapshot is newer than the deletes: it does not conflict, only the pin does.
my ($in, $out) = ('', '');
my $session = IPC::Run::start(
	[ $standby->installed_command('psql'), '-XAtq', '-f', '-', '-d', $standby->connstr('postgres') ],
	'<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(120));
$in .= "BEGIN; DECLARE c CURSOR FOR SELECT a FROM t; FETCH 1 FROM c;\n\\echo ready\n";
$session->pump until $out =~ /ready/;
like($out, qr/^1$/m, 'the cursor has its first row');

$primary->safe_psql('postgres', 'VACUUM t');
my $start = time;
$primary->wait_for_catchup($standby);
my $waited = time - $start;
cmp_ok($waited, '>', 1.0, sprintf('replay waited for the pin (%.1f s)', $waited));
cmp_ok($waited, '<', 30.0, 'and not for ever');

$in .= "FETCH 1 FROM c;\n\\echo done\n\\q\n";
eval { $session->pump until $out =~ /done|conflict|terminat|closed/; };
eval { $session->finish; };
like($out, qr/conflict with recovery|terminating connection|connection to server was lost/,
	'the transaction with the cursor was cancelled');
is($standby->safe_psql('postgres', 'SELECT count(*), sum(a) FROM t'), '500|250000', 'the standby has the rows');
like(slurp_file($standby->logfile), qr/recovery still waiting after .* recovery conflict on buffer pin/,
	'the wait was logged');
$standby->stop;
$primary->stop;
done_testing();
