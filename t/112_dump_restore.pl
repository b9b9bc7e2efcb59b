# t/112_dump_restore.pl: with glassheap.default_for_new_tables on, and with default_table_access_method = glassheap, what
# was heap comes back as heap and what was ours as ours: pg_dump, pg_restore, pg_restore -j, pg_upgrade. Also pg_upgrade
# into a server that does not preload the library: refused by the checks, before anything is done.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no such setting' unless is_glassheap();

my $node = new_node('dumped');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $methods = q(SELECT string_agg(c.oid::regclass || ' ' || coalesce(a.amname, 'none'), ', ' ORDER BY c.oid::regclass::text COLLATE "C")
	FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
	WHERE c.relkind IN ('r', 'm', 'p') AND c.relnamespace IN ('public'::regnamespace, 'gh_try'::regnamespace));
$node->safe_psql('postgres', "ALTER SYSTEM SET default_table_access_method = heap; SELECT pg_reload_conf()");
$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', q(SET default_table_access_method = heap;
	CREATE TABLE heap_one (id int PRIMARY KEY); INSERT INTO heap_one SELECT generate_series(1, 100);
	CREATE TABLE ours_one (id int PRIMARY KEY, v text) USING glassheap; INSERT INTO ours_one SELECT g, 'v' || g FROM generate_series(1, 100) g;
	CREATE TABLE heap_two AS SELECT * FROM heap_one;
	CREATE MATERIALIZED VIEW ours_view USING glassheap AS SELECT * FROM ours_one;
	CREATE MATERIALIZED VIEW heap_view AS SELECT * FROM heap_one;
	CREATE TABLE part (id int) PARTITION BY RANGE (id);
	CREATE TABLE part_heap PARTITION OF part FOR VALUES FROM (0) TO (50);
	CREATE TABLE part_ours PARTITION OF part FOR VALUES FROM (50) TO (101) USING glassheap;
	INSERT INTO part SELECT * FROM heap_one;
	CREATE TABLE heap_child () INHERITS (ours_one);
	CREATE UNLOGGED TABLE ours_unlogged (id int) USING glassheap;
	CREATE EXTENSION gh_try));
my $was = $node->safe_psql('source', $methods);
like($was, qr/gh_try.plain heap.*gh_try.says_using glassheap.*heap_one heap.*ours_one glassheap/, 'a database with both kinds');

my $ours = '-c glassheap.default_for_new_tables=on';
my $default = '-c default_table_access_method=glassheap';
$node->command_ok([ 'pg_dump', '-f', "$folder/plain.sql", '-d', $node->connstr('source') ], 'pg_dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/custom", '-d', $node->connstr('source') ], 'pg_dump -Fc');
my %ways = (
	psql => [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/plain.sql" ],
	pg_restore => [ 'pg_restore', "$folder/custom" ],
	'pg_restore -j' => [ 'pg_restore', '-j', '2', "$folder/custom" ]);
my $number = 0;
for my $way (sort keys %ways)
{
	for my $options ($ours, $default)
	{
		my $target = 'target_' . ++$number;
		$node->safe_psql('postgres', "CREATE DATABASE $target TEMPLATE template0");
		# A connection may not name an access method that is not there.
		$node->safe_psql($target, 'CREATE EXTENSION glassheap') if $options eq $default;
		local $ENV{PGOPTIONS} = $options;
		$node->command_ok([ @{ $ways{$way} }, '-d', $node->connstr($target) ], "$way with $options");
		is($node->safe_psql($target, $methods), $was, "$way with $options: every table as it was");
		is($node->safe_psql($target, 'SELECT (SELECT count(*) FROM ours_one), (SELECT count(*) FROM part)'), '100|100', 'with its rows');
	}
}
# A psql session that turned it on itself, then reads a dump.
$node->safe_psql('postgres', 'CREATE DATABASE session TEMPLATE template0');
$node->safe_psql('session', "SET glassheap.default_for_new_tables = on;\n\\i $folder/plain.sql\n");
is($node->safe_psql('session', $methods), $was, 'a dump read by a session that has it on: every table as it was');
# Without access methods in the dump the setting converts users' tables, and only those.
$node->safe_psql('postgres', 'CREATE DATABASE converted TEMPLATE template0');
{
	local $ENV{PGOPTIONS} = $ours;
	$node->command_ok([ 'pg_restore', '--no-table-access-method', '-d', $node->connstr('converted'), "$folder/custom" ], 'pg_restore --no-table-access-method');
}
is($node->safe_psql('converted', $methods), $was =~ s/(?<!\.)\b((?:heap|part|ours)_\w+) heap/$1 glassheap/gr, 'users\' tables become ours, the extension\'s do not');

# ---- pg_upgrade
$node->safe_psql('postgres', "DROP DATABASE $_") for map { "target_$_" } 2 .. $number;
$node->stop('fast');
my $new = GlassheapNode->new('upgraded');
$new->init(extra => [ '-k', '-E', 'UTF8', '--locale=C.UTF-8' ]);
$new->append_conf('postgresql.conf', "max_prepared_transactions = 10\n");
my $bin = $node->config_data('--bindir');
my @upgrade = ('pg_upgrade', '--no-sync', '-d', $node->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin, '-s', $new->host, '-p', $node->port, '-P', $new->port);
chdir $folder or die $!;
my ($out, $err);
my $rc = IPC::Run::run([ @upgrade, '--check' ], '>', \$out, '2>', \$err);
ok(!$rc, 'pg_upgrade --check fails while the new server does not preload the library') or diag $out;
my ($complaint) = glob($new->data_dir . '/pg_upgrade_output.d/*/loadable_libraries.txt');
like(defined $complaint ? slurp_file($complaint) : '', qr/glassheap must be loaded via shared_preload_libraries/, 'and its file says what to do');
$new->append_conf('postgresql.conf', "shared_preload_libraries = 'glassheap'\nglassheap.default_for_new_tables = on\n");
$rc = IPC::Run::run([ @upgrade ], '>', \$out, '2>', \$err);
ok($rc, 'with the line it succeeds, also with glassheap.default_for_new_tables on') or diag "$out\n$err";
$new->start;
is($new->safe_psql('source', $methods), $was, 'every table as it was');
is($new->safe_psql('source', 'SELECT (SELECT count(*) FROM ours_one), (SELECT count(*) FROM heap_two)'), '100|100', 'with its rows');
done_testing();
