# t/023_standby.pl: a streaming standby holds the same rows: during a pgbench run (readers never see half a
# transaction), after kill -9 of the standby right after its restartpoint, and after its promotion.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @tables = qw(pgbench_accounts pgbench_branches pgbench_tellers pgbench_history);

sub digests
{
	my ($node) = @_;
	return join('; ', map { "$_ " . table_digest($node, $_) } @tables);
}

sub start_pgbench
{
	my ($node, @options) = @_;
	my $output = '';
	my $run = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-c', 4, '-j', 2, @options, $node->connstr('postgres') ],
		'<', '/dev/null', '>', \$output, '2>&1');
	return { run => $run, output => \$output };
}

sub finish_pgbench
{
	my ($bench) = @_;
	IPC::Run::finish($bench->{run});
	my ($processed) = ${ $bench->{output} } =~ /actually processed: (\d+)/;
	return $processed // 0;
}

# Books balance in every snapshot: accounts, tellers, branches and history sum up to the same.
my $balanced = <<'SQL';
SELECT count(DISTINCT s) FROM (SELECT sum(abalance) AS s FROM pgbench_accounts UNION ALL
 SELECT sum(tbalance) FROM pgbench_tellers UNION ALL SELECT sum(bbalance) FROM pgbench_branches UNION ALL
 SELECT coalesce(sum(delta), 0) FROM pgbench_history) x
SQL

my $primary = new_node('primary', 'glassheap.buffers' => '4MB', wal_log_hints => 'on');
$primary->command_ok([ 'pgbench', '-i', '-q', '-s', 2, '-I', 'dtGvpf', $primary->connstr('postgres') ], 'pgbench -i');
is($primary->safe_psql('postgres', "SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname LIKE 'pgbench%' AND relkind = 'r' AND amname = '" . access_method() . "'"),
	4, 'its tables have the access method');
my $standby = new_standby($primary, 'standby', hot_standby_feedback => 'on', max_standby_streaming_delay => '60s');

# Readers on the standby while the primary works.
my $bench = start_pgbench($primary, '-T', 4);
my ($reads, $unbalanced) = (0, 0);
while (IPC::Run::pumpable($bench->{run}) && $reads < 60)
{
	my $states = $standby->safe_psql('postgres', $balanced);
	$reads++;
	$unbalanced++ if $states ne '1';
	IPC::Run::pump_nb($bench->{run});
}
cmp_ok(finish_pgbench($bench), '>', 100, 'pgbench has worked');
cmp_ok($reads, '>', 5, 'the standby was read meanwhile');
is($unbalanced, 0, 'each snapshot on the standby shows whole transactions only');
$primary->wait_for_catchup($standby);
is(digests($standby), digests($primary), 'same rows after catching up');

# kill -9 of the standby.  The load stops before the last checkpoint, so no full-page image written afterwards can
# heal what the restartpoint failed to write.
for my $cycle (1 .. 4)
{
	$bench = start_pgbench($primary, '-t', 250);
	$standby->safe_psql('postgres', 'CHECKPOINT');
	finish_pgbench($bench);
	$primary->safe_psql('postgres', 'VACUUM') if $cycle == 2;
	$primary->safe_psql('postgres', 'CHECKPOINT');
	$primary->wait_for_catchup($standby, 'replay');
	$standby->safe_psql('postgres', 'CHECKPOINT');
	kill_server_9($standby);
	$standby->start;
	$primary->wait_for_catchup($standby, 'replay');
	is(digests($standby), digests($primary), "cycle $cycle: same rows after kill -9 of the standby");
}

# In the midst of the load.
$bench = start_pgbench($primary, '-t', 500);
kill_server_9($standby);
finish_pgbench($bench);
$standby->start;
$primary->wait_for_catchup($standby, 'replay');
is(digests($standby), digests($primary), 'same rows after kill -9 under load');

# DDL arrives: other files, dropped files, truncated files.
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE ddl (id int PRIMARY KEY, v text);
INSERT INTO ddl SELECT g, repeat('d', 100) FROM generate_series(1, 5000) g;
CREATE TABLE gone AS SELECT * FROM ddl;
DROP TABLE gone;
VACUUM FULL ddl;
DELETE FROM ddl WHERE id > 1000;
VACUUM ddl;
ALTER TABLE ddl ADD COLUMN n int DEFAULT 3;
CREATE TABLE emptied AS SELECT * FROM ddl;
TRUNCATE emptied;
INSERT INTO emptied SELECT * FROM ddl WHERE id < 10;
SQL
$primary->wait_for_catchup($standby, 'replay');
is(table_digest($standby, $_), table_digest($primary, $_), "same rows in $_ on the standby") for qw(ddl emptied);
is($standby->safe_psql('postgres', "SELECT pg_relation_size('ddl')"), $primary->safe_psql('postgres', "SELECT pg_relation_size('ddl')"),
	'the tail that VACUUM gave back is gone on the standby too');

# Promotion.
my $last = digests($primary);
$primary->stop('immediate');
$standby->promote;
is(digests($standby), $last, 'same rows after promotion');
$bench = start_pgbench($standby, '-t', 200);
is(finish_pgbench($bench), 800, 'the promoted server takes writes');
is($standby->safe_psql('postgres', $balanced), 1, 'its books balance');
my $promoted = digests($standby);
kill_server_9($standby);
$standby->start;
is(digests($standby), $promoted, 'same rows after kill -9 of the promoted server');
$standby->stop('fast');
command_ok([ $standby->installed_command('pg_checksums'), '--check', '-D', $standby->data_dir ], 'all checksums are right');
done_testing();
