# t/033_logical.pl: logical decoding.  The same statements run on heap and on our tables; what test_decoding makes of
# both must be the same text.  Then a publication: a subscriber follows, with each replica identity.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('publisher', wal_level => 'logical', max_replication_slots => 10, max_prepared_transactions => 5,
	logical_decoding_work_mem => '64kB');
my $am = access_method();
$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('slot', 'test_decoding', false, true)");

# Runs the statements on tables of both access methods; returns both decoded texts, without schema names and xids.
sub decoded
{
	my ($statements) = @_;
	my %text;
	for my $schema (qw(h g))
	{
		my $used = $schema eq 'h' ? 'heap' : $am;
		$node->safe_psql('postgres', "SET search_path = $schema; SET default_table_access_method = $used;\n$statements");
		my $changes = $node->safe_psql('postgres',
			"SELECT data FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'include-xids', '0', 'skip-empty-xacts', '1')");
		$changes =~ s/\b$schema\././g;
		$text{$schema} = $changes;
	}
	return @text{qw(h g)};
}

sub same_as_heap
{
	my ($what, $statements, $must_contain) = @_;
	my ($heap, $ours) = decoded($statements);
	is($ours, $heap, $what);
	like($ours, $must_contain, "$what: and it says something") if $must_contain;
	return;
}

$node->safe_psql('postgres', 'CREATE SCHEMA h; CREATE SCHEMA g');
same_as_heap('plain rows', <<'SQL', qr/UPDATE.*old-key/s);
CREATE TABLE t (a int PRIMARY KEY, b text, c int);
INSERT INTO t SELECT g, 'row ' || g, NULLIF(g % 3, 0) FROM generate_series(1, 20) g;
UPDATE t SET c = c + 1 WHERE a < 5;
UPDATE t SET a = a + 100 WHERE a < 3;
UPDATE t SET b = NULL WHERE a = 7;
DELETE FROM t WHERE a > 110 OR a = 9;
SQL
same_as_heap('COPY and many rows', <<'SQL', qr/copied 200/);
COPY t FROM PROGRAM 'seq 1000 1300 | sed "s/\(.*\)/\1\tcopied \1\t5/"';
COPY t FROM PROGRAM 'seq 200 400 | sed "s/\(.*\)/\1\tcopied \1\t\\\\N/"';
SQL
same_as_heap('subtransactions and aborts', <<'SQL', qr/kept/);
BEGIN; INSERT INTO t VALUES (5000, 'lost', 1); ROLLBACK;
BEGIN; INSERT INTO t VALUES (5001, 'kept', 1); SAVEPOINT s; INSERT INTO t VALUES (5002, 'lost', 1); ROLLBACK TO s;
SAVEPOINT s2; UPDATE t SET b = 'kept too' WHERE a = 5001; RELEASE s2; COMMIT;
SQL
same_as_heap('speculative insertion', <<'SQL', qr/upserted/);
INSERT INTO t SELECT g, 'upserted', g FROM generate_series(5, 30) g ON CONFLICT (a) DO UPDATE SET b = excluded.b;
INSERT INTO t VALUES (6000, 'once', 1) ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (6000, 'twice', 1) ON CONFLICT DO NOTHING;
SQL
same_as_heap('TOAST', <<'SQL', qr/unchanged-toast-datum/);
CREATE TABLE big (a int PRIMARY KEY, b text, c int);
ALTER TABLE big ALTER COLUMN b SET STORAGE EXTERNAL;
INSERT INTO big SELECT g, repeat(md5(g::text), 200), g FROM generate_series(1, 3) g;
UPDATE big SET c = c + 1;
UPDATE big SET b = repeat('x', 5000) WHERE a = 1;
COPY big FROM PROGRAM 'for i in 10 11 12; do printf "%d\t%09000d\t1\n" $i $i; done';
DELETE FROM big WHERE a = 2;
SQL
same_as_heap('REPLICA IDENTITY FULL, also with TOAST', <<'SQL', qr/old-key.*new-tuple/s);
ALTER TABLE big REPLICA IDENTITY FULL;
UPDATE big SET c = c + 1 WHERE a = 3;
DELETE FROM big WHERE a = 3;
SQL
same_as_heap('REPLICA IDENTITY USING INDEX', <<'SQL', qr/old-key: c/);
CREATE TABLE by_index (a int PRIMARY KEY, b text, c int NOT NULL);
CREATE UNIQUE INDEX by_index_c ON by_index (c);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_c;
INSERT INTO by_index SELECT g, 'r', g * 10 FROM generate_series(1, 5) g;
UPDATE by_index SET b = 's';
UPDATE by_index SET c = c + 1 WHERE a < 3;
DELETE FROM by_index WHERE a = 4;
SQL
same_as_heap('REPLICA IDENTITY NOTHING', <<'SQL', qr/no-tuple-data/);
ALTER TABLE t REPLICA IDENTITY NOTHING;
UPDATE t SET c = 0 WHERE a = 6000;
DELETE FROM t WHERE a = 6000;
ALTER TABLE t REPLICA IDENTITY DEFAULT;
SQL
same_as_heap('row movement, columns dropped and added, rewrites', <<'SQL', qr/parted/);
CREATE TABLE parted (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted VALUES (1, 1), (2, 1);
UPDATE parted SET part = 2 WHERE id = 1;
ALTER TABLE t ADD COLUMN d int DEFAULT 7;
UPDATE t SET c = 1 WHERE a = 5001;
ALTER TABLE t DROP COLUMN b;
ALTER TABLE t ALTER COLUMN c TYPE bigint;
INSERT INTO t VALUES (7000, 1, 2);
VACUUM FULL t;
UPDATE t SET d = 8 WHERE a = 7000;
TRUNCATE t;
SQL
same_as_heap('two-phase commit', <<'SQL', qr/PREPARE TRANSACTION/);
BEGIN; INSERT INTO t SELECT g, g FROM generate_series(1, 100) g; PREPARE TRANSACTION 'p1';
COMMIT PREPARED 'p1';
BEGIN; DELETE FROM t WHERE a < 50; PREPARE TRANSACTION 'p2';
ROLLBACK PREPARED 'p2';
SQL
same_as_heap('more than fits into memory', <<'SQL', qr/INSERT/);
BEGIN; INSERT INTO t SELECT g, g FROM generate_series(1000, 6000) g; UPDATE t SET c = -c; COMMIT;
SQL

# Origins: changes that came from elsewhere are left out when the reader says so.
$node->safe_psql('postgres', <<'SQL');
SELECT pg_replication_origin_create('elsewhere');
SELECT pg_replication_origin_session_setup('elsewhere');
INSERT INTO g.t VALUES (9001, 1);
COPY g.t FROM PROGRAM 'printf "9002\t1\t1\n9003\t1\t1\n"';
UPDATE g.t SET c = 2 WHERE a = 9001;
DELETE FROM g.t WHERE a = 9002;
SELECT pg_replication_origin_session_reset();
INSERT INTO g.t VALUES (9004, 1);
SQL
my $local = $node->safe_psql('postgres', "SELECT data FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'include-xids', '0', 'only-local', '1', 'skip-empty-xacts', '1')");
like($local, qr/9004/, 'a local change is decoded');
unlike($local, qr/900[123]/, 'changes of another origin are filtered');

# After a crash the slot goes on where it was confirmed.
$node->safe_psql('postgres', "INSERT INTO g.t VALUES (9100, 1); UPDATE g.t SET c = 5 WHERE a = 9100");
kill_server_9($node);
$node->start;
like($node->safe_psql('postgres', "SELECT data FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'include-xids', '0')"), qr/INSERT: a\[integer\]:9100.*UPDATE: a\[integer\]:9100/s, 'decoding after a crash');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('slot')");

# ---- publication and subscription
my $subscriber = new_node('subscriber');
my $tables = <<'SQL';
CREATE TABLE p_default (a int PRIMARY KEY, b text);
CREATE TABLE p_full (a int, b text);
CREATE TABLE p_index (a int PRIMARY KEY, b text NOT NULL UNIQUE);
CREATE TABLE p_toast (a int PRIMARY KEY, b text, c int);
SQL
$_->safe_psql('postgres', $tables) for ($node, $subscriber);
for my $server ($node, $subscriber)
{
	$server->safe_psql('postgres', 'ALTER TABLE p_full REPLICA IDENTITY FULL; ALTER TABLE p_index REPLICA IDENTITY USING INDEX p_index_b_key');
}
$node->safe_psql('postgres', "INSERT INTO p_default SELECT g, 'before' FROM generate_series(1, 500) g; CREATE PUBLICATION pub FOR TABLE p_default, p_full, p_index, p_toast");
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '" . ($node->connstr . ' dbname=postgres') . "' PUBLICATION pub WITH (streaming = on)");
$subscriber->wait_for_subscription_sync($node, 'sub');
$node->safe_psql('postgres', <<'SQL');
UPDATE p_default SET b = 'after' WHERE a % 2 = 0;
UPDATE p_default SET a = -a WHERE a % 50 = 0;
DELETE FROM p_default WHERE a % 7 = 0;
INSERT INTO p_full SELECT g % 10, 'f' || g FROM generate_series(1, 200) g;
UPDATE p_full SET b = b || '!' WHERE a = 3;
DELETE FROM p_full WHERE a = 4;
INSERT INTO p_index SELECT g, 'i' || g FROM generate_series(1, 200) g;
UPDATE p_index SET b = 'j' || a WHERE a % 3 = 0;
DELETE FROM p_index WHERE a % 5 = 0;
INSERT INTO p_toast SELECT g, repeat(md5(g::text), 500), g FROM generate_series(1, 20) g;
UPDATE p_toast SET c = c + 1;
UPDATE p_toast SET b = 'short' WHERE a < 5;
BEGIN; INSERT INTO p_default SELECT g, repeat('big', 10) FROM generate_series(10000, 15000) g; SAVEPOINT s; DELETE FROM p_default WHERE a > 14000; ROLLBACK TO s; DELETE FROM p_default WHERE a > 14500; COMMIT;
SQL
$node->wait_for_catchup('sub');
is(table_digest($subscriber, $_), table_digest($node, $_), "the subscriber has the rows of $_") for qw(p_default p_full p_index p_toast);
$node->safe_psql('postgres', 'TRUNCATE p_default; INSERT INTO p_default VALUES (1, NULL)');
$node->wait_for_catchup('sub');
is(table_digest($subscriber, 'p_default'), table_digest($node, 'p_default'), 'also after TRUNCATE');
done_testing();
