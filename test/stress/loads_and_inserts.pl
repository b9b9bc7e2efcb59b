# test/stress/loads_and_inserts.pl: COPYs into one table beside fresh sessions that insert single rows into it and beside
# readers of another one, in a pool of 4 MB.  What the inserters were told is on record outside the server: after each
# round, and again after kill -9, every acknowledged row is there, by scan and by index, and every COPY is there whole.
#
# Each inserter connects anew for every row, so that it tries the last page of the table, which a load may just have added.
# What it finds is a matter of chance (fault A2 cost one row in some 6000); t/075_extension.pl has that interleaving for sure.
# GH_SECONDS (60): how long the loads run in all; GH_SEED repeats a run's statements (not its timing).
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant { LOADERS => 2, INSERTERS => 4, COPY_ROWS => 2000, ROUND => 20 };

plan skip_all => 'about the pool' unless is_glassheap();
seed_from_environment();
my $seconds = $ENV{GH_SECONDS} // 60;
my $rounds = int(($seconds + ROUND - 1) / ROUND) || 1;

# fsync is on: waiting for the disk is what opens the windows between two processes.
my $node = new_node('stress', 'glassheap.buffers' => '4MB', fsync => 'on', max_connections => 20, max_wal_senders => 2,
	max_wal_size => '4GB');
my $folder = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');

append_to_file("$folder/rows", join('', map { "$_\tcopy\t" . ('y' x 1000) . "\n" } 0 .. COPY_ROWS - 1));
chmod 0644, "$folder/rows";
$node->safe_psql('postgres', "CREATE TABLE big (id int PRIMARY KEY, pad text); INSERT INTO big SELECT g, repeat('z', 900) FROM generate_series(1, 20000) g; VACUUM ANALYZE big");
append_to_file("$folder/read.sql", "\\set i random(1, 20000)\nSELECT pad FROM big WHERE id = :i;\n");

# A client of psql that runs until it is stopped; it prints a word for every statement that was acknowledged.
sub start_client
{
	my ($name, @statements) = @_;
	open my $script, '>', "$folder/$name.sql" or die "$name: $!";
	print $script @statements;
	close $script;
	return { out => "$folder/$name.out", run => start_background($node, file => "$folder/$name.sql", stdout => "$folder/$name.out", continue => 1) };
}

sub inserts
{
	my ($number) = @_;
	return map {
		my $id = 1_000_000 + $_ * INSERTERS + $number;
		my $length = 36 + int(rand(30));    # fits on no page that a COPY has filled
		"\\c -\nINSERT INTO t SELECT $id, 'one', string_agg(md5(g::text || $id), '') FROM generate_series(1, $length) g RETURNING id;\n"
	} 1 .. 20_000;
}

sub loads { return map { "COPY t FROM '$folder/rows';\n\\echo copied\n" } 1 .. 2000; }

sub stop_clients
{
	my (@clients) = @_;
	for my $client (@clients)
	{
		$client->{run}->kill_kill;
		eval { IPC::Run::finish($client->{run}) };
	}
	return;
}

sub acknowledged_words { my ($client) = @_; return grep { /^(?:\d+|copied)$/ } split /\n/, slurp_file($client->{out}); }

sub answers { my $bytes = 0; $bytes += -s $_->{out} // 0 for @_; return int($bytes / 8); }    # of single rows

# Everything acknowledged is there; what was under way when the clients were stopped may be.
sub check_books
{
	my ($when, $ids, $copies) = @_;
	open my $list, '>', "$folder/acknowledged" or die "acknowledged: $!";
	print $list "$_\n" for @$ids;
	close $list;
	chmod 0644, "$folder/acknowledged";
	my $ledger = "CREATE TEMP TABLE ledger (id int) USING heap; COPY ledger FROM '$folder/acknowledged'; ANALYZE ledger;";
	is($node->safe_psql('postgres', "$ledger SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;"
		. "SELECT count(*) FROM ledger l WHERE NOT EXISTS (SELECT FROM t WHERE t.id = l.id AND who = 'one')"), 0, "$when: no acknowledged row is lost");
	is($node->safe_psql('postgres', "$ledger SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
		. "SELECT count(*) FROM ledger l WHERE NOT EXISTS (SELECT FROM t WHERE t.id = l.id AND who = 'one' AND t.pad LIKE md5('1' || l.id) || '%')"), 0,
		"$when: nor by index");
	my ($all, $least, $most) = split /\|/, $node->safe_psql('postgres',
		"SELECT sum(n), min(n), max(n) FROM (SELECT count(*) AS n FROM t WHERE who = 'copy' GROUP BY id) x");
	is("$all $least", $most * COPY_ROWS . " $most", "$when: COPYs are there whole");
	cmp_ok($most, '>=', $copies, "$when: all $copies acknowledged ones");
	cmp_ok($most, '<=', $copies + LOADERS, "$when: and none that nobody asked for");
	is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_verify('t')"), 0, "$when: nothing to complain about");
	$node->safe_psql('postgres', "SELECT bt_index_check('t_one', true), bt_index_check('big_pkey', true)");
	return;
}

sub run_round
{
	my ($round) = @_;
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS t; CREATE TABLE t (id int, who text, pad text); ALTER TABLE t ALTER pad SET STORAGE PLAIN;"
		. "CREATE INDEX t_one ON t (id) WHERE who = 'one'; INSERT INTO t SELECT g, 'base', repeat('x', 1000) FROM generate_series(1, 8000) g");
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->safe_psql('postgres', 'SELECT glassheap_stat_reset()');
	my @inserters = map { start_client("inserter_$_", inserts($_)) } 0 .. INSERTERS - 1;
	my @loaders = map { start_client("loader_$_", loads()) } 1 .. LOADERS;
	my $reader = IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-c', 2, '-T', 3600, '-f', "$folder/read.sql", $node->connstr('postgres') ],
		'<', '/dev/null', '>', '/dev/null', '2>', '/dev/null');
	my $checkpoints = 0;
	my $end = time + ($seconds < ROUND ? $seconds : ROUND);
	while (time < $end)
	{
		my $answers = answers(@inserters);
		wait_until(sub { answers(@inserters) >= $answers + 100 }, 'the inserters to work');
		if (!$checkpoints || rand() < 0.1)
		{
			$node->safe_psql('postgres', 'CHECKPOINT');
			$checkpoints++;
		}
	}
	# On a slow machine it takes longer until what is to be tested has happened.
	wait_until(sub { (grep { !acknowledged_words($_) } @inserters, @loaders) == 0 }, 'every client to be answered');
	my ($extends, $evictions) = split /\|/, $node->safe_psql('postgres', "SELECT extensions, evictions FROM glassheap_stat_tables WHERE relid = 't'::regclass");
	my $batches = $node->safe_psql('postgres', "SELECT coalesce(sum(extends), 0) FROM glassheap_stat_io WHERE context = 'bulkwrite'");

	# Every second round the server dies in the middle of it.
	kill_server_9($node) if $round % 2 == 0;
	stop_clients(@inserters, @loaders, { run => $reader });
	$node->start if $round % 2 == 0;
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
	  or die 'clients did not go';

	my @ids = map { acknowledged_words($_) } @inserters;
	my $copies = map { acknowledged_words($_) } @loaders;
	note "round $round: $copies copies, " . @ids . " single rows, $extends extensions ($batches by loads), $evictions evictions, $checkpoints checkpoints";
	cmp_ok($copies, '>', 0, "round $round: rows were loaded");
	cmp_ok(scalar @ids, '>', 10, "round $round: rows were inserted");
	cmp_ok($batches, '>', 15, "round $round: loads made the table longer");
	cmp_ok($evictions, '>', 0, "round $round: pages of the table left the pool");
	check_books("round $round", \@ids, $copies);
	$node->safe_psql('postgres', 'CHECKPOINT');
	kill_server_9($node);
	$node->start;
	check_books("round $round, after kill -9", \@ids, $copies);
	return;
}

run_round($_) for 1 .. $rounds;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
