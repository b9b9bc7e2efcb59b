# t/069_vm_two_pages.pl: an update that moves a row from one all-visible page to another clears two bits of one page of
# the visibility map; so must replay, on a standby and after a crash.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'glassheap only' unless is_glassheap();
my $primary = new_node('primary');
my $standby = new_standby($primary, 'standby');
my $bits = "SELECT string_agg(format('%s%s%s', blkno, CASE WHEN all_visible THEN 'v' END, CASE WHEN pd_all_visible THEN 'p' END), ' ' ORDER BY blkno) FROM glassheap_visibility('u')";
# Two rows a page; pages 5 to 9 get room.
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE u (id int PRIMARY KEY, pad text);
ALTER TABLE u ALTER pad SET STORAGE plain;
INSERT INTO u SELECT g, repeat('a', 3900) FROM generate_series(1, 20) g;
DELETE FROM u WHERE id > 10 AND id < 20;
VACUUM (INDEX_CLEANUP ON) u;
CHECKPOINT;
SQL
is($primary->safe_psql('postgres', $bits), join(' ', map { "${_}vp" } 0 .. 9), 'all pages are all-visible');

# The first record after the checkpoint holds an image of the map page; replay has to clear bits for the others.
my @moves = (
	[ 'UPDATE u SET pad = repeat($$b$$, 7000) WHERE id = 1', 1, '(5,1)', 'between two all-visible pages, with an image' ],
	[ 'UPDATE u SET pad = repeat($$b$$, 7000) WHERE id = 3', 3, '(6,1)', 'between two all-visible pages' ],
	[ 'UPDATE u SET pad = repeat($$b$$, 7000) WHERE id = 4', 4, '(7,1)', 'to an all-visible page from one that is not' ],
	[ 'UPDATE u SET pad = repeat($$c$$, 100) WHERE id = 20', 20, '(9,%)', 'within an all-visible page' ],
	[ 'UPDATE u SET pad = repeat($$b$$, 8000) WHERE id = 5', 5, '(8,1)', 'between two all-visible pages' ],
	[ 'UPDATE u SET pad = repeat($$b$$, 8000) WHERE id = 7', 7, '(10,1)', 'from an all-visible page to a new one' ]);
for my $move (@moves)
{
	my ($update, $id, $where, $what) = @$move;
	$primary->safe_psql('postgres', $update);
	is($primary->safe_psql('postgres', "SELECT ctid::text LIKE '$where' FROM u WHERE id = $id"), 't', "row $id went $what");
}
my $wanted = $primary->safe_psql('postgres', $bits);
is($wanted, '0 1 2 3 4vp 5 6 7 8 9 10', 'the pages that changed lost their bits');
my $wrong = "SELECT count(*) FROM glassheap_visibility('u') WHERE all_visible AND NOT pd_all_visible";
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', $wrong), 0, 'nor on the standby');
is($standby->safe_psql('postgres', $bits), $wanted, 'which has the same map');
kill_server_9($primary);
$primary->start;
is($primary->safe_psql('postgres', $bits), $wanted, 'and so has the server after a crash');
$standby->stop;
$primary->stop;
done_testing();
