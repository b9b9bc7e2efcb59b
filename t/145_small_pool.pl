# t/145_small_pool.pl: many large scans in a small pool.  A scan reads ahead with frames that are left over, within its share: where there
# are none it reads page by page, and what others need is there, on a standby, too, for replay.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap does not read ahead' unless is_glassheap();

# 128 frames, and as many processes as leave each a share of one; a run without a limit would be of eight pages.
my $frames = 128;
my $scans = 16;
my %small = ('glassheap.buffers' => '1MB', max_connections => 24, autovacuum_max_workers => 1, max_worker_processes => 4, max_wal_senders => 3);
my $primary = new_node('small', %small);
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($primary);

sub sql { my ($node, $query) = @_; return $node->safe_psql('postgres', $query); }

# A page a row.
sub make_table
{
	my ($table, $pages) = @_;
	sql($primary, "CREATE TABLE $table (id int, v text) WITH (fillfactor = 10); ALTER TABLE $table ALTER v SET STORAGE PLAIN;"
		. "INSERT INTO $table SELECT g, repeat('v', 7000) FROM generate_series(1, $pages) g");
	return;
}
make_table("scan_$_", 40) for 1 .. $scans;
make_table('wanted', 20);
my $moves = 4;    # so many rows move: there is room for them behind the others
my $rest_begins = $frames + $moves - 1;
my $rows = $rest_begins + 1;
make_table('pinned', $rows + $moves);
sql($primary, "DELETE FROM pinned WHERE id > $rest_begins AND id < $rows + $moves");
sql($primary, 'VACUUM');
# A small row on each of these pages, or the row that comes would initialise its page; and room for both.
sql($primary, "INSERT INTO pinned SELECT 1000 + g, repeat('s', 700) FROM generate_series(1, $moves) g");
is(sql($primary, "SELECT string_agg(DISTINCT ((ctid::text::point)[0])::int::text, ' ') FROM pinned WHERE id > 1000"), join(' ', $rest_begins .. $rest_begins + $moves - 1), 'a small row on each page that rows move to');
sql($primary, 'ALTER TABLE pinned SET (fillfactor = 100)');
sql($primary, 'CHECKPOINT');
my $standby = new_standby($primary, 'small_standby', log_recovery_conflict_waits => 'on');
$primary->wait_for_catchup($standby);

# ---- every scan stands in its third run
sub stop_scans
{
	my ($node) = @_;
	my @sessions = map { GlassheapSession->new($node) } 1 .. $scans;
	for my $i (1 .. $scans)
	{
		sql($node, "SELECT glassheap_stop_point_set('buffer.run_read', 'wait', 2)");
		$sessions[ $i - 1 ]->begin("SELECT count(*) FROM scan_$i");
		sql($node, "SELECT glassheap_stop_point_wait('buffer.run_read')");
	}
	sql($node, "SELECT glassheap_stop_point_set('buffer.run_read', 'wait', 1000000)");    # whoever comes now passes
	return @sessions;
}

sub let_go
{
	my ($node, @sessions) = @_;
	sql($node, "SELECT glassheap_stop_point_clear('buffer.run_read')");
	is(join(' ', map { $_->end } @sessions), join(' ', (40) x $scans), $node->name . ': the scans end well');
	$_->close for @sessions;
	return;
}

my @sessions = stop_scans($primary);
my $rest = GlassheapSession->new($primary);
is($rest->ask("SELECT count(*) FROM wanted"), 20, 'another query has the frames that it needs');
is($rest->ask("INSERT INTO wanted SELECT g, repeat('v', 7000) FROM generate_series(21, 30) g; SELECT count(*) FROM pinned WHERE id < 1000"), $rows, 'so have an insert and a large scan');
$rest->close;
let_go($primary, @sessions);

@sessions = stop_scans($standby);
my $from = -s $standby->logfile;
sql($primary, "UPDATE wanted SET id = -id");
my $end = sql($primary, 'SELECT pg_current_wal_lsn()');
wait_until(
	sub {
		slurp_file($standby->logfile, $from) =~ /FATAL/
		  || ($standby->psql('postgres', "SELECT pg_last_wal_replay_lsn() >= '$end'"))[1] eq 't';
	},
	'replay');
unlike(slurp_file($standby->logfile, $from), qr/FATAL/, 'replay goes on beside stopped scans');
let_go($standby, @sessions);
is(sql($standby, 'SELECT count(*), min(id) FROM wanted'), '30|-30', 'the standby has the rows');

# ---- all frames but one are pinned: a scan does not wait for more than that
sub pin_pages
{
	my ($node, $first, $pages) = @_;
	my $last = $first + $pages - 1;
	my $session = GlassheapSession->new($node);
	$session->ask('BEGIN; SET LOCAL enable_seqscan = off');
	my @rows = map { $session->ask("DECLARE c$_ CURSOR FOR SELECT id FROM pinned WHERE ctid >= '($_,0)'; FETCH c$_") } $first .. $last;
	is("@rows", join(' ', $first + 1 .. $last + 1), $node->name . ": $pages pages are pinned");
	return $session;
}
my $pins = pin_pages($primary, 0, $frames - 1);
is(sql($primary, 'SELECT count(*) FROM scan_1'), 40, 'a scan with one frame left');
is($pins->ask('COMMIT'), '', 'the pins go');
$pins->close;

# ---- readers of the standby have them all: replay waits, then ends them as the delay says; the server stays
my $log_before = -s $standby->logfile;
sub logged { my ($what) = @_; return slurp_file($standby->logfile, $log_before) =~ $what; }

sub change_beside_pins
{
	my ($delay, $first, $change) = @_;
	$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = $delay");
	$standby->reload;
	my $session = pin_pages($standby, $first, $frames);
	$log_before = -s $standby->logfile;
	sql($primary, $change);
	return $session;
}

sub readers_go_as_they_like
{
	my ($what, $first, $change) = @_;
	my $readers = change_beside_pins('-1', $first, $change);
	wait_until(sub { logged(qr/recovery still waiting after .* buffer pin|FATAL/) }, 'replay to wait');
	is($readers->ask("SELECT id FROM pinned WHERE ctid = '($first,1)'; FETCH c$first"), join("\n", $first + 1, $first + 2), "$what: without a limit the reader reads on");
	is($readers->ask('COMMIT'), '', "$what: and ends as it likes");
	$primary->wait_for_catchup($standby);
	ok(!logged(qr/conflict with recovery|FATAL/), "$what: nobody was cancelled");
	$readers->close;
	return;
}

sub readers_are_cancelled
{
	my ($what, $first, $change) = @_;
	my $readers = change_beside_pins('100ms', $first, $change);
	$primary->wait_for_catchup($standby);
	ok(logged(qr/(?:canceling statement|terminating connection) due to conflict with recovery/), "$what: with a limit the reader goes");
	ok(!logged(qr/no unpinned page/), "$what: replay does not fail");
	$readers->close;
	return;
}
readers_go_as_they_like('other pages', 0, 'UPDATE wanted SET id = id + 1');
readers_are_cancelled('other pages', 0, 'UPDATE wanted SET id = id + 1');
is(sql($standby, 'SELECT count(*), min(id) FROM wanted'), '30|-28', 'the standby has the rows');

# One page of an update is pinned, the other one is not in the pool: replay makes room for that before it latches the first.
sub move_row_of
{
	my ($block) = @_;
	return "DO \$\$ BEGIN UPDATE pinned SET v = v WHERE ctid = '($block,1)'; "
	  . "ASSERT (SELECT ctid >= '($rest_begins,0)' FROM pinned WHERE id = $block + 1), 'the row moves to the free pages'; END \$\$";
}
sql($primary, 'CHECKPOINT');
readers_go_as_they_like('a row moves, both pages have images', 0, move_row_of(0));
readers_are_cancelled('a row moves, both pages have images', 1, move_row_of(1));
sql($primary, 'ALTER SYSTEM SET full_page_writes = off; SELECT pg_reload_conf()');
wait_until(sub { sql($primary, 'CHECKPOINT; SELECT full_page_writes FROM pg_control_checkpoint()') eq 'f' }, 'a checkpoint without images');
readers_go_as_they_like('a row moves, no images', 2, move_row_of(2));
readers_are_cancelled('a row moves, no images', 3, move_row_of(3));
is(sql($standby, "SELECT count(*) FROM pinned WHERE ctid >= '($rest_begins,0)' AND id < 1000"), $moves + 1, 'the standby has the rows that moved');
$standby->stop;
$primary->stop;
done_testing();
