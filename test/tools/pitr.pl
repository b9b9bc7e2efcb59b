# test/tools/pitr.pl: recovery to a point in time, in the middle of work: to a named restore point, a time, a transaction (inclusive or
# not) and a position, with recovery_target_action = promote and pause.  The rows are exactly those of the point: a ledger of
# marks says which are there, books balance, and where the server paused it goes on to a later point, or is promoted.
#
# heap: the same.  Control: a target one transaction further shows one mark more, so the ledger tells points apart.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapSession;
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Utils;
use Test::More;

my $bank = new_bank('bank', archive_mode => 'on', track_commit_timestamp => 'on');
$bank->enable_archiving;
$bank->reload;
$bank->safe_psql('postgres', 'CREATE TABLE marks (id int PRIMARY KEY, pad text) WITH (fillfactor = 50); CREATE TABLE moved (id int PRIMARY KEY, n int, pad text); INSERT INTO moved SELECT g, 0, repeat(\'m\', 500) FROM generate_series(1, 2000) g; VACUUM moved');
$bank->backup('base');

# Each mark is a transaction that also touches every row of another table: a point between two is a point between those.
my $marks = 0;

sub mark
{
	$marks++;
	return $bank->safe_psql('postgres', "BEGIN; INSERT INTO marks VALUES ($marks, repeat('x', 1000)); UPDATE moved SET n = $marks; SELECT pg_current_xact_id(); COMMIT");
}

# Of a server: how far the marks go, without gaps, and that the other table agrees.
sub marks_of
{
	my ($node) = @_;
	return $node->safe_psql('postgres', 'SELECT max(id), count(*) = max(id), (SELECT min(n) FROM moved) = max(id) AND (SELECT max(n) FROM moved) = max(id), (SELECT count(*) FROM moved) FROM marks');
}

sub expected { my ($mark) = @_; return "$mark|t|t|2000"; }

my %point;
under_load($bank, 'work between the points', sub {
		my $others = GlassheapSession->new($bank);
		mark() for 1 .. 2;
		# Somebody in the middle of a transaction at each point.
		$others->ask("BEGIN; INSERT INTO marks VALUES (1000, 'of one who has not committed'); UPDATE pgbench_accounts SET abalance = -1 WHERE aid % 50 = 0");
		$point{name} = [ $marks, "recovery_target_name = 'here'" ];
		$bank->safe_psql('postgres', "SELECT pg_create_restore_point('here')");
		mark();
		$point{lsn} = [ $marks, "recovery_target_lsn = '" . $bank->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()') . "'" ];
		my $xid = mark();
		$point{'xid, inclusive'} = [ $marks, "recovery_target_xid = '$xid'" ];
		$point{'xid, exclusive'} = [ $marks - 1, "recovery_target_xid = '$xid'\nrecovery_target_inclusive = off" ];
		# The commit's own time, to the microsecond: inclusive.
		$xid = mark();
		my $time = $bank->safe_psql('postgres', "SELECT pg_xact_commit_timestamp('$xid'::xid)");
		$point{time} = [ $marks, "recovery_target_time = '$time'" ];
		$others->ask('ROLLBACK');
		$others->close;
		mark();
		$point{later} = [ $marks, "recovery_target_name = 'later'" ];
		$bank->safe_psql('postgres', "SELECT pg_create_restore_point('later')");
		mark() for 1 .. 3;
	});
archive_all($bank);

sub recovered_to
{
	my ($name, $target, $action) = @_;
	my $node = adopt_server($name, sub { system_or_bail('cp', '-a', $bank->backup_dir . '/base', $_[0]) });
	$node->enable_restoring($bank, 0);
	$node->append_conf('postgresql.conf', "$target\nrecovery_target_action = '$action'\n");
	$node->start;
	$node->poll_query_until('postgres', $action eq 'pause' ? "SELECT pg_get_wal_replay_pause_state() = 'paused'" : 'SELECT NOT pg_is_in_recovery()')
	  or die "$name: recovery does not come to its target";
	return $node;
}

my $number = 0;
for my $kind (sort grep { $_ ne 'later' } keys %point)
{
	my ($mark, $target) = @{ $point{$kind} };
	my $node = recovered_to('promoted_' . ++$number, $target, 'promote');
	is(marks_of($node), expected($mark), "to a $kind: exactly the rows of that point");
	is_sound($node, "to a $kind");
	$node->safe_psql('postgres', 'UPDATE pgbench_accounts SET bid = bid WHERE aid % 5 = 0; VACUUM (FREEZE)');
	is_sound($node, "to a $kind, and worked on");
	$node->stop('fast');
	checksums_ok($node);
}

# ---- paused, looked at, then further; paused again, then promoted
my $paused = recovered_to('paused', $point{name}[1], 'pause');
is(marks_of($paused), expected($point{name}[0]), 'paused at a name: exactly the rows of that point');
is_sound($paused, 'paused at a name');
is(($paused->psql('postgres', 'INSERT INTO marks VALUES (2000)'))[0], 3, 'it is read only');
$paused->stop('fast');
$paused->append_conf('postgresql.conf', $point{later}[1]);
$paused->start;
$paused->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die 'does not pause again';
is(marks_of($paused), expected($point{later}[0]), 'a later target: exactly the rows of that one');
is_sound($paused, 'paused at the later target');
$paused->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$paused->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'is not promoted';
is(marks_of($paused), expected($point{later}[0]), 'resumed: promoted where it was');
is_sound($paused, 'promoted');
$paused->stop('fast');
checksums_ok($paused);
isnt($point{'xid, inclusive'}[0], $point{'xid, exclusive'}[0], 'the ledger tells one transaction from the next');
done_testing();
