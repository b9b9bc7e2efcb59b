# t/070_vm_two_pages.pl: an update takes a row from one all-visible page to another, and one page of the visibility map
# covers both.  Replay must clear the bits of both: on a standby, after kill -9, and when the pages were all-frozen, where
# VACUUM FREEZE would otherwise pass over a row that is not.  No image of the map page may hide it, so something else
# changes that page first.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapPages;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $am = access_method();
my @tables = qw(visible frozen);
my $primary = new_node('primary', wal_keep_size => '1GB');

# Three pages of seven rows; the last has room.
for my $table (@tables)
{
	my $option = $table eq 'frozen' ? '(FREEZE)' : '';
	$primary->safe_psql('postgres', <<"SQL");
CREATE TABLE $table (id int PRIMARY KEY, pad text) USING $am;
ALTER TABLE $table ALTER pad SET STORAGE plain;
INSERT INTO $table SELECT g, repeat('x', 1000) FROM generate_series(1, 21) g;
DELETE FROM $table WHERE id IN (16, 17, 18, 19, 20);
VACUUM $option $table;
SQL
}
my $standby = new_standby($primary, 'standby');
$primary->safe_psql('postgres', 'CHECKPOINT');
for my $table (@tables)
{
	my $moved = $primary->safe_psql('postgres', <<"SQL");
DELETE FROM $table WHERE id = 14;
BEGIN;
UPDATE $table SET pad = repeat('y', 1000) WHERE id = 1 RETURNING ctid;
ROLLBACK;
UPDATE $table SET pad = repeat('z', 1000) WHERE id = 2 RETURNING ctid;
DELETE FROM $table WHERE id = 2;
SQL
	is($moved, "(2,2)\n(2,3)", "$table: the rows moved to the third page");
}
$primary->wait_for_catchup($standby, 'replay');
my $before;
sub remember { $before = page_images($primary, @tables) if is_glassheap(); return; }

sub look_at
{
	my ($node, $who) = @_;
	# First: scans prune, and write hints.
	same_pages($before, page_images($node, @tables), $who) if is_glassheap() && $who ne 'primary';
	for my $table (@tables)
	{
		is(sequential_count($node, $table), 14, "$who, $table: rows by sequential scan");
		is(index_only_count($node, $table), 14, "$who, $table: rows by index-only scan");
		next unless is_glassheap();
		is(visibility_of($node, $table), '', "$who, $table: no bit without PD_ALL_VISIBLE");
		is($node->safe_psql('postgres', "SELECT * FROM glassheap_verify('$table')"), '', "$who, $table: verified");
		is($node->safe_psql('postgres', "SELECT * FROM glassheap_check_visible('$table')"), '', "$who, $table: no row contradicts the map");
	}
	return;
}

remember();
look_at($standby, 'standby');
look_at($primary, 'primary');
remember();
kill_server_9($primary);
$primary->start;
look_at($primary, 'recovered');

# The row that moved must be frozen before relfrozenxid passes it.
$primary->safe_psql('postgres', 'SELECT txid_current()') for 1 .. 5;
$primary->safe_psql('postgres', 'VACUUM (FREEZE) frozen');
is($primary->safe_psql('postgres', "SELECT * FROM glassheap_verify('frozen')"), '', 'no row is older than relfrozenxid') if is_glassheap();
$standby->stop;
done_testing();
