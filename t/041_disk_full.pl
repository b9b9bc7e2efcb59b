# t/041_disk_full.pl: a file that cannot grow any more is an error of the statement, nothing else: what was committed
# stays readable, nothing is lost, and the table can be used as soon as there is room again.
#
# The limit of file size (prlimit --fsize) stands for the full disk: PostgreSQL ignores SIGXFSZ, so writes beyond it fail.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $limit = 24 * 1024 * 1024;
plan skip_all => 'no prlimit' if system('prlimit --version >/dev/null 2>&1') != 0;

my $node = GlassheapNode->new('full');
my $am = access_method();
# Segments of WAL below the limit.
$node->init(extra => [ '-k', '-E', 'UTF8', '--locale=C.UTF-8', '--wal-segsize=1' ], allows_streaming => 1);
$node->append_conf('postgresql.conf', GlassheapTest::common_settings('default_table_access_method' => 'heap', 'glassheap.buffers' => '4MB', max_wal_size => '100MB'));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION glassheap') if is_glassheap();
$node->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, v text) USING $am; ALTER TABLE t ALTER v SET STORAGE PLAIN;"
	. "INSERT INTO t SELECT g, repeat('v', 1000) FROM generate_series(1, 7000) g");
my $digest = table_digest($node, 't');
$node->stop('fast');

# The limit is inherited by the server.
system('prlimit', '--pid', $$, "--fsize=$limit:") == 0 or die 'prlimit';
$node->start;
for my $attempt (1 .. 3)
{
	my ($rc, $out, $err) = $node->psql('postgres', "INSERT INTO t SELECT 100000 + g, repeat('w', 1000) FROM generate_series(1, 40000) g");
	isnt($rc, 0, "attempt $attempt: the statement fails");
	like($err, qr/ERROR:  could not (?:extend|write)/, "attempt $attempt: because the file cannot grow");
	is(table_digest($node, 't'), $digest, "attempt $attempt: all committed rows are readable");
}
my ($rc, $out, $err) = $node->psql('postgres', "COPY t FROM PROGRAM 'seq 200000 260000 | sed \"s/\$/\\t$am" . ('x' x 600) . "/\"'");
isnt($rc, 0, 'COPY fails as well');
$node->safe_psql('postgres', 'CHECKPOINT');
is(table_digest($node, 't'), $digest, 'a checkpoint goes through, the rows are there');

# What the failed statements left is dead, and VACUUM makes it room for others.
$node->safe_psql('postgres', 'VACUUM t');
$node->safe_psql('postgres', "INSERT INTO t SELECT 300000 + g, repeat('x', 1000) FROM generate_series(1, 5000) g");
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), 12000, 'after VACUUM its room is used again');
$node->safe_psql('postgres', 'UPDATE t SET v = repeat(\'u\', 1000) WHERE id <= 100');
is($node->safe_psql('postgres', "SELECT count(*) FROM t WHERE v LIKE 'u%'"), 100, 'rows can be updated');
$digest = table_digest($node, 't');
kill_server_9($node);
$node->start;
is(table_digest($node, 't'), $digest, 'same rows after kill -9');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
done_testing();
