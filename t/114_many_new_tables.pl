# t/114_many_new_tables.pl: what the look at files that change hands costs a transaction that makes many tables, in
# relations looked up and in entries of core's list of new files (faults C4, F18, F5 of issue 7): both are said at DEBUG3
# when the transaction ends.  And that a file of the same transaction is handed over if its method does change.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs two access methods' unless is_glassheap();

my $node = new_node('main', wal_keep_size => '1GB', max_locks_per_transaction => 256);
my $standby = new_standby($node, 'standby');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# Relations looked up, and entries of the list walked, by one transaction.
sub cost_of
{
	my ($method, @commands) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', join(";\n", "SET default_table_access_method = $method", 'BEGIN', @commands, 'SET LOCAL client_min_messages = debug3', 'COMMIT'),
		on_error_stop => 1);
	is($rc, 0, "$method, " . substr($commands[0], 0, 50) . ' ..: done') or diag($err);
	$err =~ /looked for the owners of (\d+) relations, in lists of (\d+) files/ or die "$method, $commands[0] ..: no word of what the looks cost";
	return ($1, $2);
}

sub handed_over
{
	my ($from) = @_;
	my $to = sql('CREATE TABLE flushed AS SELECT 1; DROP TABLE flushed; SELECT pg_current_wal_flush_lsn()');
	return sql("SELECT count(*) FROM pg_get_wal_records_info('$from', '$to') WHERE resource_manager = 'glassheap' AND description LIKE 'file_event%'");
}

sub block { my ($n, $body) = @_; return "DO \$do\$ BEGIN FOR i IN 1..$n LOOP $body END LOOP; END \$do\$"; }
sub each_of { my ($n, $command) = @_; return map { my $c = $command; $c =~ s/%s/$_/g; $c } 1 .. $n; }
my $create = 'CREATE TABLE new_%s (id int PRIMARY KEY, note text)';
my $protected = "EXECUTE format('$create', i); BEGIN EXECUTE format('CREATE INDEX ON new_%s (note)', i); EXECUTE format('INSERT INTO new_%s VALUES (1)', i); EXCEPTION WHEN others THEN RAISE; END;";
my $nested = "BEGIN EXECUTE format('$create', i); BEGIN EXECUTE format('ALTER TABLE new_%s ADD x int', i); RAISE 'undone'; EXCEPTION WHEN others THEN NULL; END; EXCEPTION WHEN others THEN RAISE; END;"
  . " EXECUTE format('INSERT INTO new_%s VALUES (1)', i);";

# Each makes or drops n tables; the next one needs what the one before it left.
my @cases = (
	[ 'created one by one' => sub { each_of($_[0], $create) } ],
	[ 'truncated one by one, each after a savepoint' => sub { each_of($_[0], 'SAVEPOINT s; TRUNCATE new_%s; INSERT INTO new_%s VALUES (1); RELEASE s') } ],
	[ 'indexed one by one' => sub { each_of($_[0], 'CREATE INDEX ON new_%s (note)') } ],
	[ 'rewritten one by one' => sub { each_of($_[0], 'ALTER TABLE new_%s ALTER id TYPE bigint') } ],
	[ 'dropped one by one' => sub { each_of($_[0], 'DROP TABLE new_%s') } ],
	[ 'created in a block, with savepoints' => sub { block($_[0], $protected) } ],
	[ 'dropped by one command' => sub { 'DROP TABLE ' . join(', ', each_of($_[0], 'new_%s')) } ],
	[ 'created in nested blocks, with errors' => sub { block($_[0], $nested) } ],
	[ 'dropped once more' => sub { 'DROP TABLE ' . join(', ', each_of($_[0], 'new_%s')) } ]);

my ($few, $many) = (30, 120);
my %cost;
for my $method (qw(glassheap heap))
{
	my $from = sql('SELECT pg_current_wal_insert_lsn()');
	for my $n ($few, $many)
	{
		for my $case (@cases)
		{
			my ($what, $make) = @$case;
			$cost{$method}{$what}{$n} = [ cost_of($method, $make->($n)) ];
		}
	}
	for my $case (@cases)
	{
		my $what = $case->[0];
		my ($small, $large) = @{ $cost{$method}{$what} }{ $few, $many };
		note("$method, $what: $few tables: @$small, $many tables: @$large");
		cmp_ok($large->[0] * $few, '<=', 1.2 * $small->[0] * $many, "$method, $what: looked up in proportion to the tables");
		cmp_ok($large->[0], '<=', 10 * $many, "$method, $what: and few for each");
		is("$small->[1] $large->[1]", '0 0', "$method, $what: core's list of files is not walked");
	}
	is(handed_over($from), 0, "$method: no file was handed over");
}
cmp_ok($cost{heap}{'created one by one'}{$many}[0], '>=', $many, 'new tables are looked at');

# ---- a file of this transaction whose method changes
sub give { my ($table, $method) = @_; return "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '$method') WHERE oid = '$table'::regclass"; }
my $rows = "SELECT g, repeat('n', 100) FROM generate_series(1, 2000) g";
my %expected;
my $before_giving = sql('SELECT pg_current_wal_insert_lsn()');
for my $case ([ glassheap => 'heap' ], [ heap => 'glassheap' ])
{
	my ($from, $to) = @$case;
	my $made = "CREATE TABLE %s (id int PRIMARY KEY, note text) USING $from; INSERT INTO %s $rows";
	my $sum = "SELECT count(*) || ' ' || sum(id)";
	my %scripts = (
		given => [ $made, give('%s', $to), "$sum FROM %s" ],
		outer => [ $made, 'SAVEPOINT a', give('%s', $to), "$sum FROM %s", 'RELEASE a' ],
		undone => [ $made, 'SAVEPOINT a', give('%s', $to), 'DELETE FROM %s WHERE id > 10', 'ROLLBACK TO a', "$sum FROM %s" ],
		twice => [ $made, give('%s', $to), 'SAVEPOINT a', give('%s', $from), 'DELETE FROM %s WHERE id > 10', 'ROLLBACK TO a', "$sum FROM %s" ],
		truncated => [ "$made; COMMIT; BEGIN; TRUNCATE %s; INSERT INTO %s $rows", give('%s', $to), "$sum FROM %s" ]);
	for my $name (sort keys %scripts)
	{
		my $table = "${from}_$name";
		my $script = join(';', 'BEGIN', @{ $scripts{$name} }, 'COMMIT');
		$script =~ s/%s/$table/g;
		is(sql($script), '2000 2001000', "new table of $from, $name: seen by its transaction");
		$expected{$table} = '2000 2001000';
	}
	sql("BEGIN; CREATE TABLE gone (id int, note text) USING $from; INSERT INTO gone $rows; " . give('gone', $to) . '; INSERT INTO gone SELECT 1; ROLLBACK');
}
cmp_ok(handed_over($before_giving), '>=', 4, 'files given away are handed over');    # from ours: given, outer, truncated; twice
sub all_there
{
	my ($server, $when) = @_;
	my %got = map { $_ => $server->safe_psql('postgres', "SELECT count(*) || ' ' || sum(id) FROM $_") } keys %expected;
	is_deeply(\%got, \%expected, "new tables given away: $when");
	return;
}
all_there($node, 'afterwards');
$node->wait_for_catchup($standby, 'replay');
all_there($standby, 'on the standby');
kill_server_9($node);
$node->start;
all_there($node, 'after kill -9');
unlike(slurp_file($node->logfile), qr/two buffer pools/, 'no table was taken for damaged');

# ---- wal_level = minimal: core syncs or logs new files when their transaction commits
my $minimal = new_node('minimal', wal_level => 'minimal', max_wal_senders => 0, archive_mode => 'off');
for my $case ([ glassheap => 'heap' ], [ heap => 'glassheap' ])
{
	my ($from, $to) = @$case;
	$minimal->safe_psql('postgres', "BEGIN; CREATE TABLE of_$from (id int, note text) USING $from; INSERT INTO of_$from SELECT g, 'old' FROM generate_series(1, 10) g; "
		. give("of_$from", $to) . "; UPDATE of_$from SET note = 'new'; COMMIT");
}
kill_server_9($minimal);
$minimal->start;
is($minimal->safe_psql('postgres', "SELECT count(*) FROM of_$_ WHERE note = 'new'"), 10, "wal_level = minimal, new table of $_ given away: after kill -9") for qw(glassheap heap);
unlike(slurp_file($minimal->logfile), qr/two buffer pools/, 'wal_level = minimal: no table was taken for damaged');

done_testing();
