# t/108_two_pools_moments.pl: the moments at which a page in two pools could be lost: between the look and the write, under
# a lasting pin, written by PostgreSQL between two looks; more marks than the list holds; commands that move, copy or
# prepare to drop a marked table; a base backup of it; an abort; a crash before the discovery.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use TwoPools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', wal_keep_size => '1GB', 'glassheap.writer_delay' => '10ms');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
$node->not_compared('tables have two versions on purpose');
create_two_pools_functions($node);
my $ten = '1 2 3 4 5 6 7 8 9 10';

sub sql { my ($query, $database) = @_; return $node->safe_psql($database // 'postgres', $query); }
sub stderr_of { my ($query, $database) = @_; my ($rc, $out, $err) = $node->psql($database // 'postgres', "\\set VERBOSITY verbose\n$query"); return $err // ''; }
sub ids { my ($table) = @_; return sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"); }
sub is_marked { my ($table, $database) = @_; return stderr_of("SELECT count(*) FROM $table", $database) =~ /XX001: relation "$table" is in two buffer pools/; }
sub wait_for_mark { my ($table, $database) = @_; wait_until(sub { is_marked($table, $database) }, "the mark of $table"); return; }
sub writer_delay { my ($delay) = @_; sql("ALTER SYSTEM SET glassheap.writer_delay = '$delay'; SELECT pg_reload_conf()"); return; }
sub marks { return grep { m{/\d+_\d+_\d+$} } glob($node->data_dir . '/glassheap_two_pools/*'); }

# Ten rows, written, cached in our pool only.
sub make_table
{
	my ($name, $database) = @_;
	sql("CREATE TABLE $name (id int, note text); INSERT INTO $name SELECT g, 'ours' FROM generate_series(1, 10) g", $database);
	sql("CHECKPOINT; SELECT count(*) FROM $name", $database);
	return;
}

# One connection, so that both changes are there before anybody looks.
sub change_both
{
	my ($name, $database) = @_;
	make_table($name, $database);
	sql("BEGIN; INSERT INTO $name VALUES (11, 'ours'); SELECT two_pools_insert('$name', 21, 'theirs'); COMMIT", $database);
	wait_for_mark($name, $database);
	return;
}

# ---- between the look and the write
make_table('race');
sql("INSERT INTO race VALUES (11, 'ours')");
sql("SELECT glassheap_stop_point_set('buffer.write_looked', 'wait')");
my $checkpoint = start_background($node, sql => 'CHECKPOINT');
sql("SELECT glassheap_stop_point_wait('buffer.write_looked')");
sql("SELECT two_pools_insert('race', 21, 'theirs')");
sql('SELECT glassheap_stop_point_clear()');
$checkpoint->finish;
wait_for_mark('race');
pass('changed between look and write: refused');
$node->restart;
sql("SELECT count(*) FROM glassheap_resolve('race', 'glassheap')");
is(ids('race'), "$ten 11", 'changed between look and write: ours is kept');

# The same, but their copy is only read, and is old.
make_table('old_copy');
sql("INSERT INTO old_copy VALUES (11, 'ours'); SELECT count(*) FROM old_copy");    # no hint bits are left to be logged
sql("SELECT glassheap_stop_point_set('buffer.write_looked', 'wait')");
$checkpoint = start_background($node, sql => 'CHECKPOINT');
sql("SELECT glassheap_stop_point_wait('buffer.write_looked')");
sql("SELECT two_pools_read('old_copy', 0)");
sql('SELECT glassheap_stop_point_clear()');
$checkpoint->finish;
sql("SELECT two_pools_insert('old_copy', 21, 'theirs')");
$node->poll_query_until('postgres', 'SELECT count(*) = 12 FROM old_copy') or die 'their row never showed';
is(ids('old_copy'), "$ten 11 21", 'read between look and write: both rows are there');

# ---- somebody holds an old copy while we write, and may change it yet
make_table('held');
my $holder = GlassheapSession->new($node);
$holder->ask("BEGIN; SELECT two_pools_hold('held', 0)");
sql("INSERT INTO held VALUES (11, 'ours')");
sql('CHECKPOINT');
ok(is_marked('held'), 'an old copy under a lasting pin: refused');
$holder->ask('ROLLBACK');
$holder->close;
sql("SELECT count(*) FROM glassheap_resolve('held', 'glassheap')");
is(ids('held'), "$ten 11", 'an old copy under a lasting pin: ours is kept');

# ---- changed after the look for a checkpoint, and written by it: clean when the writer comes round
make_table('clean');
make_table('other');
writer_delay('10s');
sql("INSERT INTO other VALUES (11, 'ours')");
sql("SELECT glassheap_stop_point_set('buffer.write_looked', 'wait')");
$checkpoint = start_background($node, sql => 'CHECKPOINT');
sql("SELECT glassheap_stop_point_wait('buffer.write_looked')");
sql("SELECT two_pools_insert('clean', 21, 'theirs')");
sql('SELECT glassheap_stop_point_clear()');
$checkpoint->finish;
writer_delay('10ms');
$node->poll_query_until('postgres', 'SELECT count(*) = 11 FROM clean') or die 'their row never showed';
is(ids('clean'), "$ten 21", 'written by the checkpoint before anybody looked: their row is seen');

# ---- a healthy table has nothing to choose
sql("CREATE TABLE healthy (id int, note text); INSERT INTO healthy SELECT g, 'x' FROM generate_series(1, 10) g");
like(stderr_of("SELECT * FROM glassheap_resolve('healthy', 'shared_buffers')"), qr/ERROR:  55000: relation "healthy" is not in two buffer pools/, 'a healthy table: refused');
is(ids('healthy'), $ten, 'a healthy table: nothing is gone');

# ---- the mark asks for a checkpoint, so that replay does not begin before it
change_both('forced');
my ($theirs) = stderr_of('SELECT count(*) FROM forced') =~ /had it in shared_buffers \(LSN (\S+)\)/;
$node->poll_query_until('postgres', "SELECT redo_lsn >= '$theirs' FROM pg_control_checkpoint()") or die 'no checkpoint came';
pass('a mark asks for a checkpoint');

# ---- commands that would keep only one version
sql("BEGIN; DROP TABLE forced; PREPARE TRANSACTION 'drop'");
sql("ROLLBACK PREPARED 'drop'");
ok(is_marked('forced'), 'a prepared DROP rolled back: the mark is there');
sql("SELECT count(*) FROM glassheap_resolve('forced', 'glassheap')");
is(ids('forced'), "$ten 11", 'a prepared DROP rolled back: ours too');

sql("CREATE DATABASE source");
create_two_pools_functions($node, 'source');
change_both('inside', 'source');
sql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''");
for my $command ('CREATE DATABASE copy TEMPLATE source', 'ALTER DATABASE source SET TABLESPACE elsewhere')
{
	like(stderr_of($command), qr/ERROR:  XX001: a table of database "source" is in two buffer pools/, "$command: refused");
}
ok(is_marked('inside', 'source'), 'the database: its table is still marked');
sql("SELECT count(*) FROM glassheap_resolve('inside', 'glassheap')", 'source');
sql('ALTER DATABASE source SET TABLESPACE elsewhere');
is(sql('SELECT count(*) FROM inside', 'source'), '11', 'the database: moved when resolved');
change_both('inside2', 'source');
sql('DROP DATABASE source');
is(scalar(marks()), 0, 'DROP DATABASE: no mark is left');

# ---- an abort gives a file back, with an I/O of this very session begun; and one that is in two pools
sub give { my ($table, $method) = @_; return "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '$method') WHERE oid = '$table'::regclass;"; }
writer_delay('10s');
sql("CREATE TABLE given (id int, note text) USING heap; INSERT INTO given SELECT g, 'x' FROM generate_series(1, 10) g; CHECKPOINT");
sql("ALTER SYSTEM SET glassheap.writer_max_pages = 0; SELECT pg_reload_conf(); CHECKPOINT");
like(stderr_of("SELECT glassheap_stop_point_set('buffer.write_looked', 'error'); BEGIN; " . give('given', 'glassheap') . " INSERT INTO given VALUES (11, 'never'); SELECT glassheap_buffercache_evict_all(); ROLLBACK"),
	qr/stop point "buffer\.write_looked" was reached/, 'abort with a write of ours begun');
is(ids('given'), $ten, 'abort with a write of ours begun: it ends');
sql("BEGIN; " . give('given', 'glassheap') . " INSERT INTO given VALUES (11, 'never'); SELECT two_pools_insert('given', 12, 'never'); SELECT glassheap_buffercache_evict_all(); ROLLBACK");
is(ids('given'), $ten, 'abort of a change in two pools');
is(scalar(marks()), 0, 'abort of a change in two pools: no mark is left');
unlike(slurp_file($node->logfile), qr/PANIC/, 'aborts: no PANIC');
sql("ALTER SYSTEM RESET glassheap.writer_max_pages; SELECT pg_reload_conf()");
writer_delay('10ms');

# ---- a base backup of a marked table; resolved on the primary
sql("CREATE TABLE large (id int, note text); INSERT INTO large SELECT g, repeat('x', 900) FROM generate_series(1, 800) g");
sql("CHECKPOINT; SELECT count(*) FROM large");
sql("BEGIN; DELETE FROM large WHERE id % 2 = 0; SELECT two_pools_delete('large', '(0,1)'); COMMIT");
wait_for_mark('large');
my $standby = new_standby($node, 'standby', 'glassheap.buffers' => '1MB');
sql("SELECT count(*) FROM glassheap_resolve('large', 'glassheap')");
is(sql('SELECT count(*) FROM large'), 400, 'resolved with a standby that has the mark');
$node->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM large'), 400, 'the standby that had the mark');
$standby->restart;
is($standby->safe_psql('postgres', 'SELECT count(*) FROM large'), 400, 'the standby that had the mark: restarted');
$standby->stop('immediate');

# ---- more marks than the list in shared memory holds
my $many = 35;
make_table('innocent');
sql("DO \$\$ BEGIN FOR i IN 1..$many LOOP EXECUTE format('CREATE TABLE f%s (id int, note text)', i); EXECUTE format('INSERT INTO f%s SELECT g, ''x'' FROM generate_series(1, 10) g', i); END LOOP; END \$\$");
sql('CHECKPOINT');
sql("INSERT INTO innocent SELECT g, 'later' FROM generate_series(11, 20) g; DO \$\$ BEGIN FOR i IN 1..$many LOOP EXECUTE format('INSERT INTO f%s VALUES (11, ''o'')', i); EXECUTE format('SELECT two_pools_insert(''f%s'', 21, ''t'')', i); END LOOP; END \$\$");
wait_until(sub { marks() == $many }, "$many marks");
sub not_marked { return join(' ', grep { !is_marked("f$_") } 1 .. $many); }
is(not_marked(), '', 'many marks: every table is refused');
is(sql('SELECT count(*) FROM innocent'), '20', 'many marks: another table is not');
$node->restart;
is(not_marked(), '', 'many marks, restarted: every table is refused');
is(sql('SELECT count(*) FROM innocent'), '20', 'many marks, restarted: another table has its rows');
sql("DO \$\$ BEGIN FOR i IN 1..$many LOOP EXECUTE format('DROP TABLE f%s', i); END LOOP; END \$\$");
is(scalar(marks()), 0, 'many marks: they went with their tables');

# ---- a crash before the discovery: replay fails once, and the next start keeps both versions
make_table('undiscovered');
sql("SELECT glassheap_stop_point_set('buffer.watch_core_pool', 'wait')");
sql("SELECT glassheap_stop_point_wait('buffer.watch_core_pool')");    # so that nobody looks
sql("INSERT INTO undiscovered VALUES (11, 'ours'); SELECT two_pools_insert('undiscovered', 21, 'theirs');"
	. "INSERT INTO undiscovered SELECT g, 'ours' FROM generate_series(12, 14) g; SELECT two_pools_insert('undiscovered', 22, 'theirs')");
kill_server_9($node);
my $from = -s $node->logfile;
is($node->start(fail_ok => 1), 0, 'a crash before the discovery: replay fails');
like(slurp_file($node->logfile, $from), qr/PANIC.*HINT:  Code that bypasses the table access method changed a glassheap table\.  Start the server again/s, 'and the log says what to do');
$node->start;
ok(is_marked('undiscovered'), 'a crash before the discovery: refused');
is(sql("SELECT rows_differing FROM glassheap_resolve('undiscovered') WHERE fork = 'main'"), 4, 'a crash before the discovery: both versions are shown');
sql("SELECT count(*) FROM glassheap_resolve('undiscovered', 'glassheap')");
is(ids('undiscovered'), "$ten 11 12 13 14", 'a crash before the discovery: ours is kept');
sql("INSERT INTO undiscovered VALUES (15, 'ours')");
kill_server_9($node);
$node->start;
is(ids('undiscovered'), "$ten 11 12 13 14 15", 'a crash after the choice: replay goes through');

done_testing();
