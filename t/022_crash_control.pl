# t/022_crash_control.pl: the crash tests can fail.  The guardians take their turns but do not flush
# (glassheap.debug_guardian_flush = off): changes made before a CHECKPOINT must then be lost by a kill right after it.
# The same steps with the flush on lose nothing.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there is no guardian to turn off in heap' unless is_glassheap();

# Changes every page of a table that fits into the pool, checkpoints, kills at once; returns how many of the
# changed rows are not there afterwards (all, when the table cannot even be read).
sub lost_rows
{
	my ($name, $flush) = @_;
	my $rows = 30000;
	my $node = new_node($name, 'glassheap.buffers' => '64MB');
	$node->safe_psql('postgres',
		"CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, pad text) USING glassheap WITH (fillfactor = 40)");
	$node->safe_psql('postgres', "INSERT INTO acc SELECT g, 0, repeat('p', 300) FROM generate_series(1, $rows) g");
	# The start of the test is durable in any case.
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->restart;
	$node->safe_psql('postgres', "ALTER SYSTEM SET glassheap.debug_guardian_flush = $flush; SELECT pg_reload_conf()");
	$node->poll_query_until('postgres', "SELECT current_setting('glassheap.debug_guardian_flush') = '$flush'")
	  or die 'the debug setting did not arrive';
	# Workers read the configuration in their next round: two checkpoints see many rounds.
	$node->safe_psql('postgres', 'CHECKPOINT') for 1 .. 2;
	$node->not_compared('it loses pages on purpose') if $flush eq 'off';
	$node->safe_psql('postgres', 'UPDATE acc SET n = 1');
	$node->safe_psql('postgres', 'CHECKPOINT');
	kill_server_9($node);
	my $readable = $node->start(fail_ok => 1);
	my ($rc, $count) = $readable ? $node->psql('postgres', 'SELECT count(*) FROM acc WHERE n = 1') : (3, '');
	$node->stop('immediate') if $readable;
	return $rc == 0 && $count =~ /^\d+$/ ? $rows - $count : $rows;
}

is(lost_rows('with_flush', 'on'), 0, 'nothing is lost with the guardians at work');
cmp_ok(lost_rows('without_flush', 'off'), '>', 0, 'rows are lost without their flush: the test can fail');
done_testing();
