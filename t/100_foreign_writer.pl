# t/100_foreign_writer.pl: a library that calls heap's own functions works on glassheap tables as it does on heap
# tables: same answers, same errors, same rows; on pages that are dirty in our pool, clean in it, and not in it; before
# and after a crash, and on a standby.  Control: with the guard off, or escaped by dlsym, the rows are not there.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use ForeignWriter;
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap needs no guard' unless is_glassheap();

# One build is loaded before glassheap, one after it, the others by the first call of their functions.
my %settings = (shared_preload_libraries => "'foreign_writer_plt, glassheap, foreign_writer_noplt'");
my $node = new_node('guard', %settings);
my $standby = new_standby($node, 'standby');
my @builds = qw(plt lazy noplt pointers);
my @states = ('dirty', 'clean', 'absent');
$node->safe_psql('postgres', foreign_writer_functions($_)) for @builds, 'dlsym';

sub make_table
{
	my ($table, $key, $where) = @_;
	($where // $node)->safe_psql('postgres', "CREATE TABLE ${table}_$_->[0] (id int $key, v text) USING $_->[1];
		INSERT INTO ${table}_$_->[0] SELECT g, 'v' || g || repeat('x', 50) FROM generate_series(1, 1000) g")
	  for [ 'h', 'heap' ], [ 'g', 'glassheap' ];
	return;
}

# What glassheap guards, as the source has it.
sub guarded_functions
{
	return map { /^F\((\w+)\)/ ? $1 : () } split /\n/, slurp_file("$FindBin::Bin/../test/modules/foreign_writer/functions.h");
}

sub bring_into_state
{
	my ($table, $state) = @_;
	return if $state eq 'dirty';
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->safe_psql('postgres', "SELECT glassheap_buffercache_evict_relation('${table}_g')") if $state eq 'absent';
	return;
}

my @tables;
my $errors = '';
for my $build (@builds)
{
	for my $state (@states)
	{
		my %kinds = (rows => [ '', row_statements() ], indexed => [ 'PRIMARY KEY', indexed_statements() ]);
		for my $kind (sort keys %kinds)
		{
			my $table = "t_${build}_${state}_$kind";
			make_table($table, $kinds{$kind}[0]);
			bring_into_state($table, $state);
			my $expected = run_on($node, $build, "${table}_h", $kinds{$kind}[1]);
			$errors .= $expected;
			note "heap answers:\n$expected" if $table =~ /plt_dirty/;
			is(run_on($node, $build, "${table}_g", $kinds{$kind}[1]), $expected, "$build, pages $state, $kind: answers are heap's");
			push @tables, $table;
		}
	}
}
like($errors, qr/$_/, "the comparison has seen: $_")
  for 'tuple already updated by self', 'tuple concurrently updated', 'tuple concurrently deleted', 'heap_delete says 3', 'attempted to delete invisible tuple', 'wrong type of slot';

my $functions = $node->safe_psql('postgres', "LOAD 'foreign_writer_pointers'; LOAD 'foreign_writer_lazy'; SELECT function, answer, count(*), bool_and(entries > 0 AND guarded = entries)
	FROM glassheap_foreign_writers() WHERE library ~ 'foreign_writer_' GROUP BY 1, 2 ORDER BY function COLLATE \"C\"");
my @named = map { (split /\|/)[0] } split /\n/, $functions;
is(scalar @named, scalar guarded_functions(), 'glassheap_foreign_writers names every function that the library imports') or diag $functions;
is(scalar(grep { !/\|4\|t$/ } split /\n/, $functions), 0, '... in all four builds, all of them guarded') or diag $functions;

# ---- temporary tables live in another pool
for my $am ('heap', 'glassheap')
{
	is($node->safe_psql('postgres', "SET search_path = public, pg_temp, plt; CREATE TEMP TABLE t (id int PRIMARY KEY, v text) USING $am;
		INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g;
		SELECT fw_insert('t', 101, 'new', 'CatalogTupleInsert') IS NOT NULL, fw_update('t', (SELECT ctid FROM t WHERE id = 1), 1, 'u', 'simple_heap_update');
		SELECT fw_fetch('t', (SELECT ctid FROM t WHERE id = 2), false) LIKE 'visible, pinned, row 2 of this table%';
		SELECT count(*), sum(id), min(v) FROM t"), "t|t\nt\n101|5151|new", "$am: a temporary table");
}

# ---- an address beyond the end is an error, and the map that lends its pin does not grow to reach it
my ($far_rc, $far_out, $far_err) = $node->psql('postgres', "SELECT plt.fw_fetch('t_plt_dirty_rows_g', '(4000000000,1)', false)");
like($far_err, qr/could not (read block|open file)|beyond|does not exist/, 'heap_fetch beyond the end: an error');
cmp_ok($node->safe_psql('postgres', "SELECT pg_relation_size('t_plt_dirty_rows_g', 'vm')"), '<=', 8192, '... and a map of one page');

# ---- what cannot be done the same way, and what one may choose
make_table('choice', '');
for my $state (@states)
{
	my $table = "refused_$state";
	make_table($table, '');
	$node->safe_psql('postgres', "UPDATE ${table}_$_ SET v = 'new' WHERE id % 50 = 7") for 'h', 'g';
	bring_into_state($table, $state);
	for my $how (refused_functions(1), refused_functions(0))
	{
		my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT plt.fw_refused('${table}_g', '$how')");
		like($err, qr/0A000: $how cannot be used with glassheap table "${table}_g".*foreign_writer_plt\.so.*SET ACCESS METHOD heap/s,
			"pages $state, $how: refused, with table, library and hint");
	}
	for my $how (refused_functions(1))
	{
		my ($rc, $out, $err) = $node->psql('postgres', "SELECT plt.fw_refused('${table}_h', '$how')");
		is("$rc$err", '0', "... $how does work on heap's");
	}
	is(table_digest($node, "${table}_g"), table_digest($node, "${table}_h"), "pages $state: nothing of it has changed a row");
	push @tables, $table;
}
my $refuse = 'SET glassheap.import_guard = refuse;';
my ($rc, $out, $err) = $node->psql('postgres', "$refuse SELECT plt.fw_insert('choice_g', 1, 'x', 'heap_insert')");
like($err, qr/heap_insert cannot be used with glassheap table "choice_g"/, 'refuse: what could be routed is refused too');
$node->safe_psql('postgres', "$refuse SELECT plt.fw_insert('choice_h', 1001, 'x', 'heap_insert')");
is($node->safe_psql('postgres', 'SELECT count(*) FROM choice_h'), 1001, '... but not for a heap table');
$node->safe_psql('postgres', 'CREATE ROLE gh_user');
($rc, $out, $err) = $node->psql('postgres', 'SET ROLE gh_user; SET glassheap.import_guard = off');
like($err, qr/permission denied/, 'only superusers choose');

# ---- a scan that begins as ours stays ours, also if the guard is turned off meanwhile
is($node->safe_psql('postgres', q{SELECT plt.fw_scan('choice_g', 'off midway')}), '1000 rows, sum 500500', 'the setting changes in a scan');

# ---- a heap-only row gets no index entry: one of its own would outlive it, and lead to whatever comes there
$node->safe_psql('postgres', 'CREATE EXTENSION pgstattuple');
make_table('hot', 'PRIMARY KEY');
for my $which ('h', 'g')
{
	is($node->safe_psql('postgres', "SELECT plt.fw_update('hot_$which', (SELECT ctid FROM hot_$which WHERE id = 1000), 1000, 'short', 'CatalogTupleUpdate');
		SELECT tuple_count + dead_tuple_count FROM pgstattuple('hot_${which}_pkey')"), "t\n1000", "hot_$which: no entry for a heap-only row");
}

# ---- a row in a buffer slot is what heap says, whatever became of its page
make_table('slots', '');
$node->safe_psql('postgres', 'CREATE TABLE other (id int, v text) USING glassheap');
my $overwrite = q{INSERT INTO other SELECT 777, repeat('o', 50) FROM generate_series(1, 30000);
	SELECT glassheap_buffercache_evict_all(); SELECT sum(id) FROM other; UPDATE other SET id = 778};
for my $how ('heap_getnextslot', 'heap_getnextslot_tidrange')
{
	my ($of_heap, $ours) = map { $node->safe_psql('postgres', "SELECT plt.fw_slot('slots_$_->[0]', '$how', 'buffer', \$\$$_->[1]\$\$)") } [ 'h', 'SELECT 1' ], [ 'g', $overwrite ];
	is($ours, $of_heap, "$how: the row outlives its scan and its page");
}

# ---- a scan that heap's own function has begun is not read as one of ours
($rc, $out, $err) = $node->psql('postgres', "SELECT plt.fw_scan('choice_g', 'stock')");
like($err, qr/"choice_g" is read by a scan that heap's own function has begun/, 'a copied heap_beginscan: an error');

# ---- a table without rows: reading it leaves no trace
$node->safe_psql('postgres', 'CREATE TABLE empty (id int, v text) USING glassheap');
is($node->safe_psql('postgres', q{SELECT plt.fw_scan('empty', 'rs_cbuf'), pg_relation_size('empty', 'vm')}), '0 rows, sum 0|0', 'an empty table gets no map');

# ---- on a standby: reading, also where there is no map
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT plt.fw_scan('empty', 'rs_cbuf')}), '0 rows, sum 0', 'standby: an empty table');
is($standby->safe_psql('postgres', "SELECT plt.fw_scan('choice_g', 'rs_cbuf'), plt.fw_fetch('choice_g', '(0,2)', false)"),
	'1000 rows, sum 500500|visible, pinned, row 2 of this table at (0,2)', 'standby: rows are read');

# ---- an index that these functions cannot keep is refused, not corrupted
$node->safe_psql('postgres', 'CREATE TABLE partial (id int, v text) USING glassheap; CREATE INDEX ON partial (id) WHERE id > 5');
($rc, $out, $err) = $node->psql('postgres', "SELECT plt.fw_insert('partial', 1, 'x', 'CatalogTupleInsert')");
like($err, qr/index "partial_id_idx" cannot be kept up to date by catalog functions/, 'a partial index');

# ---- rows whose lock has ended: who judges them sets a hint in his copy, and has the page that stands in logged.
make_table('judged', '');
$node->safe_psql('postgres', 'VACUUM (FREEZE) judged_g');
$node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT 1 FROM judged_g WHERE id = 5 FOR UPDATE) s');
my $summary = q{SELECT (glassheap_visibility_map_summary('judged_g')).*};
my $map = $node->safe_psql('postgres', $summary);
like($map, qr/^[1-9]/, 'pages are all-visible') or diag $map;

# ---- the crash: everything above is in the log, half of it in pages written before; one transaction is on its way
my $in_flight = 't_plt_absent_indexed';
my $client = GlassheapSession->new($node);
like($client->ask('BEGIN; '
	  . join('', map { "SELECT plt.fw_insert('${in_flight}_$_', 8001, 'never committed', 'CatalogTupleInsert'), "
		. "plt.fw_update('${in_flight}_$_', (SELECT ctid FROM ${in_flight}_$_ WHERE id = 40), 8040, 'x', 'CatalogTupleUpdate'), "
		. "plt.fw_delete('${in_flight}_$_', (SELECT ctid FROM ${in_flight}_$_ WHERE id = 41), 'simple_heap_delete'); " } 'h', 'g')
	  . 'SELECT 1'), qr/\A[^E]*1\z/, 'a transaction is on its way');
$node->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', 'SELECT glassheap_buffercache_evict_all()');
is($node->safe_psql('postgres', q{SELECT plt.fw_scan('judged_g', 'rs_cbuf')}), '1000 rows, sum 500500', 'rows are judged');
for my $table (grep { /_clean_/ } @tables)
{
	$node->safe_psql('postgres', "SELECT plt.fw_insert('${table}_$_', 7001, 'after the checkpoint', 'CatalogTupleInsert')") for 'h', 'g';
}
kill_server_9($node);
$client->close;
$node->start;
is($node->safe_psql('postgres', $summary), $map, 'the visibility map survives the crash');
is($node->safe_psql('postgres', "SELECT count(*) FROM ${in_flight}_g WHERE id IN (8001, 8040, 40, 41)"), 2, 'what was not committed did not happen');
for my $table (@tables)
{
	is(table_digest($node, "${table}_g"), table_digest($node, "${table}_h"), "$table: after the crash the rows are heap's");
	is($node->safe_psql('postgres', "SELECT * FROM glassheap_verify('${table}_g', check_toast => true)"), '', "$table: verified");
	next unless $table =~ /indexed/;
	is($node->safe_psql('postgres', "SET enable_seqscan = off; SELECT count(*) FROM ${table}_g WHERE id > 0"),
		$node->safe_psql('postgres', "SELECT count(*) FROM ${table}_h"), "$table: and so says the index");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class c, generate_series(0, 2) WHERE c.relname = 'choice_g'"), 3, 'the server lives');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP|check failed/, 'nothing crashed but what was killed');

$node->stop;    # compared: with a recovered copy here, with the standby at the end

# ---- control: this is what the guard is there for
my $control = new_node('control', %settings);
$control->not_compared('its tables have pages in two pools');
$control->safe_psql('postgres', foreign_writer_functions($_)) for 'plt', 'dlsym';
for my $case ([ 'plt', 'off' ], [ 'dlsym', 'route' ], [ 'plt', 'route' ])
{
	my ($build, $mode) = @$case;
	my $table = "control_${build}_$mode";
	make_table($table, '', $control);
	# Pages that are dirty in our pool: what heap's function sees and changes is another version of them.
	my ($status, $count, $err) = $control->psql('postgres', "UPDATE ${table}_g SET v = 'dirty'; SET glassheap.import_guard = $mode;
		SELECT $build.fw_insert('${table}_g', 1001, 'lost', 'heap_insert') IS NOT NULL; SELECT count(*) FROM ${table}_g");
	# The pool's writer may have noticed the other version before the rows are counted.
	my $lost = qr/^t\n(?:1000\n|.*ERROR:  relation "${table}_g" is in two buffer pools)/s;
	like("$count\n$err", $mode eq 'route' && $build ne 'dlsym' ? qr/^t\n1001\n/ : $lost, "control: $build with the guard on $mode");
}
$control->stop('immediate');
done_testing();
