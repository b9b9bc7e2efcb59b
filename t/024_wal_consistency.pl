# t/024_wal_consistency.pl: replay builds, byte by byte (but for hints), the pages that the primary had.  The primary
# puts an image of every changed page into each record, the standby compares it with what replay made and stops at
# the first difference.  The workload writes every type of record there is; pg_walinspect says so.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'glassheap only' unless is_glassheap();
seed_from_environment();

my $primary = new_node('primary', wal_consistency_checking => "'glassheap'", wal_keep_size => '2GB',
	max_wal_size => '4GB', 'glassheap.buffers' => '4MB');
my $standby = new_standby($primary, 'standby', max_standby_streaming_delay => '100s');
my $start = $primary->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect; SELECT pg_current_wal_lsn()');

sub caught_up
{
	my ($what) = @_;
	$primary->wait_for_catchup($standby, 'replay');
	is(table_digest($standby, $_), table_digest($primary, $_), "$what: same rows in $_") for qw(w narrow parted parent);
	return;
}

$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE w (k int PRIMARY KEY, v int, t text) WITH (fillfactor = 80);
INSERT INTO w SELECT g, g, 'row ' || g FROM generate_series(1, 3000) g;
CREATE TABLE narrow (a int, b int);
INSERT INTO narrow SELECT g, g FROM generate_series(1, 5000) g;
CREATE TABLE parted (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE part1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT g, 1 FROM generate_series(1, 200) g;
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child (parent int REFERENCES parent, x text);
INSERT INTO parent SELECT g, 0 FROM generate_series(1, 50) g;
SQL
caught_up('inserts');

# Each statement aims at a record type, or at a shape of one.
$primary->safe_psql('postgres', $_) for (
	'UPDATE w SET v = v + 1 WHERE k % 3 = 0',                                    # HOT, within the page
	"UPDATE w SET t = repeat('long', 300) WHERE k % 50 = 0",                     # across pages
	'UPDATE w SET t = NULL WHERE k % 7 = 0',                                     # null bitmap appears
	"UPDATE w SET t = 'back' WHERE t IS NULL AND k % 2 = 0",                     # and goes
	'UPDATE w SET k = k + 100000 WHERE k % 11 = 0',                              # key update: not HOT
	'DELETE FROM w WHERE k % 13 = 0',
	'UPDATE parted SET part = 2 WHERE id % 4 = 0',                               # row movement
	'BEGIN; SELECT count(*) FROM (SELECT * FROM w WHERE k % 5 = 0 FOR SHARE) x; SAVEPOINT s; '
	  . 'UPDATE w SET v = v + 1 WHERE k % 5 = 0; ROLLBACK TO s; UPDATE w SET v = v + 2 WHERE k % 10 = 0; COMMIT',
	"INSERT INTO child SELECT 1 + g % 50, 'c' FROM generate_series(1, 100) g",   # FOR KEY SHARE on parent
	'UPDATE parent SET n = n + 1',
	"INSERT INTO w VALUES (200001, 1, 'new') ON CONFLICT (k) DO NOTHING",        # speculative
	"INSERT INTO w SELECT g, g, 'upsert' FROM generate_series(1, 400) g ON CONFLICT (k) DO UPDATE SET v = 0",
	"COPY (SELECT g + 300000, g, CASE WHEN g % 2 = 0 THEN 'x' END FROM generate_series(1, 2000) g) TO '"
	  . $primary->data_dir . "/copy.txt'",
	"COPY w FROM '" . $primary->data_dir . "/copy.txt'",
	'CREATE TABLE frozen (a int, b int, c text)',
	"BEGIN; TRUNCATE frozen; COPY frozen FROM '" . $primary->data_dir . "/copy.txt' (FREEZE); COMMIT",
	'DELETE FROM narrow WHERE a % 2 = 0',
	'VACUUM narrow',
	'VACUUM w',
	'VACUUM (FREEZE) w',
	'VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) parent',
	'SELECT count(*) FROM (SELECT * FROM parent FOR UPDATE) x',                  # locks on frozen pages
	'DELETE FROM narrow WHERE a > 1000',
	'VACUUM (TRUNCATE) narrow',
	'CREATE TABLE moved AS SELECT g AS a FROM generate_series(1, 3000) g',
	'VACUUM FULL w',
	'CLUSTER w USING w_pkey');
caught_up('every kind of change');

# Concurrent writers make multixacts and lock chains.
my $script = $primary->basedir . '/mixed.sql';
append_to_file($script, <<'SQL');
\set k random(1, 300)
\set j random(1, 300)
\set what random(1, 8)
\if :what = 1
BEGIN; SELECT v FROM w WHERE k = 1 + :k % 5 FOR KEY SHARE; UPDATE w SET v = v + 1 WHERE k = 1 + :k % 5; END;
\elif :what = 2
BEGIN; SELECT v FROM w WHERE k = 1 + :k % 5 FOR SHARE; SELECT count(*) FROM child; END;
\elif :what = 3
INSERT INTO w VALUES (:k, 1, 'u') ON CONFLICT (k) DO UPDATE SET v = w.v + 1;
\elif :what = 4
DELETE FROM w WHERE k = 5 + :k;
\elif :what = 5
BEGIN; INSERT INTO child VALUES (1 + :k % 50, 'c'); UPDATE parent SET n = n + 1 WHERE id = 1 + :k % 50; ROLLBACK;
\else
UPDATE w SET v = :j, t = repeat('t', :j) WHERE k = :k;
\endif
SQL
my $next = 'SELECT next_multixact_id::text::bigint FROM pg_control_checkpoint()';
$primary->safe_psql('postgres', 'CHECKPOINT');
my $multixacts = $primary->safe_psql('postgres', $next);
$primary->command_checks_all(
	[ 'pgbench', '-n', '-c', 5, '-j', 2, '-t', 300, '-f', $script, $primary->connstr('postgres') ],
	0, [qr/processed: /], [qr/.*/], 'concurrent writers');
$primary->safe_psql('postgres', 'VACUUM (FREEZE) w; CHECKPOINT');
cmp_ok($primary->safe_psql('postgres', $next), '>', $multixacts, 'they met: there are new multixacts');
caught_up('concurrent writers');

my %wanted = map { $_ => 1 } qw(INSERT INSERT+INIT MULTI_INSERT INIT_PAGE DELETE UPDATE HOT_UPDATE LOCK CONFIRM
  PRUNE VACUUM NEW_PAGES OTHER fsm_truncate HINT_IMAGE);
my $found = $primary->safe_psql('postgres',
	"SELECT unnest(array[record_type, substring(description from '^fsm_truncate|INIT_PAGE')]) FROM pg_get_wal_records_info('$start', pg_current_wal_flush_lsn()) WHERE resource_manager = 'glassheap' GROUP BY 1");
delete $wanted{$_} for split /\n/, $found;
is(join(' ', sort keys %wanted), '', 'the workload wrote every type of record');
is($primary->safe_psql('postgres',
		"SELECT count(*) FROM pg_get_wal_records_info('$start', pg_current_wal_flush_lsn()) WHERE resource_manager = 'glassheap' AND (description LIKE '%damaged%' OR description = '')"),
	0, 'each of them can be described');
unlike(slurp_file($standby->logfile), qr/inconsistent|PANIC|FATAL:  (?!terminating)/, 'no page differed on the standby');
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT count(*) FROM w'), $primary->safe_psql('postgres', 'SELECT count(*) FROM w'), 'promoted');
done_testing();
