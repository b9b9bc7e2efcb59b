# t/165_small_disk.pl: tables in a tablespace on a file system of 6 MB, which really is full: what needs a new page fails as
# with heap, what needs none works, checkpoints too, and so does recovery; sessions that fill it at once all come to an
# end; with room again everything works, and nothing that was acknowledged is missing.
#
# The file system is a tmpfs in a namespace of this test's own (unshare of util-linux); skipped where that is forbidden.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";

# Before anything else, for the harness redirects the output.
BEGIN
{
	if (!$ENV{GH_SMALL_DISK})
	{
		$ENV{GH_SMALL_DISK} = "$ENV{TESTDIR}/small_disk";
		mkdir $ENV{GH_SMALL_DISK};
		my @namespace = qw(unshare --user --map-current-user --keep-caps --mount);
		$ENV{GH_SMALL_DISK} = 'none' if system("@namespace mount -t tmpfs -o size=6m none $ENV{GH_SMALL_DISK} >/dev/null 2>&1") != 0;
		@namespace = () if $ENV{GH_SMALL_DISK} eq 'none';
		my @mounted = ('sh', '-c', 'test "$GH_SMALL_DISK" = none || mount -t tmpfs -o size=6m none "$GH_SMALL_DISK" && exec "$@"', 'sh');
		exec @namespace, @mounted, $^X, (map { "-I$_" } @INC), $0 or die "no new process: $!";
	}
}

use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

my $disk = $ENV{GH_SMALL_DISK};
plan skip_all => 'a tmpfs in a user namespace is not to be had' if $disk eq 'none';

my $node = new_node('small', fsync => 'on', 'glassheap.buffers' => '1MB');
my $am = access_method();
sub sql { return $node->safe_psql('postgres', $_[0]); }

mkdir "$disk/space" or die "$disk/space: $!";
sql("CREATE TABLESPACE small LOCATION '$disk/space'");
# Rows (most of 700 bytes) that end behind a page's half; no map exists yet.
for my $table ('h', 't')
{
	my $am_of = $table eq 'h' ? 'heap' : $am;
	sql("CREATE TABLE $table (id int, pad text) USING $am_of TABLESPACE small; ALTER TABLE $table ALTER pad SET STORAGE PLAIN");
	sql("INSERT INTO $table SELECT g, repeat('p', 700) FROM generate_series(1, 203) g");
}
sql('CHECKPOINT');

sub fill_disk
{
	open my $file, '>', "$disk/filler" or die "$disk/filler: $!";
	my $written = 0;
	while (my $more = syswrite $file, "\0" x 4096) { $written += $more; }
	close $file;
	return $written;
}
sub make_room { unlink "$disk/filler" or die "$disk/filler: $!"; return; }

# What a statement on T says.
sub answer
{
	my ($table, $statement) = @_;
	(my $sql = $statement) =~ s/\bT\b/$table/g;
	my ($rc, $out, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", timeout => 120, timed_out => \my $late);
	my $said = $late ? 'timed out' : $error =~ /^psql:.*?(ERROR|WARNING): +(.*)$/m ? "$1: $2" : "rc $rc";
	$said =~ s/"pg_tblspc\/[^"]*?((?:_fsm|_vm)?)"/"FILE$1"/g;
	return $said;
}

my $full = qr/^ERROR: 53100: could not extend file "FILE": No space left on device$/;
sub same_as_heap
{
	my ($what, $statement, $expected) = @_;
	my %said = map { $_ => answer($_, $statement) } 'h', 't';
	is($said{t}, $said{h}, "$what: as heap");
	like($said{t}, $expected, "$what: as expected");
	is(table_digest($node, 't'), table_digest($node, 'h'), "$what: both have the same rows");
	return;
}

cmp_ok(fill_disk(), '>', 0, 'the disk is full');
same_as_heap('rows that fit into the last page', 'INSERT INTO T VALUES (1001, \'small\'), (1002, \'small\')', qr/^rc 0$/);
same_as_heap('rows that do not', 'INSERT INTO T SELECT g, repeat(\'q\', 700) FROM generate_series(2000, 2100) g', $full);
same_as_heap('an update in the page', 'UPDATE T SET pad = \'s\' WHERE id = 1001', qr/^rc 0$/);
same_as_heap('an update of all rows', 'UPDATE T SET pad = pad || \'s\'', $full);
same_as_heap('deletion', 'DELETE FROM T WHERE id <= 20', qr/^rc 0$/);
same_as_heap('a checkpoint', 'CHECKPOINT', qr/^rc 0$/);
same_as_heap('vacuum, which needs its maps', 'VACUUM T', qr/^(?:ERROR|WARNING): 53100: could not extend file "FILE_(?:fsm|vm)": No space left on device$/);
same_as_heap('vacuum full', 'VACUUM FULL T', $full);
same_as_heap('an index', 'CREATE INDEX index_of_T ON T (id) TABLESPACE small', $full);
same_as_heap('a table', 'CREATE TABLE new_T TABLESPACE small AS SELECT * FROM T', qr/^ERROR: 53100: /);
same_as_heap('an unlogged table', 'CREATE UNLOGGED TABLE new_T TABLESPACE small AS SELECT * FROM T', qr/^ERROR: 53100: /);
same_as_heap('a temporary table', 'CREATE TEMPORARY TABLE new_T TABLESPACE small AS SELECT * FROM T', qr/^ERROR: 53100: /);

# (What failed above has logged pages that it could not write, as heap does: replay of that needs their room.)
sql($_) for 'CHECKPOINT', map { "UPDATE $_ SET pad = 'u' WHERE id = 1002" } 'h', 't';
my $digest = table_digest($node, 't');
kill_server_9($node);
$node->start;
is(table_digest($node, 't'), $digest, 'recovery that needs no new page succeeds');
same_as_heap('rows that do not fit, after recovery', 'INSERT INTO T SELECT g, repeat(\'q\', 700) FROM generate_series(2000, 2100) g', $full);

make_room();
same_as_heap('with room: vacuum', 'VACUUM T', qr/^rc 0$/);
same_as_heap('with room: rows', 'INSERT INTO T SELECT g, repeat(\'q\', 700) FROM generate_series(2000, 2100) g', qr/^rc 0$/);
same_as_heap('with room: vacuum full', 'VACUUM FULL T', qr/^rc 0$/);
same_as_heap('with room: vacuum of the new file, which gets its maps', 'VACUUM T', qr/^rc 0$/);

# ---- sessions fill the disk at once; each batch is acknowledged or fails for want of room
my $folder = PostgreSQL::Test::Utils::tempdir();
my @sessions;
for my $session (1 .. 4)
{
	append_to_file("$folder/$session.sql", "WITH i AS (INSERT INTO t SELECT $session * 1000000 + $_ * 100 + g, repeat('c', 700) FROM generate_series(1, 50) g RETURNING 1)"
		  . " SELECT 'came', $session * 1000000 + $_ * 100, count(*) FROM i;\n") for 1 .. 200;    # more than there is room for: each must find it full
	push @sessions, start_background($node, file => "$folder/$session.sql", stdout => "$folder/$session.out", continue => 1);
}
IPC::Run::finish($_) for @sessions;
my ($batches, @missing) = (0);
my %came = map { split /\|/ } split /\n/, sql('SELECT id / 100 * 100, count(*) FROM t WHERE id > 1000000 GROUP BY 1');
for my $session (1 .. 4)
{
	my @told = slurp_file("$folder/$session.out") =~ /^came\|(\d+)\|50$/mg;
	$batches += @told;
	push @missing, grep { ($came{$_} // 0) != 50 } @told;
	my $errors = slurp_file("$folder/$session.out.err");
	like($errors, qr/No space left on device/, "session $session found the disk full");
	unlike($errors =~ s/^.*could not extend file "[^"]*": No space left on device\n//mgr, qr/ERROR|FATAL/, '... and complained of nothing else');
}
is("@missing", '', "all of $batches acknowledged batches are there");
is(scalar(keys %came), $batches, '... and no others');
is($node->psql('postgres', 'CHECKPOINT'), 0, 'a checkpoint succeeds on the full disk');
$digest = table_digest($node, 't');
kill_server_9($node);
$node->start;
is(table_digest($node, 't'), $digest, 'all rows are there after a crash');
is(answer('t', 'VACUUM T'), 'rc 0', 'what failed is dead, and vacuum finds it');
sql('DELETE FROM t WHERE id > 1000000; INSERT INTO t VALUES (0, \'again\')');
is(answer('t', 'VACUUM T'), 'rc 0', 'space is given back');
is(answer('t', 'INSERT INTO T SELECT 5000000 + g, repeat(\'r\', 700) FROM generate_series(1, 1000) g'), 'rc 0', '... and used again');
is(sql("SELECT count(*) FROM glassheap_verify('t')"), 0, 'the table is sound') if is_glassheap();
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nobody panicked');
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
