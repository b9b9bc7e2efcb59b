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
# Two rows a page; the pages 5 to 9 get room; the map page has its image before the updates.
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE u (id int PRIMARY KEY, pad text);
ALTER TABLE u ALTER pad SET STORAGE plain;
INSERT INTO u SELECT g, repeat('a', 3900) FROM generate_series(1, 20) g;
DELETE FROM u WHERE id > 10 AND id < 20;
VACUUM u;
CHECKPOINT;
UPDATE u SET pad = repeat('b', 7000) WHERE id = 1;
UPDATE u SET pad = repeat('b', 7000) WHERE id = 3;
UPDATE u SET pad = repeat('b', 7000) WHERE id = 5;
SQL
my $bits = 'SELECT blkno, all_visible, all_frozen, pd_all_visible FROM glassheap_visibility(\'u\') ORDER BY 1';
my $wanted = $primary->safe_psql('postgres', $bits);
my $wrong = "SELECT count(*) FROM glassheap_visibility('u') WHERE all_visible AND NOT pd_all_visible";
is($primary->safe_psql('postgres', $wrong), 0, 'the primary: no bit without its page saying so');
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', $wrong), 0, 'nor on the standby');
is($standby->safe_psql('postgres', $bits), $wanted, 'which has the same map');
kill_server_9($primary);
$primary->start;
is($primary->safe_psql('postgres', $bits), $wanted, 'and so has the server after a crash');
$standby->stop;
$primary->stop;
done_testing();
