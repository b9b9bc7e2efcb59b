# t/181_map_ahead.pl: a free space map that promises room beyond the table's end, as a loss of power leaves it when the map
# was on disk and the table's extension was not.  That is no damage: verification says nothing, and rows find their place.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant PAGE => 8192;

plan skip_all => 'about our verifier' unless is_glassheap();
my $node = new_node('main');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# Empty pages with room in the map; the visibility map would say more of them than there are.
sql("CREATE TABLE m (id int, pad text); INSERT INTO m SELECT g, repeat('x', 700) FROM generate_series(1, 400) g; DELETE FROM m; VACUUM (TRUNCATE off) m");
my $pages = sql("SELECT pg_relation_size('m') / " . PAGE);
cmp_ok(sql("SELECT glassheap_freespace('m', $pages - 1)"), '>', 8000, "the map has room on the last of $pages pages");
my $file = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('m')");
$node->stop;
truncate $file, 3 * PAGE or die "truncate: $!";
unlink "${file}_vm" or die "unlink: $!";
$node->start;
$node->not_compared('its files were cut by hand');

is(sql("SELECT pg_relation_size('m') / " . PAGE), 3, 'the table has 3 now');
is(sql("SELECT v FROM glassheap_verify('m') v"), '', 'nothing is said of it');
sql("INSERT INTO m SELECT g, repeat('y', 700) FROM generate_series(1, 800) g");
is(sql('SELECT count(*), sum(id) FROM m'), '800|320400', 'rows find their place');
is(sql("SELECT v FROM glassheap_verify('m') v"), '', '... and nothing is said of that');
done_testing();
