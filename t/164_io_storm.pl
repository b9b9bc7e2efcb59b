# t/164_io_storm.pl: a disk on which any read, write, extension or opening may fail or fall short, for all processes at once:
# sessions, vacuum, checkpointer, checkpoint guardian, pool writer.  Statements fail; nobody hangs or panics; what was
# acknowledged meanwhile is there when the disk is well again, checkpoints succeed then, and the power may go after one.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCrash;
use GlassheapShim;
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use constant { WRITERS => 3, ROWS => 6000 };

my $seed = seed_from_environment();
my $node = new_shim_node('storm', journal => 1, restart_after_crash => 'off', 'glassheap.buffers' => '1MB', shared_buffers => '1MB',
	'glassheap.writer_delay' => '10ms', bgwriter_delay => '10ms');
my $am = access_method();
my $folder = PostgreSQL::Test::Utils::tempdir();
sub sql { return $node->safe_psql('postgres', $_[0]); }

sql('CREATE EXTENSION amcheck');
sql("CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, pad text) USING $am WITH (fillfactor = 90)");
sql("INSERT INTO acc SELECT g, 0, repeat('p', 300) FROM generate_series(0, ${\ROWS} - 1) g");
sql("CREATE TABLE more (id int, pad text) USING $am");
sql($_) for 'VACUUM acc', 'CHECKPOINT';
my $model = { map { $_ => 0 } 0 .. ROWS - 1 };

# Tables and indexes of ours, not the catalogs: those who work are to come as far as our files.
my $files = 'base/*/1[6-9]???*';
my @storm = (
	"writes $files p=0.01 error EIO", "writes $files p=0.01 error ENOSPC", "writes $files p=0.01 short", "reads $files p=0.003 error EIO",
	"reads $files p=0.003 short", "open $files p=0.01 error EIO", "reads,writes,syncs $files p=0.01 delay 1-5");

my %outcome;
for my $round (1, 2)
{
	set_rules($node, 'seed ' . ($seed + $round), @storm);
	my @writers = map {
		start_acknowledging_writer($node, number => $_, writers => WRITERS, rows => ROWS, table => 'acc', folder => $folder, continue => 1, statements => 1500)
	} 0 .. WRITERS - 1;
	append_to_file("$folder/noise_$round.sql", "VACUUM acc;\nINSERT INTO more SELECT g, repeat('m', 500) FROM generate_series(1, 300) g;\nDELETE FROM more WHERE id % 2 = 0;\nVACUUM more;\n" x 50);
	my $noise = start_background($node, file => "$folder/noise_$round.sql", continue => 1);
	# Everybody comes to an end; checkpoints meanwhile succeed or fail.
	while (grep { $_->{run}->pumpable } @writers)
	{
		my ($rc, $out, $error) = $node->psql('postgres', 'CHECKPOINT', timeout => 180, timed_out => \my $late);
		$outcome{ $late ? 'hung' : $rc == 0 ? 'succeeded' : 'failed' }++;
	}
	eval { IPC::Run::finish($noise) };
	for my $writer (@writers)
	{
		my $told = acknowledged($writer);
		$model->{$_} = $told->{$_} for keys %$told;
	}
	cmp_ok(fired($node, $_), '>', 0, "round $round: $storm[$_], " . fired($node, $_) . ' times') for 0 .. $#storm;
	set_rules($node);
	is($node->psql('postgres', 'CHECKPOINT'), 0, "round $round: on a disk that is well a checkpoint succeeds");
	cut_power($node, seed => $seed + $round, mode => $round == 1 ? 'lose' : 'torn');
	$node->start;
	my ($missing, $lost, $unasked, $twice) = GlassheapCrash::compare($node, $model);
	is("missing $missing, lost $lost, twice $twice", 'missing 0, lost 0, twice 0', "round $round: rows are as acknowledged");
	is(sql("SELECT (SELECT count(*) FROM glassheap_verify('acc')) + (SELECT count(*) FROM glassheap_verify('more'))"), 0, "round $round: tables are sound")
	  if is_glassheap();
	is(($node->psql('postgres', "SELECT bt_index_check('acc_pkey', heapallindexed => true)"))[2], '', "round $round: the index has every row");
}
note join ', ', map { "$outcome{$_} checkpoints $_" } sort keys %outcome;
ok(!$outcome{hung}, 'no checkpoint hung');
cmp_ok($outcome{failed} // 0, '>', 0, 'some failed');
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|terminated by signal/, 'nobody panicked');
like($log, qr/ERROR:  could not $_/, "there were errors: could not $_") for 'write block', 'read block', 'extend file', 'open file';

# ---- the pool writer alone: it cannot write ahead, says so again and again, and goes on when it can
SKIP:
{
	skip 'heap has no pool writer', 4 unless is_glassheap();
	sql($_) for 'VACUUM acc', 'CHECKPOINT';
	my $log_start = -s $node->logfile;
	my $last = sql('SELECT pg_relation_size(\'acc\') / 8192') - 1;
	my $file = sql('SELECT pg_relation_filepath(\'acc\')');
	my $writer = sql('SELECT pid FROM pg_stat_activity WHERE backend_type = \'glassheap pool writer\'');
	my $errors = sub { return scalar(() = slurp_file($node->logfile, $log_start) =~ /\[$writer\] ERROR:  could not write block \d+ in file "\Q$file\E": Input\/output error/g); };
	# Changes here and there, so that changed pages grow cold.
	my $at = 0;
	my $dirty = sub { $node->psql('postgres', join '', map { $at = ($at + 37) % ROWS; "UPDATE acc SET n = n WHERE id = $at;" } 1 .. 100); };
	set_rules($node, "pwrite $file block=0-$last error EIO");
	wait_until(sub { $dirty->(); return $errors->() >= 2 }, 'two errors of the pool writer');
	pass('the pool writer fails, and tries again');
	set_rules($node);
	my $written = sub { return sql("SELECT pages_written FROM glassheap_processes WHERE backend_type = 'glassheap pool writer'"); };
	my $so_far = $written->();
	wait_until(sub { $dirty->(); return $written->() > $so_far }, 'the pool writer to write');
	pass('it writes when it can');
	is(sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'glassheap pool writer'"), $writer, 'it is the same process');
	is($node->psql('postgres', 'CHECKPOINT'), 0, 'a checkpoint succeeds');
}
$node->stop('fast');
# A write that was cut short at the end of a file leaves a part of a page there, as in heap's files.  The server does not count
# it, and writes over it when the file grows; pg_checksums takes it for a damaged file.
for my $file (glob $node->data_dir . '/base/*/*')
{
	my $part = (-s $file) % 8192;
	next if $part == 0 || $file !~ m{/\d+(_\w+)?(\.\d+)?$};
	note "$file ends with $part bytes of a page";
	truncate $file, (-s $file) - $part or die "$file: $!";
}
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
