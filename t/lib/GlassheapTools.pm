# t/lib/GlassheapTools.pm: a bank under load, and what must be true of a copy of it, for the tests of real tools (test/tools).
#
# Why:    pgbench's tables have an invariant that any consistent state keeps, in the middle of work, too: accounts, tellers,
#         branches and history add up to the same.  Beside them a table whose rows come, go and move out of line, and VACUUM,
#         so that every fork changes; the pool is smaller than any of the large tables.
# SPDX-License-Identifier: PostgreSQL
package GlassheapTools;

use strict;
use warnings;

use Exporter 'import';
use GlassheapCompare qw(relations_of cross_check_faults compare_relations verdict);
use GlassheapNode;
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(needs run_tool new_bank start_load stop_load under_load beside_load bank_digest is_sound balances archive_all adopt_server own_address
  same_forks damage_table create_ledger_table start_ledger_writer wait_for_writers collect_ledger lost_rows settled_ledger);

my @tables = qw(pgbench_accounts pgbench_branches pgbench_tellers pgbench_history kept);

# needs(program => Debian package): the test is skipped where it is missing.
sub needs
{
	my ($program, $package) = @_;
	return if grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin';
	plan skip_all => "$program is not installed (Debian package $package)";
	return;
}

# run_tool(what, program, argument ...): one test, it exits 0; returns what it said on both outputs.
sub run_tool
{
	my ($what, @command) = @_;
	my $said = '';
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $succeeded = IPC::Run::run(\@command, '<', '/dev/null', '>&', \$said);
	note $said if $succeeded;
	ok($succeeded, $what) or diag "@command\n$said";
	return $said;
}

my $churn = <<'SQL';
\set id random(1, 3000)
\set length random(1, 300)
BEGIN;
DELETE FROM kept WHERE id = :id;
INSERT INTO kept SELECT :id, 1, string_agg(md5((:id * i)::text), '') FROM generate_series(1, :length) i ON CONFLICT (id) DO UPDATE SET n = kept.n + 1;
UPDATE kept SET n = n + 1 WHERE id BETWEEN :id + 1 AND :id + 5;
COMMIT;
SQL

# new_bank(name, setting => value ...): a server with checksums and a filled bank of pgbench's tables, 13 MB, in a pool of 1 MB.
sub new_bank
{
	my ($name, %settings) = @_;
	my $node = new_node($name, 'glassheap.buffers' => '1MB', %settings);
	$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
	$node->command_ok([ 'pgbench', '-i', '-q', '-F', '90', $node->connstr('postgres') ], "$name: pgbench -i");
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE kept (id int PRIMARY KEY, n int NOT NULL, pad text);
INSERT INTO kept SELECT g, 0, repeat('k', 100) FROM generate_series(1, 20000) g;
CREATE UNLOGGED TABLE unlogged AS SELECT generate_series(1, 1000) AS i;
VACUUM (ANALYZE);
SQL
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE amname = '" . access_method() . "' AND relname IN ('" . join("', '", @tables) . "')"),
		scalar @tables, "$name: its tables are " . access_method());
	return $node;
}

# pgbench that works until it is stopped; connection: elsewhere than at the server itself.
sub start_load
{
	my ($node, %what) = @_;
	my $seed = seed_from_environment();
	my $folder = PostgreSQL::Test::Utils::tempdir();
	append_to_file("$folder/churn", $churn);
	append_to_file("$folder/vacuum", "VACUUM kept, pgbench_accounts;\n");
	my @command = ('pgbench', '-n', '-c', 3, '-T', 3600, "--random-seed=$seed", '--max-tries=20', '-b', 'tpcb-like@30', '-f', "$folder/churn\@10",
		'-f', "$folder/vacuum\@1", @{ $what{options} // [] }, ($what{connection} // $node->connstr('postgres')) . ' application_name=load');
	my $load = { node => $node, output => "$folder/output" };
	$load->{run} = IPC::Run::start(\@command, '<', '/dev/null', '>', $load->{output}, '2>&1');
	$load->{begin} = worked($load, 0);
	return $load;
}

sub bookings { my ($load) = @_; return $load->{node}->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history'); }

# Waits until the load has booked more than so many; returns how many.
sub worked
{
	my ($load, $least) = @_;
	my $count;
	wait_until(sub {
			$load->{run}->pumpable or die 'pgbench ended: ' . slurp_file($load->{output});
			($count = bookings($load)) > $least;
		}, 'the load to work');
	return $count;
}

# Ends it, also what its sessions were at.
sub stop_load
{
	my ($load) = @_;
	$load->{run}->kill_kill;
	eval { IPC::Run::finish($load->{run}) };
	return unless defined $load->{node}{_pid};
	$load->{node}->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'load'") or die 'pgbench does not go';
	return;
}

# Pages that have left the pool; heap tells of none.
sub evictions { my ($node) = @_; return is_glassheap() ? $node->safe_psql('postgres', 'SELECT coalesce(sum(evictions), 0) FROM glassheap_stat_tables') : 0; }

# beside_load(node, what, work): the load was at work before and after it, and the pool was too small; returns how much was booked
# meanwhile.
sub beside_load
{
	my ($node, $what, $work) = @_;
	my $evictions = evictions($node);
	my $load = start_load($node);
	my $before = worked($load, $load->{begin} + 50);
	my $done = eval { $work->(); 1 };
	my $error = $@;
	my $after = $done ? bookings($load) : 0;
	worked($load, $after) if $done;
	stop_load($load);
	die $error unless $done;
	cmp_ok(evictions($node), '>', $evictions, "$what: pages left the pool") if is_glassheap();
	return $after - $before;
}

# The same of work that is long enough for the load to be seen during it.
sub under_load
{
	my ($node, $what, $work) = @_;
	cmp_ok(beside_load($node, $what, $work), '>', 0, "$what: under load");
	return;
}

# Rows of all tables.  Reading prunes: what is compared page by page afterwards must have been read before.
sub bank_digest { my ($node) = @_; return join '; ', map { "$_ " . table_digest($node, $_) } @tables; }

# Whether the books balance, in any consistent state.
sub balances
{
	my ($node) = @_;
	return $node->safe_psql('postgres', <<'SQL');
SELECT count(DISTINCT sum) FROM (SELECT sum(abalance) FROM pgbench_accounts UNION ALL SELECT sum(tbalance) FROM pgbench_tellers
 UNION ALL SELECT sum(bbalance) FROM pgbench_branches UNION ALL SELECT coalesce(sum(delta), 0) FROM pgbench_history) balances
SQL
}

sub soundness_faults
{
	my ($node) = @_;
	my @faults = cross_check_faults($node, relations_of($node));
	push @faults, 'the books do not balance' if balances($node) ne '1';
	push @faults, split /\n/, $node->safe_psql('postgres', 'SELECT v FROM glassheap_verify_all() v LIMIT 5') if is_glassheap();
	my ($rc, $out, $err) = $node->psql('postgres',
		"SELECT bt_index_check(indexrelid, true) FROM pg_index WHERE indrelid IN (SELECT oid FROM pg_class WHERE oid >= 16384 AND relpersistence = 'p')");
	push @faults, $err if $rc;
	return @faults;
}

# One test: books balance, counts by index are those of the pages, glassheap_verify and amcheck find nothing.
sub is_sound
{
	my ($node, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	verdict("$what: sound", soundness_faults($node));
	return;
}

# Everything written so far is in the archive.
sub archive_all
{
	my ($node) = @_;
	my $segment = $node->safe_psql('postgres', "SELECT pg_logical_emit_message(true, 'archive', ''); SELECT pg_walfile_name(pg_switch_wal())");
	($segment) = $segment =~ /(\w{24})$/;
	$node->poll_query_until('postgres', "SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver") or die "$segment is not archived";
	return;
}

# adopt_server(name, make): a server whose data directory make->(directory, server) lays down; not started.  Its configuration came
# with the data: only where it listens is its own.
sub adopt_server
{
	my ($name, $make) = @_;
	my $node = GlassheapNode->new($name);
	mkdir $_ for $node->backup_dir, $node->archive_dir;
	$make->($node->data_dir, $node);
	own_address($node);
	return $node;
}

sub own_address
{
	my ($node) = @_;
	my ($port, $host) = ($node->port, $node->host);
	$node->append_conf('postgresql.conf', "port = $port\nunix_socket_directories = '$host'\narchive_mode = off\n");
	return;
}

# same_forks(one, other, what): stops both; they hold the same in every fork.  Neither may have been read since.
sub same_forks
{
	my ($one, $other, $what) = @_;
	my @relations = relations_of($one);
	$_->PostgreSQL::Test::Cluster::stop('fast') for $other, $one;
	verdict("$what: the same in all forks of " . @relations . ' tables', compare_relations($one->data_dir, $other->data_dir, @relations));
	return;
}

# ---- what clients were told (start_acknowledging_writer), beside the bank; told: id => n
sub create_ledger_table
{
	my ($node, $rows) = @_;
	$node->safe_psql('postgres', "CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, pad text) WITH (fillfactor = 80);"
		. "INSERT INTO acc SELECT g, 0, repeat('a', 500) FROM generate_series(0, $rows - 1) g; VACUUM acc");
	return;
}

sub start_ledger_writer
{
	my ($node, $number, $writers, $rows, %more) = @_;
	return start_acknowledging_writer($node, number => $number, writers => $writers, rows => $rows, table => 'acc', folder => PostgreSQL::Test::Utils::tempdir(), %more);
}

sub wait_for_writers
{
	my (@writers) = @_;
	wait_until(sub { !grep { (-s "$_->{base}.out" // 0) < 2000 } @writers }, 'the writers to get going');
	return;
}

# Waits for the writers' end; returns how many rows they were told of.
sub collect_ledger
{
	my ($told, @writers) = @_;
	my $rows = 0;
	for my $writer (@writers)
	{
		my $answers = acknowledged($writer);
		$rows += keys %$answers;
		@$told{ keys %$answers } = values %$answers;
	}
	return $rows;
}

# Rows that are behind what was acknowledged, or ahead by more than the one statement under way.
sub lost_rows
{
	my ($node, %told) = @_;
	my %now = map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'SELECT id, n FROM acc WHERE id < 1000000');
	# A row in the middle of a move has its other number.
	my %moved = map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'SELECT id - 1000000, n FROM acc WHERE id >= 1000000');
	return grep { my $n = $now{$_} // $moved{$_} // -1; $n < $told{$_} || $n > $told{$_} + 1 } sort keys %told;
}

# Moves are ended; the ledger is what the table holds.
sub settled_ledger
{
	my ($node) = @_;
	return map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'UPDATE acc SET id = id - 1000000 WHERE id >= 1000000; SELECT id, n FROM acc');
}

# The checksum of a page of a table is wrong from now on, on disk; the server is stopped for it.  Returns the file.
sub damage_table
{
	my ($node, $table, $block) = @_;
	my $file = $node->safe_psql('postgres', "SELECT pg_relation_filepath('$table')");
	$node->not_compared("page $block of $table is damaged on purpose");
	$node->stop('fast');
	$node->corrupt_page_checksum($file, $block * 8192);
	return $file;
}

1;
