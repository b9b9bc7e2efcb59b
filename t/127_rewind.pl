# t/127_rewind.pl: a base backup taken from a standby under load holds what the primary holds, and pg_rewind makes a
# former primary that went on alone into a standby that holds what the new primary holds, in every fork: after a clean
# stop, and after kill -9 (then pg_rewind lets the server recover in single-user mode first).
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

my @tables = qw(acc kept);

sub digests
{
	my ($node) = @_;
	return join '; ', map { "$_ " . table_digest($node, $_) } @tables;
}

sub verified
{
	my ($node) = @_;
	return 0 unless is_glassheap();
	return $node->safe_psql('postgres', join ' UNION ALL ', map { "SELECT * FROM glassheap_verify('$_')" } @tables) eq '' ? 0 : 1;
}

my $first = new_node('first', 'glassheap.buffers' => '2MB', wal_log_hints => 'on');
$first->safe_psql('postgres', <<'SQL');
CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, pad text) WITH (fillfactor = 80);
INSERT INTO acc SELECT g, 0, repeat('a', 200) FROM generate_series(1, 20000) g;
CREATE TABLE kept (id int PRIMARY KEY, pad text);
INSERT INTO kept SELECT g, repeat('k', 100) FROM generate_series(1, 20000) g;
CREATE TABLE gone AS SELECT generate_series(1, 5000) AS i;
CREATE TABLE ended (i int);
VACUUM acc, kept, gone;
SQL
my $second = new_standby($first, 'second');

# ---- a backup from the standby, under load
my $load = start_background($first, sql => <<'SQL');
DO $$ BEGIN
 FOR i IN 1 .. 1000000 LOOP
  EXIT WHEN EXISTS (SELECT FROM ended);
  UPDATE acc SET n = n + 1 WHERE id % 500 = i % 500;
  COMMIT;
 END LOOP; END $$
SQL
my $work = 'SELECT sum(n) FROM acc';
$first->poll_query_until('postgres', "SELECT ($work) > 100") or die 'no load';
my $before = $first->safe_psql('postgres', $work);
$second->backup('from_standby');
cmp_ok($first->safe_psql('postgres', $work), '>', $before, 'the primary was under load during the backup');
$first->safe_psql('postgres', 'INSERT INTO ended VALUES (1)');
IPC::Run::finish($load);
command_ok([ $second->installed_command('pg_verifybackup'), $second->backup_dir . '/from_standby' ], 'pg_verifybackup');

my $third = GlassheapNode->new('third');
$third->init_from_backup($second, 'from_standby', has_streaming => 1);
$third->start;
wait_for_replay($third, $first);
is(digests($third), digests($first), 'the server made of the backup: same rows');
is(verified($third), 0, 'the server made of the backup: nothing to report');
$third->follows($first);
$third->compare_standby;    # stops both
$third->not_compared('compared above');
checksums_ok($third);
$first->start;

# ---- pg_rewind
# What only the old primary has, of every kind: other versions, new pages, pages given back, files.
my $alone = <<'SQL';
UPDATE acc SET n = n + 100 WHERE id % 3 = 0;
UPDATE acc SET pad = repeat('w', 1500) WHERE id % 200 = 7;
DELETE FROM acc WHERE id % 7 = 0;
BEGIN; SELECT count(*) FROM (SELECT FROM acc WHERE id % 11 = 0 FOR UPDATE) l; COMMIT;
BEGIN; UPDATE acc SET n = -1; ROLLBACK;
INSERT INTO acc SELECT g, 9, repeat('o', 200) FROM generate_series(40001, 43000) g;
VACUUM (FREEZE) acc;
DELETE FROM kept WHERE id > 9000;
VACUUM kept;
DROP TABLE gone;
CREATE TABLE only_old AS SELECT generate_series(1, 3000) AS i;
VACUUM FULL kept;
SQL
my $meanwhile = <<'SQL';
UPDATE acc SET n = n - 7 WHERE id % 2 = 0;
INSERT INTO acc SELECT g, 1, 'new' FROM generate_series(30001, 32000) g ON CONFLICT DO NOTHING;
DELETE FROM kept WHERE id BETWEEN 100 AND 400;
VACUUM acc, kept;
UPDATE kept SET pad = 'meanwhile' WHERE id % 50 = 0;
CHECKPOINT;
SQL

sub rewind
{
	my ($old, $new) = @_;
	my $conf = slurp_file($old->data_dir . '/postgresql.conf');
	# The source's configuration is copied, too.
	command_ok([
			$old->installed_command('pg_rewind'), '--no-sync', '-R', '-D', $old->data_dir,
			'--source-server', $new->connstr('postgres')
		], $old->name . ': pg_rewind');
	unlink $old->data_dir . '/postgresql.conf';
	append_to_file($old->data_dir . '/postgresql.conf', $conf);
	$old->follows($new);
	$old->start;
	return;
}

sub change_places
{
	my ($old, $new, $end) = @_;
	$new->promote;
	$old->safe_psql('postgres', $alone);
	$new->safe_psql('postgres', $meanwhile);
	isnt(digests($old), digests($new), $old->name . ' went its own way');
	$end->();
	rewind($old, $new);
	wait_for_replay($old, $new);
	is(digests($old), digests($new), $old->name . ': same rows as the new primary');
	is($old->safe_psql('postgres', "SELECT to_regclass('only_old') IS NULL, (SELECT count(*) FROM gone)"),
		't|5000', $old->name . ': its own table is gone, the one it dropped is back');
	is(verified($old), 0, $old->name . ': nothing to report');
	$old->compare_standby;    # stops both
	checksums_ok($old);
	$new->start;
	$old->start;
	return;
}

change_places($first, $second, sub { $first->stop('fast') });
change_places($second, $first, sub { kill_server_9($second) });
done_testing();
