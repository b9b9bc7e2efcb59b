# t/001_basic.pl: a server with the module starts, stops and starts again, in every shutdown mode, and the rows stay.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('basic');
my $am = access_method();
is($node->safe_psql('postgres', 'SHOW max_worker_processes'), '12', 'our workers come on top of the default') if access_method() eq 'glassheap';

$node->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, v text) USING $am");
is($node->safe_psql('postgres', "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE relname = 't'"),
	$am, 'the table has the access method');
$node->safe_psql('postgres', "INSERT INTO t SELECT g, repeat('x', g % 200) FROM generate_series(1, 20000) g");
my $digest = table_digest($node, 't');
like($digest, qr/^20000 /, 'all rows are there');

for my $mode ('smart', 'fast', 'immediate')
{
	$node->stop($mode);
	$node->start;
	is(table_digest($node, 't'), $digest, "same rows after a $mode shutdown");
}

# A clean shutdown leaves nothing to recover.
$node->stop('fast');
my $log_before = -s $node->logfile;
$node->start;
unlike(slurp_file($node->logfile, $log_before), qr/redo starts/, 'no recovery after a clean shutdown');

# Checksums of every page that was written are right.
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
$node->start;

kill_server_9($node);
$node->start;
is(table_digest($node, 't'), $digest, 'same rows after kill -9');

# A client that vanishes leaves no lock, pin or half a row behind.
$node->psql('postgres', 'BEGIN; UPDATE t SET v = NULL; SELECT pg_terminate_backend(pg_backend_pid())');
is(table_digest($node, 't'), $digest, 'a terminated transaction changed nothing');
$node->safe_psql('postgres', 'VACUUM FULL t');
is(table_digest($node, 't'), $digest, 'VACUUM FULL keeps the rows');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|check failed|terminated by signal 11|pin.*leak/i, 'nothing strange in the log');
done_testing();
