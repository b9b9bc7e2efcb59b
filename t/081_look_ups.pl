# t/081_look_ups.pl: what asking costs when nothing is changed.  A row lock that is not had, or is had already, takes no
# transaction id and writes nothing; a scan looks up each transaction of a page once, and, whatever locks stand on the
# page, whether it is changed, or leaves the pool, never again.  Counted, not timed.
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

my $node = new_node('look_ups', 'glassheap.autoprewarm' => 'off', wal_writer_delay => '10s');
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_walinspect;
CREATE TABLE job (id int PRIMARY KEY, note text);
INSERT INTO job SELECT g, 'x' FROM generate_series(1, 20) g;
SQL
my ($holder, $poller) = map { GlassheapSession->new($node) } 1 .. 2;

# ---- transaction ids
sub next_xid { return $node->safe_psql('postgres', 'SELECT pg_snapshot_xmax(pg_current_snapshot())'); }

# Records of ours and of commits, from there to here; others (standby snapshots) may come at any time.
sub records_since
{
	my ($lsn) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM pg_get_wal_records_info_till_end_of_wal('$lsn') "
		  . "WHERE resource_manager IN ('glassheap', 'Heap', 'Transaction')");
}

sub costs_nothing
{
	my ($what, $action, $xids, $records) = @_;
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	my $before = next_xid();
	$action->();
	is(next_xid() - $before, $xids, "$what: $xids transaction ids");
	# A record to end with, which is flushed: those before it can be read then.
	$node->safe_psql('postgres', "SELECT pg_logical_emit_message(true, '', '')");
	is(records_since($lsn), $records + 1, "$what: $records records");
	return;
}

$holder->ask('BEGIN; SELECT id FROM job FOR UPDATE');
costs_nothing('100 polls that skip every row', sub {
	is($poller->ask('SELECT id FROM job ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED'), '', 'nothing is left')
	  for 1 .. 100;
}, 0, 0);
costs_nothing('50 polls that refuse to wait', sub {
	is($poller->ask('SELECT id FROM job WHERE id = 3 FOR NO KEY UPDATE NOWAIT'), 'ERROR:  55P03', 'not available')
	  for 1 .. 50;
}, 0, 0);
costs_nothing('50 polls within one transaction', sub {
	$poller->ask('BEGIN');
	$poller->ask('SELECT id FROM job FOR SHARE SKIP LOCKED') for 1 .. 50;
	is($poller->ask('SELECT pg_current_xact_id_if_assigned() IS NULL'), 't', 'no transaction id was assigned');
	$poller->ask('COMMIT');
}, 0, 0);
costs_nothing('100 subtransactions that cannot have the row', sub {
	$poller->ask('DO $$ BEGIN FOR i IN 1 .. 100 LOOP '
		  . 'BEGIN PERFORM id FROM job WHERE id = 3 FOR UPDATE NOWAIT; EXCEPTION WHEN lock_not_available THEN NULL; END; '
		  . 'END LOOP; END $$');
}, 0, 0);
$holder->ask('COMMIT');
costs_nothing('100 subtransactions that have the row already', sub {
	$poller->ask('DO $$ BEGIN PERFORM id FROM job WHERE id = 3 FOR UPDATE; FOR i IN 1 .. 100 LOOP '
		  . 'BEGIN PERFORM id FROM job WHERE id = 3 FOR UPDATE; EXCEPTION WHEN lock_not_available THEN NULL; END; '
		  . 'END LOOP; END $$');
}, 1, 2);    # the lock, the commit
costs_nothing('upserts that do nothing', sub {
	$poller->ask("INSERT INTO job VALUES (3, 'y') ON CONFLICT DO NOTHING") for 1 .. 20;
}, 0, 0);
costs_nothing('updates and deletes that find nothing', sub {
	$poller->ask("UPDATE job SET note = 'y' WHERE id = 99; DELETE FROM job WHERE id = 99") for 1 .. 20;
}, 0, 0);
is($poller->ask('BEGIN; SELECT id FROM job WHERE id = 4 FOR UPDATE SKIP LOCKED; '
		. 'SELECT pg_current_xact_id_if_assigned() IS NOT NULL; COMMIT'), "4\nt", 'a lock that is had is by somebody');

# ---- look-ups of the commit log
# Each row by a transaction of its own.
$node->safe_psql('postgres', <<'SQL');
CREATE PROCEDURE fill(made text, count int, width int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (a int, b text)', made);
	FOR i IN 1 .. count LOOP EXECUTE format('INSERT INTO %I VALUES ($1, $2)', made) USING i, repeat('x', width); COMMIT; END LOOP;
END $$;
CALL fill('many', 1500, 100);
SQL

# Look-ups made by one statement in a session of its own.
sub look_ups
{
	my ($sql) = @_;
	my $count = sub {
		return $node->safe_psql('postgres', "SELECT blks_hit + blks_read FROM pg_stat_slru WHERE name = 'Xact'");
	};
	my $before = $count->();
	$node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; $sql; SELECT pg_stat_force_next_flush()");
	return $count->() - $before;
}

my $scan = 'SELECT count(*) FROM many';
my $pages = $node->safe_psql('postgres', "SELECT pg_relation_size('many') / 8192");
my $first = look_ups($scan);
cmp_ok($first, '>=', 1500, "the first scan looks up each of 1500 transactions ($first)");
my $again = look_ups($scan);
cmp_ok($again, '<', 50, "the second one none ($again)");

# What foreign key checks leave: a row of each page has a locker, or two.
$node->safe_psql('postgres', 'BEGIN; SELECT count(*) FROM (SELECT a FROM many WHERE a % 10 = 1 FOR KEY SHARE) x; COMMIT');
look_ups($scan);
$again = look_ups($scan);
cmp_ok($again, '<', 50, "with locks on all of $pages pages, too ($again)");
is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_pages('many') WHERE all_committed_upto IS NULL"), '0',
	'and all pages are known to be visible as a whole')
  if is_glassheap();
$_->ask('BEGIN; SELECT count(*) FROM (SELECT a FROM many WHERE a % 10 = 1 FOR KEY SHARE) x') for $holder, $poller;
look_ups($scan);
$again = look_ups($scan);
cmp_ok($again, '<', 50, "with multixacts that run ($again)");
is($node->safe_psql('postgres', $scan), '1500', 'all rows are seen');
$_->ask('COMMIT') for $holder, $poller;
look_ups($scan);
$again = look_ups($scan);
cmp_ok($again, '<', 50, "with multixacts that ended ($again)");

# A real change comes after the locks: it must be seen, and hide what it hides.
$node->safe_psql('postgres', 'DELETE FROM many WHERE a % 20 = 1; UPDATE many SET b = b WHERE a % 20 = 11');
is($node->safe_psql('postgres', $_), '1425', 'deleted rows are gone, updated ones are there once') for $scan, $scan;
$node->safe_psql('postgres', "BEGIN; DELETE FROM many WHERE a % 20 = 2; SELECT count(*) FROM many; ROLLBACK");
is($node->safe_psql('postgres', $scan), '1425', 'and a deletion rolled back hides none');

SKIP:
{
	skip 'heap looks a transaction up again when another stood between', 3 unless is_glassheap();
	# One page, its rows by turns of a transaction and of one subtransaction each.
	my $turns = join('; ', map { "INSERT INTO turn VALUES ($_); SAVEPOINT s; INSERT INTO turn VALUES (-$_); RELEASE s" } 1 .. 60);
	$node->safe_psql('postgres', "CREATE TABLE turn (a int); BEGIN; $turns; COMMIT");
	$first = look_ups('SELECT count(*) FROM turn');
	cmp_ok($first, '<', 61 + 25, "120 rows of 61 transactions by turns: each is looked up once ($first)");
	cmp_ok($first, '>=', 61, 'and they are looked up');
	is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM turn'), '120|0', 'the rows are right');
}

# ---- where nothing can be remembered about a page, the page itself remembers
# A deleted row in each page, which somebody still sees.
$node->safe_psql('postgres', "CALL fill('shrunk', 1500, 100)");
$holder->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$node->safe_psql('postgres', 'DELETE FROM shrunk WHERE a % 20 = 1');
$first = look_ups('SELECT count(*) FROM shrunk');
cmp_ok($first, '<', 1500 + 50, "pages of which a row was deleted: each transaction is looked up once ($first)");
$again = look_ups('SELECT count(*) FROM shrunk');
cmp_ok($again, '<', 50, "and then no more ($again)");
is($holder->ask('SELECT count(*) FROM shrunk'), '1500', 'an older snapshot sees the deleted rows');
$holder->ask('COMMIT');
is($node->safe_psql('postgres', 'SELECT count(*) FROM shrunk'), '1425', 'a newer one does not');
$_->close for $holder, $poller;

# A commit that a crash could still take back leaves no mark on a page that could be written without it: the last one, that
# is, as those before it may be older than the page's LSN (mvcc.H1).  The WAL writer sleeps long, and flushes only
# whole pages of WAL when it is woken; should it have flushed the last commits all the same, nothing is shown.
my $hinted = "(SELECT count(*) FROM glassheap_page_items('late', 0) WHERE t_infomask & 768 = 256";
SKIP:
{
	skip 'asks glassheap about its page', 2 unless is_glassheap();
	my ($count, $seen, $marks, $flushed) = split /\|/, $node->safe_psql('postgres', <<"SQL");
SET synchronous_commit = off;
CALL fill('late', 30, 1);
SELECT pg_current_wal_insert_lsn() AS before \\gset
DO \$\$ BEGIN FOR i IN 1 .. 5 LOOP INSERT INTO late VALUES (-i, 'y'); COMMIT; END LOOP; END \$\$;
SELECT (SELECT count(*) FROM late WHERE a <> 0), (SELECT count(*) FROM late WHERE a < 0), $hinted AND lp = 35),
	pg_current_wal_flush_lsn() > :'before';
SQL
	is("$count|$seen", '35|5', 'rows of commits that are not flushed are seen');
	cmp_ok($marks, '<=', $flushed eq 't' ? 1 : 0, "the last of them carries no hint ($marks; flushed: $flushed)");
}

# A table four times as large as the pool: what is remembered in the pool is lost from scan to scan.
$node->append_conf('postgresql.conf', "glassheap.buffers = 1MB\nshared_buffers = 1MB\n");
$node->restart;
is($node->safe_psql('postgres', "SELECT count(*) FROM late; SELECT $hinted)"), "35\n35", 'when they are, they do')
  if is_glassheap();
$node->safe_psql('postgres', "CALL fill('large', 3000, 1000)");
$node->safe_psql('postgres', "CREATE TABLE loaded AS SELECT g AS a, repeat('x', 1000) AS b FROM generate_series(1, 3000) g; CHECKPOINT");
my $kb = $node->safe_psql('postgres', "SELECT pg_relation_size('large') / 1024");
cmp_ok($kb, '>', 3000, "a table of $kb kB, a pool of 1024");
$first = look_ups('SELECT sum(a) FROM large');
cmp_ok($first, '>=', 3000, "the first scan looks up each of 3000 transactions ($first)");
$again = look_ups('SELECT sum(a) FROM large');
cmp_ok($again, '<', 50, "the second one none ($again)");
$node->restart;
$again = look_ups('SELECT sum(a) FROM large');
cmp_ok($again, '<', 50, "nor one after a restart ($again)");
is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM large'), '3000|4501500', 'the rows are right');

# What was loaded by one transaction costs a look-up at most per page, and is not written again for having been read.
$again = look_ups('SELECT sum(a) FROM loaded');
cmp_ok($again, '<', 50, "a table that was loaded at once ($again)");
SKIP:
{
	skip 'the first reader of a heap writes it once more', 1 unless is_glassheap();
	unlike($node->safe_psql('postgres', 'SET max_parallel_workers_per_gather = 0; EXPLAIN (ANALYZE, BUFFERS) SELECT sum(a) FROM loaded'),
		qr/dirtied/, 'and reading it dirties nothing');
}
$node->stop;
done_testing();
