# t/113_pg_repack.pl: pg_repack gives the file of its copy to the original, whose access method stays.  The copy gets the
# original's access method, whatever the defaults are, and all rows are there, also after a restart.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'nothing to get wrong with heap alone' unless is_glassheap();
# Its program lies where the server's are; the module's copy of the server may have it, or not.
my ($library, $bin) = split /\n/, `pg_config --pkglibdir --bindir`;
my ($program) = grep { -x } "$bin/pg_repack", '/usr/lib/postgresql/15/bin/pg_repack';
plan skip_all => 'package postgresql-15-repack is not installed (tools/deps test)' unless $program && -e "$library/pg_repack.so";

my $node = new_node('repacked');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_repack');
my %defaults = (
	'default_table_access_method = heap' => '-c default_table_access_method=heap',
	'default_table_access_method = glassheap' => '-c default_table_access_method=glassheap',
	'glassheap.default_for_new_tables' => '-c default_table_access_method=heap -c glassheap.default_for_new_tables=on');
my @tables;
for my $default (sort keys %defaults)
{
	for my $am (qw(heap glassheap))
	{
		my $table = 't' . (1 + @tables);
		$node->safe_psql('postgres', "CREATE TABLE $table (id int PRIMARY KEY, v text) USING $am; "
			  . "INSERT INTO $table SELECT g, repeat('v', 100) FROM generate_series(1, 3000) g; DELETE FROM $table WHERE id % 3 = 0");
		local $ENV{PGOPTIONS} = $defaults{$default};
		$node->command_ok([ $program, '-t', $table, '-d', 'postgres', '-h', $node->host, '-p', $node->port ], "$am table under $default: repacked");
		is($node->safe_psql('postgres', "SELECT count(*) FROM $table; SET enable_seqscan = off; SELECT count(*) FROM $table WHERE id > 0"),
			"2000\n2000", 'its rows are there, by scan and by index');
		is($node->safe_psql('postgres', "SELECT amname FROM pg_am a JOIN pg_class c ON c.relam = a.oid WHERE c.oid = '$table'::regclass"), $am, 'it is as it was');
		push @tables, $table;
	}
}
$node->safe_psql('postgres', "INSERT INTO $_ SELECT g, 'new' FROM generate_series(10001, 10040) g; DELETE FROM $_ WHERE id <= 20") for @tables;
$node->restart('fast');
is($node->safe_psql('postgres', "SELECT count(*) FROM $_"), 2026, "$_ after a restart") for @tables;
is($node->safe_psql('postgres', 'SELECT count(*) FROM glassheap_verify_all()'), 0, 'nothing is damaged');
done_testing();
