# t/040_corrupt.pl: damaged pages are reported as such (ERRCODE_DATA_CORRUPTED, with relation, fork and block), the
# settings for the desperate are honoured, and nothing crashes.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('corrupt', restart_after_crash => 'off');
my $am = access_method();
my ($rows_per_page, $pages) = (10, 40);

sub make_table
{
	my ($table) = @_;
	$node->safe_psql('postgres', "CREATE TABLE $table (id int, v text) USING $am;"
		. "ALTER TABLE $table ALTER v SET STORAGE PLAIN;"
		. "INSERT INTO $table SELECT g, repeat('v', 720) FROM generate_series(1, " . $rows_per_page * $pages . ") g;"
		. "CREATE INDEX ${table}_id ON $table (id); VACUUM $table;");
	return $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$table')");
}

sub with_file
{
	my ($path, $change) = @_;
	open my $file, '+<:raw', $path or die "$path: $!";
	$change->($file);
	close $file;
	return;
}

sub overwrite
{
	my ($path, $block, $offset, $bytes) = @_;
	with_file($path, sub { my $file = shift; seek $file, $block * 8192 + $offset, 0; print $file $bytes; });
	return;
}

sub query
{
	my ($sql) = @_;
	my ($stdout, $stderr);
	my $rc = $node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($rc, $stdout, $stderr);
}

# ------------------------------------------------------------------------------------------- checksums
my $path = make_table('t');
$node->stop('fast');
overwrite($path, 3, 5000, 'XXXX');
$node->start;
my ($rc, $out, $err) = query('SELECT count(v) FROM t');
isnt($rc, 0, 'a page with a wrong checksum is not read');
like($err, qr/ERROR:  XX001:/, 'the error is ERRCODE_DATA_CORRUPTED');
like($err, qr/invalid page in block 3 of relation base\/\d+\/\d+|block 3.*"?t"?/, 'it names block and relation');
($rc, $out, $err) = query('SELECT count(v) FROM t WHERE ctid < \'(3,0)\'');
is($out, 3 * $rows_per_page, 'pages before it are readable');
($rc, $out, $err) = query('SET enable_seqscan = off; SELECT v FROM t WHERE id = ' . (20 * $rows_per_page));
is($rc, 0, 'rows on other pages are found by index');
($rc, $out, $err) = query('SET ignore_checksum_failure = on; SELECT count(v) FROM t');
is($out, $rows_per_page * $pages, 'ignore_checksum_failure reads it');
like($err, qr/WARNING/, 'with a warning');
$node->restart;
($rc, $out, $err) = query('SELECT count(v) FROM t');
isnt($rc, 0, 'and changes nothing for others');
($rc, $out, $err) = query('SET zero_damaged_pages = on; SELECT count(v) FROM t');
is($out, $rows_per_page * ($pages - 1), 'zero_damaged_pages takes it for empty');
like($err, qr/WARNING:  XX001.*zeroing out page|WARNING.*zero/s, 'with a warning');
($rc, $out, $err) = query('INSERT INTO t SELECT g, \'after\' FROM generate_series(1, 300) g; SELECT count(v) FROM t WHERE v = \'after\'');
is($out, 300, 'and the table goes on working');

# --------------------------------------------------------- structure, under checksums that are made right again
my %damage = (
	'pd_lower beyond pd_upper' => [ 12, pack('S', 9000) ],
	'pd_upper beyond the page' => [ 14, pack('S', 60000) ],
	'pd_special before pd_upper' => [ 16, pack('S', 100) ],
	'unknown flag bits' => [ 10, pack('S', 0xFF00) ],
);
# Heap takes this one for a page without rows.
$damage{'pd_lower inside the header'} = [ 12, pack('S', 4) ] if is_glassheap();
my %file_of = map { my $name = $_; (my $table = lc $name) =~ s/\W+/_/g; $name => [ $table, make_table($table) ] } sort keys %damage;
$node->stop('fast');
for my $name (sort keys %damage)
{
	overwrite($file_of{$name}[1], 5, @{ $damage{$name} });
}
my $checksums = $node->installed_command('pg_checksums');
command_ok([ $checksums, '--disable', '-D', $node->data_dir ], 'checksums off');
command_ok([ $checksums, '--enable', '-D', $node->data_dir ], 'checksums made anew, right for the damaged pages');
$node->start;
for my $name (sort keys %damage)
{
	my $table = $file_of{$name}[0];
	($rc, $out, $err) = query("SELECT count(v) FROM $table");
	like($err, qr/ERROR:  XX001:.*block 5|ERROR:  XX001:/s, "$name: reported as corrupted by a scan");
	($rc, $out, $err) = query("SET enable_seqscan = off; SELECT length(v) FROM $table WHERE id = " . (5 * $rows_per_page + 3));
	like($err, qr/ERROR:  XX001:/, "$name: and by a fetch through the index");
	($rc, $out, $err) = query("UPDATE $table SET v = 'new' WHERE id BETWEEN 1 AND 12");
	is($err, '', "$name: rows on sound pages can be updated");
	($rc, $out, $err) = query("VACUUM (DISABLE_PAGE_SKIPPING) $table");
	like($err, qr/ERROR:  XX001:/, "$name: VACUUM reports it as well");
}

# ----------------------------------------------------------------- a file that is cut off, or not of whole pages
$path = make_table('cut');
$node->stop('fast');
with_file($path, sub { truncate $_[0], 10 * 8192 + 100; });
$node->start;
($rc, $out, $err) = query('SELECT count(v) FROM cut');
is($out, 10 * $rows_per_page, 'whole pages of a cut file are readable');
($rc, $out, $err) = query('SET enable_seqscan = off; SELECT * FROM cut WHERE id = ' . (30 * $rows_per_page));
isnt($rc, 0, 'an index entry to a page that is gone is an error');
($rc, $out, $err) = query('SELECT 1');
is($out, '1', 'the server is alive');

# ------------------------------------------------------------------------------- random bytes all over a table
seed_from_environment();
my $noise = make_table('noise');
$node->stop('fast');
my %hit;
for (1 .. 60)
{
	my $block = int(rand($pages));
	overwrite($noise, $block, int(rand(8180)), join('', map { chr(int(rand(256))) } 1 .. 4 + int(rand(9))));
	$hit{$block} = 1;
}
$node->start;
my ($whole, $reported) = (0, 0);
for my $block (0 .. $pages - 1)
{
	($rc, $out, $err) = query("SELECT count(v) FROM noise WHERE ctid >= '($block,0)' AND ctid < '(" . ($block + 1) . ",0)'");
	if ($rc == 0 && $out eq $rows_per_page) { $whole++; }
	elsif ($err =~ /ERROR:  XX001:/) { $reported++; }
	else { diag("block $block: $out $err"); }
}
is($whole + $reported, $pages, 'each page of the noise is either whole or reported');
# A checksum has 16 bits: one page of those may pass by chance.
cmp_ok($reported, '>=', keys(%hit) - 1, "$reported of " . keys(%hit) . ' pages that were hit are reported');
cmp_ok($whole, '>=', $pages - keys %hit, '... and no other');
($rc, $out, $err) = query('SET zero_damaged_pages = on; SELECT count(v) FROM noise');
is($out, $whole * $rows_per_page, 'zero_damaged_pages leaves the whole pages');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'nothing crashed');
done_testing();
