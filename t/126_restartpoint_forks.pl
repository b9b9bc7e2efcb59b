# t/126_restartpoint_forks.pl: a standby cannot write free space at a checkpoint record.  A missing map costs the restartpoint; that the
# rows' file is missing ends the standby, instead of making an empty one.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs prlimit' unless grep { -x "$_/prlimit" } split /:/, $ENV{PATH};

my $primary = new_node('primary', wal_keep_size => '1GB');
plan skip_all => 'heap writes in the checkpointer' unless is_glassheap();
my $standby = new_standby($primary, 'standby', log_checkpoints => 'on');
$standby->not_compared('files are taken away');
$primary->not_compared('its standby is damaged');

sub sql { my ($query) = @_; return $primary->safe_psql('postgres', $query); }

# One page of rows, and a map of three pages.
sql("CREATE TABLE t (a int, b text); INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 50) g; VACUUM t; CHECKPOINT");
my $file = $standby->data_dir . '/' . sql("SELECT pg_relation_filepath('t')");
$primary->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'CHECKPOINT');
is(-s $file, 8192, 'one page of rows');

# The startup process may write to the first block of a file only.
my $startup = $standby->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'");
system_or_bail('prlimit', '--fsize=8192:', "--pid=$startup");

sub free_space_changes { my ($least) = @_; sql("DELETE FROM t WHERE a < $least; VACUUM t; CHECKPOINT"); return; }

my $log = -s $standby->logfile;
free_space_changes(20);
wait_until(sub { slurp_file($standby->logfile, $log) =~ /no restartpoint at/ }, 'a failure');
ok(-f "$file\_fsm", 'there is a map') and unlink "$file\_fsm";
$log = -s $standby->logfile;
free_space_changes(30);
wait_until(sub { slurp_file($standby->logfile, $log) =~ /no restartpoint at|FATAL/ }, 'another failure');
unlike(slurp_file($standby->logfile, $log), qr/FATAL/, 'without the map the standby goes on');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT count(*) FROM t'), 21, 'and has its rows');

unlink $file or die $!;
$log = -s $standby->logfile;
free_space_changes(40);
wait_until(sub { slurp_file($standby->logfile, $log) =~ /no restartpoint at|FATAL/ }, 'the last failure');
like(slurp_file($standby->logfile, $log), qr/FATAL:  file "\S+" is gone, and pages of it are to be written/, "without the rows' file it ends");
like(slurp_file($standby->logfile, $log), qr/HINT:  If the primary does not have it either, start the server again/, 'and says when a start is enough');
ok(!-e $file, 'no empty file is made');
$standby->stop('immediate', fail_ok => 1);
$primary->stop;
done_testing();
