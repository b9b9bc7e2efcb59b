# t/147_marked_in_replay.pl: a table that is marked as being in two pools is refused to users, not to replay: a standby, and a server
# that starts after a crash, replay a truncation of it.  In passing: replay of a truncation corrects the free space map up to its root.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $primary = new_node('primary', wal_keep_size => '2GB', max_wal_size => '4GB');
my $standby = new_standby($primary, 'standby');
$_->not_compared('tables are marked by hand') for $primary, $standby;

sub sql { my ($query) = @_; return $primary->safe_psql('postgres', $query); }
sub is_refused { my ($node) = @_; my ($rc, $out, $err) = $node->psql('postgres', 'SELECT count(*) FROM marked'); return $err =~ /is in two buffer pools/; }
sub marks { my ($node) = @_; return scalar(grep { m{/\d+_\d+_\d+$} } glob($node->data_dir . '/glassheap_two_pools/*')); }

# As a server does that meets the second version of a page.
sub mark
{
	my ($node, $file) = @_;
	my $folder = $node->data_dir . '/glassheap_two_pools';
	-d $folder or mkdir $folder or die "$folder: $!";
	append_to_file("$folder/$file", '');
	return;
}

# More pages than one page of the map has slots for: a row has a page for itself.
for my $table (qw(marked plain))
{
	sql("CREATE TABLE $table (id int, note text); ALTER TABLE $table ALTER note SET STORAGE plain");
	sql("INSERT INTO $table SELECT g, repeat('x', 5000) FROM generate_series(1, 4100) g; VACUUM $table");
}
# Only images tell others of the upper levels, and this is the last one: it has free space behind the cut.
sql('CHECKPOINT');
sql("DELETE FROM $_ WHERE id % 2 = 0 AND id < 4100; VACUUM $_") for qw(marked plain);
my $file = '1663_' . sql("SELECT (SELECT oid FROM pg_database WHERE datname = 'postgres') || '_' || pg_relation_filenode('marked')");
$primary->wait_for_catchup($standby, 'replay');
$standby->stop;
mark($standby, $file);
$standby->start;
ok(is_refused($standby), 'standby: the table is refused');
# Slots of the root and of the page below it that promise something: node 4095 is slot 0, for the first part.
my $upper = 'SELECT string_agg(m[1], \' \' ORDER BY b, m[1]) FROM generate_series(0, 1) b, '
  . 'regexp_matches(glassheap_fsm_page_contents(\'%s\', b), \'^(409[5-9]|4[1-9]\d\d|[5-8]\d\d\d): \', \'gn\') m';
is($standby->safe_psql('postgres', sprintf($upper, 'plain')), '4095 4095 4096', 'standby: the map has free space in two parts');

sql("DELETE FROM $_ WHERE id > 5; VACUUM $_") for qw(marked plain);
my $size = 'SELECT pg_relation_size(\'marked\') / 8192, pg_relation_size(\'marked\', \'fsm\') / 8192';
is(sql($size), '5|3', 'VACUUM gives back the tail, and a page of the map');
my $end = sql('SELECT pg_current_wal_insert_lsn()');
my $died = sub { slurp_file($standby->logfile) =~ /startup process \(PID \d+\) (?:was terminated|exited)/ };
wait_until(sub { $died->() || sql("SELECT bool_or(replay_lsn >= '$end') FROM pg_stat_replication") eq 't' }, 'replay');
ok(!$died->(), 'standby: replay goes on') or die;
is($standby->safe_psql('postgres', $size), '5|3', 'standby: the truncation is replayed');
ok(is_refused($standby), 'standby: the table is refused still');

kill_server_9($primary);
mark($primary, $file);
is($primary->start(fail_ok => 1), 1, 'the server starts after a crash') or die;
is(sql($size), '5|3', 'recovered: the truncation is replayed');
ok(is_refused($primary), 'recovered: the table is refused');

sql("SELECT glassheap_resolve('marked', 'glassheap')");
$primary->wait_for_catchup($standby, 'replay');
for my $node ($primary, $standby)
{
	my $name = $node->name;
	is(marks($node), 0, "$name: no mark is left");
	is($node->safe_psql('postgres', 'SELECT string_agg(id::text, \' \' ORDER BY id) FROM marked'), '1 3 5', "$name: rows after the choice");
	is($node->safe_psql('postgres', sprintf($upper, $_)), '4095 4095',
		"$name: upper levels of the map of $_ promise nothing behind the cut")
	  for qw(marked plain);
}
$standby->stop;
$primary->stop;
done_testing();
