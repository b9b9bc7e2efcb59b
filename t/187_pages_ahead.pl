# t/187_pages_ahead.pl: which pages do bitmap and index scans announce to the operating system (posix_fadvise, counted by
# test/shim)?  Those that are not in the pool, once each, as far ahead as effective_io_concurrency says, 0: none; of heap's
# tables what heap announces.  Wherever in a plan the scan stands, its rows are those of a sequential scan.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapShim;
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap looks into shared_buffers' unless is_glassheap();

my $node = new_shim_node('pages_ahead', 'glassheap.buffers' => '32MB', shared_buffers => '32MB', synchronize_seqscans => 'off',
	'glassheap.writer_max_pages' => 0, 'glassheap.autoprewarm' => 'off', enable_indexonlyscan => 'off',
	max_parallel_workers_per_gather => 0);
sub sql { return $node->safe_psql('postgres', $_[0]); }

# id is in the table's order, k is not, and names each page of t several times.
my %file;
for my $table ('t', 'h')
{
	sql("CREATE TABLE $table (id int, k int, n int, pad text) USING " . ($table eq 'h' ? 'heap' : access_method())
		. ' WITH (fillfactor = 90);'
		. "INSERT INTO $table SELECT g, g * 7919 % 20011, 0, repeat('p', 200) FROM generate_series(1, 20000) g;"
		. "CREATE INDEX ${table}_k ON $table (k); CREATE INDEX ${table}_id ON $table (id); VACUUM ANALYZE $table");
	$file{$table} = sql("SELECT pg_relation_filepath('$table')");
}
sql('CREATE TABLE part (LIKE t) PARTITION BY RANGE (id);'
	  . 'ALTER TABLE h ADD CHECK (id >= 0 AND id < 100000), ALTER id SET NOT NULL;'
	  . 'CREATE TABLE part_h USING heap AS SELECT id + 100000 AS id, k, n, pad FROM t;'
	  . 'CREATE INDEX part_h_k ON part_h (k);'
	  . 'ALTER TABLE part ATTACH PARTITION t FOR VALUES FROM (0) TO (100000);'
	  . 'ALTER TABLE part ATTACH PARTITION part_h FOR VALUES FROM (100000) TO (200000); VACUUM ANALYZE part');
$file{part_h} = sql("SELECT pg_relation_filepath('part_h')");
my $pages = sql("SELECT pg_relation_size('t') / 8192");
sql('CHECKPOINT');

my $only = 'SET enable_seqscan = off; SET enable_indexscan = off;';
my $index_only = 'SET enable_seqscan = off; SET enable_bitmapscan = off;';
sub cold { sql("SELECT glassheap_buffercache_evict_relation('t')"); return; }
# shared_buffers are empty, too.
sub begin_anew { $node->stop; $node->start; return; }
sub warm { sql('SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(pad) FROM t'); return; }

# What a statement answers, and how many pages of t and of a heap table it announces.
sub announced
{
	my ($statement, $heap) = @_;
	set_rules($node, map { "posix_fadvise $file{$_} delay 0" } 't', $heap // 'h');
	my $answer = sql($statement);
	return ($answer, fired($node, 0), fired($node, 1));
}
sub answer_of { return sql("SET enable_indexscan = off; SET enable_bitmapscan = off; $_[0]"); }

# ---- bitmap scans
my $query = 'SELECT count(*), sum(id) FROM t WHERE k < 3000';
my $truth = answer_of($query);
like(sql("$only EXPLAIN $query"), qr/Bitmap Heap Scan on t/, 'the scan is one');
warm();
my ($answer, $count) = announced("$only SET effective_io_concurrency = 16; $query");
is("$answer $count", "$truth 0", 'a table in the pool: nothing is announced');
cold();
($answer, $count) = announced("$only SET effective_io_concurrency = 0; $query");
is("$answer $count", "$truth 0", 'a cold table, effective_io_concurrency = 0: nothing is');
cold();
($answer, $count) = announced("$only SET effective_io_concurrency = 16; $query");
is($answer, $truth, 'a cold table: the rows');
ok($count > $pages / 2 && $count <= $pages, "a cold table: its pages are announced, once each ($count of $pages)");
cold();
sql('SELECT count(pad) FROM t WHERE id < 10000');
($answer, $count) = announced("$only SET effective_io_concurrency = 16; $query");
is($answer, $truth, 'half of the table in the pool: the rows');
ok($count > $pages / 4 && $count < $pages * 3 / 4, "half of the table in the pool: the others are announced ($count)");

# ---- scans of a few pages each
$query = 'SELECT count(*) FROM generate_series(0, 20) g, LATERAL (SELECT * FROM t WHERE k BETWEEN g * 300 AND g * 300 + 2 OFFSET 0) x';
$truth = answer_of($query);
cold();
($answer, $count) = announced("$only SET enable_hashjoin = off; SET enable_mergejoin = off; SET effective_io_concurrency = 16; $query");
is($answer, $truth, 'scans of three pages each: the rows');
ok($count > 30 && $count <= 42, "scans of three pages each: all but the first one are announced ($count)");

# ---- a subplan that the plan names twice, as a condition was copied to two partitions
sql('CREATE TABLE g (g int) PARTITION BY RANGE (g); CREATE TABLE g_0 PARTITION OF g FOR VALUES FROM (0) TO (10);'
	  . 'CREATE TABLE g_1 PARTITION OF g FOR VALUES FROM (10) TO (30); INSERT INTO g SELECT generate_series(0, 20)');
my $off = 'SET enable_indexscan = off;';
$query = 'SELECT count(*) FROM g WHERE (SELECT sum(id) FROM t WHERE k BETWEEN g * 300 AND g * 300 + 290) > 0';
like(sql("$off EXPLAIN $query"), qr/g_0 .*\(SubPlan 1\).*g_1 .*\(SubPlan 1\)/s, 'a subplan named twice');
$truth = answer_of($query);
cold();
($answer, $count) = announced("$off SET effective_io_concurrency = 16; $query");
is($answer, $truth, 'a subplan named twice: the rows');
cmp_ok($count, '>', $pages / 2, 'a subplan named twice: the pages are announced');

# ---- wherever the scan is in the plan
my @places = (
	['a nested loop', 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;',
		'SELECT count(*), sum(t.id) FROM generate_series(0, 60) g, LATERAL (SELECT * FROM t WHERE k BETWEEN g * 300 AND g * 300 + 200 OFFSET 0) t'],
	['a subplan', '', 'SELECT g, (SELECT sum(id) FROM t WHERE k BETWEEN g * 300 AND g * 300 + 290) FROM generate_series(0, 20) g'],
	['an init plan', '', 'SELECT g + (SELECT sum(id) FROM t WHERE k < 3000) FROM generate_series(1, 2) g'],
	['a CTE', '', 'WITH x AS MATERIALIZED (SELECT * FROM t WHERE k < 3000) SELECT count(*), sum(a.id) FROM x a JOIN x b USING (id)'],
	['EXISTS in a filter', '', 'SELECT count(*) FROM generate_series(0, 20) g WHERE EXISTS (SELECT sum(id) FROM t WHERE k BETWEEN g * 300 AND g * 300 + 290)'],
	['UNION ALL', '', 'SELECT sum(id) FROM (SELECT id FROM t WHERE k < 3000 UNION ALL SELECT id FROM t WHERE k > 18000) x'],
	['OR and AND of bitmaps', '', 'SELECT sum(id) FROM t WHERE (k < 2000 OR k > 18000) AND id < 19000'],
	['lossy pages', "SET work_mem = '64kB';", 'SELECT sum(id) FROM t WHERE k < 19000'],
	['a cursor', '', 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM t WHERE k < 3000; FETCH 300 c; MOVE 1000 c; FETCH 200 c; COMMIT'],
	['SERIALIZABLE', 'SET default_transaction_isolation = serializable;', 'SELECT sum(id) FROM t WHERE k < 3000'],
	['UPDATE', 'BEGIN;', 'UPDATE t SET n = n + 1 WHERE k BETWEEN 1000 AND 4000 RETURNING id; ROLLBACK'],
	['DELETE', 'BEGIN;', 'DELETE FROM t WHERE k BETWEEN 1000 AND 4000 RETURNING id; ROLLBACK'],
);
for my $place (@places)
{
	my ($name, $set, $statement) = @$place;
	my $expected = join "\n", sort split /\n/, answer_of("$set $statement");
	my $explained = $statement =~ s/^BEGIN; DECLARE c CURSOR FOR (.*?);.*/$1/r =~ s/; ROLLBACK$//r;
	like(sql("$only $set EXPLAIN $explained"), qr/Bitmap Heap Scan on t/, "$name: a bitmap scan");
	warm();
	($answer, $count) = announced("$only $set SET effective_io_concurrency = 16; $statement");
	is($count, 0, "$name: nothing in the pool is announced");
	is(join("\n", sort split /\n/, $answer), $expected, "$name: the rows of a sequential scan");
}

# ---- other access methods' scans
begin_anew();
($answer, undef, my $alone) = announced("$only SET effective_io_concurrency = 16; SELECT sum(id) FROM part_h WHERE k < 3000", 'part_h');
cmp_ok($alone, '>', $pages / 2, 'heap announces its pages');
begin_anew();
warm();
$query = 'SELECT count(*), sum(id) FROM part WHERE k < 3000';
like(sql("$only EXPLAIN $query"), qr/Append.*Bitmap Heap Scan on t .*Bitmap Heap Scan on part_h /s, 'partitions of both');
begin_anew();
warm();
($answer, $count, my $beside) = announced("$only SET effective_io_concurrency = 16; $query", 'part_h');
is($answer, answer_of($query), 'partitions of both: the rows');
is("$count $beside", "0 $alone", 'ours are left alone, those of heap are announced as before');

# ---- parallel scans are core's, in all of their processes
$query = 'SELECT count(*), sum(id) FROM t WHERE k < 15000';
my $parallel = "$only SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
  . ' SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0; SET effective_io_concurrency = 16;';
like(sql("$parallel EXPLAIN $query"), qr/Parallel Bitmap Heap Scan on t/, 'a parallel scan');
is(sql("$parallel $query"), answer_of($query), 'its rows');
is(sql("$parallel SET parallel_leader_participation = off; $query"), answer_of($query), 'also without the leader');

# ---- a row that was changed meanwhile is judged anew
warm();
my ($first, $second) = map { GlassheapSession->new($node) } 1 .. 2;
$first->ask('BEGIN; UPDATE t SET n = 5 WHERE id = 4000');
my $k = sql('SELECT k FROM t WHERE id = 4000');
$second->ask($_) for split /;/, $only;
my $change = "WITH x AS (UPDATE t SET n = n + 10 WHERE k BETWEEN $k - 800 AND $k + 800 AND n < 7 RETURNING n)"
  . ' SELECT n, count(*) > 0 FROM x GROUP BY n ORDER BY n';
$second->begin($change);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) or die;
$first->ask('COMMIT');
is($second->end, "10|t\n15|t", 'the new version of the row is changed');
sql('UPDATE t SET n = 0 WHERE n <> 0; VACUUM t');

# ---- index scans
for my $in_order (0, 1)
{
	my $column = $in_order ? 'id' : 'k';
	my $name = $in_order ? 'an index in the table\'s order' : 'an index in another order';
	$query = "SELECT count(pad), sum(id) FROM t WHERE $column BETWEEN 100 AND 6000";
	$truth = answer_of($query);
	like(sql("$index_only EXPLAIN $query"), qr/Index Scan using t_$column on t/, "$name: the plan");
	warm();
	($answer, $count) = announced("$index_only SET effective_io_concurrency = 8; $query");
	is("$answer $count", "$truth 0", "$name: nothing in the pool is announced");
	cold();
	($answer, $count) = announced("$index_only SET effective_io_concurrency = 0; $query");
	is("$answer $count", "$truth 0", "$name: effective_io_concurrency = 0: nothing is");
	next if $in_order;    # the operating system notices this by itself
	cold();
	($answer, $count) = announced("$index_only SET effective_io_concurrency = 8; $query");
	is($answer, $truth, "$name: the rows");
	ok($count > $pages / 3 && $count <= 2 * $pages, "$name: a cold table's pages are announced ($count of $pages)");
	cold();
	is(sql("$index_only SET effective_io_concurrency = 8; SELECT count(pad), sum(id) FROM (SELECT * FROM t WHERE k BETWEEN 100 AND 6000"
			. ' ORDER BY k DESC OFFSET 0) x'), $truth, "$name: backward");
}

# ---- index-only scans read the pages that are not all-visible only
sql('VACUUM t; UPDATE t SET n = n + 1 WHERE id % 1000 = 0');
$query = 'SELECT count(k) FROM t WHERE k < 15000';
$truth = answer_of($query);
cold();
($answer, $count) = announced("$index_only SET enable_indexonlyscan = on; SET effective_io_concurrency = 16; $query");
is("$answer $count", "$truth 0", 'an index-only scan announces nothing');
like(sql("$index_only SET enable_indexonlyscan = on; EXPLAIN (ANALYZE, COSTS OFF) $query"),
	qr/Index Only Scan using t_k.*Heap Fetches: [1-9]\d\d?\n/s, 'which it was, for some rows');

# ---- an index that is damaged names a block that no segment of the table has
my ($path, $size) = split /\|/, sql("SELECT pg_relation_filepath('t_k'), pg_relation_size('t_k')");
sql('CHECKPOINT');
$node->stop;
{
	open my $file, '+<:raw', $node->data_dir . "/$path" or die "$path: $!";
	seek $file, 8192 + 24 + 100 * 4, 0;
	read $file, my $line, 4;
	seek $file, 8192 + (unpack('V', $line) & 0x7fff), 0;
	print $file pack 'vv', 5, 0;    # block 327680
	close $file or die;
}
$node->append_conf('postgresql.conf', 'ignore_checksum_failure = on');
$node->start;
$query = 'SELECT count(pad) FROM t WHERE k < 3000';
my $rows = answer_of($query);
is(sql("$only SET client_min_messages = error; SET effective_io_concurrency = 64; $query"), $rows - 1, 'the other rows come');
is(sql("$index_only SET client_min_messages = error; SET effective_io_concurrency = 64; "
		. 'SELECT count(pad) FROM (SELECT * FROM t WHERE k < 3000 ORDER BY k LIMIT 90) x'), 90, 'also before it');

$node->stop;
done_testing();
