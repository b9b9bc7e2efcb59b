# t/043_not_preloaded.pl: without shared_preload_libraries the answer is an error with the line to add, when the
# extension is created and when a table is touched; everything else works.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap needs no library' unless is_glassheap();

my $node = new_node('unloaded');
$node->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v text) USING glassheap; INSERT INTO t VALUES (1, \'one\')');
$node->safe_psql('postgres', 'CREATE TABLE h (id int) USING heap; INSERT INTO h VALUES (1)');
$node->safe_psql('postgres', "ALTER SYSTEM RESET default_table_access_method");
$node->safe_psql('postgres', 'CREATE DATABASE fresh TEMPLATE template0');
$node->stop('fast');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\ndefault_table_access_method = heap");
$node->start;

my %touches = (
	'CREATE EXTENSION' => [ 'fresh', 'CREATE EXTENSION glassheap' ],
	'SELECT' => [ 'postgres', 'SELECT * FROM t' ],
	'SELECT by index' => [ 'postgres', 'SET enable_seqscan = off; SELECT * FROM t WHERE id = 1' ],
	'INSERT' => [ 'postgres', 'INSERT INTO t VALUES (2, \'two\')' ],
	'UPDATE' => [ 'postgres', 'UPDATE t SET v = \'new\'' ],
	'VACUUM' => [ 'postgres', 'VACUUM t' ],
	'CREATE TABLE' => [ 'postgres', 'CREATE TABLE other (id int) USING glassheap' ],
	'TRUNCATE' => [ 'postgres', 'TRUNCATE t' ],
	'a function' => [ 'postgres', "SELECT * FROM glassheap_freespace('t')" ],
	'the pool view' => [ 'postgres', 'SELECT * FROM glassheap_buffercache' ],
);
for my $what (sort keys %touches)
{
	my ($database, $sql) = @{ $touches{$what} };
	my ($rc, $out, $err) = $node->psql($database, $sql);
	isnt($rc, 0, "$what: refused");
	like($err, qr/shared_preload_libraries/, "$what: the message has the setting");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM h'), 1, 'heap tables are untouched by all this');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'glassheap'");
$node->restart;
is($node->safe_psql('postgres', 'SELECT v FROM t'), 'one', 'with the line added the rows are there');
done_testing();
