# t/156_delayed.pl: a standby that applies commits late (recovery_min_apply_delay) has the rows of then, by every kind of scan, while the primary
# goes on; it takes restartpoints, is killed with SIGKILL, and later holds what the primary holds, in all forks.  A second one
# stands before a mistake: paused there and promoted, it has the rows of before; a server restored from the archive to the same point has the same.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapNode;
use GlassheapTest;
use GlassheapScans;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', wal_writer_delay => '10ms');
$primary->enable_archiving;
$primary->restart;
sub sql { my ($query) = @_; return $primary->safe_psql('postgres', $query); }
sub of { my ($node) = @_; return { by_every_scan(sub { $node->safe_psql('postgres', $_[0]) }, 't', qw(id n)) }->{sequential}; }
sub is_on { my ($node, $expected, $what) = @_; return is_by_every_scan(sub { $node->safe_psql('postgres', $_[0]) }, 't', [qw(id n)], $expected, $what); }
sub set_on { my ($node, $name, $value) = @_; $node->safe_psql('postgres', "ALTER SYSTEM SET $name = '$value'; SELECT pg_reload_conf()"); return; }
sub received
{
	my ($node) = @_;
	my $lsn = $primary->lsn('insert');
	$node->poll_query_until('postgres', "SELECT pg_last_wal_receive_lsn() >= '$lsn'") or die 'WAL does not come';
	return;
}

sql("CREATE TABLE t (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 85); CREATE INDEX ON t (n);"
	. "INSERT INTO t SELECT g, g, repeat('x', 200) FROM generate_series(1, 1500) g");
sql('VACUUM t');
my $late = new_standby($primary, 'late', max_standby_streaming_delay => '-1');
my $later = new_standby($primary, 'later');
$primary->wait_for_catchup($_, 'replay', $primary->lsn('insert')) for $late, $later;
set_on($_, recovery_min_apply_delay => '1d') for $late, $later;

# ---- the late ones see the rows of then
my $then = of($primary);
my @steps = ('UPDATE t SET n = n + 10000 WHERE id % 3 = 0', 'DELETE FROM t WHERE id % 5 = 0', 'VACUUM (FREEZE) t',
	"INSERT INTO t SELECT g, g, 'new' FROM generate_series(2001, 2300) g", 'UPDATE t SET id = id + 5000 WHERE id > 2200', 'VACUUM t');
for my $step (@steps)
{
	sql($step);
	received($late);
	is_on($late, $then, "delayed, after $step");
}
isnt(of($primary), $then, 'the primary has other rows');
is($late->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'RecoveryApplyDelay'"), 1, 'replay waits for its time');

# ---- a kill beside the delay, and a restartpoint behind a part of the WAL
kill_server_9($late);
$late->start;
set_on($late, recovery_min_apply_delay => '0');
$primary->wait_for_catchup($late, 'replay', $primary->lsn('insert'));
is_on($late, of($primary), 'without the delay it has the rows of now');
set_on($late, recovery_min_apply_delay => '1d');
my $reader = GlassheapSession->new($late);
my $before = of($primary);
$reader->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t');
sql('CHECKPOINT');
sql('DELETE FROM t WHERE id < 700');
sql('VACUUM t');
received($late);
$late->safe_psql('postgres', 'CHECKPOINT');
kill_server_9($late);
eval { $reader->close };
$late->start;
is_on($late, $before, 'after another kill it is as late as before');

# ---- the mistake
my $point = sql("SELECT pg_create_restore_point('before the mistake')");
my $good = of($primary);
sql('DELETE FROM t');
sql('VACUUM t');
received($later);
is_on($later, $then, 'the other one knows nothing of it');
# It replays up to the point, and is promoted there.
$later->stop('fast');
$later->append_conf('postgresql.conf', "recovery_target_name = 'before the mistake'\nrecovery_target_action = 'pause'\n");
$later->adjust_conf('postgresql.auto.conf', 'recovery_min_apply_delay', '0');
$later->start;
$later->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die 'it does not pause';
is_on($later, $good, 'paused before the mistake: the rows of before');
$later->promote;
is_on($later, $good, 'promoted there: the rows of before');
$later->safe_psql('postgres', 'UPDATE t SET n = n + 1 WHERE id % 2 = 0');
$later->safe_psql('postgres', 'VACUUM (FREEZE) t');
my $worked = of($later);
kill_server_9($later);
$later->start;
is_on($later, $worked, 'and it works on, through a crash');

# ---- to the same point from a backup and the archive
sql('SELECT pg_switch_wal()');
my $restored = GlassheapNode->new('restored');
$restored->init_from_backup($primary, 'for_late', has_restoring => 1, standby => 0);
$restored->append_conf('postgresql.conf', "recovery_target_name = 'before the mistake'\nrecovery_target_action = 'promote'\nrecovery_target_timeline = current\narchive_mode = off\n");
$restored->start;
$restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'it does not end its recovery';
is_on($restored, $good, 'restored from the archive: the rows of before');
$restored->safe_psql('postgres', 'VACUUM t');
is_on($restored, $good, 'and after VACUUM');

# ---- the late one replays the mistake, too
set_on($late, recovery_min_apply_delay => '0');
$primary->wait_for_catchup($late, 'replay', $primary->lsn('insert'));
is_on($late, '0:0 0:0', 'the late one ends with the rows of the primary');
done_testing();
