# t/183_reserved_pages.pl: files grow by space that is reserved, not by zeroes that are written.  Whatever keeps a reservation from
# succeeding, zeroes are written instead; a disk that is full is heap's error, and nothing is lost.  Pages that a reservation has added
# before it failed belong to whoever uses them.  Across the end of a segment; and with the setting that writes zeroes.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapShim;
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap does not reserve' unless is_glassheap();

my $node = new_shim_node('reserved', restart_after_crash => 'off', 'glassheap.writer_max_pages' => 0, max_wal_size => '4GB');
sub sql { return $node->safe_psql('postgres', $_[0]); }

# One row a page; the table is large enough for batches.
my ($there, $loaded) = (1100, 300);
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/rows", join('', map { "$_\t" . ('y' x 7000) . "\n" } 100_001 .. 100_000 + $loaded));
chmod 0644, "$folder/rows";
my $copy = "COPY t FROM '$folder/rows'";
my $file;

sub make_table
{
	my ($am) = @_;
	sql('DROP TABLE IF EXISTS t; CREATE TABLE t (id int, pad text) USING ' . ($am // access_method()) . '; ALTER TABLE t ALTER pad SET STORAGE PLAIN;'
		. "INSERT INTO t SELECT g, repeat('x', 7000) FROM generate_series(1, $there) g");
	sql('VACUUM t');
	sql('CHECKPOINT');
	$file = sql("SELECT pg_relation_filepath('t')");
	return;
}

# Holes would be a full disk that is noticed when rows are there.
sub has_holes
{
	my ($size, $sectors) = (stat $node->data_dir . "/$file")[7, 12];
	return $sectors * 512 < $size;
}

sub pages { return (-s $node->data_dir . "/$file") / 8192; }

# Rows in the pool, and as the file has them.
sub check_table
{
	my ($rows, $when) = @_;
	for my $read ('in the pool', 'read again')
	{
		is(sql('SELECT count(*), count(DISTINCT id) FROM t'), "$rows|$rows", "$when: rows, $read");
		is(sql("SELECT count(*) FROM glassheap_verify('t')"), 0, "$when: nothing to complain about, $read");
		sql('CHECKPOINT');
		sql("SELECT glassheap_buffercache_evict_relation('t')");
	}
	return;
}

# ---- what is reserved is not written, and a load leaves few empty pages, which the map knows
make_table();
set_rules($node, "fallocate $file delay 0-0", "pwrite $file block=$there-9999 delay 0-0");
sql($copy);
my ($reservations, $writes) = (fired($node, 0), fired($node, 1));
ok(!has_holes(), 'the file has its space before the pages are written');
cmp_ok($reservations, '>=', 10, 'pages were reserved');
cmp_ok($writes, '<=', $reservations + 20, '... and all but the last of each batch not written');
set_rules($node);
check_table($there + $loaded, 'reserved');
my $empty = pages() - $there - $loaded;
cmp_ok($empty, '<=', $there / 64 + 2, 'few pages are left empty');
my $before = pages();
sql("INSERT INTO t SELECT -g, repeat('z', 7000) FROM generate_series(1, $empty) g");
is(pages(), $before, '... and the next rows find them');

sql('ALTER SYSTEM SET glassheap.file_extend_method = write_zeros');
sql('SELECT pg_reload_conf()');
wait_until(sub { sql('SHOW glassheap.file_extend_method') eq 'write_zeros' }, 'the setting');
make_table();
set_rules($node, "fallocate $file delay 0-0");
sql($copy);
is(fired($node), 0, 'write_zeros: nothing is reserved');
set_rules($node);
check_table($there + $loaded, 'write_zeros');
sql('ALTER SYSTEM RESET glassheap.file_extend_method');
sql('SELECT pg_reload_conf()');
wait_until(sub { sql('SHOW glassheap.file_extend_method') eq 'posix_fallocate' }, 'the setting');

# ---- a reservation that fails is no error
for my $error (qw(EOPNOTSUPP EINTR EIO ENOSPC))
{
	make_table();
	set_rules($node, "fallocate $file error $error");
	sql($copy);
	cmp_ok(fired($node), '>', 0, "$error: reservations failed");
	ok(!has_holes(), "$error: the file has its space all the same");
	set_rules($node);
	check_table($there + $loaded, "$error: zeroes are written");
}
for my $error (qw(ENOSPC EIO))
{
	my %said;
	for my $am ('heap', access_method())
	{
		make_table($am);
		my $end = $there + 100;
		set_rules($node, "fallocate,pwrite $file block=$end-9999 error $error");
		my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$copy");
		isnt($rc, 0, "$error, $am: the load fails");
		$said{$am} = $err =~ /ERROR: +(.*)/ ? $1 =~ s/"[^"]*"/FILE/r : $err;
		$said{$am} .= $err =~ /^HINT: +(.*)/m ? " $1" : '';
		set_rules($node);
	}
	is($said{ access_method() }, $said{heap}, "$error: the error is heap's");
	like($said{heap}, $error eq 'ENOSPC' ? qr/^53100: could not extend file FILE: No space left on device Check free disk space/ : qr/^58030: could not extend file FILE: Input/, "$error: as expected");
	check_table($there, "$error: after the error");
	sql($copy);
	check_table($there + $loaded, "$error: after another load");
}

# ---- a reservation that fails has added pages: they are others' by then
SKIP:
{
	skip 'needs stop points (GH_CHECKS=1)', 1 unless has_stop_points($node);
	make_table();
	my $waiters = sub { return sql("SELECT count(*) FROM pg_locks WHERE locktype = 'extend' AND NOT granted") };
	sql("SELECT glassheap_stop_point_set('$_', 'wait')") for qw(buffer.extend_before_file storage.extend_not_reserved);
	my @inserts = (start_background($node, sql => "INSERT INTO t VALUES (200000, repeat('w', 7000))"));
	sql("SELECT glassheap_stop_point_wait('buffer.extend_before_file')");
	for my $waiter (1 .. 3)
	{
		push @inserts, start_background($node, sql => "INSERT INTO t VALUES (200000 + $waiter, repeat('w', 7000))");
		wait_until(sub { $waiters->() == $waiter }, "insert $waiter to wait for the extension lock");
	}
	# The first waiter adds 61 pages, for itself and the others, with a frame for the first of them only.
	set_rules($node, 'seed 1', "fallocate $file count=1 short");
	sql("SELECT glassheap_stop_point_clear('buffer.extend_before_file'), glassheap_stop_point_wait('storage.extend_not_reserved')");
	my $last = int(pages()) - 1;
	cmp_ok($last, '>', $there + 2, 'a part has been reserved');
	cmp_ok($last, '<', $there + 1 + 60, '... and a part has not');
	is(sql("INSERT INTO t VALUES (-1, rpad('acknowledged', 3000)) RETURNING ctid"), "($last,1)", 'somebody inserts into its last page');
	sql('CHECKPOINT');
	sql("SELECT glassheap_buffercache_evict_relation('t')");
	sql('SELECT glassheap_stop_point_clear()');
	IPC::Run::finish($_) for @inserts;
	set_rules($node);
	sql("SELECT glassheap_buffercache_evict_relation('t')");
	is(sql("SELECT rtrim(pad) FROM t WHERE id = -1"), 'acknowledged', 'the row is there');
	check_table($there + 4 + 1, 'reserved in part');
	# The map is not in the pool: each of the two who wait may have had the lock before it was told, and added a page.
	my $more = pages() - $there - 1 - 61;
	ok($more >= 0 && $more <= 2, '... and the rest was written') or diag("$more pages more");
}

# ---- across the end of a segment: the file is lengthened by hand, nearly to its end, with pages that are new
make_table();
$node->stop('fast');
my $segment = 131072;
truncate($node->data_dir . "/$file", ($segment - 100) * 8192) or die $!;
$node->start;
sql($copy);
is(pages(), $segment, 'the first segment is full');
cmp_ok(-s $node->data_dir . "/$file.1", '>=', ($loaded - 100) * 8192, '... and the second has the rest');
is(sql('SELECT count(*), count(DISTINCT id) FROM t'), ($there + $loaded) . '|' . ($there + $loaded), 'across segments: rows');
kill_server_9($node);
$node->start;
is(sql('SELECT count(*), count(DISTINCT id) FROM t'), ($there + $loaded) . '|' . ($there + $loaded), 'across segments: rows after kill -9');
set_rules($node, "fallocate,pwrite $file.1 error ENOSPC");
my ($rc, $out, $err) = $node->psql('postgres', $copy);
like($err, qr/could not extend file "\Q$file\E.1": No space left/, 'across segments: a full disk');
set_rules($node);
sql($copy);
is(sql('SELECT count(*), count(DISTINCT id) FROM t'), ($there + 2 * $loaded) . '|' . ($there + $loaded), 'across segments: rows of another load');

$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
done_testing();
