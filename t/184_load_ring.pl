# t/184_load_ring.pl: a load fills frames that are free; when there are none left it recycles its own, and leaves the pages of others in the pool.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'the pool of glassheap' unless is_glassheap();

# 1024 frames, a ring of 128; nobody else cleans pages.
my $node = new_node('ring', 'glassheap.buffers' => '8MB', 'glassheap.writer_max_pages' => 0, autovacuum => 'off', max_connections => 10, checkpoint_timeout => '1h');
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $folder = PostgreSQL::Test::Utils::tempdir();

sub make_file
{
	my ($name, $rows) = @_;
	append_to_file("$folder/$name", join('', map { "$_\t" . ('y' x 3500) . "\n" } 1 .. $rows));
	chmod 0644, "$folder/$name";
	return;
}
make_file('small', 400);    # two rows a page
make_file('large', 6000);
sub make_table
{
	my ($name) = @_;
	sql("CREATE TABLE $name (id int, pad text); ALTER TABLE $name ALTER pad SET STORAGE PLAIN");
	return;
}
sub cached { return sql("SELECT count(*) FROM glassheap_buffercache WHERE relfilenode = pg_relation_filenode('$_[0]') AND relforknumber = 0"); }
sub bulk { return sql("SELECT sum($_[0]) FROM glassheap_stat_io WHERE backend_type = 'client backend' AND context = 'bulkwrite'"); }

# ---- free frames first: more pages than the ring has are in the pool, and none was written to make room
make_table('first');
sql("COPY first FROM '$folder/small'");
is(cached('first'), 200, 'a load that finds free frames keeps its pages in the pool');
is(bulk('writes'), 0, '... and writes none');

# ---- pages that others use stay
make_table('hot');
sql("INSERT INTO hot SELECT g, repeat('h', 3500) FROM generate_series(1, 500) g");
sql('SELECT count(*) FROM hot') for 1 .. 3;
my $hot = cached('hot');
cmp_ok($hot, '>=', 250, 'a table is in use');
make_table('load');
my $rows = 'SELECT g AS id FROM generate_series(1, 400000) g';
for my $statement ("COPY load FROM '$folder/large'", "CREATE TABLE made AS $rows", "CREATE MATERIALIZED VIEW view AS $rows")
{
	my $reuses = bulk('reuses');
	sql($statement);
	cmp_ok(bulk('reuses') - $reuses, '>=', 1000, "$statement: recycles its own pages");
	cmp_ok(cached('hot'), '>=', $hot - 10, "$statement: pages of others stay");
}
is(sql('SELECT count(*), sum(id) FROM load'), '6000|18003000', 'all rows of the load are there');
is(sql('SELECT count(*), sum(id) FROM made'), '400000|80000200000', 'all rows of the table made are there');
$node->stop('fast');
done_testing();
