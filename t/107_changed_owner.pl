# t/107_changed_owner.pl: a superuser's UPDATE of pg_class gives a file to the other access method, with pages dirty
# in the pool that it leaves.  Read in the same transaction, after the commit, after kill -9, on a standby; aborted;
# while somebody else uses the table.  The control: with the tripwire off rows are gone.
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

plan skip_all => 'needs two access methods' unless is_glassheap();

my $node = new_node('main', wal_keep_size => '1GB', max_prepared_transactions => 5);
my $standby = new_standby($node, 'standby');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub give { my ($table, $method) = @_; return "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '$method') WHERE oid = '$table'::regclass;"; }

sub make_table
{
	my ($name, $method, $persistence) = @_;
	$persistence //= '';
	sql("CREATE $persistence TABLE $name (id int PRIMARY KEY, note text) USING $method; INSERT INTO $name SELECT g, repeat('n', 100) FROM generate_series(1, 2000) g");
	return;
}
sub count_of { my ($name, $server) = @_; return ($server // $node)->safe_psql('postgres', "SELECT count(*) || ' ' || sum(id) FROM $name"); }

sub everywhere
{
	my ($name, $expected, $what) = @_;
	is(count_of($name), $expected, "$what: on the primary");
	$node->wait_for_catchup($standby, 'replay');
	is(count_of($name, $standby), $expected, "$what: on the standby");
	return;
}

my $full = '2000 2001000';

for my $case ([ glassheap => 'heap' ], [ heap => 'glassheap' ])
{
	my ($from, $to) = @$case;
	my $table = "of_$from";
	make_table($table, $from);
	$node->wait_for_catchup($standby, 'replay');
	is(count_of($table, $standby), $full, "$from: the standby has read the table");

	# In the same transaction, with a lock and without one.
	is(sql("BEGIN; LOCK $table; " . give($table, $to) . " SELECT count(*) || ' ' || sum(id) FROM $table; COMMIT"), $full, "$from to $to: seen by the same transaction");
	everywhere($table, $full, "$from to $to");
	sql("DELETE FROM $table WHERE id > 1000; INSERT INTO $table SELECT g, 'new' FROM generate_series(3001, 3010) g; CHECKPOINT");
	sql("UPDATE $table SET note = 'u' WHERE id % 2 = 0");
	everywhere($table, '1010 530555', "$from to $to, changed");
	kill_server_9($node);
	$node->start;
	everywhere($table, '1010 530555', "$from to $to, after kill -9");

	# And back, by one autocommitted command; rolled back; prepared.
	sql(give($table, $from));
	everywhere($table, '1010 530555', "$to back to $from");
	sql("INSERT INTO $table VALUES (5000, 'x')");
	sql("BEGIN; " . give($table, $to) . " INSERT INTO $table VALUES (6000, 'never'); SELECT count(*) FROM $table; ROLLBACK");
	everywhere($table, '1011 535555', "$from, a hand-over rolled back");
	sql("BEGIN; SAVEPOINT s; " . give($table, $to) . " INSERT INTO $table VALUES (6000, 'never'); SELECT count(*) FROM $table; ROLLBACK TO s; UPDATE $table SET note = 's' WHERE id < 100; COMMIT");
	everywhere($table, '1011 535555', "$from, a hand-over rolled back to a savepoint");
	is(sql("SELECT count(*) FROM $table WHERE note = 's'"), 99, "$from: the change after the savepoint is there");
	sql("UPDATE $table SET note = 'v'; BEGIN; " . give($table, $to) . " PREPARE TRANSACTION 'give'");
	sql("COMMIT PREPARED 'give'");
	everywhere($table, '1011 535555', "$from to $to, prepared");
	sql("UPDATE $table SET note = 'w'");
	$node->restart;
	everywhere($table, '1011 535555', "$from to $to, prepared, restarted");
	is(sql("SELECT count(*) FROM $table WHERE note = 'w'"), 1011, "$from to $to: the last changes are there");
}

# ---- an unlogged table
make_table('unlogged', 'glassheap', 'UNLOGGED');
sql(give('unlogged', 'heap'));
is(count_of('unlogged'), $full, 'unlogged: to heap');
sql("DELETE FROM unlogged WHERE id > 1000");
sql(give('unlogged', 'glassheap'));
is(count_of('unlogged'), '1000 500500', 'unlogged: and back');
$node->restart;
is(count_of('unlogged'), '1000 500500', 'unlogged: after a restart');

# ---- SET TABLESPACE of a table whose pages are dirty in shared_buffers
make_table('moved', 'heap');
sql(give('moved', 'glassheap'));
sql('SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION \'\'');
sql('ALTER TABLE moved SET TABLESPACE elsewhere');
everywhere('moved', $full, 'heap to glassheap, moved at once');

# ---- the standby has pages of the file, the primary's pool has none
make_table('evicted', 'glassheap');
everywhere('evicted', $full, 'evicted, before');
sql('SELECT glassheap_buffercache_evict_all()');
sql(give('evicted', 'heap'));
everywhere('evicted', $full, 'evicted');

# ---- more tables than one command usually changes
my $many = 150;
sql("DO \$\$ BEGIN FOR i IN 1..$many LOOP EXECUTE format('CREATE TABLE many%s USING glassheap AS SELECT %s AS id', i, i); END LOOP; END \$\$");
my $sum = join(' + ', map { "(SELECT sum(id) FROM many$_)" } 1 .. $many);
is(sql("BEGIN; UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE relname ~ '^many'; SELECT $sum; COMMIT"), $many * ($many + 1) / 2, 'many tables in one command: seen by the same transaction');

# ---- a table of this transaction never was anybody else's
my $before = sql('CREATE EXTENSION pg_walinspect; SELECT pg_current_wal_insert_lsn()');
sql('BEGIN; CREATE TABLE unborn (id int) USING glassheap; SAVEPOINT s; CREATE INDEX ON unborn (id); INSERT INTO unborn VALUES (1); ROLLBACK');
sub handed_over
{
	my $to = sql('CREATE TABLE flushed AS SELECT 1; DROP TABLE flushed; SELECT pg_current_wal_flush_lsn()');
	return sql("SELECT count(*) FROM pg_get_wal_records_info('$before', '$to') WHERE description LIKE 'file_event%'");
}
is(handed_over(), 0, 'aborted with its transaction: not handed over');
sql('CREATE TABLE born (id int) USING glassheap; ' . give('born', 'heap'));
is(handed_over(), 1, 'one that was given away: handed over');

# ---- somebody else uses the table
make_table('used', 'glassheap');
my $other = GlassheapSession->new($node);
$other->ask('BEGIN; SELECT count(*) FROM used');
my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n" . give('used', 'heap'));
like($err, qr/ERROR:  55006: cannot change the access method of "used" while other transactions use it.*HINT:  Lock the table in ACCESS EXCLUSIVE mode first/s,
	'in use: refused, and the hint says what to do');
is(sql('BEGIN; ' . give('used', 'heap') . ' ROLLBACK; SELECT 1'), 1, 'in use: a rollback goes through');
$other->ask('COMMIT');
$other->close;
is(count_of('used'), $full, 'in use: nothing happened to the table');
is(sql("SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = 'used'"), 'glassheap', 'in use: nor to its row');
unlike(slurp_file($node->logfile), qr/two buffer pools/, 'no table was taken for damaged');

# ---- the control
$node->append_conf('postgresql.conf', "glassheap.debug_tripwire = off\n");
$node->restart;
make_table('control', 'glassheap');
sql(give('control', 'heap'));
isnt(count_of('control'), $full, 'control: glassheap to heap without the tripwire');
make_table('control2', 'heap');
sql(give('control2', 'glassheap'));
isnt(count_of('control2'), $full, 'control: heap to glassheap without the tripwire');
sql('DROP TABLE control, control2');    # damaged, so they cannot be compared

done_testing();
