# test/tools/barman.pl: barman takes a backup under load by pg_basebackup, receives the WAL by pg_receivewal through a slot, and
# recovers: to the end, with all rows and the server's pages in every fork, and to a named point.
# Control: a page with a wrong checksum makes its backup fail.
#
# heap: the same.
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

needs('barman', 'barman');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $bank = new_bank('bank', max_replication_slots => 5);
my $bin = $bank->config_data('--bindir');
my $connection = $bank->connstr . " user=@{[scalar getpwuid($<)]}";

append_to_file("$folder/conf", <<"CONF");
[barman]
barman_user = @{[scalar getpwuid($<)]}
barman_home = $folder/barman
barman_lock_directory = $folder
log_file = $folder/barman.log
log_level = INFO
immediate_checkpoint = true
path_prefix = $bin

[bank]
description = glassheap
conninfo = $connection dbname=postgres
streaming_conninfo = $connection
backup_method = postgres
streaming_archiver = on
slot_name = barman
CONF
mkdir "$folder/barman";

sub barman
{
	my ($what, @arguments) = @_;
	return run_tool($what, 'barman', '-c', "$folder/conf", @arguments);
}

# What has been received so far is filed.
sub file_wal
{
	$bank->safe_psql('postgres', "SELECT pg_logical_emit_message(true, 'barman', '')");
	barman('switch-wal', 'switch-wal', '--force', '--archive', '--archive-timeout', '120', 'bank');
	return;
}

sub recover
{
	my ($name, @options) = @_;
	my $node = adopt_server($name, sub { mkdir $_[0]; barman("recover: $name", 'recover', @options, 'bank', 'latest', $_[0]) });
	$node->append_conf('postgresql.auto.conf', "recovery_target_action = 'promote'\n");
	$node->start;
	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
	return $node;
}

my $receiver;

sub receive
{
	my $run = IPC::Run::start([ 'barman', '-c', "$folder/conf", 'receive-wal', 'bank' ], '<', '/dev/null', '>>', "$folder/receiver", '2>&1');
	$bank->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_replication_slots WHERE slot_name = 'barman' AND active") or die 'no receiver';
	return $run;
}

sub end_receiver
{
	$receiver->signal('TERM') if $receiver->pumpable;
	eval { IPC::Run::finish($receiver) };
	return;
}

barman('receive-wal --create-slot', 'receive-wal', '--create-slot', 'bank');
$receiver = receive();
file_wal();
barman('check', 'check', 'bank');

under_load($bank, 'backup', sub { like(barman('backup', 'backup', '--wait', 'bank'), qr/Backup completed/, 'backup: completed') });
beside_load($bank, 'after it', sub { $bank->safe_psql('postgres', 'VACUUM (FREEZE) kept; DELETE FROM kept WHERE id > 15000; VACUUM kept') });
my $digest_of_point = bank_digest($bank);
$bank->safe_psql('postgres', "SELECT pg_create_restore_point('here'); UPDATE kept SET n = n + 1; DROP TABLE unlogged");
my $digest = bank_digest($bank);
file_wal();

my $restored = recover('restored');
same_forks($bank, $restored, 'restored');
checksums_ok($restored);
$_->start for $bank, $restored;
is(bank_digest($restored), $digest, 'restored: all rows');
is_sound($restored, 'restored');
$restored->stop('fast');

my $point = recover('point', '--target-name', 'here');
is(bank_digest($point), $digest_of_point, 'to a name: the rows of that point');
is_sound($point, 'to a name');
$point->stop('fast');

# ---- control
damage_table($bank, 'kept', 3);
$bank->start;
end_receiver();
$receiver = receive();
command_checks_all([ 'barman', '-c', "$folder/conf", 'backup', 'bank' ], 1, [], [qr/failed/i], 'backup of a damaged page fails');
like(slurp_file("$folder/barman.log"), qr/checksum verification failed|checksum error/, 'and its log says why');
end_receiver();
done_testing();
