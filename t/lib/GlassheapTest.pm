# t/lib/GlassheapTest.pm: servers, crashes and acknowledged writers for the TAP tests.
#
# Why:    a crash test proves something only if it knows exactly what the server had acknowledged, and if the
#         server dies at once with all its processes.  GH_AM=heap runs the same tests on heap, which shows that a
#         test demands nothing that heap does not give.  Servers are compared at the end without being asked
#         (GlassheapNode.pm).
# SPDX-License-Identifier: PostgreSQL
package GlassheapTest;

use strict;
use warnings;

use Exporter 'import';
use GlassheapCompare qw(halt_postmaster wait_for_state);
use GlassheapNode;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  access_method is_glassheap new_node new_standby kill_server_9 start_background wait_until
  has_stop_points seed_from_environment table_digest start_acknowledging_writer acknowledged
  stop_writers lost_rows wait_for_replay checksums_ok
);

sub access_method { return $ENV{GH_AM} // 'glassheap'; }
sub is_glassheap  { return access_method() eq 'glassheap'; }

# Lines of postgresql.conf that every test server has.
sub common_settings
{
	my (%settings) = @_;
	my %all = (
		log_statement => 'none',
		fsync => 'off',
		autovacuum => 'off',
		max_connections => 40,
		max_wal_size => '2GB',
		checkpoint_timeout => '1h',
		wal_level => 'replica',
		max_wal_senders => 10,
		allow_in_place_tablespaces => 'on',    # also when a standby with one starts again
		max_prepared_transactions => 10,
		jit => 'off',
		default_table_access_method => "'" . access_method() . "'",
		shared_buffers => '16MB',
	);
	if (is_glassheap())
	{
		$all{shared_preload_libraries} = "'glassheap'";
		$all{'glassheap.buffers'} = '16MB';
	}
	@all{ keys %settings } = values %settings;
	delete $all{$_} for grep { /^glassheap\./ && !is_glassheap() } keys %all;
	return join('', map { "$_ = $all{$_}\n" } sort keys %all);
}

# new_node(name, setting => value ...): a started server with checksums; the extension is there.
sub new_node
{
	my ($name, %settings) = @_;
	my $node = GlassheapNode->new($name);
	$node->init(extra => [ '-k', '-E', 'UTF8', '--locale=C.UTF-8' ], allows_streaming => 1);
	$node->append_conf('postgresql.conf', common_settings(%settings));
	# The access method must exist before a database can have it as default.
	$node->append_conf('postgresql.conf', "default_table_access_method = heap\n");
	$node->start;
	if (is_glassheap())
	{
		$node->safe_psql($_, 'CREATE EXTENSION glassheap') for ('postgres', 'template1');
	}
	$node->safe_psql('postgres',
		'ALTER SYSTEM SET default_table_access_method = ' . access_method() . '; SELECT pg_reload_conf()');
	$node->poll_query_until('postgres',
		"SELECT setting = '" . access_method() . "' FROM pg_settings WHERE name = 'default_table_access_method'")
	  or die 'the default access method did not become ' . access_method();
	return $node;
}

# A streaming standby of $primary, started.
sub new_standby
{
	my ($primary, $name, %settings) = @_;
	my $standby = GlassheapNode->new($name);
	my $backup = "for_$name";
	# A standby that the test has stopped must still catch up at the end.
	$primary->append_conf('postgresql.conf', 'wal_keep_size = 2GB');
	$primary->reload;
	$primary->backup($backup);
	$standby->init_from_backup($primary, $backup, has_streaming => 1);
	$standby->append_conf('postgresql.conf', "$_ = $settings{$_}\n") for sort keys %settings;
	$standby->start;
	$standby->follows($primary);
	return $standby;
}

# SIGKILL for the postmaster and all its children at the same moment, as when the machine stops: the
# postmaster is halted first so that it starts nobody meanwhile.  Returns when none of them exists.
sub kill_server_9
{
	my ($node) = @_;
	my $postmaster = $node->{_pid} // die 'the server does not run';
	my @children = halt_postmaster($postmaster);
	kill 'KILL', @children, $postmaster;
	wait_for_state(qr/Z/, @children, $postmaster);
	# Until somebody reaps the orphan it is a zombie, which its successor would take for alive.
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	$node->{_pid} = undef;
	$node->was_killed;
	return;
}

# Polls a condition of this process' own making; dies after three minutes.
sub wait_until
{
	my ($condition, $what) = @_;
	my $end = time + 180;
	until ($condition->())
	{
		die "timed out waiting for $what" if time > $end;
		usleep(2_000);
	}
	return;
}

# start_background(node, sql => text or file => path, stdout => path): psql beside the test; connection: elsewhere than
# at the server itself.
sub start_background
{
	my ($node, %what) = @_;
	my @command = ($node->installed_command('psql'), '-XAtq', '-d', $what{connection} // $node->connstr($what{database} // 'postgres'));
	push @command, '-v', 'ON_ERROR_STOP=1' unless $what{continue};
	push @command, '-f', $what{file} if $what{file};
	push @command, '-c', $what{sql} if $what{sql};
	my $stdout = $what{stdout} // '/dev/null';
	my $stderr = $what{stdout} ? "$what{stdout}.err" : '/dev/null';
	return IPC::Run::start(\@command, '<', '/dev/null', '>', $stdout, '2>', $stderr);
}

sub has_stop_points
{
	my ($node) = @_;
	return 0 unless is_glassheap();
	my ($rc, $out) = $node->psql('postgres', 'SELECT glassheap_stop_points_enabled()');
	return $rc == 0 && $out eq 't';
}

# Tests with random workloads print their seed; GH_SEED repeats one.
sub seed_from_environment
{
	$ENV{GH_SEED} = int(rand(2**31)) if ($ENV{GH_SEED} // '') eq '';    # whoever asks again gets the same
	my $seed = $ENV{GH_SEED};
	note "seed $seed (repeat with GH_SEED=$seed)";
	srand($seed);
	return $seed;
}

# Rows and an order-independent checksum.
sub table_digest
{
	my ($node, $table, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		"SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM $table t");
}

# By position: what pg_rewind and pg_basebackup write with -R has the test's application_name, not the server's.
sub wait_for_replay
{
	my ($standby, $primary) = @_;
	my $lsn = $primary->lsn('insert');
	$standby->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'") or die $standby->name . ' does not catch up';
	return;
}

sub checksums_ok
{
	my ($node) = @_;
	command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], $node->name . ': all checksums are right');
	return;
}

# A client whose every acknowledgement is on record: each statement returns "id n", which psql prints after the
# server reported the transaction as committed.  The writer owns the rows with id % writers = number.  It ends after
# `statements` (4000) statements; with until_stopped it begins again, until stop_writers or the end of its server.
sub start_acknowledging_writer
{
	my ($node, %what) = @_;
	my ($number, $writers, $rows, $table) = @what{qw(number writers rows table)};
	my $base = "$what{folder}/writer_$number";
	open my $script, '>', "$base.sql" or die "$base.sql: $!";
	my $own = int($rows / $writers);
	for (1 .. $what{statements} // 4000)
	{
		my $id = int(rand($own)) * $writers + $number;
		my $kind = rand();
		if ($kind < 0.75)
		{
			print $script "UPDATE $table SET n = n + 1 WHERE id = $id RETURNING id, n;\n";
		}
		elsif ($kind < 0.85)    # a new version through delete and insert
		{
			print $script "WITH gone AS (DELETE FROM $table WHERE id = $id RETURNING id, n, pad) "
			  . "INSERT INTO $table SELECT id + 1000000, n + 1, pad FROM gone RETURNING id - 1000000, n;\n"
			  . "UPDATE $table SET id = id - 1000000 WHERE id = $id + 1000000 RETURNING id, n;\n";
		}
		else                    # several rows in one transaction, one part of it rolled back
		{
			print $script "BEGIN;\nSAVEPOINT s;\nUPDATE $table SET n = n + 500 WHERE id = $id;\nROLLBACK TO s;\n"
			  . "UPDATE $table SET n = n + 1 WHERE id = $id;\nCOMMIT;\n"
			  . "SELECT id, n FROM $table WHERE id = $id;\n";
		}
	}
	print $script "\\i $base.sql\n" if $what{until_stopped};
	close $script;
	return {
		base => $base,
		run => start_background($node, file => "$base.sql", stdout => "$base.out", map { $_ => $what{$_} } qw(database continue connection))
	};
}

# What the writer was told: id => n, the last line for each id.
sub acknowledged
{
	my ($writer) = @_;
	eval { IPC::Run::finish($writer->{run}) };
	my %last;
	open my $out, '<', "$writer->{base}.out" or die "$writer->{base}.out: $!";
	while (my $line = <$out>)
	{
		$last{$1} = $2 if $line =~ /^(\d+)\|(\d+)\n/;
	}
	return \%last;
}

# Ends writers in the middle of their work; what they were told, together.
sub stop_writers
{
	my (@writers) = @_;
	$_->{run}->signal('TERM') for @writers;
	return map { %{ acknowledged($_) } } @writers;
}

# The acknowledged rows (id => n) that a server has not, or with a lower n; a row in the middle of a move counts as itself.
sub lost_rows
{
	my ($node, $table, $acknowledged) = @_;
	my %n = map { split /\|/ } split /\n/, $node->safe_psql('postgres', "SELECT id % 1000000, max(n) FROM $table GROUP BY 1");
	return grep { !defined $n{$_} || $n{$_} < $acknowledged->{$_} } sort keys %$acknowledged;
}

1;
