# t/147_usage_counts.pl: pages that are added to a file count as written in EXPLAIN (BUFFERS), as heap's do, and VACUUM of a temporary table
# pauses for its pages.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $am = access_method();

# ---- a page a row
sub written_by_insert
{
	my ($method, $kind, $rows) = @_;
	my $plan = $node->safe_psql('postgres', "CREATE $kind TABLE added (id int, v text) USING $method; ALTER TABLE added ALTER v SET STORAGE PLAIN; SELECT count(*) FROM added;"
		. "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) INSERT INTO added SELECT g, repeat('v', 7000) FROM generate_series(1, $rows) g;"
		. 'SELECT pg_relation_size(\'added\') / 8192; DROP TABLE added');
	my ($shared, $local) = map { $plan =~ /"$_ Written Blocks": (\d+)/ ? $1 : die $plan } 'Shared', 'Local';
	my ($pages) = $plan =~ /^(\d+)\s*\z/m;
	is($pages, $rows, "$method, $kind: pages");
	return "$shared $local";
}
for my $kind ('', 'UNLOGGED', 'TEMP')
{
	is(written_by_insert($am, $kind, 90), written_by_insert('heap', $kind, 90), "pages added are written: $kind");
}
is(written_by_insert($am, 'TEMP', 90), '0 90', 'all of them, and not those of the map');
SKIP:
{
	skip 'a view of glassheap', 1 unless is_glassheap();
	my $counts = 'SELECT sum(extends), sum(writes) FROM glassheap_stat_io';
	my ($before, $after) = map { [ split /\|/ ] } split /\n/,
	  $node->safe_psql('postgres', "CREATE TABLE added (id int, v text); ALTER TABLE added ALTER v SET STORAGE PLAIN; $counts; INSERT INTO added SELECT g, repeat('v', 7000) FROM generate_series(1, 90) g; $counts");
	cmp_ok($after->[0] - $before->[0], '>=', 90, 'the pool counts them as extensions') or diag("@$before @$after");
	is($after->[1], $before->[1], '... and not as writes');
}

# ---- vacuum pauses at each page of a temporary table, 80 ms: it is met in a pause beyond the first pages
sub vacuum_pauses
{
	my ($buffers, $hit, $miss) = @_;
	my $session = GlassheapSession->new($node);
	my $pid = $session->ask("SET temp_buffers = $buffers; CREATE TEMP TABLE worked (id int, v text) USING $am;"
		. "INSERT INTO worked SELECT g, repeat('v', 700) FROM generate_series(1, 3000) g; SET vacuum_cost_delay = 20; SET vacuum_cost_limit = 1;"
		. "SET vacuum_cost_page_dirty = 0; SET vacuum_cost_page_hit = $hit; SET vacuum_cost_page_miss = $miss; SELECT pg_backend_pid()");
	$session->begin('VACUUM worked');
	my $seen = '';
	wait_until(
		sub {
			$seen = $node->safe_psql('postgres', "SELECT CASE WHEN wait_event = 'VacuumDelay' AND heap_blks_scanned > 5 THEN 'pause' WHEN state = 'idle' AND query LIKE 'VACUUM%' THEN 'end' END"
				. " FROM pg_stat_activity LEFT JOIN pg_stat_progress_vacuum USING (pid) WHERE pid = $pid");
			return $seen ne '';
		},
		'vacuum to pause or to end');
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	$session->end;
	$session->close;
	return $seen;
}
is(vacuum_pauses(1000, 10000, 0), 'pause', 'for pages that are there');
is(vacuum_pauses(100, 0, 10000), 'pause', 'for pages that are read');
$node->stop;
done_testing();
