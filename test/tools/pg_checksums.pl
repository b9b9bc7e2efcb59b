# test/tools/pg_checksums.pl: pg_checksums switches checksums off and on again for a stopped server with our tables, with
# work in a small pool, kill -9 and recovery on either side of it; --check finds nothing each time.
# Control: it finds a page whose checksum is wrong, and refuses a server that was not stopped cleanly.
#
# heap: the same.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Utils;
use Test::More;

my $bank = new_bank('bank');

# The server stopped, as pg_checksums wants it.
sub checksums
{
	my ($what, @options) = @_;
	return run_tool("pg_checksums @options: $what", 'pg_checksums', '-D', $bank->data_dir, @options);
}

sub work_and_crash
{
	my ($what) = @_;
	beside_load($bank, $what, sub { $bank->safe_psql('postgres', 'CHECKPOINT; UPDATE kept SET n = n + 1 WHERE id > 5000') });
	my $digest = bank_digest($bank);
	kill_server_9($bank);
	$bank->start;
	is(bank_digest($bank), $digest, "$what: all rows after kill -9");
	is_sound($bank, $what);
	$bank->stop('fast');
	return $digest;
}

work_and_crash('with checksums');
like(checksums('as initdb made it', '--check'), qr/Bad checksums:  0/, 'none is wrong');
checksums('off', '--disable');
$bank->start;
is($bank->safe_psql('postgres', 'SHOW data_checksums'), 'off', 'the server has none');
my $digest = work_and_crash('without checksums');
like(checksums('on again', '--enable'), qr/Blocks written: +[1-9]/, 'pages were written');
checksums('on again', '--check');
$bank->start;
is($bank->safe_psql('postgres', 'SHOW data_checksums'), 'on', 'the server has them');
is(bank_digest($bank), $digest, 'and all rows, which it reads');
work_and_crash('with checksums again');
checksums('after work', '--check');

# ---- controls
$bank->start;
$bank->safe_psql('postgres', 'SELECT pg_logical_emit_message(true, $$not stopped$$, $$$$)');
$bank->not_compared('damaged below');
kill_server_9($bank);
command_checks_all([ 'pg_checksums', '--enable', '-D', $bank->data_dir ], 1, [], [qr/cluster must be shut down/], 'a server that crashed is refused');
$bank->start;
my $file = damage_table($bank, 'kept', 3);
command_checks_all([ 'pg_checksums', '--check', '-D', $bank->data_dir ], 1, [qr/Bad checksums:  1\b/],
	[qr/checksum verification failed in file ".*\/$file", block 3/], 'a wrong checksum is found');
done_testing();
