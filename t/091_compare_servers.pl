# t/091_compare_servers.pl: the comparison that ends every test with a crash or a standby can fail: pages that a
# checkpoint did not write, and one bit on a standby's disk, are found; the same servers untouched are equal.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCompare qw(recovered_copy_faults relations_of standby_faults);
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

sub fill
{
	my ($node) = @_;
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, pad text) WITH (fillfactor = 60);
INSERT INTO acc SELECT g, 0, repeat('p', 100) FROM generate_series(1, 5000) g;
CREATE UNLOGGED TABLE lost (id int PRIMARY KEY);
INSERT INTO lost SELECT generate_series(1, 100);
VACUUM acc;
CHECKPOINT;
UPDATE acc SET n = 1 WHERE id % 3 = 0;
BEGIN; DELETE FROM acc WHERE id % 7 = 0; ROLLBACK;
SQL
	return;
}

sub faults_of_recovery
{
	my ($node) = @_;
	local $GlassheapNode::own_work = 1;
	my ($tables, @faults) = recovered_copy_faults($node, sub { $node->stop('fast') });
	is($tables, 2, $node->name . ': the logged table is compared, and the init fork of the other');
	return join "\n", @faults;
}

# ---- recovery
my $sound = new_node('sound', 'glassheap.buffers' => '64MB');
fill($sound);
is(faults_of_recovery($sound), '', 'a recovered copy holds the same');

SKIP:
{
	skip 'heap has no guardian to turn off', 2 unless is_glassheap();
	my $lossy = new_node('lossy', 'glassheap.buffers' => '64MB');
	$lossy->not_compared('its checkpoints write nothing');
	$lossy->safe_psql('postgres', 'CREATE TABLE before (id int); INSERT INTO before SELECT generate_series(1, 3000); CHECKPOINT');
	$lossy->safe_psql('postgres', 'DROP TABLE before');
	fill($lossy);
	$lossy->safe_psql('postgres', 'ALTER SYSTEM SET glassheap.debug_guardian_flush = off; SELECT pg_reload_conf()');
	$lossy->poll_query_until('postgres', "SELECT current_setting('glassheap.debug_guardian_flush') = 'off'");
	# Workers read the configuration in their next round: two checkpoints see many rounds.
	$lossy->safe_psql('postgres', 'CHECKPOINT') for 1 .. 2;
	$lossy->safe_psql('postgres', 'UPDATE acc SET n = 2 WHERE id % 3 = 1');
	$lossy->safe_psql('postgres', 'ALTER SYSTEM SET glassheap.writer_max_pages = 0; SELECT pg_reload_conf(); CHECKPOINT');
	my $faults = faults_of_recovery($lossy);
	like($faults, qr/recovered: .* rows by index|main: block \d+ (?:differs|is empty)/, 'checkpoints without the flush: what recovery lost is found');
}

# ---- standby
my $primary = new_node('primary');
my $standby = new_standby($primary, 'follower');
fill($primary);
my ($file) = map { $_->{file} } relations_of($primary);

sub faults_of_standby
{
	local $GlassheapNode::own_work = 1;
	for my $node ($primary, $standby) { $node->start unless defined $node->{_pid}; }
	my ($tables, @faults) = standby_faults($primary, $standby, sub { $standby->stop('fast') }, sub { $primary->stop('fast') });
	is($tables, 2, 'standby: the logged table is compared, and the init fork of the other');
	return join "\n", @faults;
}

# One bit in the last byte of block 1, which belongs to a row's text.
sub flip
{
	my $path = $standby->data_dir . "/$file";
	open my $disk, '+<:raw', $path or die "$path: $!";
	# No checksum tells: the comparison is to find it.
	seek $disk, 8192 + 8, 0;
	print $disk pack('v', 0);
	seek $disk, 2 * 8192 - 8, 0;
	read($disk, my $byte, 1);
	seek $disk, 2 * 8192 - 8, 0;
	print $disk chr(ord($byte) ^ 1);
	close $disk or die $!;
	return;
}

is(faults_of_standby(), '', 'the standby holds the same');
$_->append_conf('postgresql.conf', 'ignore_checksum_failure = on') for $primary, $standby;
flip();
like(faults_of_standby(), qr/main: block 1 differs in row \d+, byte \d+/, 'one bit on its disk is found');
flip();
done_testing();
