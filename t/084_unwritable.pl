# t/084_unwritable.pl: a page that cannot be written makes CHECKPOINT fail, as in heap, and does not make it wait; no
# checkpoint completes without the page, whatever becomes of the workers meanwhile; when the file can be written again
# checkpoints succeed, and nothing was lost.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Nobody but checkpoints writes, so that nobody has the file open when it goes away.
my $node = new_node('unwritable', 'glassheap.writer_max_pages' => 0, bgwriter_lru_maxpages => 0, restart_after_crash => 'off');
sub sql { return $node->safe_psql('postgres', $_[0]); }

sql('CREATE EXTENSION pg_buffercache');
sql('CREATE TABLE bad (id int, v text); CREATE TABLE good (id int)');
my $file = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('bad')");
my ($relation) = $file =~ m{(base/\d+/\d+)$};
my $redo = 'SELECT redo_lsn FROM pg_control_checkpoint()';
my $rows = 0;

sub checkpoint
{
	my $error = '';
	my $rc = $node->psql('postgres', 'CHECKPOINT', stderr => \$error, timeout => 120, timed_out => \my $late);
	return { rc => $rc, error => $late ? 'timed out' : $error };
}

# Changed pages of a table without a file.
sub take_file_away
{
	my $again = checkpoint();
	is($again->{rc}, 0, 'a checkpoint succeeds');
	sql('INSERT INTO bad SELECT g, repeat(\'v\', 700) FROM generate_series(1, 100) g; INSERT INTO good SELECT generate_series(1, 100)');
	$rows += 100;
	rename $file, "$file.away" or die "$file: $!";
	return;
}
sub give_file_back
{
	rename "$file.away", $file or die "$file: $!";
	return;
}
sub rows_are_there
{
	my ($when) = @_;
	is(sql('SELECT count(*) FROM bad'), $rows, "all rows of the bad table are there $when");
	is(sql('SELECT count(*) FROM good'), $rows, "all rows of the good table are there $when");
	return;
}
sub workers { return sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('glassheap checkpoint guardian', 'glassheap pool writer')"); }

# Pins of the pages that make checkpoints fail: one of its holder, and while it is up one of nobody's; nobody's own has one always.
sub veto_pins { return sql('SELECT string_agg(pinning_backends::text, \' \' ORDER BY relfilenode) FROM pg_buffercache WHERE reltablespace = 1663 AND reldatabase = 0'); }

take_file_away();
my $before = sql($redo);
my $log_start = -s $node->logfile;
my $failed = checkpoint();
isnt($failed->{rc}, 0, 'CHECKPOINT fails');
like($failed->{error}, qr/checkpoint request failed/, '... as in heap, and does not wait for ever');
isnt(checkpoint()->{rc}, 0, 'so does the next one');
is(sql($redo), $before, 'no checkpoint has completed');
like(slurp_file($node->logfile, $log_start), qr/could not open file "\Q$relation\E"/, 'the log has the reason');
if (is_glassheap())
{
	like(slurp_file($node->logfile, $log_start), qr/ERROR:  checkpoint cannot complete, because glassheap could not write block \d+ of relation \Q$relation\E/,
		'... and the checkpointer names page and relation');
	like(sql('SELECT unwritable FROM glassheap_stat_checkpointer'), qr/^block \d+ of relation \Q$relation\E$/, '... as does the view');
}
my ($rc, $out, $error) = $node->psql('postgres', 'CREATE DATABASE d STRATEGY file_copy');
isnt($rc, 0, 'CREATE DATABASE fails');
like($error, qr/checkpoint request failed/, '... for the same reason');
sql('INSERT INTO good SELECT 1 WHERE false; INSERT INTO good VALUES (0); DELETE FROM good WHERE id = 0');
pass('other work goes on');

if (is_glassheap())
{
	for my $worker ('glassheap pool writer', 'glassheap checkpoint guardian', 'glassheap%')
	{
		my $old = sql('SELECT string_agg(pid::text, \',\') FROM pg_stat_activity WHERE backend_type LIKE \'glassheap%\'');
		sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE '$worker'");
		$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type LIKE '$worker' AND pid NOT IN ($old)")
		  or die "no $worker";
		wait_until(sub { workers() == 2 }, 'two workers');
		$node->poll_query_until('postgres', "SELECT mode = 'write-back' FROM glassheap_stat_checkpointer") or die 'no write-back';
		pass("both guard again after $worker was terminated");
		isnt(checkpoint()->{rc}, 0, "CHECKPOINT fails after $worker was terminated");
		is(veto_pins(), '2 2 1', 'no veto can be evicted');
	}
	unlike(slurp_file($node->logfile, $log_start), qr/base\/0\//, 'the log does not name a file that does not exist');
	is(sql($redo), $before, 'still no checkpoint has completed');
}

give_file_back();
my $good = checkpoint();
is($good->{rc}, 0, 'with the file back CHECKPOINT succeeds') or diag $good->{error};
isnt(sql($redo), $before, '... and completes');
is(sql('SELECT unwritable FROM glassheap_stat_checkpointer'), '', 'the view knows') if is_glassheap();
is(veto_pins(), '1 1 1', 'the vetoes are down') if is_glassheap();
kill_server_9($node);
$node->start;
rows_are_there('after a kill right after it');

# A database goes together with the page that cannot be written.
sql('CREATE DATABASE d');
$node->safe_psql('d', 'CREATE TABLE bad AS SELECT generate_series(1, 1000) AS id; CHECKPOINT; UPDATE bad SET id = 0 WHERE id < 10');
my $of_d = $node->data_dir . '/' . $node->safe_psql('d', "SELECT pg_relation_filepath('bad')");
rename $of_d, "$of_d.away" or die "$of_d: $!";
if (is_glassheap())
{
	isnt(checkpoint()->{rc}, 0, 'CHECKPOINT fails for a page of another database');
	($rc, $out, $error) = $node->psql('postgres', 'DROP DATABASE d');
	isnt($rc, 0, 'DROP DATABASE fails for its checkpoint');
	like($error, qr/checkpoint request failed/, '... as it says');
}
is($node->psql('postgres', 'DROP DATABASE d'), 0, is_glassheap() ? 'repeated, it succeeds' : 'DROP DATABASE succeeds');
is(checkpoint()->{rc}, 0, 'checkpoints succeed again');

# The end comes while the file is away.
take_file_away();
isnt(checkpoint()->{rc}, 0, 'CHECKPOINT fails');
kill_server_9($node);
give_file_back();
$node->start;
rows_are_there('after a kill while checkpoints fail');

take_file_away();
isnt(checkpoint()->{rc}, 0, 'CHECKPOINT fails');
$log_start = -s $node->logfile;
$node->PostgreSQL::Test::Cluster::stop('fast', fail_ok => 1);    # no clean stop, so there is nothing to compare
like(slurp_file($node->logfile, $log_start), qr/abnormal database system shutdown/, 'a fast shutdown fails, for its checkpoint does');
wait_until(sub { !-e $node->data_dir . '/postmaster.pid' }, 'the postmaster to end');
give_file_back();
$node->{_pid} = undef;
$node->start;
rows_are_there('after a shutdown that failed');
unlike(slurp_file($node->logfile), qr/PANIC/, 'nobody panicked');
$node->stop('fast');
done_testing();
