# t/031_minimal_wal.pl: with wal_level = minimal, files created in a transaction are not logged but synced at its
# end.  Core would log small ones by reading them through shared_buffers, which are stale: doc/design/files.md#events lost 30 of 50
# rows that way.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('minimal', wal_level => 'minimal', max_wal_senders => 0, max_prepared_transactions => 5,
	'glassheap.buffers' => '4MB');

sub rows { my ($table) = @_; return $node->safe_psql('postgres', "SELECT count(*) FROM $table"); }

# The older rows lie in a file that shared_buffers may have read; the newer ones only in our pool.
for my $threshold ('64kB', '1GB', '0')
{
	my ($name) = "small_" . lc($threshold);
	$node->safe_psql('postgres', <<"SQL");
SET wal_skip_threshold = '$threshold';
BEGIN;
CREATE TABLE $name (a int PRIMARY KEY, b text);
INSERT INTO $name SELECT g, repeat('a', 100) FROM generate_series(1, 20) g;
SAVEPOINT s;
INSERT INTO $name SELECT g, repeat('b', 100) FROM generate_series(21, 50) g;
COMMIT;
UPDATE $name SET b = 'changed' WHERE a <= 10;
BEGIN;
CREATE TABLE large_$name AS SELECT g AS a, repeat('c', 100) AS b FROM generate_series(1, 20000) g;
UPDATE large_$name SET a = -a WHERE a % 10 = 0;
COMMIT;
BEGIN;
CREATE TABLE cut_$name (a int, b text);
INSERT INTO cut_$name SELECT g, repeat('d', 100) FROM generate_series(1, 5000) g;
TRUNCATE cut_$name;
INSERT INTO cut_$name SELECT g, 'e' FROM generate_series(1, 7) g;
COMMIT;
BEGIN;
TRUNCATE $name;
INSERT INTO $name SELECT g, 'after' FROM generate_series(1, 50) g;
SAVEPOINT s;
INSERT INTO $name VALUES (1000, 'undone');
ROLLBACK TO s;
COMMIT;
SQL
	kill_server_9($node);
	$node->start;
	is(rows($name), 50, "$threshold: rows of a small table after a crash");
	is($node->safe_psql('postgres', "SELECT count(*) FROM $name WHERE b = 'after'"), 50, "$threshold: the newest ones");
	is(rows("large_$name"), 20000, "$threshold: rows of a large table");
	is($node->safe_psql('postgres', "SELECT count(*) FROM large_$name WHERE a < 0"), 2000, "$threshold: its last version");
	is(rows("cut_$name"), 7, "$threshold: rows of a table truncated in place");
	is($node->safe_psql('postgres', "SET enable_seqscan = off; SELECT count(*) FROM $name WHERE a BETWEEN 1 AND 50"), 50, "$threshold: index and table agree");
}

# VACUUM FULL, CLUSTER, a move to another tablespace, REFRESH: new files each, none logged.
$node->safe_psql('postgres', "SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE full_vac AS SELECT g AS a, repeat('f', 50) AS b FROM generate_series(1, 300) g;
CREATE TABLE moved AS SELECT g AS a, repeat('m', 50) AS b FROM generate_series(1, 300) g;
CREATE MATERIALIZED VIEW mv AS SELECT a FROM moved;
CHECKPOINT;
UPDATE full_vac SET a = a + 1;
VACUUM FULL full_vac;
UPDATE full_vac SET b = 'later' WHERE a < 100;
UPDATE moved SET a = a + 1;
ALTER TABLE moved SET TABLESPACE elsewhere;
INSERT INTO moved VALUES (0, 'later');
REFRESH MATERIALIZED VIEW mv;
BEGIN; CREATE TABLE two_phase AS SELECT g AS a FROM generate_series(1, 50) g; PREPARE TRANSACTION 'p';
SQL
my @before = map { table_digest($node, $_) } qw(full_vac moved mv);
kill_server_9($node);
$node->start;
is(table_digest($node, $_), shift @before, "$_ after a crash") for qw(full_vac moved mv);
$node->safe_psql('postgres', "COMMIT PREPARED 'p'");
is(rows('two_phase'), 50, 'a prepared transaction keeps its rows');
kill_server_9($node);
$node->start;
is(rows('two_phase'), 50, 'also after another crash');

# The visibility map of a file that is not logged, and of one that is.
$node->safe_psql('postgres', <<'SQL') if is_glassheap();
BEGIN;
CREATE TABLE map (a int PRIMARY KEY);
COPY map FROM PROGRAM 'seq 1 1000' (FREEZE);
SELECT glassheap_repair_visibility_map('map');
COMMIT;
SELECT glassheap_repair_visibility_map('moved');
SQL
my @moved_files;
if (is_glassheap())
{
	# Wrong bits in the map of a file that its transaction has copied, and that is synced or logged at its end.
	my @thresholds = ('0', '1GB');
	for my $i (0, 1)
	{
		$node->safe_psql('postgres', "CREATE TABLE wrong_$i (a int); INSERT INTO wrong_$i SELECT generate_series(1, 1000); VACUUM (FREEZE) wrong_$i; UPDATE wrong_$i SET a = 0 WHERE a = 1");
		push @moved_files, $node->safe_psql('postgres', "SELECT pg_relation_filepath('wrong_$i')");
	}
	$node->stop('fast');
	# A map page with a wrong checksum would be taken for damaged.
	my @checksums = ($node->installed_command('pg_checksums'), '-D', $node->data_dir);
	command_ok([ @checksums, '--disable' ], 'no checksums while wrong bits are planted');
	for my $file (@moved_files)
	{
		open my $fh, '+<:raw', $node->data_dir . "/${file}_vm" or die "$file: $!";
		seek $fh, 24, 0;
		print $fh "\xff" x 2;
		close $fh or die;
	}
	command_ok([ @checksums, '--enable' ], 'and again afterwards');
	$node->start;
	for my $i (0, 1)
	{
		my $repaired = $node->safe_psql('postgres', "SET wal_skip_threshold = '$thresholds[$i]'; BEGIN; ALTER TABLE wrong_$i SET TABLESPACE elsewhere; "
			  . "SELECT glassheap_repair_visibility_map('wrong_$i'); COMMIT");
		cmp_ok($repaired, '>', 0, "wrong bits of a file that is not logged, threshold $thresholds[$i]");
	}
}
kill_server_9($node);
$node->start;
if (is_glassheap())
{
	is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_visibility('wrong_$_') WHERE all_visible AND NOT pd_all_visible"),
		0, "wrong_$_: their correction survives a crash") for 0, 1;
}
is($node->safe_psql('postgres', "SELECT bool_and(all_frozen AND pd_all_visible) FROM glassheap_visibility('map')"),
	't', 'a map that was repaired within its transaction') if is_glassheap();
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
