# t/102_pglogical.pl: pglogical (Debian's package) replicates into a glassheap table, with its own tables glassheap as
# well: initial copy, INSERT, UPDATE, DELETE, conflicts, both ways of inserting; after a crash and after a restart the
# contents are the provider's.  Control: with the guard off its apply worker fails.
#
# pglogical calls simple_heap_update, simple_heap_delete, heap_multi_insert and the catalog functions directly.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = `pg_config --pkglibdir`;
chomp $library;
plan skip_all => 'pglogical is not installed' unless -e "$library/pglogical.so";

my $preload = is_glassheap() ? 'pglogical, glassheap' : 'pglogical';
my $node = new_node('pglogical',
	shared_preload_libraries => "'$preload'",
	wal_level => 'logical',
	max_worker_processes => 24,
	max_replication_slots => 10,
	track_commit_timestamp => 'on',
	'pglogical.conflict_resolution' => "'apply_remote'");
# Later minor releases want to be told which output plugins to trust.
$node->safe_psql('postgres', "SELECT format('ALTER SYSTEM SET %s = %s, pglogical_output', name, setting) FROM pg_settings
	WHERE name = 'output_plugin_libraries' \\gexec\nSELECT pg_reload_conf()");
$node->safe_psql('postgres', "CREATE DATABASE $_") for 'provider', 'subscriber';

# Its own tables are created as heap: what extensions' scripts create stays heap.  Those that logical decoding reads must not be
# rewritten while they say so.
my $am = access_method();
for my $database ('provider', 'subscriber')
{
	$node->safe_psql($database, 'CREATE EXTENSION pglogical');
	$node->safe_psql($database, "SELECT format('ALTER TABLE %s RESET (user_catalog_table)', oid::regclass),
		format('ALTER TABLE %s SET ACCESS METHOD $am', oid::regclass),
		CASE WHEN 'user_catalog_table=true' = ANY (reloptions) THEN format('ALTER TABLE %s SET (user_catalog_table = true)', oid::regclass) END FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'pglogical'::regnamespace AND relam <> (SELECT oid FROM pg_am WHERE amname = '$am') \\gexec");
	is($node->safe_psql($database, "SELECT count(*) > 5 AND bool_and(amname = '$am') FROM pg_class c JOIN pg_am a ON a.oid = c.relam
		WHERE relkind = 'r' AND relnamespace = 'pglogical'::regnamespace"), 't', "$database: pglogical's own tables are $am");
	my $dsn = $node->connstr($database);
	$node->safe_psql($database, qq{SELECT pglogical.create_node(node_name := '$database', dsn := \$\$$dsn\$\$)});
	is($node->safe_psql($database, 'SELECT node_name FROM pglogical.node'), $database, "$database: create_node leaves a node");
}

my $table = 'CREATE TABLE t (id int PRIMARY KEY, v text, n int); CREATE INDEX ON t (n)';
$node->safe_psql('provider', "$table; INSERT INTO t SELECT g, 'v' || g || repeat('x', 60), g FROM generate_series(1, 2000) g");
$node->safe_psql('subscriber', "SET default_table_access_method = $am; $table");
$node->safe_psql('provider', q{SELECT pglogical.replication_set_add_table('default', 't')});
my $dsn = $node->connstr('provider');
$node->safe_psql('subscriber', qq{SELECT pglogical.create_subscription(subscription_name := 'sub', provider_dsn := \$\$$dsn\$\$)});
$node->safe_psql('subscriber', q{SELECT pglogical.wait_for_subscription_sync_complete('sub')});

sub same_everywhere
{
	my ($what) = @_;
	# The slot's position is what the subscriber has committed.
	my $lsn = $node->safe_psql('provider', 'SELECT pg_current_wal_insert_lsn()');
	$node->poll_query_until('provider', "SELECT bool_and(confirmed_flush_lsn >= '$lsn') FROM pg_replication_slots WHERE slot_name LIKE 'pgl%sub%'")
	  or die "$what: the subscriber does not follow";
	is(table_digest($node, 't', 'subscriber'), table_digest($node, 't', 'provider'), "$what: the rows are the provider's");
	my $by_index = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*), sum(id) FROM t WHERE id > 0';
	is($node->safe_psql('subscriber', $by_index), $node->safe_psql('provider', $by_index), "$what: by index too");
	is($node->safe_psql('subscriber', "SELECT * FROM glassheap_verify('t')"), '', "$what: verified") if is_glassheap();
	return;
}

my $round = 0;
sub change_provider
{
	my $base = 10_000 * ++$round;
	$node->safe_psql('provider', $_) for
	  "INSERT INTO t SELECT g, 'inserted' || g, g FROM generate_series($base, $base + 300) g",
	  "UPDATE t SET v = 'short' WHERE id % 7 = $round",
	  "UPDATE t SET n = n + 1, v = v || repeat('y', 80) WHERE id % 11 = $round",
	  "UPDATE t SET id = id + 5000 WHERE id BETWEEN $base AND $base + 20",
	  "DELETE FROM t WHERE id % 13 = $round";
	# (Rows inserted many at a time cannot be deleted in the same transaction: pglogical 2.4.2 fails there on heap too.)
	$node->safe_psql('provider',
	  "BEGIN; INSERT INTO t SELECT g, 'then deleted', g FROM generate_series($base + 8000, $base + 8050) g;
	   DELETE FROM t WHERE id > $base + 8020 AND id <= $base + 8050; COMMIT") unless shift;
	return;
}

same_everywhere('initial copy');
change_provider();
same_everywhere('changes to pages in the pool');
$node->safe_psql('subscriber', 'CHECKPOINT');
$node->safe_psql('subscriber', 'SELECT glassheap_buffercache_evict_all()') if is_glassheap();
change_provider();
same_everywhere('changes to pages not in the pool');
$node->safe_psql('subscriber', q{INSERT INTO t VALUES (99999, 'of the subscriber', 0)});
$node->safe_psql('provider', q{INSERT INTO t VALUES (99999, 'of the provider', 0)});
same_everywhere('a conflict, remote wins');

kill_server_9($node);
$node->start;
same_everywhere('after a crash');
change_provider();
same_everywhere('changes after a crash');

# Without conflict handling rows are inserted many at a time.
$node->safe_psql('postgres', q{ALTER SYSTEM SET pglogical.conflict_resolution = 'error'});
$node->restart;
change_provider(1);
$node->safe_psql('provider', q{INSERT INTO t SELECT g, 'many' || repeat('z', 40), g FROM generate_series(200000, 202000) g});
same_everywhere('conflict_resolution = error');
$node->restart;
same_everywhere('after a restart');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal 1[^\d5]|TRAP|check failed|invisible tuple/, 'nothing crashed');

SKIP:
{
	skip 'heap needs no guard', 1 unless is_glassheap();
	# Control: heap's function looks for the new rows on a page that only our pool has.
	$node->safe_psql('postgres', $_)
	  for 'ALTER SYSTEM SET glassheap.import_guard = off', q{ALTER SYSTEM SET pglogical.conflict_resolution = 'apply_remote'};
	$node->stop;
	$node->not_compared('its tables come into two pools');
	$node->start;
	my $from = -s $node->logfile;
	$node->safe_psql('provider', q{INSERT INTO t SELECT g, 'control', g FROM generate_series(300000, 300500) g});
	$node->safe_psql('provider', q{DELETE FROM t WHERE id >= 300000});
	wait_until(sub { slurp_file($node->logfile, $from) =~ /ERROR:  attempted to delete invisible tuple/ }, 'the error of the apply worker');
	pass('control: without the guard the apply worker fails');
}
$node->stop('immediate');
done_testing();
