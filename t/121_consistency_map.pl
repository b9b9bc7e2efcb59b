# t/121_consistency_map.pl: wal_consistency_checking in a crash's recovery, after full_page_writes was switched off by a clean restart: no
# record tells of that (UpdateFullPageWrites is called while recovery is in progress).  The map of a table that is dropped later begins
# empty then: nothing is wrong, and recovery must not say so.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no manager of its own' unless is_glassheap();

my $node = new_node('main', restart_after_crash => 'off');

sub full_page_writes { my ($value) = @_; $node->append_conf('postgresql.conf', "full_page_writes = $value"); return; }

for my $later ('off', 'on')
{
	full_page_writes('on');
	$node->restart;
	$node->safe_psql('postgres', <<'SQL');
DROP TABLE IF EXISTS kept;
CREATE TABLE gone AS SELECT g AS a, repeat('g', 100) AS b FROM generate_series(1, 3000) g;
CREATE TABLE kept AS SELECT g AS a, repeat('k', 100) AS b FROM generate_series(1, 3000) g;
VACUUM gone;
VACUUM kept;
SQL
	$node->stop;
	full_page_writes('off');
	$node->start;
	is($node->safe_psql('postgres', 'SELECT full_page_writes FROM pg_control_checkpoint()'), 't', "then $later: the checkpoint says on");
	$node->safe_psql('postgres', $_) for (
		"SET wal_consistency_checking = 'glassheap'; UPDATE gone SET a = a + 1 WHERE a % 100 = 0",
		"INSERT INTO gone SELECT g, repeat('n', 100) FROM generate_series(1, 3000) g",
		"SET wal_consistency_checking = 'glassheap'; UPDATE gone SET a = a + 1 WHERE a % 100 = 1",
		"SET wal_consistency_checking = 'glassheap'; VACUUM gone",
		"SET wal_consistency_checking = 'glassheap'; UPDATE gone SET a = a + 1 WHERE a % 90 = 0",
		"SET wal_consistency_checking = 'glassheap'; UPDATE kept SET a = a + 1 WHERE a % 90 = 0", 'DROP TABLE gone');
	my $digest = table_digest($node, 'kept');
	kill_server_9($node);
	full_page_writes($later);
	is($node->start(fail_ok => 1), 1, "then $later: recovery goes through") or BAIL_OUT('no server');
	is(table_digest($node, 'kept'), $digest, "then $later: nothing is lost");
}
$node->stop;
done_testing();
