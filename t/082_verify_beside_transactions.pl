# t/082_verify_beside_transactions.pl: glassheap_verify says nothing about sound tables, whatever transactions are open:
# rows updated several times by one that runs, in subtransactions that are kept or rolled back, deleted again, locked by
# several.  Random steps in three sessions, a look from outside and from inside after each; then a look while sessions
# run at full speed.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'glassheap_verify is for glassheap' unless is_glassheap();
seed_from_environment();

my $node = new_node('verify_open');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v int, w text) WITH (fillfactor = 50);
CREATE INDEX ON t (v);
CREATE TABLE f (id int, v int);
INSERT INTO t SELECT g, g, repeat('x', 50) FROM generate_series(1, 40) g;
INSERT INTO f SELECT g, g FROM generate_series(1, 5) g;
SQL

my $look = "SELECT coalesce(string_agg(rel || ' ' || blkno || ',' || offnum || ' ' || msg, '; '), '') "
  . "FROM (VALUES ('t'), ('f')) r (rel), LATERAL glassheap_verify(rel, check_toast => true)";
my $outside = GlassheapSession->new($node);
my @sessions = map { GlassheapSession->new($node) } 1 .. 3;
$_->ask("SET lock_timeout = '5ms'") for @sessions;

# ---- the plain case first: what a running transaction did to its own versions
$sessions[0]->ask('BEGIN; UPDATE f SET v = 1; UPDATE f SET v = 2');
is($outside->ask($look), '', 'updated twice (HOT) by a transaction that runs');
is($sessions[0]->ask($look), '', '... and seen by itself');
$sessions[0]->ask('SAVEPOINT a; UPDATE f SET v = 3; UPDATE f SET v = 4; ROLLBACK TO a');
is($outside->ask($look), '', 'two updates more were rolled back');
$sessions[0]->ask('UPDATE f SET v = 5; SAVEPOINT b; UPDATE f SET v = 6; RELEASE b; DELETE FROM f WHERE id = 1');
is($outside->ask($look), '', 'updated by a subtransaction that is kept, and deleted');
$sessions[0]->ask('ROLLBACK');
is($outside->ask($look), '', 'rolled back');

# ---- random steps
my @step = (
	([ 12, sub { 'UPDATE t SET w = w WHERE id % 7 = ' . int(rand 7) } ]),
	([ 8, sub { 'UPDATE f SET v = v + 1 WHERE id % 3 = ' . int(rand 3) } ]),
	([ 4, sub { 'UPDATE t SET v = v + 1 WHERE id % 7 = ' . int(rand 7) } ]),
	([ 2, sub { 'DELETE FROM t WHERE id = ' . int(rand 60) } ]),
	([ 3, sub { 'INSERT INTO t VALUES (' . int(rand 60) . ", 0, 'new') ON CONFLICT (id) DO UPDATE SET w = t.w" } ]),
	([ 1, sub { "INSERT INTO f VALUES (1, 0); UPDATE f SET v = 8 WHERE v = 0" } ]),
	([ 3, sub { 'SELECT 1 FROM t WHERE id % 5 = ' . int(rand 5) . ' FOR ' . ('KEY SHARE', 'SHARE', 'NO KEY UPDATE')[ rand 3 ] . ' SKIP LOCKED' } ]),
	([ 5, sub { 'SAVEPOINT s' } ]),
	([ 3, sub { 'ROLLBACK TO s' } ]),
	([ 2, sub { 'RELEASE s' } ]),
	([ 2, sub { 'COMMIT; BEGIN' } ]),
	([ 1, sub { 'ROLLBACK; BEGIN' } ]),
	([ 1, sub { 'COMMIT; SELECT count(*) FROM t; SELECT count(*) FROM f; BEGIN' } ]));
my @urn = map { ($_->[1]) x $_->[0] } @step;
my (%came_off, @alarms);
my $steps = 0;
$_->ask('BEGIN') for @sessions;
for (1 .. 400)
{
	my $session = $sessions[ rand @sessions ];
	my $sql = $urn[ rand @urn ]->();
	my $answer = $session->ask($sql);
	$came_off{$answer =~ /ERROR:  (\w+)/ ? $1 : $sql =~ /^(\w+(?: (?:TO|INTO \w|\w FOR))?)/ ? $1 : die $sql}++;
	# Errors end the transaction: deadlocks, timeouts, savepoints that do not exist.
	$session->ask('ROLLBACK; BEGIN') if $answer =~ /ERROR/;
	my $alarm = $outside->ask($look);
	$alarm .= " (inside) " . $sessions[0]->ask($look) if $alarm eq '' && $_ % 10 == 0;
	push @alarms, "after step $_, $sql: $alarm" if $alarm !~ /^( \(inside\) )?$/;
	$steps++;
}
is(join("\n", @alarms[ 0 .. ($#alarms > 4 ? 4 : $#alarms) ]), '', "no alarm in $steps random steps");
# 55P03: a lock that another of the three has.
note join ', ', map { "$_ $came_off{$_}" } sort keys %came_off;
is(join(' ', grep { !$came_off{$_} } 'UPDATE', 'DELETE', 'INSERT INTO t', 'INSERT INTO f', 'SELECT', 'SAVEPOINT', 'ROLLBACK TO', 'COMMIT', '55P03'), '', 'every kind of step came off, and sessions met');
$_->ask('COMMIT') for @sessions;
is($outside->ask($look), '', 'nor after all have ended');

# ---- a subtransaction ends between the looks at two versions, the newer one of which is looked at first
SKIP:
{
	skip 'no stop points', 3 unless has_stop_points($node);
	$node->safe_psql('postgres', $_)
	  for 'CREATE TABLE g AS SELECT id, 0 AS v FROM generate_series(1, 2) id', 'DELETE FROM g WHERE id = 1', 'VACUUM g';
	is($sessions[0]->ask('BEGIN; SAVEPOINT a; UPDATE g SET v = 1; SELECT ctid FROM g'),
		'(0,1)', 'the new version stands before the old one');
	my $point = 'verify.tuple_verified';
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('$point', 'wait')");
	$outside->begin("SELECT count(*), min(msg) FROM glassheap_verify('g')");
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_wait('$point')");
	is($sessions[0]->ask('ROLLBACK TO a'), '', 'rolled back after the look at the new version');
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_clear('$point')");
	is($outside->end, '0|', 'no alarm about a version whose predecessor seems to have none');
	$sessions[0]->ask('ROLLBACK');
}

# ---- at full speed: transactions end between the copy of a page and the question what became of them
my $busy = 'DO $$ BEGIN FOR i IN 1 .. 3000 LOOP BEGIN UPDATE f SET v = v + 1 WHERE id = NUMBER; '
  . 'UPDATE f SET v = v + 1 WHERE id = NUMBER; IF i % 3 = 0 THEN RAISE division_by_zero; END IF; '
  . 'EXCEPTION WHEN division_by_zero THEN NULL; END; IF i % 5 = 0 THEN ROLLBACK; ELSE COMMIT; END IF; END LOOP; END $$';
my @busy = map { my $n = $_; start_background($node, sql => $busy =~ s/NUMBER/$n/gr) } 2 .. 3;
my ($looks, $alarm) = (0, '');
while ($alarm eq '' && grep { $_->pumpable } @busy)
{
	$alarm = $outside->ask($look =~ s/\('t'\), //r);
	$looks++;
	# pump dies when its process has just ended.
	eval { $_->pump_nb } for grep { $_->pumpable } @busy;
	last if $looks >= 3000;
}
is($alarm, '', "no alarm in $looks looks beside sessions at full speed");
cmp_ok($looks, '>', 10, '... which were looks enough');
# False if psql's exit status is not 0.
ok(eval { $_->finish }, '... and the session did its work') for @busy;

$_->close for @sessions, $outside;
$node->stop;
done_testing();
