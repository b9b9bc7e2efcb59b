# t/097_catalog_mappings.pl: an output plugin reads a user_catalog_table as of the change it decodes, also when VACUUM FULL
# or CLUSTER gave the rows new addresses before they were decoded: what the rewrite wrote to pg_logical/mappings leads from
# the addresses in the WAL to the present ones.  Heap must give the same answers.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('decoder', wal_level => 'logical', max_replication_slots => 4, max_wal_senders => 4);
my $am = access_method();
# Newer minor versions want to be told which output plugins are trusted.
if ($node->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE name = 'output_plugin_libraries'"))
{
	$node->safe_psql('postgres', "ALTER SYSTEM SET output_plugin_libraries = 'catalog_reader'; SELECT pg_reload_conf()");
	$node->poll_query_until('postgres', "SELECT current_setting('output_plugin_libraries') = 'catalog_reader'");
}

# What the plugin sees of the catalog table at every change of t.
sub seen
{
	my ($method, @rewrites) = @_;
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE catalog (a int PRIMARY KEY) USING $method WITH (user_catalog_table = true);
CREATE TABLE t (a int) USING $method;
INSERT INTO catalog VALUES (1), (2), (3);
SQL
	$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('slot', 'catalog_reader')");
	$node->safe_psql('postgres', <<'SQL');
BEGIN;
INSERT INTO t VALUES (1);
INSERT INTO catalog VALUES (10);
DELETE FROM catalog WHERE a = 1;
INSERT INTO t VALUES (2);
UPDATE catalog SET a = 20 WHERE a = 2;
SAVEPOINT s;
INSERT INTO catalog VALUES (30);
INSERT INTO t VALUES (3);
RELEASE s;
DELETE FROM catalog WHERE a = 10;
INSERT INTO t VALUES (4);
COMMIT;
BEGIN; INSERT INTO catalog VALUES (99); ROLLBACK;
SQL
	$node->safe_psql('postgres', $_) for @rewrites;
	my $out = $node->safe_psql('postgres',
		"SELECT data FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'catalog', 'catalog')");
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('slot')");
	$node->safe_psql('postgres', 'DROP TABLE catalog, t');
	# A scan's order is not what this is about.
	return join "\n", map { my ($rel, $values) = split /: ?/; "$rel: " . join ' ', sort { $a <=> $b } split / /, $values }
		grep { /^t:/ } split /\n/, $out;
}

my $right = "t: 1 2 3\nt: 2 3 10\nt: 3 10 20 30\nt: 3 20 30";
my %rewrites = (
	'no rewrite' => [],
	'VACUUM FULL' => ['VACUUM FULL catalog'],
	'CLUSTER' => ['CLUSTER catalog USING catalog_pkey'],
	'a rewrite that was rolled back, and one that was not' => [ 'BEGIN; CLUSTER catalog USING catalog_pkey; ROLLBACK', 'VACUUM FULL catalog' ],
	'two rewrites' => [ 'VACUUM FULL catalog', 'CLUSTER catalog USING catalog_pkey' ],
);
for my $what (sort keys %rewrites)
{
	is(seen('heap', @{ $rewrites{$what} }), $right, "$what: heap");
	is(seen($am, @{ $rewrites{$what} }), $right, "$what: ours");
}
$node->stop;
done_testing();
