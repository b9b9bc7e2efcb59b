# t/153_conflicts.pl: who reads on a standby what replay takes away is cancelled as with heap: the same sessions, SQLSTATE, detail, and column
# of pg_stat_database_conflicts, for every kind of conflict, with a limit; and without one as far as core waits at all.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapScans;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', wal_writer_delay => '10ms', log_line_prefix => "'%m [%p] %e %q%a '");
sub sql { my ($query, $database) = @_; return $primary->safe_psql($database // 'postgres', $query); }
sql($_) for "CREATE TABLESPACE spills LOCATION ''", 'CREATE DATABASE other', 'CREATE TABLE locked ()';
my $standby = new_standby($primary, 'standby', hot_standby_feedback => 'off', deadlock_timeout => '100ms', log_recovery_conflict_waits => 'on');
sub there { my ($query) = @_; return $standby->safe_psql('postgres', $query); }
sub catch_up { $primary->wait_for_catchup($standby); return; }
sub set_there { my ($name, $value) = @_; there("ALTER SYSTEM SET $name = '$value'; SELECT pg_reload_conf()"); return; }
sub caught_in { my ($where) = @_; return "EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup' AND $where)"; }

# ---- what became of somebody: level, SQLSTATE, detail of each cancellation in the log
sub verdicts
{
	my ($from) = @_;
	my ($log, @found) = (slurp_file($standby->logfile, $from));
	while ($log =~ /\[(\d+)\] (\w{5}) \S+ (ERROR|FATAL):  (?:canceling statement|terminating connection) due to conflict with recovery[^\n]*\n(?:.*\n)*?.*\[\1\] \w{5} \S+ DETAIL:  (.*)\n/g)
	{
		push @found, "$3 $2: $4";
	}
	return @found;
}
my %detail = (
	snapshot => 'User query might have needed to see row versions that must be removed.',
	lock => 'User was holding a relation lock for too long.',
	bufferpin => 'User was holding shared buffer pin for too long.',
	deadlock => 'User transaction caused buffer deadlock with recovery.',
	tablespace => 'User was or might have been using tablespace that must be dropped.',
	database => 'User was connected to a database that must be dropped.');

my %column = reverse %detail;
my @columns = qw(bufferpin deadlock lock snapshot tablespace);
my $count_query = 'SELECT concat_ws($$ $$, ' . join(', ', map { "'$_', confl_$_" } @columns) . ") FROM pg_stat_database_conflicts WHERE datname = 'postgres'";

# Each cancellation that is in the log; the statistics come when the session has time.
sub is_counted
{
	my ($what) = @_;
	my $expected = sub {
		my %count;
		$count{ $column{$_} }++ for map { /: (.*)/ } verdicts(0);
		return join ' ', map { "$_ " . ($count{$_} // 0) } @columns;
	};
	wait_until(sub { there($count_query) eq $expected->() }, "$what: " . $expected->() . ' to be counted');
	return;
}

# ---- the cases
my $number = 0;
# A table of $rows rows of about nine a page; the name is in $_[0] for the case's statements.
sub make_table
{
	my ($rows) = @_;
	my $table = 't' . ++$number;
	sql("CREATE TABLE $table (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 80);"
		. "INSERT INTO $table SELECT g, 0, repeat('x', 700) FROM generate_series(1, $rows) g");
	return $table;
}
my $rows = 200;
my $read = sub { "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM $_[0]" };
my $pin = sub { "BEGIN; DECLARE c CURSOR FOR SELECT id FROM $_[0]; FETCH c" };
my $vacuum = sub { ("DELETE FROM $_[0] WHERE id % 2 = 0", "VACUUM (TRUNCATE off) $_[0]") };
my @cases = (
	{ name => 'vacuum', hold => $read, change => $vacuum, is => 'snapshot' },
	{ name => 'vacuum, an index-only scan', hold => sub { 'BEGIN ISOLATION LEVEL REPEATABLE READ; SET enable_seqscan = off; SELECT count(id) FROM ' . $_[0] }, change => $vacuum, is => 'snapshot' },
	{ name => 'pruning', hold => $read, change => sub { ("UPDATE $_[0] SET n = n + 1 WHERE id < 3") x 10 }, is => 'snapshot' },
	{ name => 'freezing', hold => $read, change => sub { ("INSERT INTO $_[0] SELECT g, 0, '' FROM generate_series(1001, 2000) g", "VACUUM (FREEZE) $_[0]") }, is => 'snapshot' },
	{ name => 'map bits alone', hold => $read, change => sub { ("INSERT INTO $_[0] VALUES (1001, 0, '')", "VACUUM $_[0]") }, is => 'snapshot' },
	{ name => 'truncation of the tail', before => sub { "DELETE FROM $_[0] WHERE id > 50" }, hold => $read, change => sub { "VACUUM $_[0]" }, is => 'lock' },
	{ name => 'DROP TABLE', hold => $read, change => sub { "DROP TABLE $_[0]" }, is => 'lock' },
	{ name => 'TRUNCATE', hold => $read, change => sub { "TRUNCATE $_[0]" }, is => 'lock' },
	{ name => 'an exclusive lock', hold => $read, change => sub { "BEGIN; LOCK TABLE $_[0]; COMMIT" }, is => 'lock' },
	{ name => 'VACUUM FULL', hold => $read, change => sub { "VACUUM FULL $_[0]" }, is => 'lock' },
	{ name => 'a pin', before => sub { "DELETE FROM $_[0] WHERE id % 2 = 0" }, hold => $pin, change => sub { "VACUUM (TRUNCATE off) $_[0]" }, is => 'bufferpin' },
	{ name => 'a pin, reading by index', before => sub { "DELETE FROM $_[0] WHERE id % 2 = 0" },
		hold => sub { "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; DECLARE c CURSOR FOR SELECT id, n FROM $_[0] ORDER BY id; FETCH c" },
		change => sub { "VACUUM (TRUNCATE off, INDEX_CLEANUP off) $_[0]" }, is => 'bufferpin' },
	# The session of a case that also waits for a lock which replay holds.
	{ name => 'a pin of who waits for replay', before => sub { ("DELETE FROM $_[0] WHERE id % 2 = 0", "BEGIN; LOCK TABLE locked; PREPARE TRANSACTION 'lock'") },
		hold => $pin, waits => sub { 'SELECT * FROM locked' }, change => sub { "VACUUM (TRUNCATE off) $_[0]" }, after => "ROLLBACK PREPARED 'lock'", is => 'deadlock', endless => 1 },
	{ name => 'DROP TABLESPACE', hold => sub { "BEGIN; SET work_mem = '64kB'; SET temp_tablespaces = spills; DECLARE c CURSOR FOR SELECT count(*) FROM generate_series(1, 6000); FETCH c" },
		change => sub { 'DROP TABLESPACE spills' }, is => 'tablespace' },
	{ name => 'DROP DATABASE', database => 'other', hold => sub { 'BEGIN' }, change => sub { 'DROP DATABASE other' }, is => 'database', endless => 1 });

# Idle in a transaction: the session ends.  In a statement (for which a lock of somebody else's stands): the statement does.
my $obstacle = GlassheapSession->new($standby);
$obstacle->ask('SELECT pg_advisory_lock(7)');
sub run_case
{
	my ($case, $delay, $running) = @_;
	my $what = "$case->{name}, $delay" . ($running ? ', in a statement' : '');
	set_there('max_standby_streaming_delay', $delay);
	my $table = make_table($rows);
	sql($_) for $case->{before} ? $case->{before}->($table) : ();
	catch_up();
	my $session = GlassheapSession->new($standby, $case->{database});
	$session->ask($case->{hold}->($table));
	my $waits = $case->{waits} ? $case->{waits}->($table) : $running ? 'SELECT pg_advisory_lock(7)' : undef;
	if ($waits)
	{
		$session->begin($waits);
		$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND backend_type = 'client backend'") or die 'it does not wait';
	}
	my $log = -s $standby->logfile;
	sql($_) for $case->{change}->($table);
	catch_up();
	my $level = $waits ? 'ERROR' : 'FATAL';
	my $sqlstate = $case->{is} eq 'database' ? '57P04' : '40001';
	wait_until(sub { verdicts($log) }, 'a verdict') if $waits;
	my $last = "FATAL $sqlstate: $detail{$case->{is}}";    # behind an ERROR too, if the session was signalled again meanwhile
	my ($verdict, @others) = verdicts($log);
	is($verdict, "$level $sqlstate: $detail{$case->{is}}", "$what: the verdict");
	is_deeply(\@others, [ ($last) x @others ], "$what: and no other one");
	is($session->end, "ERROR:  $sqlstate", "$what: what the client gets") if $waits;
	eval { $session->close };
	sql($case->{after}) if $case->{after};
	is_counted($what);
	return;
}
for my $case (@cases)
{
	run_case($case, $case->{endless} ? '-1' : '50ms');
}
# At once; and in the middle of a statement.
for my $case (grep { $_->{name} =~ /^(?:vacuum|DROP TABLE|truncation of the tail)$/ } @cases)
{
	run_case($case, '0');
	run_case($case, '50ms', 1);
}
$obstacle->close;
$standby->stop;
$primary->stop;
done_testing();
