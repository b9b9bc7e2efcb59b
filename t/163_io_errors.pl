# t/163_io_errors.pl: reads, writes, extensions and truncations of a table's files fail (EIO, ENOSPC) or move a part only.  The
# error has SQLSTATE, file and block as heap's, for the same rule is applied to a heap table's file first; nothing that
# was committed changes, nobody hangs, and when the cause is gone everything works again, checkpoints included.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapShim;
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

use constant BLOCK => 57;

my $node = new_shim_node('io', restart_after_crash => 'off', 'glassheap.buffers' => '1MB', shared_buffers => '1MB',
	'glassheap.writer_max_pages' => 0, bgwriter_lru_maxpages => 0, synchronize_seqscans => 'off');
my $am = access_method();
my %file;
sub sql { return $node->safe_psql('postgres', $_[0]); }

# Twins: "h" is heap's.
sql('CREATE EXTENSION pg_prewarm');
sql("CREATE TABLE filler USING heap AS SELECT g, repeat('f', 900) FROM generate_series(1, 3000) g");
for my $table ('h', 't')
{
	sql("CREATE TABLE $table (id int PRIMARY KEY, n int, pad text) USING " . ($table eq 'h' ? 'heap' : $am) . ' WITH (fillfactor = 80);'
		. "ALTER TABLE $table ALTER pad SET STORAGE PLAIN; INSERT INTO $table SELECT g, 0, repeat('p', 300) FROM generate_series(1, 6000) g");
	sql("VACUUM $table");
	$file{$table} = sql("SELECT pg_relation_filepath('$table')");
}
sql('CHECKPOINT');
my $id = sql('SELECT id FROM t WHERE ctid = \'(' . BLOCK . ',1)\'');

# No page of the table is in memory.
sub make_cold
{
	my ($table) = @_;
	if ($table eq 't' && is_glassheap()) { sql("SELECT glassheap_buffercache_evict_relation('t')"); }
	else { sql('SELECT pg_prewarm(\'filler\')') for 1, 2; }
	return;
}

# What a statement on T says: "58030: could not ...".
sub answer
{
	my ($table, $statement) = @_;
	(my $sql = $statement) =~ s/\bT\b/$table/g;
	my ($rc, $out, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", timeout => 120, timed_out => \my $late);
	return 'timed out' if $late;
	return $error =~ /^psql:.*?(?:ERROR|WARNING): +(.*)$/m ? $1 : "rc $rc $out$error";
}

sub plain
{
	my ($text, $table) = @_;
	$text =~ s/"\Q$file{$table}\E/"FILE/g;
	$text =~ s/only \d+ of/only N of/;
	return $text;
}

# The same rule (for FILE) and statement on both; the answer is heap's, and what is expected.  Then all is as before.
sub same_as_heap
{
	my ($what, $rule, $statement, $expected) = @_;
	my %said;
	for my $table ('h', 't')
	{
		my $digest = table_digest($node, $table);
		make_cold($table);
		(my $line = $rule) =~ s/FILE/$file{$table}/;
		set_rules($node, $line);
		$said{$table} = plain(answer($table, $statement), $table);
		cmp_ok(fired($node), '>', 0, "$what: the rule was applied to $table");
		set_rules($node);
		is(table_digest($node, $table), $digest, "$what: rows of $table are as before");
	}
	is($said{t}, $said{h}, "$what: as heap");
	like($said{t}, $expected, "$what: as expected");
	return;
}

# ------------------------------------------------------------------------------------------------- reading
my $point = "WHERE id = $id";
my @reads = (
	[ 'seq scan', 'SELECT sum(n) FROM T' ],
	[ 'index scan', "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT n FROM T $point" ],
	[ 'bitmap scan', "SET enable_seqscan = off; SET enable_indexscan = off; SELECT n FROM T $point" ],
	[ 'tid scan', 'SELECT n FROM T WHERE ctid = \'(' . BLOCK . ',1)\'' ],
	[ 'sample', 'SELECT count(*) FROM T TABLESAMPLE system (100)' ],
	[ 'update', "UPDATE T SET n = n + 1 $point" ],
	[ 'lock', "SELECT 1 FROM T $point FOR UPDATE" ],
	[ 'copy', 'COPY T TO \'/dev/null\'' ],
	[ 'build of an index', 'CREATE INDEX ON T (n)' ],
	[ 'vacuum', 'VACUUM (DISABLE_PAGE_SKIPPING) T' ],
	[ 'vacuum full', 'VACUUM FULL T' ],
);
my $blocks = 'block=' . BLOCK . '-' . BLOCK;
my $which = 'could not read block ' . BLOCK . ' in file "FILE":';
for my $read (@reads)
{
	my ($what, $statement) = @$read;
	same_as_heap("$what, EIO", "reads FILE $blocks error EIO", $statement, qr/^58030: $which Input\/output error$/);
	same_as_heap("$what, short", "reads FILE $blocks short", $statement, qr/^XX001: $which read only N of 8192 bytes$/);
}
same_as_heap('a file that cannot be opened', 'open FILE error EACCES', 'SELECT sum(n) FROM T', qr/^42501: could not open file "FILE": Permission denied$/);

# ------------------------------------------------------------------------------------------------- writing
# Behind the table's end, of which a statement makes many pages.
my $extend = 'INSERT INTO T SELECT 100000 + g, 0, repeat(\'e\', 300) FROM generate_series(1, 4000) g';
my $end = sql('SELECT pg_relation_size(\'t\') / 8192') + 5;
same_as_heap('extension, ENOSPC', "pwrite FILE block=$end-99999 error ENOSPC", $extend, qr/^53100: could not extend file "FILE": No space left on device$/);
same_as_heap('extension, EIO', "pwrite FILE block=$end-99999 error EIO", $extend, qr/^58030: could not extend file "FILE": Input\/output error$/);
same_as_heap('extension, short', "pwrite FILE block=$end-99999 short", $extend, qr/^53100: could not extend file "FILE": wrote only N of 8192 bytes at block \d+$/);
# The file ends within a page now; who extends it next begins with that one.
for my $table ('h', 't')
{
	isnt((-s $node->data_dir . "/$file{$table}") % 8192, 0, "part of a page is the end of $table");
	(my $insert = $extend) =~ s/\bT\b/$table/;
	sql($insert);
	is((-s $node->data_dir . "/$file{$table}") % 8192, 0, "the next extension of $table makes it a whole one");
	is(sql("SELECT count(*) FROM $table WHERE id > 100000"), 4000, "all rows of $table are there");
	sql($_) for "DELETE FROM $table WHERE id > 100000", "VACUUM $table";
}
# A page that must leave the pool for another one of the same statement.
my $evict = 'UPDATE T SET n = n + 1 WHERE id % 5 = 0';
for my $case ([ 'error EIO', qr/^58030: could not write block \d+ in file "FILE": Input\/output error$/ ],
	[ 'error ENOSPC', qr/^53100: could not write block \d+ in file "FILE": No space left on device$/ ],
	[ 'short', qr/^53100: could not write block \d+ in file "FILE": wrote only N of 8192 bytes$/ ])
{
	my ($action, $expected) = @$case;
	my $last = $end - 6;
	for my $table ('h', 't')
	{
		make_cold($table);
		my $digest = table_digest($node, $table);
		set_rules($node, "pwrite $file{$table} block=0-$last $action");
		like(plain(answer($table, $evict), $table), $expected, "eviction, $action: $table");
		set_rules($node);
		is(table_digest($node, $table), $digest, "eviction, $action: rows of $table are as before");
	}
}

# ---------------------------------------------------------------------------------------------- checkpoints
sub checkpoint
{
	my ($rc, $out, $error) = $node->psql('postgres', 'CHECKPOINT', timeout => 120, timed_out => \my $late);
	return $late ? 'timed out' : $rc == 0 ? 'succeeds' : $error =~ /checkpoint request failed/ ? 'fails' : $error;
}
my $redo = 'SELECT redo_lsn FROM pg_control_checkpoint()';
for my $action ('error EIO', 'error ENOSPC', 'short')
{
	for my $table ('h', 't')
	{
		is(checkpoint(), 'succeeds', "checkpoint, $action, $table: well before");
		my ($log_start, $before, $sum) = (-s $node->logfile, sql($redo), sql("SELECT sum(n) FROM $table"));
		set_rules($node, "pwrite $file{$table} $blocks $action");
		sql("UPDATE $table SET n = n + 1 $point");
		is(checkpoint(), 'fails', "checkpoint, $action, $table: it fails, attempt $_") for 1, 2;
		is(sql($redo), $before, "checkpoint, $action, $table: none has completed");
		like(slurp_file($node->logfile, $log_start), qr/ERROR:  could not write block ${\BLOCK} in file "\Q$file{$table}\E"/, "checkpoint, $action, $table: the log says which file and block");
		set_rules($node);
		is(sql("SELECT sum(n) FROM $table"), $sum + 1, "checkpoint, $action, $table: the change is there");
		is(checkpoint(), 'succeeds', "checkpoint, $action, $table: it succeeds when the cause is gone");
		isnt(sql($redo), $before, "checkpoint, $action, $table: and completes");
	}
}

# --------------------------------------------------------------------------------------- files that go away
for my $table ('h', 't')
{
	my $am_of = $table eq 'h' ? 'heap' : $am;
	sql("CREATE TABLE gone_$table (id int) USING $am_of; INSERT INTO gone_$table SELECT generate_series(1, 1000)");
	sql("VACUUM gone_$table");
	set_rules($node, 'unlink ' . sql("SELECT pg_relation_filepath('gone_$table')") . '* error EIO');
	like(answer($table, "DROP TABLE gone_$table"), qr/^58030: could not remove file "[^"]*": Input\/output error$/, "DROP TABLE of $table warns of a file that stays");
	is(sql("SELECT to_regclass('gone_$table') IS NULL"), 't', '... and the table is gone');
	set_rules($node);
}
is(checkpoint(), 'succeeds', 'a checkpoint after it succeeds');

# A file that cannot be cut is a PANIC with heap too: replay tries again.
for my $table ('h', 't')
{
	my $am_of = $table eq 'h' ? 'heap' : $am;
	sql("CREATE TABLE cut_$table (id int, pad text) USING $am_of; INSERT INTO cut_$table SELECT g, repeat('c', 300) FROM generate_series(1, 3000) g");
	sql("DELETE FROM cut_$table WHERE id > 1000");
	my ($log_start, $path) = (-s $node->logfile, sql("SELECT pg_relation_filepath('cut_$table')"));
	set_rules($node, "ftruncate $path count=1 error EIO");
	isnt($node->psql('postgres', "VACUUM cut_$table"), 0, "VACUUM that cannot truncate a table like $table fails");
	is(fired($node), 1, '... for that') or last;
	wait_until(sub { !-e $node->data_dir . '/postmaster.pid' }, 'the server to end');
	$node->{_pid} = undef;
	$node->was_killed;
	set_rules($node);
	like(slurp_file($node->logfile, $log_start), qr/PANIC:  could not truncate file "\Q$path\E"/, '... it is a PANIC');
	$node->start;
	is(sql("SELECT count(*), sum(id) FROM cut_$table"), '1000|500500', '... after recovery the rows are there');
	cmp_ok(sql("SELECT pg_relation_size('cut_$table') / 8192"), '<', 100, '... in a shorter file');
}

if (is_glassheap())
{
	# Where few share the pool, a scan reads ahead with one call; what it does not bring is read singly.
	$node->stop('fast');
	$node->append_conf('postgresql.conf', "max_connections = 12\nmax_wal_senders = 2");
	$node->start;
	my $sum = sql('SELECT sum(n) FROM t');
	for my $action ('error EIO', 'short')
	{
		make_cold('t');
		set_rules($node, "preadv $file{t} $action");
		is(sql('SELECT sum(n) FROM t'), $sum, "reading ahead, $action: all rows are found");
		cmp_ok(fired($node), '>', 0, '... though it failed');
		set_rules($node);
	}
}

is(sql('SELECT count(*) FROM glassheap_verify(\'t\')'), 0, 'the table is sound') if is_glassheap();
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
