# t/034_truncate_crash.pl: the server dies while VACUUM gives the tail of a table back: before the record, and between
# the record and the files.  No deleted row may come back, no later row may be lost, and the maps must agree.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', wal_keep_size => '1GB', restart_after_crash => 'on');
plan skip_all => 'needs stop points (GH_CHECKS=1)' unless has_stop_points($node);
my $standby = new_standby($node, 'standby', max_standby_streaming_delay => '100s');

for my $point (qw(lifecycle.truncate_before_wal lifecycle.truncate_between_wal_and_files))
{
	$node->safe_psql('postgres', <<'SQL');
DROP TABLE IF EXISTS tail;
CREATE TABLE tail (a int PRIMARY KEY, b text);
INSERT INTO tail SELECT g, repeat('t', 200) FROM generate_series(1, 6000) g;
VACUUM tail;
CHECKPOINT;
DELETE FROM tail WHERE a > 50;
SQL
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('$point', 'kill')");
	my $log_start = -s $node->logfile;
	my ($rc) = $node->psql('postgres', 'VACUUM tail');
	isnt($rc, 0, "$point: the server died in VACUUM");
	# Before the postmaster has seen the death it lets in who asks.
	wait_until(sub { slurp_file($node->logfile, $log_start) =~ /terminated by signal 9/ }, 'the death to be seen');
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
	is($node->safe_psql('postgres', 'SELECT count(*), max(a) FROM tail'), '50|50', "$point: rows after recovery");
	my $blocks = $node->safe_psql('postgres', "SELECT pg_relation_size('tail') / 8192");
	cmp_ok($blocks, $point =~ /between/ ? '<' : '>', 10, "$point: length of the file");
	is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_verify('tail')"), 0, "$point: nothing to complain about");
	$node->safe_psql('postgres', "INSERT INTO tail SELECT g, repeat('n', 200) FROM generate_series(1000, 3000) g; VACUUM tail");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM tail'), 2051, "$point: new rows");
	is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT count(*) FROM tail WHERE a > 0'), 2051, "$point: through the index");
	$node->wait_for_catchup($standby, 'replay');
	is(table_digest($standby, 'tail'), table_digest($node, 'tail'), "$point: on the standby");
	is($standby->safe_psql('postgres', "SELECT pg_relation_size('tail')"), $node->safe_psql('postgres', "SELECT pg_relation_size('tail')"), "$point: as long there");
}
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
