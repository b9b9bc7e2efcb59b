# t/166_power_loss_ddl.pl: statements that make, copy, rewrite, cut and drop whole files, with WAL and without (wal_level =
# minimal); the power goes right after the last commit, and everything that no sync had covered is lost, or torn.
#
# Why:    such statements write pages past the log and sync files by themselves; the loop of t/161 has none of them.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapShim;
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_from_environment();
my $am = access_method();
my $rows = 'SELECT g AS id, g % 7 AS n, repeat(\'r\', 200) AS pad FROM generate_series(1, 3000) g';

# Tables that exist and are durable before: all, with an index each.
my @old = qw(full clustered moved emptied retyped unlogged_before logged_before indexed dropped cut vacuumed rolled_back);

# What happens to them and what is new, each in a transaction of its own.
my @statements = (
	'VACUUM FULL full_t',
	'CLUSTER clustered USING clustered_id',
	'ALTER TABLE moved SET TABLESPACE other; UPDATE moved SET n = -1 WHERE id < 50',
	'BEGIN; TRUNCATE emptied; INSERT INTO emptied SELECT id, n, pad FROM full_t WHERE id < 500; COMMIT',
	'ALTER TABLE retyped ALTER n TYPE bigint',
	'ALTER TABLE unlogged_before SET LOGGED',
	'ALTER TABLE logged_before SET UNLOGGED',
	'CREATE INDEX ON indexed (n)',
	'DROP TABLE dropped',
	'DELETE FROM cut WHERE id > 100',
	'VACUUM cut',
	'VACUUM (FREEZE) vacuumed',
	'BEGIN; SAVEPOINT s; TRUNCATE rolled_back; INSERT INTO rolled_back VALUES (1, 1); ROLLBACK TO s; UPDATE rolled_back SET n = 9; COMMIT',
	"CREATE TABLE made AS $rows",
	"BEGIN; CREATE TABLE filled (id int, n int, pad text); INSERT INTO filled $rows; CREATE INDEX ON filled (id); DELETE FROM filled WHERE n = 3; COMMIT",
	'BEGIN; CREATE TABLE frozen (id int); COPY frozen FROM PROGRAM \'seq 1 5000\' WITH (FREEZE); COMMIT',
	"BEGIN; CREATE TABLE doubly AS $rows; TRUNCATE doubly; INSERT INTO doubly SELECT * FROM full_t WHERE id < 900; SAVEPOINT s; UPDATE doubly SET n = 0; ROLLBACK TO s; COMMIT",
	"CREATE MATERIALIZED VIEW view AS $rows",
	'REFRESH MATERIALIZED VIEW view',
	"CREATE UNLOGGED TABLE fleeting AS $rows",
	"CREATE TABLE toasted AS SELECT g AS id, (SELECT string_agg(md5(g::text || i), '') FROM generate_series(1, 200) i) AS pad FROM generate_series(1, 60) g",
	'CREATE TABLE in_other TABLESPACE other AS SELECT * FROM made',
	'CREATE DATABASE by_log TEMPLATE model STRATEGY wal_log',
	'CREATE DATABASE by_copy TEMPLATE model STRATEGY file_copy',
	'SELECT pg_logical_emit_message(true, \'end\', \'\')',
);
my @kept = ((grep { !/^(?:full|dropped|logged_before)$/ } @old), qw(full_t made filled frozen doubly view toasted in_other));
my @empty = qw(logged_before fleeting);

sub digests
{
	my ($node) = @_;
	my %digest = map { $_ => table_digest($node, $_) } @kept;
	$digest{$_} = table_digest($node, 'made', $_) for 'by_log', 'by_copy';
	return \%digest;
}

# Indexes have every row; checked by heapallindexed, and our pages by verify.
sub is_sound
{
	my ($node, $what) = @_;
	my $faults = $node->safe_psql('postgres', 'SELECT count(bt_index_check(c.oid, true)) * 0 FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE amname = \'btree\' AND relpersistence = \'p\'');
	is($faults, 0, "$what: indexes have every row");
	return unless is_glassheap();
	is($node->safe_psql('postgres', 'SELECT sum((SELECT count(*) FROM glassheap_verify(c.oid))) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE amname = \'glassheap\' AND relkind IN (\'r\', \'m\', \'t\')'),
		0, "$what: glassheap_verify has nothing to say");
	return;
}

sub run_it
{
	my ($name, $mode, %settings) = @_;
	my $node = new_shim_node($name, journal => 1, 'glassheap.buffers' => '1MB', shared_buffers => '1MB', %settings);
	$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
	$node->safe_psql('postgres', 'CREATE TABLESPACE other LOCATION \'\'');
	for my $table (map { $_ eq 'full' ? 'full_t' : $_ } @old)
	{
		my $kind = $table eq 'unlogged_before' ? 'UNLOGGED' : '';
		$node->safe_psql('postgres', "CREATE $kind TABLE $table AS $rows; CREATE INDEX ${table}_id ON $table (id)");
	}
	$node->safe_psql('postgres', 'CREATE DATABASE model');
	$node->safe_psql('model', "CREATE TABLE made AS $rows; VACUUM made");
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->safe_psql('postgres', $_) for @statements;
	my $digests = digests($node);
	my $lost = cut_power($node, mode => $mode, seed => $seed);
	cmp_ok($lost->{lost}, '>', 0, "$name: something was lost");
	$node->not_compared('files without WAL differ from what replay makes') if $settings{wal_level};
	$node->start;
	my $now = digests($node);
	is($now->{$_}, $digests->{$_}, "$name: rows of $_ are there") for sort keys %$digests;
	is($node->safe_psql('postgres', "SELECT count(*) FROM $_"), 0, "$name: $_ is empty, and can be read") for @empty;
	is($node->safe_psql('postgres', 'SELECT to_regclass(\'dropped\') IS NULL'), 't', "$name: what was dropped is gone");
	is_sound($node, $name);
	$node->stop('fast');
	command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], "$name: all checksums are right");
	return;
}

my %minimal = (wal_level => 'minimal', max_wal_senders => 0);
run_it('logged_lose', 'lose');
run_it('logged_torn', 'torn');
run_it('synced_lose', 'lose', %minimal, wal_skip_threshold => 0);
run_it('threshold_lose', 'lose', %minimal, wal_skip_threshold => '1GB');
run_it('synced_torn', 'torn', %minimal, wal_skip_threshold => '100kB');
done_testing();
