# t/042_settings.pl: a server that cannot work does not start, and its message names what to change.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'settings of glassheap' unless is_glassheap();

my $node = new_node('settings');
$node->stop('fast');

# Starts with a setting that must be refused; returns what the log says.
sub refused
{
	my (%settings) = @_;
	my $conf = $node->data_dir . '/postgresql.conf';
	my $before = slurp_file($conf);
	$node->append_conf('postgresql.conf', "$_ = $settings{$_}") for sort keys %settings;
	my $start = -s $node->logfile;
	my $started = $node->start(fail_ok => 1);
	$node->stop('fast') if $started;
	open my $file, '>', $conf or die $!;
	print $file $before;
	close $file;
	return ($started, slurp_file($node->logfile, $start));
}

my ($started, $log) = refused('glassheap.buffers' => '512kB');
ok(!$started, 'a pool below its minimum: no start');
like($log, qr/glassheap\.buffers/, 'the message names the setting');

($started, $log) = refused('glassheap.buffers' => '4TB');
ok(!$started, 'a pool above memory: no start');
like($log, qr/glassheap\.buffers|shared memory.*glassheap/s, 'the message names the setting');

for my $size ('17GB', '-2', 'much')
{
	($started, $log) = refused('glassheap.page_summaries' => "'$size'");
	ok(!$started, "$size for summaries: no start");
	like($log, qr/FATAL.*glassheap\.page_summaries/, 'the message names the setting');
}

($started, $log) = refused('glassheap.no_such_setting' => '1');
like($log, qr/glassheap\.no_such_setting/, 'an unknown setting of ours is named');

# The resource manager id belongs to somebody else.
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/taken.c", <<'C');
#include "postgres.h"
#include "fmgr.h"
#include "access/xlog_internal.h"
PG_MODULE_MAGIC;
static void redo(XLogReaderState *record) {}
static void desc(StringInfo buf, XLogReaderState *record) {}
static const char *identify(uint8 info) { return NULL; }
static RmgrData taken = {.rm_name = "somebody_else", .rm_redo = redo, .rm_desc = desc, .rm_identify = identify};
void _PG_init(void) { RegisterCustomRmgr(RM_EXPERIMENTAL_ID, &taken); }
C
chomp(my $include = `pg_config --includedir-server`);
SKIP:
{
	skip 'no C compiler', 2
	  if system("gcc -shared -fPIC -w -I'$include' -o '$folder/taken.so' '$folder/taken.c' 2>/dev/null") != 0;
	($started, $log) = refused('shared_preload_libraries' => "'$folder/taken.so, glassheap'");
	ok(!$started, 'the resource manager id is taken: no start');
	like($log, qr/FATAL.*resource manager.*128|128.*somebody_else|somebody_else/s, 'the message says so');
}

# What is described: every setting of ours, with unit and text, and nothing can be set that does not exist.
$node->start;
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE name LIKE 'glassheap.%' AND coalesce(short_desc, '') = ''"),
	0, 'each setting is described in pg_settings');
is($node->safe_psql('postgres', "SELECT context FROM pg_settings WHERE name = 'glassheap.buffers'"),
	'postmaster', 'the size of the pool needs a restart');
my ($rc, $out, $err) = $node->psql('postgres', 'SET glassheap.no_such_setting = 1');
isnt($rc, 0, 'the prefix is reserved');

# The least pool there may be works, with more clients than it has room for a scan each.
$node->append_conf('postgresql.conf', "glassheap.buffers = '1MB'");
$node->restart;
$node->safe_psql('postgres', "CREATE TABLE t USING glassheap AS SELECT g AS id, repeat('x', 500) AS v FROM generate_series(1, 20000) g");
my @clients = map { start_background($node, sql => 'SELECT count(v) FROM t; SELECT count(*) FROM t a JOIN t b USING (id)',
		stdout => "$folder/client_$_") } 1 .. 12;
IPC::Run::finish($_) for @clients;
is(join(' ', map { my $o = slurp_file("$folder/client_$_"); $o =~ tr/\n/ /; $o } 1 .. 12), join(' ', ('20000 20000 ') x 12),
	'twelve clients on a pool of 1MB all get their answer');

# Without room for its workers the pool writes through: slower, still correct.
my $log_start = -s $node->logfile;
$node->append_conf('postgresql.conf', "max_worker_processes = 0");
$node->restart;
$node->safe_psql('postgres', 'UPDATE t SET v = repeat(\'y\', 500) WHERE id % 3 = 0');
$node->safe_psql('postgres', 'CHECKPOINT');
my $digest = table_digest($node, 't');
kill_server_9($node);
$node->start;
is(table_digest($node, 't'), $digest, 'without workers nothing is lost in a crash');
unlike(slurp_file($node->logfile, $log_start), qr/PANIC|terminated by signal 11/, 'nothing crashed by itself');
done_testing();
