# test/tools/pgbouncer.pl: work through pgbouncer: pgbench in transaction pooling with more clients than servers, plain and extended
# protocol, prepared statements in session pooling; the server dies by kill -9 in the middle of it.  Nothing acknowledged
# through the pooler is lost, and a client that was idle works on through the same connection.
#
# heap: the same.  Control: the oracle misses a row that is taken away by hand.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapSession;
use GlassheapTest;
use GlassheapTools;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant { WRITERS => 4, ROWS => 400 };

needs('pgbouncer', 'pgbouncer');
seed_from_environment();
local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
my $folder = PostgreSQL::Test::Utils::tempdir();
my $bank = new_bank('bank');
my ($host, $port, $user) = ($bank->host, PostgreSQL::Test::Cluster::get_free_port(), scalar getpwuid($<));
my $server = "host=$host port=@{[$bank->port]} user=$user dbname=postgres";

append_to_file("$folder/pgbouncer.ini", <<"INI");
[databases]
by_transaction = $server pool_mode=transaction pool_size=3
by_session = $server pool_mode=session pool_size=8
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $host
auth_type = any
max_client_conn = 100
server_login_retry = 1
ignore_startup_parameters = extra_float_digits
logfile = $folder/log
pidfile = $folder/pid
admin_users = $user
INI
my $pooler = IPC::Run::start([ 'pgbouncer', '-q', "$folder/pgbouncer.ini" ], '<', '/dev/null', '>', "$folder/output", '2>&1');
sub through { my ($database) = @_; return "host=$host port=$port dbname=$database user=$user"; }
wait_until(sub { $pooler->pumpable or die slurp_file("$folder/output"); IPC::Run::run([ 'psql', '-XAtqc', 'SELECT 1', through('by_transaction') ], '>&', \my $out) }, 'pgbouncer');

# ---- all of pgbench's protocols; more clients than servers
for my $way ([ 'by_transaction', 'simple' ], [ 'by_transaction', 'extended' ], [ 'by_session', 'prepared' ])
{
	my ($database, $protocol) = @$way;
	my $before = $bank->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history');
	my $said = run_tool("pgbench -M $protocol $database", 'pgbench', '-n', '-c', 8, '-t', 200, '-M', $protocol, through($database));
	like($said, qr{transactions actually processed: 1600/1600}, "pgbench -M $protocol $database: all transactions");
	is($bank->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history') - $before, 1600, "pgbench -M $protocol $database: all in the table");
}
is_sound($bank, 'after pgbench');

# ---- the server dies under acknowledged work
$bank->safe_psql('postgres', 'CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, pad text) WITH (fillfactor = 80); INSERT INTO acc SELECT g, 0, repeat($$a$$, 500) FROM generate_series(0, ' . (ROWS - 1) . ') g; VACUUM acc');

sub lost
{
	my (%told) = @_;
	my %now = map { split /\|/ } split /\n/, $bank->safe_psql('postgres', 'SELECT id, n FROM acc WHERE id < 1000000');
	# A row in the middle of a move has its other number.
	my %moved = map { split /\|/ } split /\n/, $bank->safe_psql('postgres', 'SELECT id - 1000000, n FROM acc WHERE id >= 1000000');
	return grep { my $n = $now{$_} // $moved{$_} // -1; $n < $told{$_} || $n > $told{$_} + 1 } sort keys %told;
}

my %told;
for my $turn (1 .. 3)
{
	my $idle = GlassheapSession->new($bank, 'postgres', through('by_transaction'));
	$idle->ask('SELECT 1');
	my @writers = map {
		start_acknowledging_writer($bank, number => $_, writers => WRITERS, rows => ROWS, table => 'acc', folder => PostgreSQL::Test::Utils::tempdir(),
			connection => through($_ % 2 ? 'by_transaction' : 'by_session'))
	} 0 .. WRITERS - 1;
	my $load = start_load($bank, connection => through('by_transaction'));
	wait_until(sub { !grep { (-s "$_->{base}.out" // 0) < 2000 } @writers }, 'the writers to get going');
	$bank->safe_psql('postgres', 'CHECKPOINT');
	kill_server_9($bank);
	stop_load($load);
	my $rows = 0;
	for my $writer (@writers)
	{
		my $answers = acknowledged($writer);
		$rows += keys %$answers;
		@told{ keys %$answers } = values %$answers;
	}
	$bank->start;
	cmp_ok($rows, '>', WRITERS * 10, "turn $turn: $rows rows with acknowledged changes");
	is(join(' ', lost(%told)), '', "turn $turn: each is as acknowledged");
	is_sound($bank, "turn $turn, after kill -9");
	# pgbouncer tries again after server_login_retry.
	wait_until(sub { $idle->ask('SELECT count(*) FROM kept') =~ /^\d+$/ }, 'the idle client to be served');
	pass("turn $turn: the client that was idle goes on through its connection");
	$idle->close;
	%told = map { split /\|/ } split /\n/, $bank->safe_psql('postgres', 'UPDATE acc SET id = id - 1000000 WHERE id >= 1000000; SELECT id, n FROM acc');
}
$bank->safe_psql('postgres', 'DELETE FROM acc WHERE id = 7');
is(join(' ', lost(%told)), '7', 'a row taken away is noticed');
$pooler->signal('TERM');
eval { IPC::Run::finish($pooler) };
done_testing();
