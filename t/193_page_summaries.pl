# t/193_page_summaries.pl: what is known of a page as a whole (design.D9) also when its frame was used for another page, and
# when one transaction filled the page.  A table larger than the pool asks pg_xact about its inserters once, whoever reads it
# again asks nothing and dirties nothing; every change, logged or not, is seen; what is dropped leaves nothing.
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

plan skip_all => 'heap keeps no summaries' unless is_glassheap();
my $node = new_node('main', 'glassheap.buffers' => '1MB', max_prepared_transactions => 2);    # 128 frames
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

my $pages = 300;
my $fill = "CREATE TABLE %s (id int, v text) WITH (fillfactor = 10); ALTER TABLE %s ALTER v SET STORAGE PLAIN;"
  . "DO \$\$ BEGIN FOR i IN 1 .. $pages LOOP INSERT INTO %s VALUES (i, repeat('v', 7000)); COMMIT; END LOOP; END \$\$";
sub make_table { my ($table) = @_; return sql($fill =~ s/%s/$table/gr); }

# What a statement makes of a counter, which its session reports before it answers the next one.
sub grows
{
	my ($counter, $statement) = @_;
	my $session = GlassheapSession->new($node);
	my $flush = 'SELECT pg_stat_force_next_flush()';
	$session->ask($_) for $statement =~ s/FROM \w+/FROM pg_class/r, $flush;
	my $before = sql("SELECT $counter");
	my $answer = $session->ask($statement);
	$session->ask($flush);
	my $by = sql("SELECT $counter") - $before;
	$session->close;
	return ($answer, $by);
}
my $look_ups = "sum(blks_hit) FROM pg_stat_slru WHERE name = 'Xact'";
my $found = 'found FROM glassheap_stat_summaries()';

# ---- a table larger than the pool

make_table('large');
sql('CHECKPOINT');
my ($answer, $asked) = grows($look_ups, 'SELECT count(*) FROM large');
is($answer, $pages, 'the first scan sees all');
cmp_ok($asked, '>=', $pages, '... and asks about each inserter');
($answer, $asked) = grows($look_ups, 'SELECT count(*) FROM large');
is($answer, $pages, 'the second scan sees all');
SKIP:
{
	skip 'a paranoid build asks about each row', 1 if sql('SELECT checks FROM glassheap_build_info()') > 1;
	cmp_ok($asked, '<', 10, '... and asks about none');
}
($answer, my $served) = grows($found, 'SELECT count(*) FROM large');
is($answer, $pages, 'the third one, too');
cmp_ok($served, '>=', $pages - 128, '... its pages came from the disk, and were known');
is(sql('SELECT count(*) FROM glassheap_buffercache WHERE isdirty'), '0', 'nothing was dirtied');

# ---- changes are seen

my @changes = (
	['an update', "UPDATE large SET id = -id WHERE id % 10 = 0", sub { $pages }],
	['a delete', 'DELETE FROM large WHERE id % 10 = 1', sub { $pages - $pages / 10 }],
	['a delete that was rolled back', 'BEGIN; DELETE FROM large WHERE id % 10 = 2; ROLLBACK', sub { $pages - $pages / 10 }],
	['a row lock', 'SELECT FROM large FOR UPDATE', sub { $pages - $pages / 10 }],
	['freezing', 'VACUUM (FREEZE) large', sub { $pages - $pages / 10 }],
	['a delete of what was frozen', 'DELETE FROM large WHERE id % 10 = 3', sub { $pages - $pages / 5 }],
	['truncation', 'DELETE FROM large WHERE id > 100 OR id < -100; VACUUM large', sub { 80 }],
	['rows behind it', "INSERT INTO large SELECT g, repeat('w', 7000) FROM generate_series(1001, 1200) g", sub { 280 }]);
my $holder = GlassheapSession->new($node);    # beside whose snapshot nothing is pruned: rows that are gone lie among the others
for my $change (@changes)
{
	my ($what, $statements, $count) = @$change;
	sql($_) for ('SELECT count(*) FROM large') x 2;    # so that all is known, and most of it kept
	sql('SELECT glassheap_buffercache_evict_all()');
	$holder->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1') if $statements !~ /VACUUM/;
	sql($statements);
	is(sql('SELECT count(*) FROM large'), $count->(), "$what is seen");
	sql('SELECT glassheap_buffercache_evict_all()');
	is(sql('SELECT count(*) FROM large'), $count->(), '... again, from the disk');
	$holder->ask('ROLLBACK');
}
$holder->close;
kill_server_9($node);
$node->start;
is(sql('SELECT count(*) FROM large'), '280', 'a crash changes nothing');

# ---- old snapshots, beside what is kept

my $old = GlassheapSession->new($node);
$old->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($old->ask('SELECT count(*) FROM large'), '280', 'a snapshot');
sql("INSERT INTO large SELECT g, repeat('n', 7000) FROM generate_series(2001, 2300) g");
for (1 .. 2) { is(sql('SELECT count(*) FROM large'), '580', 'newer rows are known to be seen'); }
is($old->ask('SELECT count(*) FROM large'), '280', '... and are not by the older snapshot');
$old->ask('COMMIT');
is($old->ask('SELECT count(*) FROM large'), '580', '... but by its successor');

# ---- pages that one transaction filled; in a pool with room for runs of inserts

$old->close;
sub restart_with { $node->append_conf('postgresql.conf', $_) for @_; return $node->restart; }
restart_with("glassheap.buffers = '16MB'");
$old = GlassheapSession->new($node);
my $rows = "INSERT INTO one SELECT g, repeat('o', 100) FROM generate_series(1, 2000) g";
sql('CREATE TABLE one (id int, v text)');
$old->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
$old->ask('SELECT count(*) FROM one');
my $writer = GlassheapSession->new($node);
$writer->ask('BEGIN');
$writer->ask('DECLARE before CURSOR FOR SELECT * FROM one');
$writer->ask($rows);
is($writer->ask('SELECT count(*) FROM one'), '2000', 'its inserter sees it');
is($writer->ask('FETCH ALL FROM before'), '', '... but in no cursor opened before');
is(sql('SELECT count(*) FROM one'), '0', 'others do not see it yet');
$writer->ask('SAVEPOINT s');
$writer->ask($rows);
is($writer->ask('SELECT count(*) FROM one'), '4000', 'rows of a subtransaction');
$writer->ask('ROLLBACK TO s');
is($writer->ask('SELECT count(*) FROM one'), '2000', '... that was rolled back');
$writer->ask('SAVEPOINT r');
$writer->ask($rows);
$writer->ask('RELEASE r');
$writer->ask('COMMIT');
my ($seen, $by) = grows($look_ups, 'SELECT count(*) FROM one');
is($seen, '4000', 'all see it after its commit');
is($old->ask('SELECT count(*) FROM one'), '0', '... but not older snapshots');
is($old->ask('CREATE INDEX one_id ON one (id); SELECT count(*) FROM one WHERE id > 0; ROLLBACK'), '0', '... nor what they index');
is(sql('SET enable_seqscan = off; SET enable_bitmapscan = off; CREATE INDEX one_id ON one (id); SELECT count(*) FROM one WHERE id > 0'),
	'4000', 'an index has what is alive');
sql('DROP INDEX one_id');
sql("BEGIN; $rows; ROLLBACK");
is(sql('CREATE INDEX one_id ON one (id); SELECT reltuples FROM pg_class WHERE relname = \'one\''), '4000', 'rows of an aborted load count for nothing');
is(sql('ANALYZE one; SELECT reltuples FROM pg_class WHERE relname = \'one\''), '4000', '... nor in ANALYZE');
is(sql('SELECT count(*) FROM one'), '4000', '... nor in a scan');
sql('CREATE TABLE few (g int)');
for my $end (qw(ROLLBACK COMMIT)) { sql("BEGIN; COPY few FROM PROGRAM 'seq 10'; $end"); }
is(sql('SELECT count(*) FROM few'), '10', 'a page with rows of two transactions');
sql('DROP TABLE few');
is(sql("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM one; COMMIT"), '4000', 'with conflict tracking, too');
is(sql("CREATE TEMP TABLE own AS SELECT g FROM generate_series(1, 3000) g; SELECT count(*) FROM own"), '3000', 'a temporary table');
is(sql("CREATE TEMP TABLE own (g int); COPY own FROM PROGRAM 'seq 3000'; BEGIN; COPY own FROM PROGRAM 'seq 3000'; ROLLBACK; SELECT count(*) FROM own"),
	'3000', '... loaded twice, once in vain');
$old->close;
$writer->close;
restart_with("glassheap.buffers = '1MB'");

# ---- what is dropped leaves nothing

my $used = 'SELECT extents_used FROM glassheap_stat_summaries()';
sql('DROP TABLE large, one');
is(sql($used), '0', 'dropped tables leave nothing');
sub leaves_nothing
{
	my ($what, $table, @statements) = @_;
	make_table($table);
	sql("SELECT count(*) FROM $table") for 1 .. 2;
	cmp_ok(sql($used), '>', 0, "$what: something is kept");
	sql($_) for @statements;
	sql('SELECT count(*) FROM pg_class');
	is(sql($used), '0', '... and then it is not');
	sql("DROP TABLE IF EXISTS $table");
	return;
}
leaves_nothing('DROP', 'a', 'DROP TABLE a');
leaves_nothing('TRUNCATE', 'b', 'TRUNCATE b');
# COMMIT PREPARED unlinks without our hearing of it.
leaves_nothing('a prepared DROP', 'p', "BEGIN; DROP TABLE p; PREPARE TRANSACTION 'drop'", "COMMIT PREPARED 'drop'");
leaves_nothing('a prepared TRUNCATE', 'q', "BEGIN; TRUNCATE q; PREPARE TRANSACTION 'cut'", "COMMIT PREPARED 'cut'");
leaves_nothing('VACUUM FULL', 'c', 'SELECT glassheap_buffercache_evict_all()', 'VACUUM FULL c');
make_table('in_database');
sql('CREATE DATABASE other TEMPLATE postgres');
$node->safe_psql('other', 'SELECT count(*) FROM in_database') for 1 .. 2;
cmp_ok(sql($used), '>', 0, 'a database: something is kept');
sql('DROP DATABASE other');
is(sql($used), '0', '... and then it is not');
sql('DROP TABLE in_database');

# ---- switched off; and sizes that are none

restart_with('glassheap.page_summaries = 0');
make_table('large');
grows($look_ups, 'SELECT count(*) FROM large');
($answer, $asked) = grows($look_ups, 'SELECT count(*) FROM large');
is($answer, $pages, 'switched off: a scan sees all');
cmp_ok($asked, '>=', $pages - 128, '... and asks again');
is(sql('SELECT bytes || \' \' || kept FROM glassheap_stat_summaries()'), '0 0', '... for nothing is kept');
restart_with("glassheap.page_summaries = '16kB'");
grows($look_ups, 'SELECT count(*) FROM large') for 1 .. 2;
is((grows($look_ups, 'SELECT count(*) FROM large'))[0], $pages, 'little room');

# ---- unlogged changes keep a page's LSN

restart_with('wal_level = minimal', 'max_wal_senders = 0');
sql('CREATE TABLE moved (id int, v text)');
sql("INSERT INTO moved SELECT g, repeat('m', 100) FROM generate_series(1, 2000) g");
sql("SELECT count(*) FROM moved");
sql("CREATE TABLESPACE elsewhere LOCATION ''");
my $mover = GlassheapSession->new($node);
$mover->ask('BEGIN; ALTER TABLE moved SET TABLESPACE elsewhere');
my $lsns = "SELECT count(DISTINCT lsn) FROM glassheap_pages('moved') WHERE lsn <> '0/0'";
cmp_ok($mover->ask($lsns), '>', 10, 'a copied table has its LSNs') or diag $mover->ask($lsns);
my $lsn = $mover->ask("SELECT max(lsn) FROM glassheap_pages('moved')");
is($mover->ask('SELECT count(*) FROM moved'), '2000', 'and all rows');
$mover->ask('SELECT glassheap_buffercache_evict_all()');
$mover->ask('DELETE FROM moved WHERE id % 2 = 0');
$mover->ask('SELECT glassheap_buffercache_evict_all()');
is($mover->ask("SELECT max(lsn) FROM glassheap_pages('moved')"), $lsn, 'a change that is not logged');
is($mover->ask('SELECT count(*) FROM moved'), '1000', '... is seen');
$mover->ask('COMMIT');
is(sql('SELECT count(*) FROM moved'), '1000', '... also later');
$mover->close;
$node->stop;
done_testing();
