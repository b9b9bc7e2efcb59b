# test/tools/repmgr.pl: a primary and a standby of repmgr's.  The primary dies by kill -9 under acknowledged work
# (synchronous_commit = remote_apply); repmgrd promotes the standby by itself, and nothing acknowledged is lost; the dead one rejoins
# by pg_rewind (repmgr node rejoin --force-rewind) and holds the same in every fork.  Then back: a clean stop, repmgr standby
# promote by hand, rejoin without pg_rewind.  repmgr's own tables are made ours, too.
#
# heap: the same.  Control: the oracle names a row that is taken away by hand.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use GlassheapTools;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use constant { WRITERS => 3, ROWS => 300 };

my $library = `pg_config --pkglibdir`;
chomp $library;
plan skip_all => 'repmgr is not installed (Debian package postgresql-15-repmgr)' unless -e "$library/repmgr.so";
needs('repmgr', 'postgresql-15-repmgr');
seed_from_environment();
my $folder = PostgreSQL::Test::Utils::tempdir();
my $one = new_bank('one', shared_preload_libraries => is_glassheap() ? "'glassheap, repmgr'" : 'repmgr', wal_log_hints => 'on', synchronous_commit => 'remote_apply',
	wal_keep_size => '2GB');
create_ledger_table($one, ROWS);
$one->safe_psql('postgres', 'CREATE DATABASE repmgr');
my $user = getpwuid($<);
my $bin = $one->config_data('--bindir');

sub repmgr_connection { my ($node) = @_; return $node->connstr('repmgr') =~ s/dbname='repmgr'/dbname=repmgr/r . " user=$user connect_timeout=10"; }

sub configure
{
	my ($node, $number) = @_;
	my $conf = "$folder/" . $node->name . '.conf';
	append_to_file($conf, <<"CONF");
node_id=$number
node_name='@{[$node->name]}'
conninfo='@{[repmgr_connection($node)]}'
data_directory='@{[$node->data_dir]}'
pg_bindir='$bin'
pg_ctl_options='-l @{[$node->logfile]}'
failover=automatic
promote_command='repmgr -f $conf standby promote'
follow_command='repmgr -f $conf standby follow --upstream-node-id=%n'
monitor_interval_secs=1
reconnect_attempts=3
reconnect_interval=1
node_rejoin_timeout=120
standby_reconnect_timeout=120
CONF
	return;
}

sub repmgr
{
	my ($what, $node, @arguments) = @_;
	return run_tool($what, 'repmgr', '-f', "$folder/" . $node->name . '.conf', @arguments);
}

# Clones, starts and registers a standby of the other one.
sub standby_of
{
	my ($primary, $name, $number) = @_;
	my $clone = sub {
		my ($data, $node) = @_;
		configure($node, $number);
		repmgr("standby clone $name", $node, '-h', $primary->host, '-p', $primary->port, '-U', $user, '-d', 'repmgr', '--fast-checkpoint', 'standby', 'clone');
	};
	my $node = adopt_server($name, $clone);
	$node->start;
	repmgr("standby register $name", $node, 'standby', 'register');
	return $node;
}

# Nobody is told of a commit before the standby has replayed it.
sub make_synchronous
{
	my ($primary) = @_;
	$primary->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = '*'");
	$primary->reload;
	$primary->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'") or die 'no synchronous standby';
	return;
}

# The other one's place in the cluster, by pg_rewind or not; what starts it is repmgr.
sub rejoin
{
	my ($old, $new, @options) = @_;
	my $said = repmgr($old->name . ": node rejoin @options", $old, '-d', repmgr_connection($new), 'node', 'rejoin', '--config-files=postgresql.conf', "--config-archive-dir=$folder", @options);
	$old->_update_pid(1);
	return $said;
}

sub judge
{
	my ($old, $new) = @_;
	wait_for_replay($old, $new);
	is(bank_digest($old), bank_digest($new), $old->name . ': all rows, as a standby');
	is_sound($old, $old->name . ', as a standby');
	return;
}

configure($one, 1);
repmgr('primary register', $one, 'primary', 'register');
# What an extension's script creates is heap.
$one->safe_psql('repmgr', "ALTER TABLE repmgr.$_ SET ACCESS METHOD " . access_method()) for qw(nodes events monitoring_history voting_term);
my $two = standby_of($one, 'two', 2);
make_synchronous($one);
my $daemon = IPC::Run::start([ 'repmgrd', '-f', "$folder/two.conf", '--daemonize=false', '--no-pid-file', '--verbose' ], '<', '/dev/null', '>', "$folder/daemon", '2>&1');
$two->poll_query_until('repmgr', 'SELECT repmgr.repmgrd_is_running()') or die 'repmgrd does not run';

# ---- the primary dies
my @writers = map { start_ledger_writer($one, $_, WRITERS, ROWS) } 0 .. WRITERS - 1;
my $load = start_load($one);
wait_for_writers(@writers);
kill_server_9($one);
stop_load($load);
my %told;
my $rows = collect_ledger(\%told, @writers);
cmp_ok($rows, '>', WRITERS * 10, "$rows rows with acknowledged changes");
$two->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'repmgrd does not promote: ' . slurp_file("$folder/daemon");
pass('repmgrd has promoted the standby');
is(join(' ', lost_rows($two, %told)), '', 'failover: each is as acknowledged');
is_sound($two, 'the new primary');
wait_until(sub { slurp_file("$folder/daemon") =~ /monitoring cluster primary "two"/ }, 'repmgrd to go on');
$daemon->signal('TERM');
eval { IPC::Run::finish($daemon) };

# ---- it comes back, beside work on the new primary.  pg_rewind of 15 goes by the timeline of the source's last checkpoint.
$two->safe_psql('postgres', 'CHECKPOINT');
under_load($two, 'the new primary', sub { like(rejoin($one, $two, '--force-rewind'), qr/pg_rewind/, 'pg_rewind was needed') });
judge($one, $two);

# ---- and back, without a crash
make_synchronous($two);
%told = settled_ledger($two);
@writers = map { start_ledger_writer($two, $_, WRITERS, ROWS) } 0 .. WRITERS - 1;
wait_for_writers(@writers);
$two->PostgreSQL::Test::Cluster::stop('fast');
collect_ledger(\%told, @writers);
repmgr('standby promote', $one, 'standby', 'promote');
is(join(' ', lost_rows($one, %told)), '', 'after a clean stop: each is as acknowledged');
rejoin($two, $one);
judge($two, $one);
$two->follows($one);
$two->compare_standby;    # stops both
checksums_ok($_) for $one, $two;
$_->not_compared('compared above') for $one, $two;
$one->start;
$one->safe_psql('postgres', 'DELETE FROM acc WHERE id = 7');
is(join(' ', lost_rows($one, %told)), '7', 'a row taken away is noticed');
done_testing();
