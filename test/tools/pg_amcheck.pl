# test/tools/pg_amcheck.pl: what pg_amcheck sees of our tables, as doc/different-from-heap.md says: of a whole database neither
# our tables nor their indexes, and it exits 0; an index that is named is checked against the rows, --heapallindexed, also one with
# an entry too few.  Asked for our table by name it finds no such table.  glassheap_verify_all and bt_index_check see what it does not.
#
# heap: tables and indexes are checked without being named; damage makes pg_amcheck exit 2 and name block and table.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Utils;
use Test::More;

my $bank = new_bank('bank', autovacuum => 'off');

sub pg_amcheck
{
	my ($what, $status, $output, $errors, @options) = @_;
	my @command = ('pg_amcheck', '-h', $bank->host, '-p', $bank->port, @options, 'postgres');
	return command_checks_all(\@command, $status, $output, $errors, "pg_amcheck @options: $what");
}

my $index = '--index=pgbench_accounts_pkey';
under_load($bank, 'pg_amcheck', sub {
		pg_amcheck('a sound database under load', 0, [qr/\A\z/], [is_glassheap() ? qr/\A(?!.*pgbench_)/s : qr/checking heap table.*pgbench_accounts/s], '--heapallindexed', '--verbose');
		pg_amcheck('our index by its name', 0, [], [qr/pgbench_accounts_pkey/], $index, '--heapallindexed', '--parent-check', '--verbose');
	});
if (is_glassheap())
{
	pg_amcheck('a table of ours is none that it knows', 1, [], [qr/no heap tables to check matching "pgbench_accounts"/], '--table=pgbench_accounts');
	my ($rc, $out, $err) = $bank->psql('postgres', "SELECT * FROM verify_heapam('pgbench_accounts')");
	like("$rc $err", qr/^3 .*only heap AM is supported/s, 'verify_heapam refuses our table');
	is($bank->safe_psql('postgres', 'SELECT count(*) FROM glassheap_verify_all()'), 0, 'glassheap_verify_all finds nothing');
}

# ---- an entry too few: a partial index whose predicate says more from now on
$bank->safe_psql('postgres', <<'SQL');
CREATE INDEX few ON kept (n) WHERE id < 100;
ALTER SYSTEM SET allow_system_table_mods = on;
SELECT pg_reload_conf();
SQL
$bank->safe_psql('postgres', q(SET allow_system_table_mods = on; UPDATE pg_index SET indpred = NULL WHERE indexrelid = 'few'::regclass));
my $too_few = qr/heap tuple \(\d+,\d+\) from table "kept" lacks matching index tuple within index "few"/;
pg_amcheck('an index with an entry too few', 2, [$too_few], [], '--index=few', '--heapallindexed');
pg_amcheck('which only --heapallindexed sees', 0, [], [], '--index=few');
pg_amcheck('of the whole database', is_glassheap() ? 0 : 2, [is_glassheap() ? qr/\A\z/ : $too_few], [], '--heapallindexed');
$bank->safe_psql('postgres', 'DROP INDEX few');

# ---- a damaged row, its checksum right
$bank->safe_psql('postgres', 'VACUUM kept');
my $file = $bank->safe_psql('postgres', "SELECT pg_relation_filepath('kept')");
$bank->not_compared('a row is damaged on purpose');
$bank->stop('fast');
run_tool('pg_checksums --disable', 'pg_checksums', '--disable', '-D', $bank->data_dir);
my $path = $bank->data_dir . "/$file";
open my $table, '+<:raw', $path or die "$path: $!";
seek $table, 3 * 8192, 0;
read $table, my $page, 8192;
my ($line) = grep { $_ >> 17 } unpack('x24 V40', $page);
my $at = ($line & 0x7FFF) + 22;    # t_hoff
substr($page, $at, 1) = chr(7);
seek $table, 3 * 8192, 0;
print $table $page;
close $table;
$bank->start;
pg_amcheck('a damaged row', is_glassheap() ? 0 : 2, [is_glassheap() ? qr/\A\z/ : qr/heap table "postgres.public.kept", block 3/], []);
like($bank->safe_psql('postgres', 'SELECT v FROM glassheap_verify_all() v'), qr/kept,3,/, 'glassheap_verify_all names it') if is_glassheap();
done_testing();
