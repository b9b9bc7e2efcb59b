# t/140_left_pages.pl: in write-through mode (a worker is missing) a page that cannot be written is no PANIC.  As with heap
# the statement succeeds, the page stays dirty, and checkpoints fail until it is written or gone.
#
# A limit of file size (prlimit --fsize) stands for the disk that fails: writes beyond it do.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCompare qw(processes_of);
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no guardians' unless is_glassheap();
plan skip_all => 'no prlimit' if system('prlimit --version >/dev/null 2>&1') != 0;

# Segments of WAL below the limit.
my $limit = 3 * 1024 * 1024;
sub server
{
	my ($name, %settings) = @_;
	my $node = GlassheapNode->new($name);
	$node->init(extra => [ '-k', '-E', 'UTF8', '--locale=C.UTF-8', '--wal-segsize=1' ], allows_streaming => 1);
	$node->append_conf('postgresql.conf',
		GlassheapTest::common_settings(default_table_access_method => 'heap', max_wal_size => '200MB', restart_after_crash => 'off',
			bgwriter_lru_maxpages => 0, %settings));
	$node->start;
	$node->safe_psql($_, 'CREATE EXTENSION glassheap') for ('template1', 'postgres');
	make_tables($node, 'postgres');
	return $node;
}

# Half of each page is free for new versions; rows from 5000 on are beyond the limit.
my %changes;
sub make_tables
{
	my ($node, $database) = @_;
	$node->safe_psql($database,
		"CREATE TABLE bad (id int, n int, pad text) USING glassheap WITH (fillfactor = 50); ALTER TABLE bad ALTER pad SET STORAGE PLAIN;"
		  . "INSERT INTO bad SELECT g, 0, repeat('p', 700) FROM generate_series(1, 6000) g; CREATE INDEX ON bad (id);"
		  . 'CREATE TABLE good (id int) USING glassheap; INSERT INTO good VALUES (0); CHECKPOINT');
	return;
}

my $node;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub checkpoint { return $node->psql('postgres', 'CHECKPOINT'); }
sub unwritable { return sql('SELECT unwritable FROM glassheap_stat_checkpointer'); }
sub mode       { return sql('SELECT mode FROM glassheap_stat_checkpointer'); }

sub limit_files
{
	my ($size) = @_;
	# The postmaster first: whom it starts afterwards inherits the limit.  One of the last sessions may be on its way out.
	my $limit_one = sub { system('prlimit', '--pid', $_[0], "--fsize=$size:") == 0 or !-e "/proc/$_[0]" or die 'prlimit'; };
	$limit_one->($node->{_pid});
	$limit_one->($_) for processes_of($node->{_pid});
	return;
}
sub change_bad { return 'UPDATE bad SET n = n + 1 WHERE id = ' . (5000 + 20 * ++$changes{ $node->name }) . '; '; }

sub rows_are_there
{
	my ($when) = @_;
	is(sql('SELECT sum(n) FROM bad'), $changes{ $node->name }, "all changes are there $when");
	return;
}

# Changes that cannot be written.
sub fail_to_write
{
	my ($when) = @_;
	my $from = -s $node->logfile;
	limit_files($limit);
	is(mode(), 'write-through', "$when: changes are written at once");
	is($node->psql('postgres', change_bad() . change_bad()), 0, "$when: UPDATE succeeds");
	is($node->psql('postgres', 'INSERT INTO good VALUES (1)'), 0, "$when: so does a change of another table");
	rows_are_there($when);
	my @told = slurp_file($node->logfile, $from) =~ /LOG:  could not write block \d+ in file.*\n(.*)/g;
	cmp_ok(scalar(@told), '>=', 1, "$when: the log says why");
	unlike($told[0] // '', qr/CONTEXT|STATEMENT/, "$when: ... and blames no statement");
	isnt(checkpoint(), 0, "$when: CHECKPOINT fails");
	isnt(checkpoint(), 0, "$when: so does the next one");
	like(slurp_file($node->logfile, $from), qr/ERROR:  checkpoint cannot complete, because glassheap could not write block \d+ of relation base/,
		"$when: the checkpointer names page and relation");
	unlike(slurp_file($node->logfile, $from), qr{base/0/}, "$when: and no file that does not exist");
	like(unwritable(), qr/^block \d+ of relation base/, "$when: the view names it");
	return;
}
sub crash
{
	my ($when) = @_;
	kill_server_9($node);
	$node->start;
	rows_are_there($when);
	return;
}
sub end
{
	unlike(slurp_file($node->logfile), qr/PANIC/, 'nobody panicked');
	$node->stop('fast');
	return;
}

# ---- no worker ever
$node = server('never', max_worker_processes => 0, max_logical_replication_workers => 0);
fail_to_write('no worker');
limit_files('unlimited');
is($node->psql('postgres', 'INSERT INTO good VALUES (2)'), 0, 'the next change');
is(unwritable(), '', '... has written what was left');
is(checkpoint(), 0, '... so a checkpoint succeeds');
crash('after a kill right after it');

fail_to_write('no worker, once more');
my $from = -s $node->logfile;
# By index: the ring of a scan would have to write what it has dirtied, an ERROR with heap, too.
sql('SET enable_seqscan = off; SET enable_bitmapscan = off; UPDATE bad SET n = n + 0 WHERE id > 5000 AND id % 20 = 10');
my $messages = () = slurp_file($node->logfile, $from) =~ /could not write block/g;
cmp_ok($messages, '<', 25, 'fifty pages that cannot be written do not fill the log');
crash('after a kill while checkpoints fail');
is(checkpoint(), 0, 'a checkpoint succeeds after recovery');

# A setting that makes a FATAL of every ERROR: of this one, too, it would be one that leaves no veto behind.
limit_files($limit);
is($node->psql('postgres', 'SET exit_on_error = on; ' . change_bad() . 'SELECT 1'), 0, 'exit_on_error: UPDATE succeeds');
like(unwritable(), qr/^block \d+ of relation base/, '... the view names the page');
isnt(checkpoint(), 0, '... and CHECKPOINT fails');
crash('after a kill with exit_on_error');

# The session is as it was: what holds interrupts off, the transaction, latches.
limit_files($limit);
my ($rc, $out, $error) = $node->psql('postgres',
	'BEGIN; ' . change_bad() . "SAVEPOINT s; UPDATE bad SET n = n + 1 WHERE id = 5999; ROLLBACK TO s; COMMIT; SET statement_timeout = '100ms'; DO 'BEGIN LOOP NULL; END LOOP; END'");
like($error, qr/canceling statement due to statement timeout/, 'a session that could not write answers interrupts');
rows_are_there('beside a savepoint');

# What is left goes with its table, or database.
isnt(checkpoint(), 0, 'CHECKPOINT fails');
sql('TRUNCATE bad');
$changes{never} = '';
is(checkpoint(), 0, 'TRUNCATE takes the page away, and a checkpoint succeeds');
limit_files('unlimited');
sql('CREATE DATABASE d');
make_tables($node, 'd');
limit_files($limit);
is($node->psql('d', 'UPDATE bad SET n = n + 1 WHERE id = 5000'), 0, 'an UPDATE in another database');
isnt(checkpoint(), 0, 'CHECKPOINT fails');
isnt($node->psql('postgres', 'DROP DATABASE d'), 0, 'DROP DATABASE fails for its checkpoint');
is($node->psql('postgres', 'DROP DATABASE d'), 0, 'repeated, it succeeds');
is(checkpoint(), 0, 'and a checkpoint does');
limit_files('unlimited');
end();

# ---- one worker alone
$node = server('alone', max_worker_processes => 1, max_logical_replication_workers => 0);
fail_to_write('one worker');
limit_files('unlimited');
wait_until(sub { checkpoint() == 0 }, 'the worker to write it');
is(unwritable(), '', 'the worker has written it by itself');
crash('after a kill');
fail_to_write('one worker, once more');
sql('DROP TABLE bad');
is(checkpoint(), 0, 'a checkpoint succeeds when the table is gone');
limit_files('unlimited');
end();

# ---- workers that come back
$node = server('back');
SKIP:
{
	skip 'needs stop points (GH_CHECKS=1)', 1 unless has_stop_points($node);
	my $workers = "backend_type IN ('glassheap checkpoint guardian', 'glassheap pool writer')";
	my $send_away = sub {
		$node->poll_query_until('postgres', "SELECT mode = 'write-back' FROM glassheap_stat_checkpointer") or die 'no write-back';
		sql("SELECT glassheap_stop_point_set('buffer.veto_page_read', 'wait')");
		my $old = sql("SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE $workers");
		sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE $workers");
		sql("SELECT glassheap_stop_point_wait('buffer.veto_page_read')");
		$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE $workers AND pid NOT IN ($old)") or die 'no workers';
		return;
	};
	my $let_come = sub {
		sql("SELECT glassheap_stop_point_clear('buffer.veto_page_read')");
		$node->poll_query_until('postgres', "SELECT mode = 'write-back' FROM glassheap_stat_checkpointer") or die 'no write-back';
		return;
	};
	$send_away->();
	fail_to_write('workers away');
	# With the disk still failing they guard, with vetoes of their own.
	$let_come->();
	isnt(checkpoint(), 0, 'with workers, CHECKPOINT fails');
	limit_files('unlimited');
	wait_until(sub { checkpoint() == 0 }, 'the workers to write it');
	is(unwritable(), '', 'no veto is up');
	crash('after a kill');

	# A hint that was begun while the workers were there (its image is logged, the page not yet dirty).
	sql('VACUUM bad; CHECKPOINT');
	my $session = GlassheapSession->new($node);
	sql('UPDATE bad SET n = n + 0 WHERE id = 5900; CHECKPOINT');
	sql("SELECT glassheap_stop_point_set('buffer.hint_image_logged', 'wait', 0)");
	$session->begin('SELECT n FROM bad WHERE id = 5900');
	sql("SELECT glassheap_stop_point_wait('buffer.hint_image_logged')");
	$send_away->();
	limit_files($limit);
	sql("SELECT glassheap_stop_point_clear('buffer.hint_image_logged')");
	$session->end;
	pass('a hint that cannot be written is no error');
	isnt(checkpoint(), 0, '... and checkpoints fail');
	$let_come->();
	limit_files('unlimited');
	wait_until(sub { checkpoint() == 0 }, 'the workers to write it');
	crash('after the hint');
}
end();
done_testing();
