# t/182_torn_before_image.pl: without checksums the record of the visibility map's bits has no image of the page.  A later change has,
# and the page may be torn while that is written: replay then meets the torn page before its image, passes it
# over, and has all rows.  (A page that is torn without a record to heal it: t/040, t/076.)
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapShim;
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_from_environment();
plan skip_all => 'tears pages of our pool' unless is_glassheap();
my $node;
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

sub new_torn_node
{
	my ($name, $checksums, %settings) = @_;
	$node = new_shim_node($name, 'glassheap.buffers' => '4MB', shared_buffers => '4MB', wal_log_hints => 'off', %settings);
	return if $checksums;
	$node->stop('fast');
	command_ok([ $node->installed_command('pg_checksums'), '--disable', '-D', $node->data_dir ], 'no checksums');
	$node->start;
	return;
}

# Rows that reach from the page's end into its middle, and line pointers over several sectors at its beginning.
sub make_tables
{
	my (@tables) = @_;
	sql(join ';', map { "CREATE TABLE $_ (id int, v text); INSERT INTO $_ SELECT g, repeat('v', 10) FROM generate_series(1, 100) g" } @tables);
	sql(join ';', map { "SELECT count(*) FROM $_" } @tables);
	return;
}

# ---- torn: the pages are written, each as a part of its sectors, and all processes die
for my $checking ('', 'glassheap')
{
	my @tables = map { "t$_" } 1 .. 40;
	new_torn_node("torn$checking", 0, wal_consistency_checking => "'$checking'");
	make_tables(@tables);
	sql('CHECKPOINT');
	sql("VACUUM $_") for @tables;
	sql(join ';', map { "INSERT INTO $_ SELECT g, repeat('w', 10) FROM generate_series(101, 150) g" } @tables);
	set_rules($node, "seed $seed", 'writes base/* fork=main torn');
	sql("SELECT glassheap_buffercache_evict_relation('$_')") for @tables;
	my $torn = fired($node);
	cmp_ok($torn, '>=', scalar @tables, "$torn pages are torn");
	kill_server_9($node);
	set_rules($node);
	ok($node->start(fail_ok => 1), 'the server recovers') or BAIL_OUT('it does not start');
	my @wrong = grep { sql("SELECT count(*) || ' ' || sum(id) FROM $_") ne '150 11325' } @tables;
	is("@wrong", '', 'all rows are there');
	is(sql('SELECT count(*) FROM glassheap_verify_all()'), 0, 'nothing to complain about');
	is(sql(join ' UNION ALL ', map { "SELECT * FROM glassheap_check_visible('$_')" } @tables), '', 'no page is called all-visible that is not');
	my $log = slurp_file($node->logfile);
	unlike($log, qr/PANIC|TRAP|invalid page/, 'and nobody called the torn pages damaged');
	my $passed = () = $log =~ /LOG:  block 0 of relation base\S+ is torn; replay passes over it/g;
	cmp_ok($passed, '>', 0, "... but the log names those that were passed over: $passed");
	$node->stop('fast');
}

# ---- damaged: what no torn write leaves, with no image to come, is passed over by nobody
sub damage_and_start
{
	my ($at, $bytes, $what) = @_;
	sql('CREATE TABLE later ()');    # what is to be replayed is on disk
	my $path = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('t')");
	kill_server_9($node);
	open my $file, '+<:raw', $path or die "$path: $!";
	seek $file, $at, 0;
	print $file $bytes;
	close $file or die "$path: $!";
	ok(!$node->start(fail_ok => 1), "$what: recovery ends");
	like(slurp_file($node->logfile), qr/FATAL:  invalid page in block 0 of relation/, '... and says why');
	return;
}

new_torn_node('header', 0);
make_tables('t');
sql('CHECKPOINT');
sql('VACUUM t');
damage_and_start(12, pack('S', 9000), 'pd_lower beyond the page');

# With checksums a record of VACUUM's lacks an image only behind another one, or so: a snapshot keeps the bits back until the image
# of the first VACUUM is before the redo pointer.
new_torn_node('sums', 1, full_page_writes => 'off');
my $elder = GlassheapSession->new($node);
$elder->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current()');
make_tables('t');
sql('VACUUM t');
$elder->close;
sql('CHECKPOINT');
sql('VACUUM t');
damage_and_start(8, "\x12\x34", 'a wrong checksum');
done_testing();
