# t/194_page_summaries_random.pl: sessions with snapshots of all ages beside random changes, in a small pool that is emptied again and
# again, so that what is known of a page outlasts its frame all the time (buffer/page_summaries): loads of one transaction, single rows,
# updates, deletes, row locks, savepoints, VACUUM with freezing and truncation, drops, rewrites, crashes.  Heap gives the same
# answers.  With GH_CHECKS=2 each page that is taken for visible as a whole is judged row by row as well.
# GH_SEED=n repeats a run, GH_STATEMENTS=n is how many.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'compares with heap' unless is_glassheap();
my $seed = seed_from_environment();
my $statements = $ENV{GH_STATEMENTS} // 900;
my $per_life = 300;
my $sessions = 4;
# Runs of inserts need the larger one.
my $node = new_node('main', max_connections => 20, 'glassheap.buffers' => $seed % 2 ? '1MB' : '4MB', 'glassheap.page_summaries' => $seed % 3 ? '-1' : '4kB');

sub any { return $_[ int rand @_ ]; }
my @tables = qw(t0 t1 t2);

sub range { my $from = int rand 9000; return sprintf 'id BETWEEN %d AND %d', $from, $from + int rand any(1, 20, 400, 3000); }

sub a_load
{
	my $table = any(@tables);
	my $from = int rand 9000;
	my $to = $from + int rand any(1, 5, 100, 1200);
	return any(
		"INSERT INTO $table SELECT g, repeat(md5(g::text), " . any(1, 9) . ") FROM generate_series($from, $to) g",
		"COPY $table (id) FROM PROGRAM 'seq $from $to'",
		"INSERT INTO $table VALUES ($from, 'single')");
}

sub a_look
{
	my $table = any(@tables);
	my $sums = "SELECT count(*), sum(id), sum(hashtext(v)) FROM $table";
	return any($sums, $sums, $sums, "$sums WHERE " . range(), "SELECT count(*) FROM (SELECT DISTINCT id FROM $table) d");
}

sub a_change
{
	my $table = any(@tables);
	my $where = 'WHERE ' . range();
	return any(
		"UPDATE $table SET v = 'u' || id $where",
		"DELETE FROM $table $where",
		"SELECT count(*) FROM (SELECT id FROM $table $where " . any('FOR UPDATE', 'FOR KEY SHARE') . ') l');
}

sub a_rare_thing
{
	my $table = any(@tables);
	return any(
		"DROP TABLE $table; CREATE TABLE $table (id int, v text)",
		"TRUNCATE $table",
		"DELETE FROM $table WHERE id > 3000",
		"CREATE INDEX ON $table (id); SELECT count(*) FROM $table WHERE id = 77",
		"ALTER TABLE $table ALTER id TYPE bigint");
}

# By the state of the session: in a transaction, and how many savepoints.
sub a_statement
{
	my ($state) = @_;
	my $kind = rand;
	return a_look() if $kind < 0.45;
	return a_load() if $kind < 0.6;
	return a_change() if $kind < 0.75;
	return a_rare_thing() if $kind < 0.77;
	if (!$state->{open})
	{
		return 'VACUUM ' . any('', '', '(FREEZE) ', 'FULL ') . any(@tables) if $kind < 0.85;
		$state->{open} = 1;
		return 'BEGIN ISOLATION LEVEL ' . any('READ COMMITTED', 'REPEATABLE READ', 'REPEATABLE READ', 'SERIALIZABLE');
	}
	if ($kind < 0.9)
	{
		return 'SAVEPOINT s' . ++$state->{savepoints} if !$state->{savepoints} || rand() < 0.5;
		return any('ROLLBACK TO', 'RELEASE') . ' s' . $state->{savepoints}--;
	}
	%$state = ();
	return any('COMMIT', 'COMMIT', 'ROLLBACK');
}

for my $am (qw(heap glassheap))
{
	$node->safe_psql('postgres', "CREATE SCHEMA s_$am");
	$node->safe_psql('postgres', "CREATE TABLE s_$am.$_ (id int, v text) USING $am; CREATE INDEX ON s_$am.$_ (id)") for $tables[0];
	$node->safe_psql('postgres', "CREATE TABLE s_$am.$_ (id int, v text) USING $am") for @tables[ 1, 2 ];
}

my ($done, $wrong, $lives, $served) = (0, 0, 0, 0);
while ($done < $statements && !$wrong)
{
	my %of;
	for my $am (qw(heap glassheap))
	{
		$of{$am} = [ map { GlassheapSession->new($node) } 1 .. $sessions ];
		$_->ask("SET search_path = s_$am; SET default_table_access_method = $am; SET lock_timeout = 30; SET client_min_messages = error; SET max_parallel_workers_per_gather = 0") for @{ $of{$am} };
	}
	my $evicts = GlassheapSession->new($node);
	my @states = map { {} } 1 .. $sessions;
	my @told;
	for (1 .. $per_life)
	{
		my $who = int rand $sessions;
		my $text = a_statement($states[$who]);
		$evicts->ask('SELECT glassheap_buffercache_evict_all()') if rand() < 0.3;
		push @told, "$who: $text";
		my %answer = map { $_ => $of{$_}[$who]->ask($text) } qw(heap glassheap);
		++$done;
		next if $answer{heap} eq $answer{glassheap};
		++$wrong;
		diag "heap: $answer{heap}\nglassheap: $answer{glassheap}\nafter\n" . join "\n", @told;
		last;
	}
	last if $wrong;
	$served += $evicts->ask('SELECT found FROM glassheap_stat_summaries()');
	if ($lives++ % 2)
	{
		kill_server_9($node);
		$node->start;
	}
	$_->close for $evicts, map { @$_ } values %of;
}
is($wrong, 0, "heap's answers to $done statements, seed $seed");
for my $table (@tables)
{
	my %sums = map { $_ => $node->safe_psql('postgres', "SELECT count(*), sum(id), sum(hashtext(v)) FROM s_$_.$table") } qw(heap glassheap);
	is($sums{glassheap}, $sums{heap}, "the rows of $table");
}
cmp_ok($served, '>', 100, "summaries have served: $served times");
$node->stop;
done_testing();
