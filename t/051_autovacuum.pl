# t/051_autovacuum.pl: PostgreSQL's autovacuum finds our tables by their statistics, and vacuums and analyzes them;
# storage parameters steer it; it keeps the age of relfrozenxid in bounds.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('primary',
	autovacuum => 'on',
	autovacuum_naptime => '1s',
	autovacuum_freeze_max_age => 100000,
	autovacuum_vacuum_cost_delay => 0,
	log_autovacuum_min_duration => 0);

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE dead (id int PRIMARY KEY, v text);
CREATE TABLE inserted (id int, v text);
CREATE TABLE left_alone (id int, v text) WITH (autovacuum_enabled = off);
INSERT INTO dead SELECT i, 'x' FROM generate_series(1, 3000) i;
INSERT INTO inserted SELECT i, 'x' FROM generate_series(1, 3000) i;
INSERT INTO left_alone SELECT i, 'x' FROM generate_series(1, 3000) i;
DELETE FROM dead WHERE id % 2 = 0;
DELETE FROM left_alone WHERE id % 2 = 0;
SQL
ok($node->poll_query_until('postgres', "SELECT autovacuum_count > 0 AND n_dead_tup = 0 FROM pg_stat_user_tables WHERE relname = 'dead'"),
	'dead rows bring autovacuum');
ok($node->poll_query_until('postgres', "SELECT autovacuum_count > 0 FROM pg_stat_user_tables WHERE relname = 'inserted'"),
	'so do insertions alone');
ok($node->poll_query_until('postgres', "SELECT autoanalyze_count > 0 AND n_live_tup = 1500 FROM pg_stat_user_tables WHERE relname = 'dead'"),
	'and autoanalyze');
ok($node->poll_query_until('postgres', "SELECT relallvisible = relpages AND relpages > 0 AND reltuples = 1500 FROM pg_class WHERE relname = 'dead'"),
	'the planner knows what it found');
is($node->safe_psql('postgres', "SELECT autovacuum_count, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'left_alone'"),
	'0|1500', 'autovacuum_enabled = off is respected');

# Against wraparound, nothing is left alone.
my $burn = $node->basedir . '/burn.sql';
append_to_file($burn, "SELECT txid_current();\n");
$node->command_ok([ 'pgbench', '-n', '-f', $burn, '-c', 4, '-j', 2, '-t', 27000, $node->connstr('postgres') ], 'burning xids');
ok($node->poll_query_until('postgres', "SELECT age(relfrozenxid) < 100000 FROM pg_class WHERE relname = 'left_alone'"),
	'old ids bring an aggressive vacuum');
like(slurp_file($node->logfile), qr/automatic aggressive vacuum to prevent wraparound of table "postgres\.public\.left_alone"/,
	'and the log says why');
is($node->safe_psql('postgres', 'SELECT count(*) FROM left_alone'), 1500, 'rows');
$node->stop;
done_testing();
