# test/tools/pg_basebackup.pl: base backups under load, plain with a tablespace and as compressed tar files, and from a standby; pg_verifybackup
# of each; the servers made of them hold the primary's pages in every fork, also those in the tablespace.  Controls: a
# page with a wrong checksum makes pg_basebackup fail and name the file; a byte changed in the backup fails pg_verifybackup.
#
# heap: the same.  (A plain backup from a standby under load, as a standby: t/127_rewind.pl.)
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir_short();
my $bank = new_bank('bank', archive_mode => 'on', allow_in_place_tablespaces => 'off');
$bank->enable_archiving;
$bank->reload;
mkdir "$folder/elsewhere";
$bank->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$folder/elsewhere'");
$bank->safe_psql('postgres', 'ALTER TABLE pgbench_accounts SET TABLESPACE elsewhere; VACUUM (FREEZE) pgbench_accounts');

sub backup
{
	my ($what, $from, $to, @options) = @_;
	run_tool($what, 'pg_basebackup', '--no-sync', '-c', 'fast', '-D', "$folder/$to", '-d', $from->connstr('postgres'), @options);
	return "$folder/$to";
}

# Recovers to the end of the archive, in which everything is.
sub server_of
{
	my ($name, $make) = @_;
	my $node = adopt_server($name, $make);
	$node->enable_restoring($bank, 0);
	$node->start;
	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
	return $node;
}

sub judge
{
	my ($node, $digest) = @_;
	my $name = $node->name;
	same_forks($bank, $node, $name);
	checksums_ok($node);
	$_->start for $bank, $node;
	is(bank_digest($node), $digest, "$name: all rows");
	is_sound($node, $name);
	is($node->safe_psql('postgres', "SELECT count(*) FROM unlogged"), 0, "$name: unlogged tables are empty");
	$node->stop('fast');
	return;
}

# ---- plain, with a tablespace; WAL is streamed beside
my $plain;
under_load($bank, 'plain', sub { $plain = backup('pg_basebackup', $bank, 'plain', '-T', "$folder/elsewhere=$folder/elsewhere_plain") });
run_tool('pg_verifybackup', 'pg_verifybackup', $plain);
my $digest = bank_digest($bank);
archive_all($bank);
judge(server_of('plain', sub { system_or_bail('cp', '-a', $plain, $_[0]) }), $digest);

# ---- tar, compressed at the server
my $tar;
under_load($bank, 'tar', sub { $tar = backup('pg_basebackup -Ft', $bank, 'tar', '-Ft', '--compress=server-gzip:1', '-X', 'fetch') });
$digest = bank_digest($bank);
archive_all($bank);
my ($space) = map { m{/(\d+)\.tar} } glob("$tar/[0-9]*.tar.gz");
my $unpacked = sub {
	my ($data) = @_;
	mkdir $_, 0700 for $data, "$folder/elsewhere_tar";
	system_or_bail('tar', '-xzf', "$tar/base.tar.gz", '-C', $data);
	system_or_bail('tar', '-xzf', "$tar/$space.tar.gz", '-C', "$folder/elsewhere_tar");
	system_or_bail('cp', "$tar/backup_manifest", $data);
	run_tool('pg_verifybackup of what the tar files hold', 'pg_verifybackup', '-i', 'tablespace_map', '-i', 'pg_tblspc', '--no-parse-wal', $data);
	unlink "$data/tablespace_map";
	append_to_file("$data/tablespace_map", "$space $folder/elsewhere_tar\n");
};
judge(server_of('tar', sub { $unpacked->(@_) }), $digest);

# ---- from a standby, in tar format; the server made of it follows the standby
my $standby = new_standby_elsewhere();
my $from_standby;
under_load($bank, 'from a standby', sub { $from_standby = backup('pg_basebackup from a standby', $standby, 'from_standby', '-Fp', '-X', 'stream', '-R', '-T', "$folder/elsewhere_standby=$folder/elsewhere_second") });
run_tool('pg_verifybackup of it', 'pg_verifybackup', $from_standby);
my $second = adopt_server('second', sub { system_or_bail('cp', '-a', $from_standby, $_[0]) });
$second->start;
wait_for_replay($second, $bank);
is(bank_digest($second), bank_digest($bank), 'a standby of the standby, from its backup: all rows');
is_sound($second, 'a standby of the standby');
$second->follows($bank);
$second->compare_standby;    # stops both
checksums_ok($second);
$standby->stop('fast');
$bank->start;
$_->not_compared('compared above') for $second, $standby;

# ---- controls
append_to_file("$folder/changed", 'x');
my $changed = (grep { -s $_ } glob("$from_standby/base/5/*"))[0];
append_to_file($changed, 'x');
command_checks_all([ 'pg_verifybackup', $from_standby ], 1, [], [qr/has size \d+ on disk but size \d+ in the manifest/], 'pg_verifybackup: a file that has grown');
truncate $changed, (-s $changed) - 1;
damage_file($changed);
command_checks_all([ 'pg_verifybackup', $from_standby ], 1, [], [qr/checksum mismatch for file/], 'pg_verifybackup: a byte that has changed');
my $file = damage_table($bank, 'kept', 3);
$bank->start;
command_checks_all([ 'pg_basebackup', '--no-sync', '-c', 'fast', '-D', "$folder/damaged", '-T', "$folder/elsewhere=$folder/elsewhere_damaged", '-d', $bank->connstr('postgres') ], 1, [],
	[ qr/checksum verification failed in file "\.\/$file", block 3/, qr/checksum error occurred/ ], 'pg_basebackup names the damaged page');
done_testing();

sub new_standby_elsewhere
{
	my $copy = backup('pg_basebackup for a standby', $bank, 'standby', '-R', '-T', "$folder/elsewhere=$folder/elsewhere_standby");
	my $node = adopt_server('standby', sub { system_or_bail('cp', '-a', $copy, $_[0]) });
	$node->start;
	return $node;
}

sub damage_file
{
	my ($path) = @_;
	open my $file, '+<:raw', $path or die "$path: $!";
	seek $file, 5000, 0;
	read $file, my $byte, 1;
	seek $file, 5000, 0;
	print $file chr(255 - ord $byte);
	close $file;
	return;
}
