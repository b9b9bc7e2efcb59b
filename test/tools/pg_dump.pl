# test/tools/pg_dump.pl: PostgreSQL's client programs on a bank under load: pg_dump -j (one snapshot: books balance), pg_restore -j, pg_dumpall
# into an empty server, vacuumdb -j, reindexdb -j --concurrently, clusterdb, createdb -T; rows stay, nothing to report after each.
# (Which access method tables come back with: t/112_dump_restore.pl.)
#
# heap: the same.  Control: a dump that was damaged does not restore; books that do not balance are noticed.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $bank = new_bank('bank');
my @server = ('-h', $bank->host, '-p', $bank->port);
my $am = access_method();
my $ours = "SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE amname = '$am' AND relname IN ('kept', 'pgbench_accounts', 'pgbench_history', 'unlogged')";

# ---- dumps
under_load($bank, 'pg_dump', sub {
		run_tool('pg_dump -j', 'pg_dump', @server, '-Fd', '-j', 3, '-f', "$folder/dump", 'postgres');
		run_tool('pg_dumpall', 'pg_dumpall', @server, '-f', "$folder/all.sql");
	});
my $target = new_node('target', 'glassheap.buffers' => '1MB');
my @target = ('-h', $target->host, '-p', $target->port);
run_tool('pg_restore -j', 'pg_restore', @target, '-d', 'postgres', '-j', 3, '--clean', '--if-exists', "$folder/dump");
is_sound($target, 'pg_restore -j of a dump under load');
is($target->safe_psql('postgres', $ours), 4, "pg_restore -j: the tables are $am");
my ($books, $rows) = (balances($target), $target->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history'));
cmp_ok($rows, '>', 50, 'pg_restore -j: of a dump in the middle of work');
$target->safe_psql('postgres', 'UPDATE pgbench_tellers SET tbalance = tbalance + 1 WHERE tid = 1');
isnt(balances($target), $books, 'books that do not balance are noticed');

my $all = new_node('all', 'glassheap.buffers' => '1MB');
my ($rc, $out, $err) = $all->psql('postgres', "\\i $folder/all.sql", on_error_stop => 0);
unlike($err, qr/ERROR:(?!  (?:role "\w+"|extension "\w+") already exists)/, 'pg_dumpall: read without an error but for what exists');
is_sound($all, 'pg_dumpall');
is($all->safe_psql('postgres', $ours), 4, "pg_dumpall: the tables are $am");
cmp_ok($all->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history'), '>=', $rows, 'pg_dumpall: of work that has gone on');
my ($data) = sort { -s $b <=> -s $a } glob("$folder/dump/*.dat.gz");
truncate $data, int((-s $data) / 2);
$target->safe_psql('postgres', 'CREATE DATABASE damaged TEMPLATE template0');
command_fails([ 'pg_restore', @target, '-d', 'damaged', '-j', 2, '--exit-on-error', "$folder/dump" ], 'a damaged dump does not restore');

# ---- maintenance beside work
my %beside = (
	'vacuumdb -j' => [ 'vacuumdb', @server, '--all', '-j', 3, '--analyze', '--parallel', 2 ],
	'vacuumdb --freeze' => [ 'vacuumdb', @server, '--all', '-j', 2, '--freeze', '--disable-page-skipping' ],
	'vacuumdb --analyze-in-stages' => [ 'vacuumdb', @server, '--all', '-j', 3, '--analyze-in-stages' ],
	'reindexdb -j --concurrently' => [ 'reindexdb', @server, '-d', 'postgres', '-j', 2, '--concurrently', '-t', 'kept', '-t', 'pgbench_accounts' ],
);
for my $name (sort keys %beside)
{
	under_load($bank, $name, sub { run_tool($name, @{ $beside{$name} }) });
	is_sound($bank, $name);
}

# ---- what locks the tables
$bank->safe_psql('postgres', 'CLUSTER kept USING kept_pkey; CLUSTER pgbench_accounts USING pgbench_accounts_pkey; UPDATE kept SET n = n + 1 WHERE id % 3 = 0');
my $digest = bank_digest($bank);
my %alone = (
	'clusterdb' => [ 'clusterdb', @server, '--all' ],
	'vacuumdb --full' => [ 'vacuumdb', @server, '--all', '--full' ],
	'reindexdb -j' => [ 'reindexdb', @server, '--all' ],
);
for my $name (sort keys %alone)
{
	run_tool($name, @{ $alone{$name} });
	is(bank_digest($bank), $digest, "$name: all rows");
	is_sound($bank, $name);
}
run_tool('createdb -T', 'createdb', @server, '-T', 'postgres', '--maintenance-db=template1', 'copied');
is(table_digest($bank, 'kept', 'copied'), table_digest($bank, 'kept'), 'createdb -T: all rows');
kill_server_9($bank);
$bank->start;
is(bank_digest($bank), $digest, 'after kill -9: all rows');
is_sound($bank, 'after kill -9');
run_tool('dropdb', 'dropdb', @server, 'copied');
done_testing();
