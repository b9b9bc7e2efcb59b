# t/088_small_mends.pl: no memory in the commit callback is no PANIC, nor does it leave the session deaf.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('mends', restart_after_crash => 'off');
sub sql { return $node->safe_psql('postgres', $_[0]); }

# ---- core's list of files to unlink is asked for once more after the commit record; asking may fail.
SKIP:
{
	skip 'needs stop points (GH_CHECKS=1)', 4 unless has_stop_points($node);
	sql('CREATE TABLE gone (id int); INSERT INTO gone SELECT generate_series(1, 1000)');
	my $gone = sql("SELECT pg_relation_filenode('gone')");
	# In one session: a new one commits as it starts.  The first commit is that of the SELECT.
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT glassheap_stop_point_set('commit.pending_deletes', 'error', 1);\nDROP TABLE gone;\n"
		  . "SELECT 'it is gone';\nSET statement_timeout = '100ms';\nSELECT pg_sleep(60);", on_error_stop => 1);
	like($out, qr/it is gone/, 'DROP commits although its callback had an error');
	like($err, qr/canceling statement due to statement timeout/, '... and its session can still be interrupted');
	sql('SELECT glassheap_stop_point_clear()');
	is(sql("SELECT count(*) FROM glassheap_buffercache WHERE relfilenode = $gone"), '0', 'its pages have left the pool');
	is($node->psql('postgres', 'CHECKPOINT'), 0, 'and a checkpoint succeeds');
}

$node->stop('fast');
done_testing();
