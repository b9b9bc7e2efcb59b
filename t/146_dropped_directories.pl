# t/146_dropped_directories.pl: a standby replays DROP DATABASE and ALTER DATABASE SET TABLESPACE while a session there reads pages of
# the database and sets hints on them, up to the moment when replay ends it.  No page may stay behind, dirty, of files that are gone.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'about the pool' unless is_glassheap();

# No checksums, no wal_log_hints: on a standby, too, a hint makes a page dirty.
my $primary = GlassheapNode->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', GlassheapTest::common_settings(default_table_access_method => 'heap', wal_log_hints => 'off', 'glassheap.buffers' => '64MB', 'glassheap.writer_max_pages' => 0));
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION glassheap');
my $standby = new_standby($primary, 'standby', max_standby_streaming_delay => '-1');
$primary->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION ''");

sub replayed { $primary->wait_for_catchup($standby, 'replay'); return; }

# A database with a table of some hundred pages, none of whose rows has a hint.
sub make_database
{
	my ($name) = @_;
	$primary->safe_psql('postgres', "CREATE DATABASE $name");
	$primary->safe_psql($name, 'CREATE EXTENSION glassheap; CREATE TABLE t (id int, pad text) USING glassheap');
	$primary->safe_psql($name, "INSERT INTO t SELECT g, repeat('x', 300) FROM generate_series(1, 5000) g");
	$primary->safe_psql('postgres', 'CHECKPOINT');
	replayed();
	$standby->safe_psql('postgres', 'CHECKPOINT');
	return $primary->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = '$name'");
}

# Reads one row of each page: each page gets a hint.
sub rows
{
	my ($slot) = @_;
	return "SELECT count(*) FROM generate_series(0, 200) b, LATERAL (SELECT 1 FROM t WHERE ctid = ('(' || b || ',$slot)')::tid) x";
}

sub pool
{
	my ($what, $database, $tablespace) = @_;
	return $standby->safe_psql('postgres', "SELECT $what FROM glassheap_buffercache WHERE reldatabase = $database AND reltablespace = $tablespace");
}

# Replays `command` while a session reads in `name`, whose directory in tablespace pg_default goes.
sub while_reading
{
	my ($name, $command) = @_;
	my $database = make_database($name);
	my $reader = GlassheapSession->new($standby, $name);
	is($reader->ask(rows(1)), '201', "$name: a session reads");
	# Replay wants the database for itself, and waits.
	my $holder = GlassheapSession->new($standby);
	is($holder->ask("BEGIN; SELECT count(*) FROM pg_get_object_address('database', '{$name}', '{}')"), '1', "$name: somebody has its lock");
	$primary->safe_psql('postgres', $command);
	$standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'object' AND objid = $database")
	  or die 'replay does not wait';
	is($reader->ask(rows(2)), '201', "$name: the session reads on while replay waits");
	cmp_ok(pool('count(*) FILTER (WHERE isdirty)', $database, 1663), '>', 100, "$name: and leaves dirty pages");
	$holder->ask('COMMIT');
	$holder->close;
	replayed();
	is(pool('count(*)', $database, 1663), '0', "$name: no page of the directory stays in the pool");
	$reader->close;
	is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND objid = $database"), '0',
		"$name: replay keeps no lock");
	# The next checkpoint record writes the pool.
	$primary->safe_psql('postgres', 'CHECKPOINT');
	my $end = $primary->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	my $fatal = sub { slurp_file($standby->logfile) =~ /FATAL:  (?!terminating connection)/ };
	my $caught_up = sub { $primary->safe_psql('postgres', "SELECT bool_or(replay_lsn >= '$end') FROM pg_stat_replication") eq 't' };
	wait_until(sub { $fatal->() || $caught_up->() }, 'the checkpoint record');
	ok(!$fatal->(), "$name: the standby lives") or die;
	is($standby->psql('postgres', 'CHECKPOINT'), 0, "$name: the standby takes a restartpoint");
	return;
}

while_reading('dropped', 'DROP DATABASE dropped');
while_reading('moved', 'ALTER DATABASE moved SET TABLESPACE elsewhere');
is($standby->safe_psql('moved', 'SELECT count(*), sum(id) FROM t'), '5000|12502500', 'the moved database has its rows');
unlike(slurp_file($standby->logfile), qr/is gone, and pages of it|could not open file "base/, 'no page was written to a file that is gone');
$standby->promote;
is($standby->safe_psql('moved', 'UPDATE t SET id = -id WHERE id = 1; SELECT sum(id) FROM t'), '12502498', 'and takes writes after promotion');
$standby->stop;
$primary->stop;
done_testing();
