# test/tools/pg_upgrade.pl: pg_upgrade from 15 to 15 with a database of ours, its files copied (--copy) and linked (--link): files
# keep their numbers, every fork arrives as it was, so that free space is known and index-only scans read no page of the table right
# afterwards; the new server works, crashes and recovers.  The new cluster preloads the library before, as
# doc/backup-and-replication.md says.  (Without it: refused by --check, t/112_dump_restore.pl.)
#
# heap: the same; pg_upgrade knows files, not access methods.  Control: without the map the scans read the table.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapCompare qw(relations_of compare_relations verdict);
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Utils;
use Test::More;

my $bank = new_bank('bank');
my $folder = PostgreSQL::Test::Utils::tempdir();
$bank->safe_psql('postgres', 'CREATE DATABASE other');
$bank->safe_psql('other', 'CREATE TABLE t AS SELECT g AS id, repeat($$o$$, 2000) AS pad FROM generate_series(1, 500) g; CREATE MATERIALIZED VIEW v AS SELECT * FROM t');
beside_load($bank, 'before', sub { $bank->safe_psql('postgres', 'VACUUM pgbench_accounts') });
# Room in the middle, all-visible and all-frozen pages around it; multixacts, so that the new server starts behind them.
$bank->safe_psql('postgres', 'DELETE FROM kept WHERE id BETWEEN 5000 AND 9000; VACUUM (FREEZE) kept; VACUUM (FREEZE) pgbench_accounts');
$bank->safe_psql('postgres', 'BEGIN; SELECT FROM kept WHERE id < 50 FOR SHARE; SAVEPOINT s; UPDATE kept SET n = n + 1 WHERE id < 50; COMMIT');

my $numbers = q(SELECT string_agg(c.oid || '=' || relfilenode, ' ' ORDER BY c.oid) FROM pg_class c WHERE c.oid >= 16384 AND relkind IN ('r', 't', 'i', 'm'));
my $free = is_glassheap() ? 'SELECT count(*), sum(avail) FROM glassheap_freespace($$kept$$)' : 'SELECT pg_relation_size($$kept$$, $$fsm$$)';
my $only_index = 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(aid) FROM pgbench_accounts WHERE aid > 0';

# What must survive; everything that reads rows.
sub state
{
	my ($node) = @_;
	my %state = (
		numbers => $node->safe_psql('postgres', $numbers) . $node->safe_psql('other', $numbers),
		unlogged => $node->safe_psql('postgres', 'SELECT count(*) FROM unlogged'),
		other => table_digest($node, 't', 'other') . table_digest($node, 'v', 'other'),
		free => $node->safe_psql('postgres', $free),
		rows => bank_digest($node));
	return \%state;
}

sub heap_fetches
{
	my ($node) = @_;
	my $plan = $node->safe_psql('postgres', "SET enable_seqscan = off; SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0; $only_index");
	like($plan, qr/Index Only Scan/, $node->name . ': an index-only scan');
	return $plan =~ /Heap Fetches: (\d+)/ ? $1 : 'unknown';
}

# A new cluster as users make it, with the line that the manual asks for.
sub new_cluster
{
	my ($name) = @_;
	my $node = GlassheapNode->new($name);
	$node->init(extra => [ '-k', '-E', 'UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf', "max_prepared_transactions = 10\nautovacuum = off\nfsync = off\n");
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'glassheap'\nglassheap.buffers = 1MB\n") if is_glassheap();
	return $node;
}

sub upgrade
{
	my ($old, $new, @options) = @_;
	my $bin = $old->config_data('--bindir');
	chdir $folder or die $!;
	my @command = ('pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin, '-s', $new->host, '-p', $old->port, '-P', $new->port);
	return run_tool($new->name . ": pg_upgrade @options", @command, @options);
}

sub judge
{
	my ($new, $before, $old_files, @relations) = @_;
	my $name = $new->name;
	verdict("$name: every fork as it was", compare_relations($old_files, $new->data_dir, @relations)) if $old_files;
	checksums_ok($new);
	$new->start;
	is(heap_fetches($new), 0, "$name: which reads no page of the table");
	my $now = state($new);
	is($now->{$_}, $before->{$_}, "$name: $_ as before") for sort keys %$before;
	is_sound($new, $name);
	beside_load($new, $name, sub { $new->safe_psql('postgres', 'INSERT INTO kept SELECT g, 0, repeat($$k$$, 100) FROM generate_series(30001, 31000) g; CHECKPOINT') });
	my $digest = bank_digest($new);
	kill_server_9($new);
	$new->start;
	is(bank_digest($new), $digest, "$name: all rows after work and kill -9");
	is_sound($new, "$name, after kill -9");
	return;
}

is(heap_fetches($bank), 0, 'before: which reads no page of the table');
my $before = state($bank);
my @relations = relations_of($bank);
cmp_ok(scalar @relations, '>=', 7, 'tables in both databases');
$bank->stop('fast');

my $copied = new_cluster('copied');
upgrade($bank, $copied, '--check');
upgrade($bank, $copied);
# Of this database alone: numbers of databases do not survive in files' paths unless pg_upgrade keeps them, as 15 does.
judge($copied, $before, $bank->data_dir, @relations);
$copied->stop('fast');

# Linked: afterwards the old cluster is gone.
$bank->not_compared('its files belong to its successor');
system_or_bail('cp', '-a', $bank->data_dir, "$folder/as_it_was");
my $linked = new_cluster('linked');
upgrade($bank, $linked, '--link');
ok(!-e $bank->data_dir . '/global/pg_control', 'linked: the old cluster cannot be started again');
judge($linked, $before, "$folder/as_it_was", @relations);
$linked->safe_psql('postgres', 'VACUUM pgbench_accounts');
my $map = $linked->data_dir . '/' . $linked->safe_psql('postgres', "SELECT pg_relation_filepath('pgbench_accounts')") . '_vm';
$linked->stop('fast');
checksums_ok($linked);
$linked->not_compared('its map is taken away');
unlink $map or die "$map: $!";
$linked->start;
cmp_ok(heap_fetches($linked), '>', 1000, 'without the map it would read the table');
done_testing();
