# t/087_drop_database.pl: in write-through mode (one worker alone) no page stays dirty, not by hints either.  One that did
# could be written between DROP DATABASE's last checkpoint and the removal of the files; the checkpointer would find the
# file missing when it comes to sync it, and PANIC.
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

my $node = GlassheapNode->new('one_worker');
$node->init;    # no checksums: hints need no record
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'glassheap'\nfsync = on\nautovacuum = off\nrestart_after_crash = off\n"
	  . "max_worker_processes = 1\nmax_logical_replication_workers = 0\n");
$node->start;
is($node->safe_psql('postgres', "SELECT string_agg(backend_type, ',') FROM pg_stat_activity WHERE backend_type LIKE 'glassheap%'"),
	'glassheap checkpoint guardian', 'one worker is alone');
like(slurp_file($node->logfile), qr/WARNING:  glassheap will write every changed page at once, because its worker processes do not fit/,
	'the log has a WARNING from the start');
$node->safe_psql('postgres', 'CREATE EXTENSION glassheap; CREATE DATABASE d');
$node->safe_psql('d', 'CREATE EXTENSION glassheap; CREATE TABLE t (id int) USING glassheap; INSERT INTO t SELECT generate_series(1, 5000)');
$node->safe_psql('d', "SELECT count(*) FROM t WHERE ctid = '($_,1)'") for 0 .. 3;
my $dirty = "SELECT count(*) FROM glassheap_buffercache WHERE isdirty";
is($node->safe_psql('postgres', $dirty), '0', 'a read that sets hints leaves no dirty page');

# DROP DATABASE is held right before it removes the files: it looks for the tablespaces it has files in.  Meanwhile no
# query may ask for the cost of a table's tablespace.
my $tablespaces = 'pg_locks WHERE relation = 1213';
my $blocker = GlassheapSession->new($node);
is($blocker->ask('BEGIN; LOCK TABLE pg_tablespace IN ACCESS EXCLUSIVE MODE'), '', 'pg_tablespace is locked');
my $drop = start_background($node, sql => 'DROP DATABASE d');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM $tablespaces AND NOT granted") or die 'DROP does not wait';
$node->safe_psql('postgres', 'SELECT glassheap_buffercache_evict(bufferid) FROM glassheap_buffercache WHERE isdirty');
$blocker->ask('COMMIT');
ok(IPC::Run::finish($drop), 'DROP DATABASE ends');
$blocker->close;
is($node->psql('postgres', 'CHECKPOINT'), 0, 'a checkpoint succeeds');
unlike(slurp_file($node->logfile), qr/PANIC/, 'nobody panicked');
$node->stop('fast');
done_testing();
