# t/032_databases.pl: whole databases are copied, moved and dropped by core as files, behind the pool's back.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', wal_keep_size => '1GB', checkpoint_timeout => '1h');
my $standby = new_standby($node, 'standby', max_standby_streaming_delay => '100s');

# ---- CREATE DATABASE: the template's pages are dirty in the pool, newer than its files.  The checkpoint of
# file_copy must write them; wal_log, the default, would copy what is on disk.
$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', <<'SQL');
CREATE TABLE t (a int PRIMARY KEY, b text);
INSERT INTO t SELECT g, repeat('o', 100) FROM generate_series(1, 2000) g;
CHECKPOINT;
UPDATE t SET b = 'newer' WHERE a % 3 = 0;
CREATE UNLOGGED TABLE u AS SELECT g AS a FROM generate_series(1, 100) g;
SQL
my $source = table_digest($node, 't', 'source');
my ($rc, $out, $err);
$node->safe_psql('postgres', 'CREATE DATABASE copy1 TEMPLATE source');
($rc, $out, $err) = $node->psql('postgres', 'CREATE DATABASE copy2 TEMPLATE source STRATEGY wal_log');
is($rc, 0, 'strategy wal_log is accepted');
like($err, qr/file_copy because glassheap is loaded/, 'and replaced, with a notice') if is_glassheap();
($rc, $out, $err) = $node->psql('postgres', 'CREATE DATABASE copy3 TEMPLATE source STRATEGY nonsense');
like($err, qr/invalid create database strategy "nonsense"/, 'another strategy is still an error');
for my $copy (qw(copy1 copy2))
{
	is(table_digest($node, 't', $copy), $source, "$copy has the newest rows");
	is($node->safe_psql($copy, 'SELECT count(*) FROM u'), 100, "$copy has the unlogged rows");
	$node->safe_psql($copy, "UPDATE t SET b = '$copy' WHERE a <= 10");
}
is(table_digest($node, 't', 'source'), $source, 'the template did not change');
my %after = map { $_ => table_digest($node, 't', $_) } qw(copy1 copy2);
$node->safe_psql('postgres', 'CHECKPOINT');
kill_server_9($node);
$node->start;
is(table_digest($node, 't', $_), $after{$_}, "$_ after a crash") for qw(copy1 copy2);
$node->wait_for_catchup($standby, 'replay');
is(table_digest($standby, 't', $_), $after{$_}, "$_ on the standby") for qw(copy1 copy2);

# ---- ALTER DATABASE SET TABLESPACE, there and back: the pages of the first stay must not come back
my $dir = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', "SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''");
for my $round (1 .. 3)
{
	for my $place (qw(elsewhere pg_default))
	{
		$node->safe_psql('copy1', "UPDATE t SET b = '$place $round' WHERE a % 7 = $round; SELECT sum(a) FROM t");
		my $before = table_digest($node, 't', 'copy1');
		$node->safe_psql('postgres', "ALTER DATABASE copy1 SET TABLESPACE $place");
		is(table_digest($node, 't', 'copy1'), $before, "round $round: moved to $place");
	}
}
$node->safe_psql('postgres', 'ALTER DATABASE copy1 SET TABLESPACE elsewhere');
$node->safe_psql('copy1', "UPDATE t SET b = 'last' WHERE a % 2 = 0");
$after{copy1} = table_digest($node, 't', 'copy1');
$node->safe_psql('postgres', 'CHECKPOINT');
kill_server_9($node);
$node->start;
is(table_digest($node, 't', 'copy1'), $after{copy1}, 'moved database after a crash');
$node->wait_for_catchup($standby, 'replay');
is(table_digest($standby, 't', 'copy1'), $after{copy1}, 'moved database on the standby');
($rc, $out, $err) = $node->psql('postgres', 'ALTER DATABASE nosuch SET TABLESPACE elsewhere');
like($err, qr/database "nosuch" does not exist/, 'an unknown database');
$node->safe_psql('postgres', 'ALTER DATABASE copy2 RENAME TO copy2b; ALTER DATABASE copy2b CONNECTION LIMIT 10; ALTER DATABASE copy2b RENAME TO copy2');
is(table_digest($node, 't', 'copy2'), $after{copy2}, 'other ALTER DATABASE commands harm nothing');

# ---- DROP DATABASE with dirty pages; then the disk space and the names are used again
$node->safe_psql('copy2', "UPDATE t SET b = 'doomed'");
$node->safe_psql('postgres', 'DROP DATABASE copy2');
($rc, $out, $err) = $node->psql('postgres', 'DROP DATABASE nosuch');
like($err, qr/database "nosuch" does not exist/, 'dropping an unknown database');
$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS nosuch');
$node->safe_psql('postgres', 'CREATE DATABASE copy2 TEMPLATE source; CHECKPOINT');
is(table_digest($node, 't', 'copy2'), $source, 'a new database under the old name');
if (is_glassheap())
{
	is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_buffercache WHERE reldatabase NOT IN (SELECT oid FROM pg_database)"),
		0, 'no frame belongs to a database that is gone');
}
$node->safe_psql('postgres', 'DROP DATABASE copy1');
$node->safe_psql('postgres', 'DROP TABLESPACE elsewhere');
$node->wait_for_catchup($standby, 'replay');
is(table_digest($standby, 't', 'copy2'), $source, 'all of it arrives on the standby');
kill_server_9($standby);
$standby->start;
$node->wait_for_catchup($standby, 'replay');
is(table_digest($standby, 't', 'copy2'), $source, 'also after kill -9 of the standby');
unlike(slurp_file($_->logfile), qr/PANIC|could not fsync/, 'no late write to a file that was gone: ' . $_->name) for ($node, $standby);
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
