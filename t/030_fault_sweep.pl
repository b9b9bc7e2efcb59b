# t/030_fault_sweep.pl: errors at every place where one may come.  Each statement is run with the N-th passage of each
# stop point made to fail, N = 1, 2, 3 ... until it succeeds; after every failure the table is what it was, no page is
# pinned, structure and index are whole; after the success it equals what heap makes of the same statement.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('sweep', 'glassheap.buffers' => '1MB', log_min_messages => 'warning');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');

# Names from before the rooms were in them still do; others do not.
for my $name (qw(victim_claimed scan-before-latch truncate.before_wal heap_old_version_locked))
{
	is($node->psql('postgres', "SELECT glassheap_stop_point_set('$name', 'error', 1000000), glassheap_stop_point_clear('$name')"), 0, "the name $name");
}
for my $name (qw(claimed buffer. victim_claimed_ heap.victim_claimed))
{
	like(($node->psql('postgres', "SELECT glassheap_stop_point_set('$name', 'error')"))[2], qr/there is no stop point/, "no name: $name");
}

my @points = qw(buffer.page_read buffer.victim_claimed buffer.extend_before_file buffer.extend_after_file scan.before_latch heap.old_version_locked
  vacuum.before_page vacuum.before_second_pass vacuum.before_truncate lifecycle.truncate_before_wal);
my $most = 8;    # passages made to fail one by one; then every third power of two

# Statements on T, which has 1500 rows of some 300 bytes on pages filled to four fifths, and an index on id.
my @statements = (
	'INSERT INTO T SELECT g, 0, repeat(\'i\', 300) FROM generate_series(5001, 5400) g',
	'UPDATE T SET n = n + 1 WHERE id % 40 = 7',
	'UPDATE T SET id = id + 10000 WHERE id BETWEEN 100 AND 400',
	'UPDATE T SET pad = repeat(\'u\', 900) WHERE id % 9 = 1',
	'DELETE FROM T WHERE id % 3 = 0',
	'SELECT count(pad) FROM T; UPDATE T SET n = 9 WHERE id = 77',
	'SET enable_seqscan = off; UPDATE T SET n = n + 5 WHERE id < 300',
	'VACUUM T',
	'VACUUM (FREEZE) T',
	'DELETE FROM T WHERE id > 700; VACUUM T',
	'VACUUM FULL T',
	'CREATE INDEX ON T (n, id)',
	'CREATE TABLE copied USING AM AS SELECT * FROM T; DROP TABLE copied',
	'TRUNCATE T; INSERT INTO T SELECT g, 1, NULL FROM generate_series(1, 50) g',
	'BEGIN; SAVEPOINT a; DELETE FROM T WHERE id < 50; ROLLBACK TO a; UPDATE T SET n = 3 WHERE id < 80; COMMIT',
	'INSERT INTO T VALUES (5, 1, \'x\'), (90000, 1, \'y\') ON CONFLICT (id) DO UPDATE SET n = T.n + 100',
);

sub sides
{
	my ($statement, $table, $am) = @_;
	(my $sql = $statement) =~ s/\bT\b/$table/g;
	$sql =~ s/\bAM\b/$am/g;
	$sql =~ s/\bcopied\b/copied_$am/g;
	return $sql;
}

sub make_table
{
	my ($table, $am) = @_;
	$node->safe_psql('postgres',
		"DROP TABLE IF EXISTS $table; CREATE TABLE $table (id int PRIMARY KEY, n int, pad text) USING $am WITH (fillfactor = 80);"
		. "INSERT INTO $table SELECT g, 0, repeat('p', 200 + g % 200) FROM generate_series(1, 1500) g;"
		. "DELETE FROM $table WHERE id % 11 = 0");
	return;
}

sub run_statement
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 1);
	return $err;
}

# What must hold at any time; returns what does not.
sub faults
{
	my ($table) = @_;
	my @faults;
	my $pinned = $node->safe_psql('postgres', 'SELECT buffers_pinned FROM glassheap_buffercache_summary()');
	push @faults, "$pinned pages are pinned" if $pinned ne '0';
	my $damage = $node->safe_psql('postgres', "SELECT * FROM glassheap_verify('$table') LIMIT 3");
	push @faults, "glassheap_verify: $damage" if $damage ne '';
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT bt_index_check('${table}_pkey', heapallindexed => true)");
	push @faults, $err if $err ne '';
	return @faults;
}

sub failing_passages { return (0 .. $most - 1, map { $most * 8**$_ } 0 .. 2); }

my $fired = 0;
for my $statement (@statements)
{
	my (@wrong, $failures);
	$failures = 0;
	make_table('swept', 'glassheap');
	make_table('mirror', 'heap');
	my $before = table_digest($node, 'swept');
	for my $point (@points)
	{
		for my $skip (failing_passages())
		{
			$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('$point', 'error', $skip)");
			my $error = run_statement(sides($statement, 'swept', 'glassheap'));
			$node->safe_psql('postgres', 'SELECT glassheap_stop_point_clear()');
			if ($error !~ /stop point "/)
			{
				push @wrong, "$point, passage $skip: $error" if $error =~ /ERROR|server closed/;
				last;    # fewer passages than that: it went through
			}
			$failures++;
			# What a statement before the failing one has committed stays.
			my $now = table_digest($node, 'swept');
			push @wrong, "$point, passage $skip: the table changed" if $now ne $before && $statement !~ /; VACUUM|TRUNCATE|^SELECT|^SET/;
			push @wrong, map { "$point, passage $skip: $_" } faults('swept');
			last if @wrong > 3;
		}
		last if @wrong > 3;
		# The statement went through: begin anew.
		make_table('swept', 'glassheap');
		$before = table_digest($node, 'swept');
	}
	$fired += $failures;
	my $error = run_statement(sides($statement, 'swept', 'glassheap')) . run_statement(sides($statement, 'mirror', 'heap'));
	push @wrong, "without a fault: $error" if $error =~ /ERROR/;
	push @wrong, 'heap makes something else of it' if table_digest($node, 'swept') ne table_digest($node, 'mirror');
	push @wrong, faults('swept');
	is(join("\n", @wrong), '', "$failures failures: $statement");
}
cmp_ok($fired, '>', 100, 'the sweep has made something fail');
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|terminated by signal|check failed/, 'nothing crashed');
unlike($log, qr/leak/i, 'no resource was left over');
done_testing();
