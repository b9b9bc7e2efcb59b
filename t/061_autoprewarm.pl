# t/061_autoprewarm.pl: after a restart the pool holds again what it held; a damaged list, a dropped table and a truncated one do
# no harm; without the worker nothing is loaded.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'the pool is glassheap\'s' unless is_glassheap();

my $node = new_node('prewarm', 'glassheap.autoprewarm' => 'on');
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $cached = "SELECT coalesce(sum(buffers), 0) FROM glassheap_buffercache_relations WHERE fork = 'main' AND relid = 'kept'::regclass";

sql("CREATE TABLE kept (id int, v text) USING glassheap; INSERT INTO kept SELECT g, repeat('k', 500) FROM generate_series(1, 3000) g");
sql("CREATE TABLE gone (id int) USING glassheap; INSERT INTO gone SELECT generate_series(1, 5000)");
sql("CREATE TABLE cut (id int) USING glassheap; INSERT INTO cut SELECT generate_series(1, 5000)");
my $pages = sql("SELECT pg_relation_size('kept') / 8192");
is(sql($cached), $pages, 'the table is in the pool');
my $list = $node->data_dir . '/glassheap.blocks';

$node->restart;
ok($node->poll_query_until('postgres', "SELECT ($cached) = $pages"), 'after a restart it is there again, without a query having read it');
is(sql("SELECT coalesce(sum(reads), 0) FROM glassheap_stat_io WHERE backend_type = 'client backend'"), 0, '... read by the worker');
$node->stop('immediate');
$node->start;
ok($node->poll_query_until('postgres', "SELECT ($cached) = $pages"), 'after a crash as well');
is(sql("SELECT pg_stat_have_stats('relation', (SELECT oid FROM pg_database WHERE datname = 'postgres'), 'kept'::regclass)"), 'f',
	'... which starts no statistics of tables that nobody touched');
is(sql('SHOW max_worker_processes'), '12', 'its workers, too, come on top of the default');

# A standby needs room for as many workers as its primary has, whether it prewarms or not.
my $standby = new_standby($node, 'prewarm_standby', 'glassheap.autoprewarm' => 'off');
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'a standby without prewarming starts');
$standby->stop('fast');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'glassheap prewarm'"), 1, 'the worker is seen in pg_stat_activity');

# The list names pages of a table that is dropped, and of one that is shorter now; a line is damaged.
my $saved = sql("SELECT glassheap_autoprewarm_dump_now()");
cmp_ok($saved, '>=', $pages, 'the list can be saved by hand');
my $copy = slurp_file($list);
sql("DROP TABLE gone; DELETE FROM cut WHERE id > 100; VACUUM cut");
$node->stop('fast');
open my $file, '>:raw', $list or die $!;
$copy =~ s/\n(\d+,\d+,\d+,\d+),0\n/\nnot a line\n$1,0\n99999999999999999999,1,1,0,1\n/;
print $file $copy, "1,2,3,4,5,6\n";
close $file;
$node->start;
ok($node->poll_query_until('postgres', "SELECT ($cached) = $pages"), 'a damaged line costs only itself');
is(sql("SELECT count(*) FROM cut"), 100, 'a table that became shorter is right');
is(sql("SELECT count(*) FROM glassheap_verify_all()"), 0, 'nothing is damaged');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');

# A list that is no list.
$node->stop('fast');
open $file, '>:raw', $list or die $!;
print $file "\0" x 5000, "rubbish\n";
close $file;
$node->start;
is(sql($cached), 0, 'a list that is none loads nothing');

$node->append_conf('postgresql.conf', "glassheap.autoprewarm = off    # the default\n");
sql("SELECT glassheap_prewarm('kept')");
sql("SELECT glassheap_autoprewarm_dump_now()");
$node->restart;
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'glassheap prewarm'"), 0, 'off: no worker');
is(sql($cached), 0, '... and nothing is loaded');
$node->stop('fast');

done_testing();
