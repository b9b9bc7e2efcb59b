# test/tools/pgbouncer.pl: work through pgbouncer: pgbench in transaction pooling with more clients than servers, plain and extended
# protocol, prepared statements in session pooling; the server dies by kill -9 in the middle of it.  Nothing acknowledged
# through the pooler is lost, some before, some behind the crash; a client that was idle works on through its connection.
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

# A refused login makes pgbouncer close every client that waits, until it tries again: so nobody waits until a new one is served.
sub serves
{
	my ($database) = @_;
	wait_until(sub { $pooler->pumpable or die slurp_file("$folder/output"); IPC::Run::run([ 'psql', '-XAtqc', 'SELECT 1', through($database) ], '>&', \my $out) },
		'pgbouncer to serve');
	return;
}

serves('by_transaction');

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
create_ledger_table($bank, ROWS);
my %told;
for my $turn (1 .. 3)
{
	my $idle = GlassheapSession->new($bank, 'postgres', through('by_transaction'));
	$idle->ask('SELECT 1');
	my @writers = map { start_ledger_writer($bank, $_, WRITERS, ROWS, statements => 1500, connection => through($_ % 2 ? 'by_transaction' : 'by_session')) } 0 .. WRITERS - 1;
	my $load = start_load($bank, connection => through('by_transaction'));
	wait_for_writers(@writers);
	$bank->safe_psql('postgres', 'CHECKPOINT');
	kill_server_9($bank);
	stop_load($load);
	$bank->start;
	my $rows = collect_ledger(\%told, @writers);
	cmp_ok($rows, '>', WRITERS * 10, "turn $turn: $rows rows with acknowledged changes");
	is(join(' ', lost_rows($bank, %told)), '', "turn $turn: each is as acknowledged");
	is_sound($bank, "turn $turn, after kill -9");
	serves('by_transaction');
	like($idle->ask('SELECT count(*) FROM kept'), qr/^\d+$/, "turn $turn: the client that was idle goes on through its connection");
	$idle->close;
	%told = settled_ledger($bank);
}
$bank->safe_psql('postgres', 'DELETE FROM acc WHERE id = 7');
is(join(' ', lost_rows($bank, %told)), '7', 'a row taken away is noticed');
$pooler->signal('TERM');
eval { IPC::Run::finish($pooler) };
done_testing();
