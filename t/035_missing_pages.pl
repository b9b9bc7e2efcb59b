# t/035_missing_pages.pl: without full-page images, WAL names blocks of files that are gone further on.  Replay passes
# over them; but a block that nothing explains stops recovery, as it does for heap.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', full_page_writes => 'off');

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE dropped AS SELECT g AS a, repeat('d', 100) AS b FROM generate_series(1, 2000) g;
CREATE TABLE cut AS SELECT g AS a, repeat('c', 100) AS b FROM generate_series(1, 2000) g;
CREATE TABLE rewritten AS SELECT g AS a, repeat('r', 100) AS b FROM generate_series(1, 2000) g;
CREATE TABLE kept AS SELECT g AS a, repeat('k', 100) AS b FROM generate_series(1, 2000) g;
VACUUM;
CHECKPOINT;
UPDATE dropped SET a = a + 1;
UPDATE rewritten SET a = a + 1;
UPDATE kept SET a = a + 1;
DROP TABLE dropped;
VACUUM FULL rewritten;
DELETE FROM cut WHERE a > 10;
VACUUM cut;
SQL
my %before = map { $_ => table_digest($node, $_) } qw(cut rewritten kept);
kill_server_9($node);
$node->start;
is(table_digest($node, $_), $before{$_}, "$_: changes of blocks that went later do no harm") for sort keys %before;

# The file loses its blocks behind the server's back.
$node->not_compared('blocks are taken from it');
$node->safe_psql('postgres', 'CHECKPOINT');
my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('kept')");
$node->safe_psql('postgres', 'UPDATE kept SET a = a + 1 WHERE a < 100');
kill_server_9($node);
truncate($path, 0) or die "$path: $!";
my $log = -s $node->logfile;
isnt($node->start(fail_ok => 1), 1, 'recovery stops when blocks are missing for no reason');
my $said = slurp_file($node->logfile, $log);
like($said, qr/page \d+ of relation \S+ does not exist/, 'it names the blocks');
like($said, qr/PANIC:  WAL contains references to (missing glassheap|invalid) pages/, 'and says why');
$node->append_conf('postgresql.conf', 'ignore_invalid_pages = on');
$node->start;
is(table_digest($node, $_), $before{$_}, "$_ is there with ignore_invalid_pages") for qw(cut rewritten);
done_testing();
