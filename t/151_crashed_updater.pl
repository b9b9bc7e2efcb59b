# t/151_crashed_updater.pl: a row is held by a prepared transaction (KEY SHARE) beside an updater that a crash ended.  That
# one has neither committed nor aborted as far as pg_xact tells; it must not make an UPDATE in REPEATABLE READ fail with
# 40001 for as long as the other one is prepared.
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
done_testing();
