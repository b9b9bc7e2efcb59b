# t/lib/GlassheapCrash.pm: kill -9 in a loop, and the comparison of what came back with what was acknowledged.
#
# Why:    doc/design/checkpoints.md: full-page images heal whatever is touched after the last checkpoint.  So every cycle ends
#         with a CHECKPOINT whose return is the signal to kill, the table's other pages having been changed before.
# SPDX-License-Identifier: PostgreSQL
package GlassheapCrash;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(run_crash_cycles);

use constant WRITERS => 3;

# Rows id => n as the server has them; a row caught between the two statements of a move counts as itself.
sub rows_now
{
	my ($node) = @_;
	my %rows;
	my $twice = 0;
	for my $line (split /\n/, $node->safe_psql('postgres', 'SELECT id % 1000000, n FROM acc'))
	{
		my ($id, $n) = split /\|/, $line;
		$twice++ if exists $rows{$id};
		$rows{$id} = $n;
	}
	return (\%rows, $twice);
}

# Differences between the model (what was acknowledged) and the table; brings the model up to date.
sub compare
{
	my ($node, $model) = @_;
	my ($rows, $twice) = rows_now($node);
	my ($missing, $lost, $unasked, $in_flight) = (0, 0, 0, 0);
	for my $id (keys %$model)
	{
		my $n = $rows->{$id};
		if (!defined $n) { $missing++; next; }
		if ($n < $model->{$id}) { $lost++; }
		elsif ($n == $model->{$id} + 1) { $in_flight++; }
		elsif ($n > $model->{$id}) { $unasked++; }
	}
	$unasked += keys(%$rows) - keys(%$model) if keys %$rows > keys %$model;
	$unasked += $in_flight - WRITERS if $in_flight > WRITERS;    # each client has one statement under way
	%$model = %$rows;
	return ($missing, $lost, $unasked, $twice);
}

# What there has been since the server was started: checkpoints on demand, vacuums, and pages of the table that left the pool.
sub what_happened
{
	my ($node) = @_;
	my $evictions = is_glassheap() ? "(SELECT evictions FROM glassheap_stat_tables WHERE relid = 'acc'::regclass)" : '0';
	my %happened;
	@happened{qw(checkpoints vacuums evictions)} = split /\|/, $node->safe_psql('postgres',
		"SELECT (SELECT checkpoints_req FROM pg_stat_bgwriter), (SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'acc'), $evictions");
	return \%happened;
}

# One cycle: writers, checkpoints and vacuums at once; death when a last CHECKPOINT returns, or when $hook->{moment} does.
sub crash_under_load
{
	my ($node, $cycle, $rows, $model, $hook) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my @writers = map {
		start_acknowledging_writer($node, number => $_, writers => WRITERS, rows => $rows, table => 'acc', folder => $folder, until_stopped => 1)
	} 0 .. WRITERS - 1;
	append_to_file("$folder/noise.sql", "CHECKPOINT;\nVACUUM acc;\n" x 500);
	my @noise = start_background($node, file => "$folder/noise.sql");
	push @noise, $hook->{beside}->($node, $folder) if $hook->{beside};
	wait_until(sub { !grep { (-s "$_->{base}.out" // 0) < 6000 } @writers }, 'the writers to get going');
	my $happened = what_happened($node);
	$hook->{moment} ? $hook->{moment}->($node, $cycle) : $node->safe_psql('postgres', 'CHECKPOINT');
	kill_server_9($node);
	eval { IPC::Run::finish($_) } for @noise;
	my $acknowledgements = 0;
	for my $writer (@writers)
	{
		my $told = acknowledged($writer);
		$acknowledgements += keys %$told;
		$model->{$_} = $told->{$_} for keys %$told;
	}
	return ($acknowledgements, $happened);
}

# run_crash_cycles(name, rows => .., pad => bytes, cycles => .., evictions => whether there must be some, setting => value ...,
#   hook => { make => server by name and settings, beside => processes that work too, moment => before it dies,
#             dead => it is, recovered => it is up again, all rows were there })
sub run_crash_cycles
{
	my ($name, %what) = @_;
	my ($rows, $pad, $cycles, $expect_evictions, $hook) = delete @what{qw(rows pad cycles evictions hook)};
	seed_from_environment();
	my $node = ($hook->{make} // \&new_node)->($name, %what);
	my $am = access_method();
	$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
	$node->safe_psql('postgres', "CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, pad text) USING $am WITH (fillfactor = 90)");
	$node->safe_psql('postgres', "INSERT INTO acc SELECT g, 0, repeat('p', $pad) FROM generate_series(0, $rows - 1) g");
	$node->safe_psql('postgres', 'VACUUM acc');
	$node->safe_psql('postgres', 'CHECKPOINT');
	note 'table: ' . $node->safe_psql('postgres', "SELECT pg_relation_size('acc') / 8192") . ' pages';
	my $model = { map { $_ => 0 } 0 .. $rows - 1 };

	my %total;
	for my $cycle (1 .. $cycles)
	{
		my ($acknowledgements, $happened) = crash_under_load($node, $cycle, $rows, $model, $hook);
		$hook->{dead}->($node, $cycle) if $hook->{dead};
		$total{$_} += $happened->{$_} for keys %$happened;
		my $log_start = -s $node->logfile;
		$node->start;
		like(slurp_file($node->logfile, $log_start), qr/redo starts at/, "cycle $cycle: the server recovered") or last;
		my ($missing, $lost, $unasked, $twice) = compare($node, $model);
		is("missing $missing, lost $lost, unasked $unasked, twice $twice", 'missing 0, lost 0, unasked 0, twice 0',
			"cycle $cycle: all of $acknowledgements rows with acknowledged changes are as acknowledged");
		$hook->{recovered}->($node, $cycle) if $hook->{recovered};
	}
	# Not in each cycle: the first vacuum may be on its way when the writers have said enough.
	cmp_ok($total{$_}, '>=', $cycles / 2, "there were $total{$_} $_") for 'checkpoints', 'vacuums', is_glassheap() && $expect_evictions ? 'evictions' : ();
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT bt_index_check('acc_pkey', heapallindexed => true)");
	is($err, '', 'the index has every row');
	$node->stop('fast');
	command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
	return;
}

1;
