# t/154_snapshot_kept.pl: a reader of a standby who is not cancelled sees his snapshot's rows, by every kind of scan, while the primary vacuums,
# prunes, freezes and moves rows: with hot_standby_feedback, with vacuum_defer_cleanup_age, without a limit for streamed WAL, and for WAL from
# the archive (where the other limit is zero, to show which one counts).  Controls: with none of these he is cancelled.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapNode;
use GlassheapTest;
use GlassheapScans;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', wal_writer_delay => '10ms', wal_receiver_status_interval => '1s');
$primary->enable_archiving;
$primary->restart;
sub sql { my ($query) = @_; return $primary->safe_psql('postgres', $query); }
sub set_on { my ($node, %settings) = @_; $node->safe_psql('postgres', "ALTER SYSTEM SET $_ = '$settings{$_}'") for keys %settings; $node->reload; return; }

my $table;
sub make_table
{
	$table = shift;
	sql("CREATE TABLE $table (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 90); CREATE INDEX ON $table (n);"
		. "INSERT INTO $table SELECT g, g, repeat('x', 200) FROM generate_series(1, 1500) g");
	sql("VACUUM $table");
	return;
}
my @steps = (
	sub { "UPDATE $table SET n = n + 10000 WHERE id % 3 = 0" },
	sub { "DELETE FROM $table WHERE id % 5 = 0" },
	sub { "VACUUM $table" },
	sub { join '; ', ("UPDATE $table SET pad = repeat('y', 200) WHERE id < 20") x 6 },
	sub { "INSERT INTO $table SELECT g, g, 'new' FROM generate_series(2001, 2500) g" },
	sub { "VACUUM (FREEZE) $table" },
	sub { "UPDATE $table SET id = id + 5000 WHERE id > 2400" },
	sub { "DELETE FROM $table WHERE id > 900" },
	sub { "VACUUM (FREEZE) $table" },
	sub { "INSERT INTO $table SELECT g, g, 'again' FROM generate_series(901, 1400) g" },
	sub { "VACUUM $table" });

my $standby = new_standby($primary, 'standby', max_standby_streaming_delay => '50ms', max_standby_archive_delay => '-1', hot_standby_feedback => 'off');
sub open_reader
{
	my ($node) = @_;
	my $reader = GlassheapSession->new($node);
	$reader->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $ask = sub { return $reader->ask($_[0]) };
	return ($reader, $ask, { by_every_scan($ask, $table, qw(id n)) }->{sequential});
}
sub cancelled { my ($node, $from) = @_; return slurp_file($node->logfile, $from) =~ /due to conflict with recovery/ ? 1 : 0; }
sub waits
{
	my ($node) = @_;
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event LIKE 'RecoveryConflict%'") or die 'replay does not wait';
	return;
}

# ---- replay goes on beside the reader, for the primary keeps what he may need
sub kept_by
{
	my ($what, $enter) = @_;
	make_table('kept_by_' . ($what =~ s/\W+/_/gr));
	$primary->wait_for_catchup($standby);
	my ($reader, $ask, $seen) = open_reader($standby);
	uses_every_scan($ask, $table, 'id');
	$enter->($reader);
	my $log = -s $standby->logfile;
	my $number = 0;
	for my $step (@steps)
	{
		sql($step->());
		$primary->wait_for_catchup($standby);
		is_by_every_scan($ask, $table, [qw(id n)], $seen, "$what: step " . ++$number);
	}
	my $now = { by_every_scan(\&sql, $table, qw(id n)) }->{sequential};
	isnt($now, $seen, "$what: others see other rows");
	is_by_every_scan(sub { $standby->safe_psql('postgres', $_[0]) }, $table, [qw(id n)], $now, "$what: so do new readers");
	is(cancelled($standby, $log), 0, "$what: nobody was cancelled");
	$reader->ask('COMMIT');
	$reader->close;
	return;
}
kept_by('hot standby feedback', sub {
	my ($reader) = @_;
	set_on($standby, hot_standby_feedback => 'on');
	my $xmin = $reader->ask('SELECT pg_snapshot_xmin(pg_current_snapshot())');
	$primary->poll_query_until('postgres', "SELECT backend_xmin::text = '$xmin' FROM pg_stat_replication") or die 'no feedback';
});
set_on($standby, hot_standby_feedback => 'off');
$primary->poll_query_until('postgres', 'SELECT backend_xmin IS NULL FROM pg_stat_replication') or die 'feedback does not end';
kept_by('vacuum_defer_cleanup_age', sub { set_on($primary, vacuum_defer_cleanup_age => '500'); });
set_on($primary, vacuum_defer_cleanup_age => '0');

# ---- replay waits for the reader; $node gets its WAL by $deliver
sub waited_for
{
	my ($what, $node, $catch_up, $lets_go) = @_;
	make_table('waited_for_' . ($what =~ s/\W+/_/gr));
	$catch_up->();
	my ($reader, $ask, $seen) = open_reader($node);
	my $cursors = GlassheapSession->new($node);
	$cursors->ask("BEGIN; SET enable_seqscan = off; DECLARE by_index CURSOR FOR SELECT n FROM $table WHERE id > 0 ORDER BY id;"
		. "DECLARE by_key CURSOR FOR SELECT id FROM $table ORDER BY id; RESET enable_seqscan; DECLARE by_page CURSOR FOR SELECT id FROM $table ORDER BY id");
	my @cursors = qw(by_index by_key by_page);
	my %fetched = map { $_ => $cursors->ask("FETCH 100 $_") . "\n" } @cursors;
	my $log = -s $node->logfile;
	my $number = 0;
	for my $step (@steps)
	{
		sql($step->());
		sql('SELECT pg_switch_wal()') if $lets_go;
		waits($node) if $number == 2;    # the first VACUUM
		is_by_every_scan($ask, $table, [qw(id n)], $seen, "$what: step " . ++$number);
		$fetched{$_} .= $cursors->ask("FETCH 100 $_") . "\n" for @cursors;
	}
	$fetched{$_} .= $cursors->ask("FETCH ALL $_") for @cursors;
	my $whole = join "\n", 1 .. 1500;
	is($fetched{$_}, $whole, "$what: cursor $_ has its rows") for @cursors;
	is(cancelled($node, $log), 0, "$what: nobody was cancelled");
	for my $session ($reader, $cursors)
	{
		is($session->ask('COMMIT'), '', "$what: a reader ends as he likes");
		$session->close;
	}
	$catch_up->();
	is_by_every_scan(sub { $node->safe_psql('postgres', $_[0]) }, $table, [qw(id n)], { by_every_scan(\&sql, $table, qw(id n)) }->{sequential}, "$what: then replay goes on");
	return;
}

sub cancelled_by
{
	my ($what, $node, $catch_up) = @_;
	make_table('cancelled_by_' . ($what =~ s/\W+/_/gr));
	$catch_up->();
	my ($reader) = open_reader($node);
	my $log = -s $node->logfile;
	sql($_->()) for @steps[ 0 .. 2 ];
	$catch_up->();
	is(cancelled($node, $log), 1, "$what: the reader is cancelled");
	eval { $reader->close };
	return;
}
my $by_stream = sub { $primary->wait_for_catchup($standby) };
cancelled_by('the limit for streamed WAL', $standby, $by_stream);
set_on($standby, max_standby_streaming_delay => '-1', max_standby_archive_delay => '0');
waited_for('no limit for streamed WAL', $standby, $by_stream);

# ---- WAL from the archive only
my $restored = GlassheapNode->new('restored');
$restored->init_from_backup($primary, 'for_standby', has_restoring => 1);
$restored->append_conf('postgresql.conf', "max_standby_streaming_delay = 0\nmax_standby_archive_delay = 50ms\nwal_retrieve_retry_interval = 20ms\narchive_mode = off\n");
$restored->start;
my $by_archive = sub {
	my $lsn = sql('SELECT pg_switch_wal()');
	$restored->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'") or die 'the archive is not replayed';
};
cancelled_by('the limit for WAL of the archive', $restored, $by_archive);
set_on($restored, max_standby_archive_delay => '-1');
waited_for('no limit for WAL of the archive', $restored, $by_archive, 1);
$restored->stop;
$standby->stop;
$primary->stop;
done_testing();
