# t/026_standby_pins.pl: replay of a prune record needs the page for itself; a cursor on the standby that stands on
# that page is cancelled after max_standby_streaming_delay, and not without such a limit.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('pins_primary');
my $standby = new_standby($primary, 'pins_standby', max_standby_streaming_delay => '-1',
	hot_standby_feedback => 'off', log_recovery_conflict_waits => 'on');

# Rows that VACUUM will take away; a cursor on the standby with a snapshot that is newer than the deletes, so that only its pin conflicts.
sub cursor_on
{
	my ($table) = @_;
	$primary->safe_psql('postgres', "CREATE TABLE $table (a int, b text); INSERT INTO $table SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g;"
		. "DELETE FROM $table WHERE a % 2 = 0");
	$primary->wait_for_catchup($standby);
	my $session = GlassheapSession->new($standby);
	is($session->ask("BEGIN; DECLARE c CURSOR FOR SELECT a FROM $table; FETCH 1 FROM c"), '1', "$table: the cursor has its first row");
	$primary->safe_psql('postgres', "VACUUM $table");
	return $session;
}

sub wait_for_pin
{
	$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event_type = 'BufferPin'")
	  or die 'replay does not wait';
	return;
}

# ---- without a limit replay waits as long as the reader likes
my $session = cursor_on('patient');
wait_for_pin();
is($session->ask('FETCH 1 FROM c'), '3', 'replay waits, the reader reads on');
is($session->ask('COMMIT'), '', 'and ends as it likes');
$primary->wait_for_catchup($standby);
$session->close;
unlike(slurp_file($standby->logfile), qr/canceling statement|terminating connection due to conflict/, 'nobody was cancelled');

# ---- with one the reader goes
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = 2s');
$standby->reload;
$session = cursor_on('limited');
$primary->wait_for_catchup($standby);
like(slurp_file($standby->logfile), qr/(?:canceling statement|terminating connection) due to conflict with recovery/,
	'the transaction with the cursor was cancelled');
eval { $session->close };
like(slurp_file($standby->logfile), qr/recovery still waiting after .* recovery conflict on buffer pin/, 'after a wait, which was logged');
is($standby->safe_psql('postgres', "SELECT count(*), sum(a) FROM $_"), '500|250000', "$_: the standby has the rows") for qw(patient limited);
$standby->stop;
$primary->stop;
done_testing();
