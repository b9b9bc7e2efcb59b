# test/tools/pgbackrest.pl: pgBackRest takes a full and an incremental backup under load and restores them: to the end of the
# archive and, over what has become of that server (--delta), as a standby.  Both have all rows and the primary's pages in every fork.
# Control: a page with a wrong checksum is named by its page check, which said nothing before.
#
# heap: the same; pgBackRest reads files, and the pages that are torn or old in them are healed by the WAL of the backup.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Utils;
use Test::More;

needs('pgbackrest', 'pgbackrest');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $bank = new_bank('bank', archive_mode => 'on');

sub pgbackrest
{
	my ($what, @arguments) = @_;
	return run_tool($what, 'pgbackrest', "--config=$folder/conf", '--stanza=bank', @arguments);
}

append_to_file("$folder/conf", <<"CONF");
[global]
repo1-path=$folder/repo
repo1-retention-full=9
lock-path=$folder/lock
log-path=$folder
spool-path=$folder
log-level-console=detail
start-fast=y
compress-level=1
[bank]
pg1-path=@{[$bank->data_dir]}
pg1-port=@{[$bank->port]}
pg1-socket-path=@{[$bank->host]}
CONF
$bank->append_conf('postgresql.conf', "archive_command = 'pgbackrest --config=$folder/conf --stanza=bank --log-level-console=warn archive-push %p'");
$bank->reload;
pgbackrest('stanza-create', 'stanza-create');
pgbackrest('check', 'check');

my $page_error = qr/invalid page checksum|page misalignment|\berror.* page/i;
under_load($bank, 'full backup', sub { unlike(pgbackrest('full backup', '--type=full', 'backup'), $page_error, 'full backup: its page check finds nothing') });
$bank->safe_psql('postgres', 'CREATE TABLE later AS SELECT g AS id FROM generate_series(1, 5000) g; VACUUM (FREEZE) later; DELETE FROM kept WHERE id > 15000; VACUUM kept');
under_load($bank, 'incremental backup', sub {
		my $said = pgbackrest('incremental backup', '--type=incr', 'backup');
		unlike($said, $page_error, 'incremental backup: its page check finds nothing');
		like($said, qr/last backup label/, 'it is incremental');
	});
is(() = pgbackrest('info', 'info', '--output=json') =~ /"error":false/g, 2, 'info: both backups without an error');

# ---- to the end of the archive
my $digest = bank_digest($bank);
archive_all($bank);
my $restored = adopt_server('restored', sub { pgbackrest('restore', "--pg1-path=$_[0]", 'restore') });
$restored->start;
$restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
same_forks($bank, $restored, 'restored');
checksums_ok($restored);
$_->start for $bank, $restored;
is(bank_digest($restored), $digest, 'restored: all rows');
is($restored->safe_psql('postgres', 'SELECT count(*) FROM later'), 5000, 'restored: also of the table that the full backup has not');
is_sound($restored, 'restored');

# ---- over a server that has gone its own way: only what differs is fetched
$restored->safe_psql('postgres', 'UPDATE pgbench_accounts SET abalance = 77 WHERE aid % 10 = 0; TRUNCATE kept; DROP TABLE later; CREATE TABLE own AS SELECT 1 AS i');
$restored->stop('fast');
my $said = pgbackrest('restore --delta', "--pg1-path=@{[$restored->data_dir]}", '--delta', '--type=standby',
	"--recovery-option=primary_conninfo=@{[$bank->connstr]}", '--log-level-console=detail', 'restore');
like($said, qr/exists and matches backup/, 'restore --delta: files that are as in the backup stay');
own_address($restored);
$restored->start;
$restored->follows($bank);
beside_load($bank, 'a standby made of the backup', sub { $bank->wait_for_catchup($restored) });
$bank->wait_for_catchup($restored);
is(bank_digest($restored), bank_digest($bank), 'standby made of the backup: all rows');
is_sound($restored, 'standby made of the backup');
$restored->compare_standby;    # stops both
$restored->not_compared('compared above');

# ---- control
$bank->start;
damage_table($bank, 'kept', 3);
$bank->start;
like(pgbackrest('backup of a damaged file', '--type=full', 'backup'), qr/WARN: invalid page checksum found in file .* at page 3/, 'its page check names the damaged page');
like(pgbackrest('info', 'info', '--output=json'), qr/"error":true/, 'info: the backup has an error');
done_testing();
