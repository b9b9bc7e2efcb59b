# t/120_replay_keeps_image.pl: an image of heap's record restores a page in replay; the file has a page of the future, with the same LSN
# and PD_ALL_VISIBLE, which a power failure tore.  Without checksums nothing tells that it is torn: the image counts.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use TwoPools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', wal_log_hints => 'off', restart_after_crash => 'off', bgwriter_lru_maxpages => 0);
$node->stop;
command_ok([ 'pg_checksums', '-D', $node->data_dir, '--disable' ], 'no checksums');
$node->start;
create_two_pools_functions($node);

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
my %file;

sub page_of { my ($table) = @_; return substr(slurp_file($node->data_dir . "/$file{$table}"), 0, 8192); }

# Page and copy: the torn half is of an empty place ("plain"), or of an older row in the same place ("reused").
sub prepare
{
	my ($table) = @_;
	sql("CREATE TABLE $table (id int, note text); INSERT INTO $table SELECT g, 'ours' FROM generate_series(1, 10) g; CHECKPOINT");
	sql($_) for $table eq 'reused' ? ("INSERT INTO $table VALUES (99, 'gone11')", "DELETE FROM $table WHERE id = 99", "VACUUM $table") : ();
	$file{$table} = sql("SELECT pg_relation_filepath('$table')");
	sql("SELECT count(*) FROM $table");
	return;
}

my @tables = qw(plain reused);
prepare($_) for @tables;
sql('CHECKPOINT');
my %before = map { $_ => page_of($_) } @tables;
for my $table (@tables)
{
	sql("SELECT two_pools_insert('$table', 11, 'theirs')");
	$node->poll_query_until('postgres', "SELECT count(*) = 11 FROM $table") or die 'their row never showed';
	sql("VACUUM $table");
	sql("SELECT glassheap_buffercache_evict_relation('$table')");
	is(sql("SELECT flags & 4 FROM glassheap_page_header(glassheap_get_disk_page('$table', 0))"), 4, "$table: the file's page is known all-visible");
}
kill_server_9($node);
for my $table (@tables)
{
	my $torn = substr(page_of($table), 0, 4096) . substr($before{$table}, 4096);
	isnt($torn, page_of($table), "$table: the write is torn");
	open(my $handle, '+<:raw', $node->data_dir . "/$file{$table}") or die "could not open $file{$table}: $!";
	print {$handle} $torn;
	close($handle) or die $!;
}
is($node->start(fail_ok => 1), 1, 'recovery goes through') or BAIL_OUT('no server');
for my $table (@tables)
{
	is(sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"), '1 2 3 4 5 6 7 8 9 10 11', "$table: the image counts");
	is(sql("SELECT count(*) FROM glassheap_verify('$table')"), 0, "$table: nothing to complain about");
}
$node->stop;
done_testing();
