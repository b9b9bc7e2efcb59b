# t/110_new_tables.pl: tables that extension scripts create stay heap, whatever the default says;
# glassheap.default_for_new_tables against default_table_access_method, wherever each was set; and a database
# without the extension.  The statements themselves are in sql/new_tables.sql.
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

my $node = new_node('defaults');
my $methods = "SELECT string_agg(c.relname || ' ' || coalesce(a.amname, 'none'), ', ' ORDER BY c.relname COLLATE \"C\") "
  . "FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam WHERE c.relkind IN ('r', 'm', 'p') AND c.relnamespace = ";

# The access method of a table that a new connection of this role to this database creates.
sub new_table_method
{
	my ($user, $database, $options) = @_;
	local $ENV{PGOPTIONS} = $options // '';
	my ($rc, $out, $err) = $node->psql($database,
		"BEGIN; CREATE TABLE probe (id int); SELECT amname FROM pg_am a JOIN pg_class c ON c.relam = a.oid "
		  . "WHERE c.oid = 'probe'::regclass; ROLLBACK", extra_params => [ '-U', $user ]);
	return $rc == 0 ? $out : $err;
}

# ---- scripts of extensions
my $by_script = 'ctas heap, from_block heap, from_function heap, matview heap, part none, part_1 heap, plain heap, '
  . 'says_using glassheap, select_into heap';
for my $how ('', 'SET default_table_access_method = glassheap;', 'SET glassheap.default_for_new_tables = on; RESET default_table_access_method;',
	'BEGIN;')
{
	$node->safe_psql('postgres', "$how CREATE EXTENSION gh_try; " . ($how eq 'BEGIN;' ? 'COMMIT' : ''));
	is($node->safe_psql('postgres', "$methods 'gh_try'::regnamespace"), $by_script, "CREATE EXTENSION after '$how': heap unless USING");
	$node->safe_psql('postgres', "$how ALTER EXTENSION gh_try UPDATE TO '1.1'; " . ($how eq 'BEGIN;' ? 'COMMIT' : ''));
	is($node->safe_psql('postgres', "$methods 'gh_try'::regnamespace"),
		$by_script =~ s/says/plain_1_1 heap, says/r, "ALTER EXTENSION UPDATE after '$how': heap");
	is($node->safe_psql('postgres', 'SELECT string_agg(seen, \' \') FROM gh_try.plain'), 'heap heap', 'code without a statement finds heap, too');
	$node->safe_psql('postgres', 'DROP EXTENSION gh_try; DROP SCHEMA gh_try');
}
is($node->safe_psql('postgres', 'SET default_table_access_method = glassheap; CREATE EXTENSION gh_try; SHOW default_table_access_method'),
	'glassheap', 'the session\'s default is as before');
my (undef, $after_error) = $node->psql('postgres',
	'SET default_table_access_method = glassheap; BEGIN; SAVEPOINT s; CREATE EXTENSION gh_try; ROLLBACK TO s; SHOW default_table_access_method; '
	  . 'COMMIT; SHOW default_table_access_method', on_error_stop => 0);
is($after_error, "glassheap\nglassheap", 'and after an error in the middle');
is($node->safe_psql('postgres', 'CREATE DATABASE before_us TEMPLATE template0'), '', 'a database without glassheap');
is($node->safe_psql('before_us', "SET default_table_access_method = heap; CREATE EXTENSION pgcrypto; SELECT 1"), 1, 'extensions can be created there');
$node->safe_psql('postgres', 'DROP EXTENSION gh_try; DROP SCHEMA gh_try');

# ---- where the settings come from
$node->safe_psql('postgres', 'ALTER SYSTEM SET default_table_access_method = heap; ALTER SYSTEM SET glassheap.default_for_new_tables = on; '
	  . 'CREATE ROLE plain LOGIN SUPERUSER; CREATE ROLE heaper LOGIN SUPERUSER; ALTER ROLE heaper SET default_table_access_method = heap; '
	  . 'CREATE ROLE ours LOGIN SUPERUSER; ALTER ROLE ours SET glassheap.default_for_new_tables = on; '
	  . 'CREATE ROLE never LOGIN SUPERUSER; ALTER ROLE never SET glassheap.default_for_new_tables = off; CREATE DATABASE heaps; '
	  . 'ALTER DATABASE heaps SET default_table_access_method = heap; SELECT pg_reload_conf()');
my $option = '-c glassheap.default_for_new_tables=on';
my @expected = (
	[ 'plain', 'postgres', '', 'glassheap', 'both in the configuration file' ],
	[ 'heaper', 'postgres', '', 'heap', 'a role that has the method set' ],
	[ 'never', 'postgres', '', 'heap', 'a role that has it off' ],
	[ 'plain', 'heaps', '', 'heap', 'a database that has the method set' ],
	[ 'ours', 'heaps', '', 'glassheap', 'a role, before its database' ],
	[ 'plain', 'heaps', $option, 'glassheap', 'the connection, before the database' ],
	[ 'never', 'postgres', $option, 'glassheap', 'the connection, before the role' ],
	[ 'plain', 'postgres', '-c default_table_access_method=heap', 'heap', 'the connection chose heap' ],
	[ 'plain', 'postgres', "$option -c default_table_access_method=heap", 'glassheap', 'the connection chose both' ]);
$node->poll_query_until('postgres', "SELECT setting = 'on' FROM pg_settings WHERE name = 'glassheap.default_for_new_tables'");
for my $row (@expected)
{
	my ($user, $database, $options, $method, $name) = @$row;
	is(new_table_method($user, $database, $options), $method, $name);
}

# ---- a database without the extension
my ($rc, $out, $err) = $node->psql('before_us', 'CREATE TABLE one (id int); CREATE TABLE two (id int)');
is($rc, 0, 'without the extension tables can be created');
is($node->safe_psql('before_us', "$methods 'public'::regnamespace"), 'one heap, two heap', 'they are heap');
my $warnings = () = $err =~ /WARNING:  new tables of this database are heap tables/g;
is($warnings, 1, 'a session is told once');
like($err, qr/HINT:  Run CREATE EXTENSION glassheap/, 'and what to do');
$node->safe_psql('before_us', 'CREATE EXTENSION glassheap; CREATE TABLE three (id int)');
like($node->safe_psql('before_us', "$methods 'public'::regnamespace"), qr/three glassheap/, 'done, it works');
done_testing();
