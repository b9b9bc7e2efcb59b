# t/125_marks.pl: marks of tables in two pools: kept over a start at which their tablespace is not mounted; all of a database's go with
# it, also those that the list in shared memory has no room for.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use TwoPools ':all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', 'glassheap.writer_delay' => '10ms');
$node->not_compared('tables have two versions on purpose');
create_two_pools_functions($node);

sub is_refused { my ($table) = @_; my ($rc, $out, $err) = $node->psql('postgres', "SELECT count(*) FROM $table"); return $err =~ /is in two buffer pools/; }

# ---- a tablespace that is not mounted
sql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''");
sql("CREATE TABLE far (id int, note text) TABLESPACE elsewhere; INSERT INTO far SELECT g, 'ours' FROM generate_series(1, 10) g; CHECKPOINT");
sql("BEGIN; INSERT INTO far VALUES (11, 'ours'); SELECT two_pools_insert('far', 21, 'theirs'); COMMIT");
wait_until(sub { marks() == 1 && is_refused('far') }, 'the mark');
my ($place) = $node->data_dir . '/pg_tblspc/' . sql("SELECT oid FROM pg_tablespace WHERE spcname = 'elsewhere'");
$node->stop;
my $aside = sub { return join ' ', sort map { s{.*/}{}r } glob($node->data_dir . '/glassheap_two_pools/*'); };
my $before = $aside->();
rename "$place/" => "$place.away" or die "$place: $!";
mkdir $place or die $!;
$node->start;
is($aside->(), $before, 'not mounted: mark and pages are kept');
$node->stop;
rmdir $place or die $!;
rename "$place.away" => $place or die $!;
$node->start;
ok(is_refused('far'), 'mounted again: refused');
is(sql("SELECT rows_differing FROM glassheap_resolve('far') WHERE fork = 'main'"), '1', 'mounted again: both versions are there');
sql('DROP TABLE far');
is(marks(), 0, 'dropped: no mark is left');

# ---- many
my $many = 35;
sql('CREATE DATABASE crowded');
create_two_pools_functions($node, 'crowded');
sql("DO \$\$ BEGIN FOR i IN 1..$many LOOP EXECUTE format('CREATE TABLE f%s (id int, note text)', i); EXECUTE format('INSERT INTO f%s SELECT g, ''x'' FROM generate_series(1, 10) g', i); END LOOP; END \$\$", 'crowded');
sql('CHECKPOINT');
sql("DO \$\$ BEGIN FOR i IN 1..$many LOOP EXECUTE format('INSERT INTO f%s VALUES (11, ''o'')', i); EXECUTE format('SELECT two_pools_insert(''f%s'', 21, ''t'')', i); END LOOP; END \$\$", 'crowded');
wait_until(sub { marks() == $many }, "$many marks");
sql('DROP DATABASE crowded');
is(marks(), 0, 'DROP DATABASE: no mark is left');
$node->stop;
done_testing();
