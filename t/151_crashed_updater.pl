# t/151_crashed_updater.pl: a row is held by a prepared transaction (KEY SHARE) beside an updater that a crash ended.  That
# one has neither committed nor aborted as far as pg_xact tells; it must not make an UPDATE in REPEATABLE READ fail with
# 40001 for as long as the other one is prepared.  And a crash takes the hint that an updater came to nothing, but not the
# page's all-visible flag: VACUUM FULL and CLUSTER must ask about such rows, or they wait for successors to the end of the table.
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

my $node = new_node('crashed_updater', max_prepared_transactions => 2);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child (p int REFERENCES parent);
INSERT INTO parent VALUES (1, 0);
BEGIN;
INSERT INTO child VALUES (1);
PREPARE TRANSACTION 'child';
SQL
my $updater = GlassheapSession->new($node);
$updater->ask('BEGIN; UPDATE parent SET n = 1; UPDATE parent SET n = 2');
# What the updater did is on disk, its multixact too.
$node->safe_psql('postgres', 'CHECKPOINT');
$node->stop('immediate');
$updater->close;
$node->start;

my $session = GlassheapSession->new($node);
is($session->ask('SELECT n FROM parent'), '0', 'the update is gone');
for my $level ('REPEATABLE READ', 'SERIALIZABLE', 'READ COMMITTED')
{
	$session->ask("BEGIN ISOLATION LEVEL $level");
	is($session->ask('UPDATE parent SET n = n + 10 RETURNING n'), '10', "$level: UPDATE beside the child");
	$session->ask('ROLLBACK');
	$session->ask("BEGIN ISOLATION LEVEL $level");
	is($session->ask('SELECT n FROM parent FOR NO KEY UPDATE'), '0', "$level: FOR NO KEY UPDATE");
	$session->ask('ROLLBACK');
	is($session->ask('SELECT n FROM parent FOR UPDATE NOWAIT'), 'ERROR:  55P03', "$level: FOR UPDATE finds the child");
}
is($session->ask('BEGIN; SELECT n FROM parent FOR KEY SHARE; COMMIT'), '0', 'another child may come');
$session->ask("COMMIT PREPARED 'child'");
is($session->ask('DELETE FROM parent'), 'ERROR:  23503', 'the child keeps its parent');
is($session->ask("SELECT string_agg(msg, '; ') FROM glassheap_verify('parent')"), '', 'the table is sound')
  if is_glassheap();
$session->close;
$node->stop;

$node->not_compared('who compares would bring the hints back');
$node->start;
for my $command ('VACUUM FULL ordered', 'CLUSTER ordered USING ordered_pkey')
{
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ordered (id int PRIMARY KEY, n int) WITH (fillfactor = 50);
INSERT INTO ordered SELECT g, 0 FROM generate_series(1, 20) g;
VACUUM ordered;
CHECKPOINT;
BEGIN; UPDATE ordered SET n = 1 WHERE id IN (5, 7); ROLLBACK;
VACUUM ordered;
-- a commit, for what is before it to be on disk
CREATE TABLE last (); DROP TABLE last;
SQL
	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', "SELECT pd_all_visible FROM glassheap_visibility('ordered')"), 't', 'the flag is there')
	  if is_glassheap();
	$node->safe_psql('postgres', $command);
	is($node->safe_psql('postgres', "SELECT count(*) FROM (SELECT id, row_number() OVER (ORDER BY ctid) FROM ordered) o WHERE id <> row_number"),
		'0', "$command: the rows are in order");
	$node->safe_psql('postgres', 'DROP TABLE ordered');
}
$node->stop;
done_testing();
