# t/035_missing_pages.pl: without full-page images, WAL names blocks of files that are gone further on.  Replay passes
# over them; but a block that nothing explains stops a standby, as it does for heap.  (After a crash nothing is refused,
# by heap either: t/094.)
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

# The same on a standby, which starts behind such changes and refuses what stays unexplained.
$node->safe_psql('postgres', 'CHECKPOINT');
my $standby = new_standby($node, 'standby');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE dropped AS SELECT g AS a, repeat('d', 100) AS b FROM generate_series(1, 2000) g;
INSERT INTO cut SELECT g, repeat('c', 100) FROM generate_series(11, 2000) g;
VACUUM;
CHECKPOINT;
SQL
$node->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', <<'SQL');
UPDATE dropped SET a = a + 1;
UPDATE cut SET a = a + 1 WHERE a > 1000;
DROP TABLE dropped;
DELETE FROM cut WHERE a > 10;
VACUUM cut;
SQL
$node->wait_for_catchup($standby);
kill_server_9($standby);
$standby->start;
$node->wait_for_catchup($standby);
is(table_digest($standby, $_), table_digest($node, $_), "$_: nor on a standby") for qw(cut kept rewritten);

# Blocks go behind its back, changes of which it has replayed already: nobody may read what is left.
sub lose_blocks
{
	$node->safe_psql('postgres', 'UPDATE kept SET a = a + 1 WHERE a % 50 = 0');
	$node->wait_for_catchup($standby);
	my $path = $standby->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('kept')");
	$standby->stop;
	truncate($path, 0) or die "$path: $!";
	return;
}
$standby->safe_psql('postgres', 'CHECKPOINT');
lose_blocks();
my $log = -s $standby->logfile;
is($standby->start(fail_ok => 1), 0, 'a standby that lacks blocks for no reason does not start');
$standby->_update_pid(0);
$standby->not_compared('blocks were taken from it');
my $said = slurp_file($standby->logfile, $log);
like($said, qr/page \d+ of relation \S+ does not exist/, 'it names the blocks');
like($said, qr/PANIC:  WAL contains references to invalid pages/, 'and says why');
unlike($said, qr/ready to accept read-only connections/, 'and nobody could read before');
$standby->append_conf('postgresql.conf', 'ignore_invalid_pages = on');
$standby->start;
is($standby->safe_psql('postgres', 'SELECT count(*) FROM cut'), 10, 'ignore_invalid_pages lets it start');
$standby->stop;
$node->stop;
done_testing();
