# t/080_locks_beside_update.pl: an update lets the page go while it moves values out of line or looks for another page;
# only a lock of its own stands on the row meanwhile.  Whoever locks the row beside it keeps the lock: on the old version
# if the update comes to nothing, on the new one if it commits.  A foreign key hangs on it.
#
# Heap forgets such a lock.  Without stop points (release build, GH_AM=heap) there is nothing to steer by, and nothing
# is tested; specs/fk_insert_beside_toasting_update makes the same happen in any build.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('locks');
if (!has_stop_points($node))
{
	$node->stop;
	plan skip_all => 'no stop points';
}

my $point = 'heap.old_version_locked';
my ($updater, $locker, $other, $last) = map { GlassheapSession->new($node) } 1 .. 4;
$_->ask("SET lock_timeout = '150s'") for $updater, $locker, $other, $last;

# The update that gives up the latch: to another page, or by moving values out of line.
my %update = (
	'another page' => "UPDATE par SET n = n + 1 WHERE id = 1",
	'out of line' => "UPDATE par SET body = repeat('b', 6000) WHERE id = 1");

# A full first page; row 1 has its body out of line.
sub fresh_tables
{
	$node->safe_psql('postgres', <<'SQL');
SET client_min_messages = error;
DROP TABLE IF EXISTS kid, par;
CREATE TABLE par (id int PRIMARY KEY, n int, fill text, body text);
ALTER TABLE par ALTER body SET STORAGE EXTERNAL;
CREATE TABLE kid (id int, p int REFERENCES par);
INSERT INTO par SELECT i, 0, repeat('x', 400), CASE WHEN i = 1 THEN repeat('a', 5000) END FROM generate_series(1, 40) i;
SQL
	return;
}

# Starts the update and holds it while the page is let go.
sub start_update
{
	my ($sql) = @_;
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('$point', 'wait')");
	$updater->begin($sql);
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_wait('$point')");
	return;
}

sub let_update_go
{
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_clear('$point')");
	return $updater->end;
}

# NOWAIT in a transaction of its own: 55P03 if somebody conflicts.
sub try_lock
{
	my ($mode) = @_;
	return $last->ask("SELECT id FROM par WHERE id = 1 FOR $mode NOWAIT");
}

# Who deletes the parent now meets the child's lock.
sub delete_meets_lock
{
	my ($what) = @_;
	is(try_lock('UPDATE'), 'ERROR:  55P03', "$what: the parent cannot be had for deletion");
	is(try_lock('NO KEY UPDATE'), '1', "$what: but for an update that keeps the key");
	return;
}

sub nothing_is_wrong
{
	my ($what, $expected) = @_;
	is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM par WHERE id = 1), (SELECT count(*) FROM kid)'),
		$expected, "$what: parent and children");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM kid WHERE p NOT IN (SELECT id FROM par)'),
		'0', "$what: no orphan");
	is($node->safe_psql('postgres', "SELECT string_agg(msg, '; ') FROM glassheap_verify('par')"),
		'', "$what: the table is sound");
	return;
}

for my $way (sort keys %update)
{
	# The child's check comes into the window, and outlives the update.
	fresh_tables();
	start_update($update{$way});
	is($locker->ask('BEGIN; INSERT INTO kid VALUES (1, 1)'), '', "$way: a child is inserted meanwhile");
	is($last->ask("SELECT id FROM par WHERE id = 1 FOR $_ NOWAIT"),
		'ERROR:  55P03', "$way: the row cannot be had for $_ meanwhile")
	  for 'SHARE', 'NO KEY UPDATE', 'UPDATE';
	is($last->ask('SELECT id FROM par WHERE id = 1 FOR KEY SHARE NOWAIT'), '1', "$way: but for KEY SHARE");
	is(let_update_go(), '', "$way: the update goes on");
	delete_meets_lock($way);
	$other->begin('DELETE FROM par WHERE id = 1');
	# It waits; or it is through, which is what this test is about.
	$node->poll_query_until('postgres', "SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' OR state = 'idle' "
		  . "FROM pg_stat_activity WHERE query LIKE 'DELETE FROM par%'") or die;
	is($locker->ask('COMMIT'), '', "$way: the child's transaction commits");
	is($other->end, 'ERROR:  23503', "$way: so the parent stays");
	nothing_is_wrong($way, '1|1');

	# Two lockers, one before and one in the window; the one before ends in it.
	fresh_tables();
	$other->ask('BEGIN; SELECT id FROM par WHERE id = 1 FOR KEY SHARE');
	start_update($update{$way});
	$locker->ask('BEGIN; INSERT INTO kid VALUES (1, 1)');
	$other->ask('COMMIT');
	let_update_go();
	delete_meets_lock("$way, beside an older lock");
	$locker->ask('ROLLBACK');
	is($last->ask('DELETE FROM par WHERE id = 1'), '', "$way: both gone, the parent can be deleted");
	nothing_is_wrong("$way, deleted", '0|0');

	# The older one outlives the window's.
	fresh_tables();
	$other->ask('BEGIN; INSERT INTO kid VALUES (2, 1)');
	start_update($update{$way});
	$locker->ask('BEGIN; SELECT id FROM par WHERE id = 1 FOR KEY SHARE; COMMIT');
	let_update_go();
	delete_meets_lock("$way, a lock older than the update");
	$other->ask('COMMIT');
	nothing_is_wrong("$way, a lock older than the update", '1|1');

	# The lock of a subtransaction; the update's transaction stays open, rolls back, and the old version has the lock.
	fresh_tables();
	$updater->ask('BEGIN');
	start_update($update{$way});
	$locker->ask('BEGIN; SAVEPOINT a; INSERT INTO kid VALUES (1, 1); RELEASE a');
	let_update_go();
	is($last->ask('SELECT id FROM par WHERE id = 1 FOR UPDATE NOWAIT'),
		'ERROR:  55P03', "$way: the open update holds the row");
	$updater->ask('ROLLBACK');
	delete_meets_lock("$way, rolled back");
	$locker->ask('COMMIT');
	nothing_is_wrong("$way, rolled back", '1|1');

	# We hold the row ourselves, and update it in a subtransaction that is kept, or is rolled back; then again: in the
	# last case under a multixact that names us, as the same locker, and the updater that was rolled back.
	for my $end ('RELEASE s', 'ROLLBACK TO s', 'ROLLBACK TO s; RELEASE s')
	{
		for my $beside (1, 0)
		{
			my $case = "$way, $end, " . ($beside ? 'a child beside' : 'alone');
			fresh_tables();
			$updater->ask('BEGIN; SELECT id FROM par WHERE id = 1 FOR NO KEY UPDATE; SAVEPOINT s');
			start_update($update{$way});
			$locker->ask('BEGIN; INSERT INTO kid VALUES (1, 1)') if $beside;
			let_update_go();
			is($updater->ask($end), '', $case);
			is(try_lock('SHARE'), 'ERROR:  55P03', "$case: our lock is still there");
			start_update('UPDATE par SET n = n + 10 WHERE id = 1');
			is(try_lock('SHARE'), 'ERROR:  55P03', "$case: and while the row is updated again");
			is(let_update_go(), '', "$case: updated again");
			is($updater->ask('COMMIT'), '', "$case: committed");
			delete_meets_lock($case) if $beside;
			is(try_lock('UPDATE'), '1', "$case: nobody holds the new version") if !$beside;
			$locker->ask('COMMIT') if $beside;
			nothing_is_wrong($case, "1|$beside");
		}
	}

	# An update of the key lets nobody in; locks of before that do not conflict cannot exist.
	fresh_tables();
	(my $key = $update{$way}) =~ s/SET/SET id = 101,/;
	start_update($key);
	is(try_lock('KEY SHARE'), 'ERROR:  55P03', "$way: an update of the key lets no KEY SHARE in");
	is(let_update_go(), '', "$way: the key is changed");
	nothing_is_wrong("$way, key", '0|0');
}

# A cursor's snapshot and serializable transactions are asked when the latches are held again.
fresh_tables();
$updater->ask('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM kid');
start_update($update{'another page'});
$locker->ask('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT n FROM par WHERE id = 1; INSERT INTO kid VALUES (1, 1)');
my $outcome = join '', let_update_go(), map { $_->ask('COMMIT') } $updater, $locker;
like($outcome, qr/^ERROR:  40001$/, 'write skew across the window: one of both fails');

$_->close for $updater, $locker, $other, $last;
$node->stop;
done_testing();
