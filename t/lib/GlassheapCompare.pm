# t/lib/GlassheapCompare.pm: after every TAP test that starts a standby or kills a server, without the test asking:
# do primary, standby and crash-recovered server hold the same in every fork?
#
# How:    recovery  a running server is halted with all its processes, its data directory is copied as kill -9 would
#                   leave it, and it goes on.  The copy recovers; both stop; the files are compared: what the server
#                   had in memory against what its log makes of the files it had on disk.
#         standby   both catch up and stop; the files are compared.
#         each      bits of the visibility map against the pages, and a count by the primary key (an index-only scan
#                   where the map allows one) against a count of the pages; also after each recovery in a test.
# When:   GlassheapNode calls in: at a clean stop(), at start() after kill_server_9(), at done_testing().
#         An unlogged table: its init fork.
# Not:    temporary tables; servers a test damages on purpose, which say not_compared($node, why).
# Masks:  GlassheapForks.pm.  GH_COMPARE=report only tells, GH_COMPARE=off does not look.
# SPDX-License-Identifier: PostgreSQL
package GlassheapCompare;

use strict;
use warnings;

use Exporter 'import';
use GlassheapForks qw(compare_relations);
use File::Path qw(rmtree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT_OK = qw(relations_of compare_relations copy_as_crashed recovered_copy_faults standby_faults
  cross_check_faults verdict processes_of halt_postmaster wait_for_state);

use constant MOST_SHOWN => 15;

# ------------------------------------------------------------------------------------------------ processes
# State letter and parent of a process; nothing when it is gone.
sub state_of
{
	my ($pid) = @_;
	open my $stat, '<', "/proc/$pid/stat" or return;
	my $line = <$stat> // return;
	return $line =~ /.*\) (\S) (\d+)/;
}

# The postmaster's living children.
sub processes_of
{
	my ($postmaster) = @_;
	opendir my $proc, '/proc' or die "no /proc: $!";
	return grep { my ($state, $parent) = state_of($_); defined $parent && $parent == $postmaster && $state ne 'Z' }
	  grep { /^\d+$/ } readdir $proc;
}

# Halts the postmaster and returns its children.  A signal is only on its way when kill returns: a child that the
# postmaster is just forking would be missed, and live on, by a list taken before the postmaster has stopped.
sub halt_postmaster
{
	my ($postmaster) = @_;
	kill 'STOP', $postmaster;
	my @children = eval { wait_for_state(qr/[TZ]/, $postmaster); processes_of($postmaster) };
	return @children unless $@;
	kill 'CONT', $postmaster;
	die $@;
}

# Until no process is in a state that does not match.
sub wait_for_state
{
	my ($wanted, @pids) = @_;
	my $end = time + 180;
	while (grep { my ($state) = state_of($_); ($state // 'Z') !~ $wanted } @pids)
	{
		die "processes did not come to state $wanted" if time > $end;
		usleep(2_000);
	}
	return;
}

# ------------------------------------------------------------------------------------------------ relations
sub databases_of
{
	my ($node) = @_;
	return split /\n/, $node->safe_psql('postgres', 'SELECT datname FROM pg_database WHERE datallowconn AND datname <> $$template0$$ ORDER BY 1');
}

# Logged and unlogged tables of the access method, in all databases.
sub relations_of
{
	my ($node) = @_;
	my $am = $ENV{GH_AM} // 'glassheap';
	my @relations;
	for my $database (databases_of($node))
	{
		my $list = $node->safe_psql($database, <<"SQL");
SELECT c.oid::regclass, pg_relation_filepath(c.oid), relpersistence = 'u', relpersistence = 'p' AND
 EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND indisprimary AND indisvalid)
FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE amname = '$am' AND c.oid >= 16384 AND relkind IN ('r', 'm') AND relpersistence IN ('p', 'u') AND (relkind = 'r' OR relispopulated)
ORDER BY c.oid
SQL
		for my $line (split /\n/, $list)
		{
			my ($name, $file, $unlogged, $has_key) = $line =~ /^(.*)\|(.*)\|([tf])\|([tf])$/ or next;
			push @relations, { database => $database, name => $name, file => $file, unlogged => $unlogged eq 't', has_key => $has_key eq 't' };
		}
	}
	return @relations;
}

# Rows by the primary key and rows in the pages, in one snapshot, of some tables of a database.
sub both_counts
{
	my ($node, $database, @tables) = @_;
	my $counts = join "\n", map { "SELECT count(*) FROM ONLY $_->{name};" } @tables;
	my @out = split /\n/, $node->safe_psql($database, <<"SQL");
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL lock_timeout = '120s';
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
$counts
SET LOCAL enable_seqscan = on;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
$counts
COMMIT;
SQL
	return map { [ $out[$_], $out[ $_ + @tables ] ] } 0 .. $#tables;
}

# A running server alone.  A table that cannot be read is a fault as well.
sub cross_check_faults
{
	my ($node, @relations) = @_;
	@relations = grep { $_->{has_key} } @relations;
	my %databases = map { $_->{database} => 1 } @relations;
	my @faults;
	for my $database (sort keys %databases)
	{
		my @tables = grep { $_->{database} eq $database } @relations;
		my @counts = eval { both_counts($node, $database, @tables) };
		push @faults, "$database: $@" if $@;
		for my $i (0 .. $#counts)
		{
			my ($by_index, $by_page) = @{ $counts[$i] };
			push @faults, "$database.$tables[$i]{name}: $by_index rows by index, $by_page in the pages" if $by_index ne $by_page;
		}
	}
	return @faults;
}

# Nobody is held at a stop point when everybody must come to an end.
sub release_stop_points
{
	my ($node) = @_;
	$node->psql('postgres', 'SELECT glassheap_stop_point_clear()') if ($ENV{GH_AM} // 'glassheap') eq 'glassheap';
	return;
}

# ------------------------------------------------------------------------------------------------- recovery
# A transaction id alone does not flush: without a record before it the commit is asynchronous.
sub flush_log
{
	my ($node) = @_;
	$node->safe_psql('postgres', "SET synchronous_commit = local; SELECT pg_logical_emit_message(true, 'compare', '')");
	return $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
}

# A tablespace elsewhere must not be shared by the copy.
sub copy_tablespaces
{
	my ($data) = @_;
	for my $link (grep { -l } glob "$data/pg_tblspc/*")
	{
		my $target = readlink $link;
		unlink $link;
		system_or_bail('cp', '-a', $target, $link);
	}
	return;
}

# The data directory as kill -9 at this moment would leave it.  The server does not notice.
sub copy_as_crashed
{
	my ($node, $to) = @_;
	flush_log($node);
	my $postmaster = $node->{_pid};
	my @children = halt_postmaster($postmaster);
	kill 'STOP', @children;
	my $copied = eval {
		wait_for_state(qr/[TZ]/, @children);
		system_or_bail('cp', '-a', $node->data_dir, $to);
		1;
	};
	my $error = $@;
	kill 'CONT', @children, $postmaster;
	die $error unless $copied;
	copy_tablespaces($to);
	unlink "$to/postmaster.pid";
	return;
}

# A second server on the copy; it recovers, is looked at, and stops.
sub recover_copy
{
	my ($node, $copy, @relations) = @_;
	my ($host, $port) = ($copy->host, $copy->port);
	$copy->append_conf('postgresql.conf', <<"CONF");
port = $port
unix_socket_directories = '$host'
archive_mode = off
autovacuum = off
synchronous_standby_names = ''
restart_after_crash = off
CONF
	unlink $copy->data_dir . '/postgresql.auto.conf.tmp';
	return ('the copy does not start: ' . $copy->logfile) unless $copy->start(fail_ok => 1);
	$copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or return ('the copy does not end its recovery');
	my @faults = map { "recovered: $_" } cross_check_faults($copy, @relations);
	$copy->stop('fast');
	return @faults;
}

# Stops the server in between (the caller's stop); returns what differs.
my $copies = 0;

sub recovered_copy_faults
{
	my ($node, $stop) = @_;
	release_stop_points($node);
	my @relations = relations_of($node);
	my @faults = map { "running: $_" } cross_check_faults($node, @relations);
	my $copy = PostgreSQL::Test::Cluster->new($node->name . '_recovered_' . ++$copies);
	copy_as_crashed($node, $copy->data_dir);
	$stop->();
	push @faults, recover_copy($node, $copy, @relations);
	push @faults, compare_relations($node->data_dir, $copy->data_dir, @relations);
	rmtree($copy->data_dir) unless @faults;
	return (scalar @relations, @faults);
}

# -------------------------------------------------------------------------------------------------- standby
# Both run, nobody works.  Leaves the standby stopped, and the primary with what it had on disk.
sub standby_faults
{
	my ($primary, $standby, $stop_standby, $stop_primary) = @_;
	release_stop_points($_) for $primary, $standby;
	my @relations = relations_of($primary);
	$primary->safe_psql('postgres', 'CHECKPOINT');
	my $lsn = flush_log($primary);
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
	$standby->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'")
	  or return (scalar @relations, "the standby does not come to $lsn");
	my @faults = map { 'standby: ' . $_ } cross_check_faults($standby, @relations);
	$standby->safe_psql('postgres', 'CHECKPOINT');
	$stop_standby->();
	$stop_primary->();
	push @faults, compare_relations($primary->data_dir, $standby->data_dir, @relations);
	return (scalar @relations, @faults);
}

# -------------------------------------------------------------------------------------------------- verdict
# One test: nothing was found.
sub verdict
{
	my ($what, @faults) = @_;
	my $shown = @faults > MOST_SHOWN ? MOST_SHOWN : @faults;
	diag(join "\n", "$what: " . @faults . ' differences', @faults[ 0 .. $shown - 1 ]) if @faults;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $only_told = ($ENV{GH_COMPARE} // '') eq 'report';
	ok(!@faults || $only_told, @faults && $only_told ? "$what: only told" : $what);
	return;
}

1;
