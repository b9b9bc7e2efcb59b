# t/161_power_loss.pl: the power goes while transactions commit, pages are evicted, checkpoints and vacuums run, readers set
# hint bits and a table grows and shrinks; what no sync had covered is lost, kept or torn, by sectors of 512 bytes.  What
# was acknowledged is there after recovery, checksums and structure are right.
#
# Controls: the same cut of power does harm where syncs of our files are swallowed, without fsync, and without full-page images.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCrash;
use GlassheapShim;
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_from_environment();
my $am = access_method();
my %sum;

# ---------------------------------------------------------------------------------------------- in a loop
# Batches come and go in a table that is vacuumed, and so truncated, after each; what was told of them.
my %told;

sub start_batches
{
	my ($node, $folder) = @_;
	my $first = $node->safe_psql('postgres', 'SELECT coalesce(max(batch), 0) + 1 FROM batches');
	for my $batch ($first .. $first + 400)
	{
		my $gone = $batch - 2;
		append_to_file("$folder/batches.sql", <<"SQL");
WITH i AS (INSERT INTO batches SELECT $batch, g, repeat('b', 500) FROM generate_series(1, 200) g RETURNING 1) SELECT 'inserted', $batch, count(*) FROM i;
WITH d AS (DELETE FROM batches WHERE batch <= $gone RETURNING 1) SELECT 'deleted', $gone, count(*) FROM d;
VACUUM batches;
SELECT count(*) FROM batches WHERE row < 0;
SQL
	}
	append_to_file("$folder/readers.sql", "SELECT count(*), sum(n) FROM acc;\n" x 2000);
	%told = (file => "$folder/batches.out");
	return (start_background($node, file => "$folder/batches.sql", stdout => $told{file}), start_background($node, file => "$folder/readers.sql"));
}

sub judge_batches
{
	my ($node, $cycle) = @_;
	my %last = (inserted => 0, deleted => 0);
	for my $line (split /\n/, slurp_file($told{file})) { $last{$1} = $2 if $line =~ /^(inserted|deleted)\|(\d+)\|/; }
	my %rows = map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'SELECT batch, count(*) FROM batches GROUP BY batch');
	my @faults = map { "batch $_ has $rows{$_} rows" } grep { $rows{$_} != 200 } sort keys %rows;
	push @faults, map { "batch $_ was deleted" } grep { $_ <= $last{deleted} } sort keys %rows;
	# The next delete may have been on its way.
	push @faults, map { "batch $_ is missing" } grep { !$rows{$_} } $last{deleted} + 2 .. $last{inserted};
	is("@faults", '', "cycle $cycle: batches up to $last{inserted} came, up to $last{deleted} went, as acknowledged");
	$sum{batches} += $last{deleted} > 0;
	return unless is_glassheap();
	is($node->safe_psql('postgres', "SELECT (SELECT count(*) FROM glassheap_verify('acc')) + (SELECT count(*) FROM glassheap_verify('batches'))"),
		0, "cycle $cycle: glassheap_verify has nothing to say");
	return;
}

sub checksums_are_right
{
	my ($node, $what) = @_;
	return command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], $what);
}

run_crash_cycles('power', rows => 6000, pad => 300, cycles => 6, evictions => 1, 'glassheap.buffers' => '1MB', shared_buffers => '1MB', journal => 1,
	hook => {
		make => sub {
			my $node = new_shim_node(@_);
			set_rules($node, "seed $seed", 'syncs base/*|pg_wal/* p=0.1 delay 1-20');
			$node->safe_psql('postgres', "CREATE TABLE batches (batch int, row int, pad text) USING $am");
			return $node;
		},
		beside => \&start_batches,
		# Every other time in the middle of things.
		moment => sub { my ($node, $cycle) = @_; $node->safe_psql('postgres', $cycle % 2 ? 'CHECKPOINT' : 'SELECT count(*) FROM acc'); },
		dead => sub {
			my ($node, $cycle) = @_;
			my $lost = lose_power($node, seed => $seed + $cycle, mode => (qw(mixed torn lose))[ $cycle % 3 ]);
			$sum{$_} += $lost->{$_} for qw(writes lost kept torn_pages lengths);
		},
		recovered => \&judge_batches,
	});
cmp_ok($sum{$_}, '>', 0, "in all cycles together: $_ $sum{$_}") for qw(writes lost kept torn_pages lengths batches);

# --------------------------------------------------------------------------------------------- the controls
# A table is changed, checkpointed, changed again behind $between, and the power goes; rows that have not the last number.
sub changed_and_cut
{
	my ($name, $mode, $rules, $between, %settings) = @_;
	my $node = new_shim_node($name, 'glassheap.buffers' => '1MB', shared_buffers => '1MB', journal => 1, %settings);
	$node->safe_psql('postgres', "CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, pad text) USING $am WITH (fillfactor = 40)");
	$node->safe_psql('postgres', "INSERT INTO acc SELECT g, 0, repeat('p', 300) FROM generate_series(1, 10000) g");
	# Hint bits on a clean page would bring an image whatever full_page_writes says.
	$node->safe_psql('postgres', $_) for 'VACUUM acc', 'CHECKPOINT';
	set_rules($node, @$rules);
	$node->safe_psql('postgres', "UPDATE acc SET n = 1; $between");
	cmp_ok(fired($node), '>', 0, "$name: syncs were swallowed") if @$rules;
	cut_power($node, seed => $seed, mode => $mode);
	set_rules($node);
	$node->not_compared('it is to be damaged');
	my $readable = $node->start(fail_ok => 1);
	my ($rc, $count) = $readable ? $node->psql('postgres', 'SELECT count(*) FROM acc WHERE n = 1') : (3, '');
	$node->stop('immediate') if $readable;
	return $rc == 0 && $count =~ /^\d+$/ ? 10000 - $count : 10000;
}

my @swallow = ('syncs base/* skip-sync');
is(changed_and_cut('sound_checkpoint', 'lose', [], 'CHECKPOINT'), 0, 'nothing is lost after a checkpoint');
cmp_ok(changed_and_cut('swallowed', 'lose', \@swallow, 'CHECKPOINT'), '>', 0, '... and something if the syncs of data files are swallowed');
is(changed_and_cut('sound_log', 'torn', [], ''), 0, 'nothing is lost without one');
cmp_ok(changed_and_cut('no_fsync', 'lose', [], '', fsync => 'off'), '>', 0, '... and something without fsync');
cmp_ok(changed_and_cut('no_images', 'torn', [], '', full_page_writes => 'off'), '>', 0, '... or without full-page images');
done_testing();
