# t/111_documented.pl: what the documentation recommends works.  The extension in a schema of its own that is not in
# search_path: every view and function, from CREATE EXTENSION ... SCHEMA, after ALTER EXTENSION ... SET SCHEMA, and after dump and
# restore.  The recipes that move many tables and back, as they are written there.  What is said of pg_amcheck and pg_waldump.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no extension' unless is_glassheap();

my $node = new_node('documented');
$node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE template0") for qw(fresh moved restored);
$node->safe_psql('fresh', 'CREATE SCHEMA glassheap; CREATE EXTENSION glassheap SCHEMA glassheap');
$node->safe_psql('moved', 'CREATE EXTENSION glassheap; CREATE SCHEMA glassheap; ALTER EXTENSION glassheap SET SCHEMA glassheap');

# Calls that need more than the table's name; the last signature of an overloaded function is in %calls by its types.
my %arguments = (
	'regclass' => q('t'), 'regclass, text' => q('t'), 'regclass, bigint' => q('t', 0), 'regclass, text, bigint' => q('t', 'main', 0), 'bytea' => q(PAGE),
	'bytea, bigint' => 'PAGE, 0', 'bytea, regclass, boolean' => q(PAGE, 't'), 'regclass, bigint, boolean' => q('t', 0::bigint),
	'regclass, integer, boolean' => q('t', 0), 'regclass, integer' => q('t', 64), 'integer, integer' => '1, 1', '' => '', 'integer' => '1',
	'oid, oid' => '0, 1', 'boolean, boolean' => '', 'regclass, bytea, integer, integer, text, boolean' => q('t', '\x01000000', 0, 1, NULL),
	'regclass, boolean, boolean, text, bigint, bigint' => q('t'), 'regclass, text, text, bigint, bigint' => q('t'), 'text' => '');
my %others = (glassheap_fsm_page_contents => { 'bytea' => q(glassheap.glassheap_get_raw_page('t', 'fsm', 0)) });

sub everything_works
{
	my ($database) = @_;
	$node->safe_psql($database, 'CREATE TABLE IF NOT EXISTS t (id int, v text) USING glassheap; INSERT INTO t VALUES (1, \'one\'); VACUUM t');
	my @functions = split /\n/, $node->safe_psql($database,
		q(SELECT p.proname || '|' || (SELECT coalesce(string_agg(format_type(t, NULL), ', ' ORDER BY n), '') FROM unnest(p.proargtypes) WITH ORDINALITY u(t, n))
		    FROM pg_proc p WHERE p.pronamespace = 'glassheap'::regnamespace ORDER BY 1));
	cmp_ok(scalar @functions, '>', 60, "$database: the functions are in schema glassheap");
	my @failed;
	for my $function (@functions)
	{
		my ($name, $types) = split /\|/, $function, 2;
		next if $name =~ /stop_point_|tableam_handler/;
		my $arguments = ($others{$name} // {})->{$types} // $arguments{$types};
		die "no arguments for $function" unless defined $arguments;
		$arguments =~ s/PAGE/glassheap.glassheap_get_raw_page('t', 0)/;
		my ($rc, $out, $err) = $node->psql($database, "SELECT * FROM glassheap.$name($arguments)");
		push @failed, "$name($types): $err" if $rc != 0;
	}
	my @views = split /\n/, $node->safe_psql($database, "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'glassheap'::regnamespace");
	cmp_ok(scalar @views, '>', 10, "$database: and the views");
	for my $view (@views)
	{
		my ($rc, $out, $err) = $node->psql($database, "SELECT * FROM glassheap.$view");
		push @failed, "$view: $err" if $rc != 0;
	}
	is(join("\n", @failed), '', "$database: all of them work while the schema is not in search_path");
	is($node->safe_psql($database, q(SELECT count(*) FROM pg_class WHERE relname LIKE 'glassheap%' AND relnamespace = 'public'::regnamespace)),
		0, "$database: public has none of our objects");
	return;
}
everything_works($_) for qw(fresh moved);

my $dump = PostgreSQL::Test::Utils::tempdir() . '/fresh.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('fresh') ], 'dumped');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restored');
everything_works('restored');

# ---- recipes
sub recipe
{
	my ($page) = @_;
	my ($sql) = slurp_file("$FindBin::Bin/../doc/$page") =~ /^```sql\n(.*?)^```$/ms or die "no recipe in doc/$page";
	return $sql;
}

# The plan, then the plan carried out as the page says; what the second wrote to stderr.
sub carry_out
{
	my ($page) = @_;
	my $plan = $node->safe_psql('move', recipe($page));
	my ($out, $err);
	my $file = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
	append_to_file($file, "$plan\n");
	local $ENV{PGOPTIONS} = '-c lock_timeout=100ms';
	IPC::Run::run([ 'psql', '-Xe', '-d', $node->connstr('move'), '-f', $file ], '>', \$out, '2>', \$err);
	return ($plan, $err);
}

$node->safe_psql('postgres', 'CREATE DATABASE move TEMPLATE template0');
$node->safe_psql('move', q(SET default_table_access_method = heap; CREATE SCHEMA glassheap; CREATE EXTENSION glassheap SCHEMA glassheap; CREATE EXTENSION gh_try;
	CREATE SCHEMA "Odd Name"; CREATE TABLE "Odd Name"."Tab""le" (id int PRIMARY KEY); INSERT INTO "Odd Name"."Tab""le" SELECT generate_series(1, 1000);
	CREATE TABLE small (id int REFERENCES "Odd Name"."Tab""le"); INSERT INTO small VALUES (7);
	CREATE TABLE part (id int) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF part DEFAULT; INSERT INTO part VALUES (1);
	CREATE UNLOGGED TABLE unlogged (id int); CREATE SCHEMA gh_member; ALTER EXTENSION gh_try ADD SCHEMA gh_member; CREATE TABLE gh_member.users (id int); CREATE TABLE ours (id int) USING glassheap;
	CREATE MATERIALIZED VIEW matview AS SELECT * FROM small));
my $left = q(SELECT string_agg(c.relname, ', ' ORDER BY c.relname COLLATE "C") FROM pg_class c JOIN pg_am a ON a.oid = c.relam
	WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384 AND a.amname = );
my $holder = $node->background_psql('move');
$holder->query_safe('BEGIN; LOCK TABLE small IN ACCESS SHARE MODE');
my ($plan, $err) = carry_out('moving.md');
like($plan, qr/^ALTER TABLE "Odd Name"\."Tab""le" SET ACCESS METHOD glassheap;  -- \d+ kB$/m, 'moving.md: a script, with odd names');
unlike($plan, qr/gh_|pg_|part SET/, 'nothing of extensions or the system, no partitioned parent');
like($err, qr/lock timeout/, 'a table in use is reported');
is($node->safe_psql('move', "$left 'heap'") =~ /\bsmall\b/ ? 1 : 0, 1, 'and stays heap');
$holder->query_safe('COMMIT');
$holder->quit;
($plan, $err) = carry_out('moving.md');
is($plan =~ s/  --.*//r, 'ALTER TABLE public.small SET ACCESS METHOD glassheap;', 'the second plan has only what is left');
is($err, '', 'which moves now');
is($node->safe_psql('move', recipe('moving.md')), '', 'nothing is left to move');
is($node->safe_psql('move', 'SELECT (SELECT sum(id) FROM "Odd Name"."Tab""le"), (SELECT id FROM small), (SELECT id FROM matview), (SELECT id FROM part)'), '500500|7|7|1', 'all rows are there');
($plan, $err) = carry_out('leaving.md');
is($err, '', 'leaving.md: and back');
is($node->safe_psql('move', "$left 'glassheap'"), '', 'nothing is ours any more');
is($node->safe_psql('move', 'SELECT (SELECT sum(id) FROM "Odd Name"."Tab""le"), (SELECT id FROM small), (SELECT id FROM matview), (SELECT id FROM part)'), '500500|7|7|1', 'all rows are there');

# ---- pg_amcheck
$node->safe_psql('fresh', 'CREATE EXTENSION amcheck; CREATE TABLE ours_keyed (id int PRIMARY KEY) USING glassheap; CREATE TABLE heap_keyed (id int PRIMARY KEY) USING heap');
my @amcheck = ('pg_amcheck', '--verbose', '-h', $node->host, '-p', $node->port, '-d', 'fresh');
my ($amcheck_out, $amcheck_err) = run_command(\@amcheck);
like($amcheck_err, qr/heap_keyed_pkey/, 'pg_amcheck checks a heap table\'s index');
unlike($amcheck_err, qr/ours_keyed/, 'and neither our table nor its index');
($amcheck_out, $amcheck_err) = run_command([ @amcheck, '--index=ours_keyed_pkey' ]);
like($amcheck_err, qr/ours_keyed_pkey/, 'except by name');

# ---- pg_waldump
my $begin = $node->safe_psql('fresh', 'SELECT pg_current_wal_insert_lsn()');
$node->safe_psql('fresh', "INSERT INTO ours_keyed VALUES (1); INSERT INTO heap_keyed VALUES (1)");
my $end = $node->safe_psql('fresh', 'SELECT pg_current_wal_lsn()');
my @waldump = ('pg_waldump', '-p', $node->data_dir . '/pg_wal', '-s', $begin, '-e', $end);
my ($ours_out) = run_command([ @waldump, '--rmgr=custom128' ]);
like($ours_out, qr/\A(?:rmgr: custom128 .* UNKNOWN .*blkref #0: rel .*\n?)+\z/, 'pg_waldump --rmgr=custom128 shows our records, and only those');
my $path = $node->safe_psql('fresh', q{SELECT (SELECT coalesce(nullif(reltablespace, 0), (SELECT dattablespace FROM pg_database WHERE datname = 'fresh'))
	|| '/' || (SELECT oid FROM pg_database WHERE datname = 'fresh') || '/' || relfilenode FROM pg_class WHERE relname = 'ours_keyed')});
my ($relation_out) = run_command([ @waldump, '--relation', $path ]);
like($relation_out, qr/\A(?:rmgr: custom128 .*\n?)+\z/, 'and so does --relation');
my (undef, $refused) = run_command([ @waldump, '--rmgr=glassheap' ]);
like($refused, qr/resource manager "glassheap" does not exist/, 'our name means nothing to it');
done_testing();
