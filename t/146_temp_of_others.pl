# t/146_temp_of_others.pl: what a superuser may do with a temporary table of another session is what he may do with heap's, and nothing of
# it gets into that table's pages or its file; orphans are dropped by autovacuum.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', autovacuum_naptime => '1s', restart_after_crash => 'off');
my @methods = ('heap', access_method());

# What another session is told, statement by statement; then what the owner has.
sub try_all
{
	my ($other, $table) = @_;
	my @statements = (
		"INSERT INTO $table VALUES (-1, 'other')", "INSERT INTO $table VALUES (-2, 'other')",
		"INSERT INTO $table SELECT g, 'other' FROM generate_series(1, 2000) g", "COPY $table (a) FROM PROGRAM 'echo 5'", "COPY $table TO PROGRAM 'cat > /dev/null'",
		"MERGE INTO $table t USING (VALUES (-4)) v (a) ON t.a = v.a WHEN NOT MATCHED THEN INSERT VALUES (-4, 'other')",
		"SELECT count(*) FROM $table", "SELECT b FROM $table WHERE ctid = '(0,1)'", "SELECT count(*) FROM $table WHERE ctid >= '(0,0)'",
		"SELECT count(*) FROM $table TABLESAMPLE SYSTEM (100)", "SELECT count(*) FROM $table WHERE a = 3", "SELECT 1 FROM $table FOR UPDATE",
		"UPDATE $table SET b = 'other'", "DELETE FROM $table", "DELETE FROM $table WHERE a = 3", "TRUNCATE $table", "VACUUM $table", "VACUUM FULL $table",
		"ANALYZE $table", "CREATE INDEX ON $table (b)", "CLUSTER $table USING tt_a_idx", "REINDEX TABLE $table", "ALTER TABLE $table ADD c timestamptz DEFAULT clock_timestamp()",
		"CREATE TABLE taken AS SELECT * FROM $table", "SELECT pg_relation_size('$table')", "LOCK TABLE $table");
	my @told;
	for my $statement (@statements)
	{
		my ($what) = $statement =~ /^(.*?)\Q$table\E/;
		push @told, "$what: " . $other->ask($statement);
	}
	$other->ask('DROP TABLE IF EXISTS taken');
	return join("\n", @told);
}

my %told;
for my $method (@methods)
{
	my ($owner, $other) = map { GlassheapSession->new($node) } 1 .. 2;
	my $schema = $owner->ask("SET temp_buffers = 100; CREATE TEMP TABLE tt (a int, b text) USING $method; SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()");
	$told{$method}{empty} = try_all($other, "$schema.tt");
	$told{$method}{owner} = $owner->ask("SELECT count(*), pg_relation_size('tt'), pg_relation_size('tt', 'fsm') FROM tt");
	$owner->ask("INSERT INTO tt SELECT g, repeat('o', 100) FROM generate_series(1, 1000) g; CREATE INDEX ON tt (a)");
	$told{$method}{filled} = try_all($other, "$schema.tt");
	$told{$method}{owner} .= "\n" . $owner->ask("SELECT count(*), sum(a), min(b) = max(b) FROM tt; UPDATE tt SET a = -a; SELECT sum(a) FROM tt");
	$told{$method}{dropped} = $other->ask("DROP TABLE $schema.tt") . $owner->ask('SELECT count(*) FROM tt');
	# What is left of it in the owner's pool goes when others need its place.
	$told{$method}{after} = $owner->ask("CREATE TEMP TABLE tt (a int, b text) USING $method;"
		. "INSERT INTO tt SELECT g, repeat('p', 1000) FROM generate_series(1, 2000) g; SELECT count(*), sum(a), min(b) = max(b) FROM tt");
	$_->close for $owner, $other;
}
is($told{ access_method() }{$_}, $told{heap}{$_}, "as with heap: $_") for qw(empty filled owner dropped);
is($told{ access_method() }{after}, '2000|2001000|t', 'what is left of it disturbs nobody') if is_glassheap();    # heap: 58P01
like($told{ access_method() }{empty}, qr/^INSERT INTO : ERROR:  0A000\nINSERT/, 'an insert is refused');
like($told{ access_method() }{owner}, qr/^0\|0\|0\n1000\|500500\|t\n-500500$/, 'the owner has what he wrote');

my ($owner, $schema) = (GlassheapSession->new($node));
$schema = $owner->ask('CREATE TEMP TABLE tt (a int); SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()');
my (undef, undef, $err) = $node->psql('postgres', "INSERT INTO $schema.tt VALUES (1)");
is($err, 'psql:<stdin>:1: ERROR:  cannot access temporary tables of other sessions', 'what he is told');
$owner->close;

# ---- orphans
$owner = GlassheapSession->new($node);
$owner->ask("CREATE TEMP TABLE orphan_$_ USING $_ AS SELECT g AS a FROM generate_series(1, 1000) g") for 'heap', access_method() eq 'heap' ? () : access_method();
kill_server_9($node);
eval { $owner->close };
$node->append_conf('postgresql.conf', 'autovacuum = on');
$node->start;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_class WHERE relname LIKE 'orphan%'") or die 'orphans stay';
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|was terminated by signal 6/, 'nothing failed');
$node->stop;
done_testing();
