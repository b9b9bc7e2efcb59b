# t/115_changed_owner_nested.pl: the access method changes in pg_class where the look at it comes late or ends early: first
# seen in a subtransaction, of a file that an outer one made, or in one that is undone; while another session makes
# tables; a look that fails; a file that cannot be given back when the transaction is prepared.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs two access methods' unless is_glassheap();

my $node = new_node('main', max_prepared_transactions => 5, 'glassheap.writer_delay' => '10s');

sub sql { my ($query, $server) = @_; return ($server // $node)->safe_psql('postgres', $query); }
# What psql said, results and errors.
sub said { my ($query, $server) = @_; my ($rc, $out, $err) = ($server // $node)->psql('postgres', $query, on_error_stop => 0); return "$out\n$err"; }
sub give { my ($table, $method) = @_; return "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '$method') WHERE oid = '$table'::regclass"; }
# A block of PL/pgSQL: its subtransaction begins without a command, so without a look.
sub block { my (@body) = @_; return 'DO $do$ BEGIN ' . join(' ', map { /^(?:BEGIN|RAISE|EXCEPTION|END)/ ? "$_;" =~ s/^(BEGIN|EXCEPTION.*THEN);$/$1/r : "EXECUTE \$q\$$_\$q\$;" } @body) . ' END $do$'; }
my @undone = ("RAISE 'undone'", 'EXCEPTION WHEN raise_exception THEN', 'END');
my @kept = ('EXCEPTION WHEN raise_exception THEN', 'END');
sub make_table
{
	my ($name, $method, $server) = @_;
	return sql("CREATE TABLE $name (id int, note text) USING $method; INSERT INTO $name SELECT g, 'old' FROM generate_series(1, 1000) g", $server);
}
my $noted = "SELECT count(*) || ' ' || count(*) FILTER (WHERE note = 'committed')";
sub counted { my ($table) = @_; return said("$noted FROM $table") =~ s/\s+\z//r; }
# Counted again when our pool, which should have none of them, has been written.
sub is_in_one_pool
{
	my ($table, $expected, $what) = @_;
	is(counted($table), $expected, $what);
	sql('CHECKPOINT');
	is(counted($table), $expected, "$what, after a checkpoint");
	my $path = sql("SELECT pg_relation_filepath('$table')");
	unlike(slurp_file($node->logfile), qr/\Q$path\E (?:is in two buffer pools|was changed in shared_buffers)/, "$what, in one pool");
	return;
}

# ---- a file of an outer subtransaction comes in one that is undone
sql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''");
make_table($_, 'heap') for qw(moved stayed);
for my $case ([ moved => 'ALTER TABLE moved SET TABLESPACE elsewhere' ], [ stayed => 'SELECT 1' ])
{
	my ($table, $first) = @$case;
	sql(block($first, 'BEGIN', give($table, 'glassheap'), "DELETE FROM $table WHERE id <= 500", @undone, "UPDATE $table SET note = 'committed'"));
	is_in_one_pool($table, '1000 1000', "undone in a subtransaction, table that $table");
}

# ---- another session makes a table while this one's TRUNCATE waits: S2 holds the lock as a prepared transaction
sql('CREATE TABLE held (id int) USING heap');
sub beside_truncate
{
	my ($table, $in_use, @then) = @_;
	my $out = $node->basedir . "/$table.out";
	sql("BEGIN; LOCK TABLE held; PREPARE TRANSACTION 'holder'");
	my $session = start_background($node, sql => join(';', 'BEGIN', 'SELECT txid_current()', 'TRUNCATE held', @then), stdout => $out, continue => 1);
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'held'::regclass AND NOT granted") or die 'TRUNCATE does not wait';
	make_table($table, 'heap');
	sql("BEGIN; SELECT count(*) FROM $table; PREPARE TRANSACTION 'user'") if $in_use;
	sql("COMMIT PREPARED 'holder'");
	$session->finish;
	sql("COMMIT PREPARED 'user'") if $in_use;
	return slurp_file("$out.err");
}
my $said = beside_truncate('theirs', 0, give('theirs', 'glassheap'), 'DELETE FROM theirs WHERE id <= 500', 'ROLLBACK');
is($said, '', 'a table that another session made during a TRUNCATE is given away, and back');
sql("UPDATE theirs SET note = 'committed'");
is_in_one_pool('theirs', '1000 1000', 'it is heap again');
like(beside_truncate('used', 1, give('used', 'glassheap'), 'INSERT INTO used VALUES (0)', 'COMMIT'), qr/cannot change the access method of "used"/, 'one that others use is not given away');
is(counted('used'), '1000 0', 'and has its rows');

# ---- a look that fails, in a subtransaction that goes on without it
make_table($_, 'glassheap') for qw(first second);
sql("BEGIN; SELECT count(*) FROM first; PREPARE TRANSACTION 'user'");
my $both = give('first', 'heap') =~ s/oid = .*/relname IN ('first', 'second')/r;
$said = said('BEGIN; LOCK TABLE second; ' . ('DO $do$ BEGIN EXECUTE $q$' . $both . '$q$; BEGIN EXECUTE \'SELECT 1\'; EXCEPTION WHEN object_in_use THEN NULL; END;'
		. ' EXECUTE $q$INSERT INTO second SELECT g, \'later\' FROM generate_series(1001, 1100) g$q$; END $do$; SELECT \'went on\'; COMMIT'));
like($said, qr/cannot change the access method of "first"/, 'a look that failed in a subtransaction');
unlike($said, qr/went on/, 'is made again by the next command');
sql("COMMIT PREPARED 'user'");
is_in_one_pool($_, '1000 0', "$_: nothing happened") for qw(first second);
is(sql("SELECT string_agg(DISTINCT amname, ' ') FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname IN ('first', 'second')"), 'glassheap', 'both are where they were');

# ---- one of several files cannot be given back at PREPARE
SKIP:
{
	skip 'needs a build with stop points (GH_CHECKS=1)', 1 unless has_stop_points($node);
	my @tables = qw(back_1 back_2 back_3);
	make_table($_, 'heap') for @tables;
	my $deleted = join(';', map { "DELETE FROM $_ WHERE id <= 500" } @tables);
	$said = said('BEGIN; ' . join(';', map { give($_, 'glassheap') } @tables) . "; $deleted; SELECT glassheap_stop_point_set('buffer.page_write', 'error'); PREPARE TRANSACTION 'fails'; SELECT glassheap_stop_point_clear()");
	like($said, qr/stop point/, 'PREPARE fails');
	sql("UPDATE $_ SET note = 'committed'") for @tables;
	is_in_one_pool($_, '1000 1000', "$_ was given back") for @tables;
}

# ---- wal_level = minimal: what core syncs or logs at the commit is flushed before, whichever subtransaction saw it
my $minimal = new_node('minimal', wal_level => 'minimal', max_wal_senders => 0, archive_mode => 'off', 'glassheap.writer_delay' => '10s');
sql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''", $minimal);
make_table($_, 'heap', $minimal) for qw(moved moved_control moved_twice);
sub changes { my ($table) = @_; return ("UPDATE $table SET note = 'committed'", "INSERT INTO $table SELECT g, 'committed' FROM generate_series(1001, 3000) g"); }
sub made { my ($table) = @_; return ("CREATE TABLE $table (id int, note text) USING heap", "INSERT INTO $table SELECT g, 'old' FROM generate_series(1, 1000) g"); }
sub moved { my ($table) = @_; return "ALTER TABLE $table SET TABLESPACE elsewhere"; }
my %blocks = (
	made => [ made('made'), give('made', 'glassheap'), 'BEGIN', 'SELECT 1', @undone, changes('made') ],
	made_control => [ made('made_control'), give('made_control', 'glassheap'), changes('made_control') ],
	made_twice => [ made('made_twice'), 'BEGIN', give('made_twice', 'glassheap'), 'SELECT 1', @undone, give('made_twice', 'glassheap'), 'BEGIN', 'SELECT 1', @undone, changes('made_twice') ],
	moved => [ moved('moved'), 'BEGIN', give('moved', 'glassheap'), @kept, changes('moved') ],
	moved_control => [ moved('moved_control'), give('moved_control', 'glassheap'), changes('moved_control') ],
	moved_twice => [ moved('moved_twice'), 'BEGIN', give('moved_twice', 'glassheap'), 'UPDATE moved_twice SET id = -id', @undone, give('moved_twice', 'glassheap'), 'BEGIN', 'SELECT 1', @undone, changes('moved_twice') ]);
sql(block(@{ $blocks{$_} }), $minimal) for sort keys %blocks;
sub all_there
{
	my ($when) = @_;
	is(said("$noted || ' ' || min(id) FROM $_", $minimal), "3000 3000 1\n", "wal_level = minimal, $_: $when") for sort keys %blocks;
	return;
}
all_there('afterwards');
# Each of these makes the next look meet the table again.
make_table('moved_often', 'heap', $minimal);
$said = said(join(';', 'BEGIN', block(moved('moved_often'), 'BEGIN', give('moved_often', 'glassheap'), @kept, changes('moved_often')), ('ALTER TABLE moved_often SET (fillfactor = 90)') x 3, 'SET LOCAL client_min_messages = debug3', 'COMMIT'), $minimal);
like($said, qr/flushed 1 file\(s\) that came to it/, 'wal_level = minimal: a table that is met several times is flushed once');
$blocks{moved_often} = [];
kill_server_9($minimal);
$minimal->start;
all_there('after kill -9');
unlike(slurp_file($minimal->logfile), qr/two buffer pools/, 'wal_level = minimal: no table was taken for damaged');

done_testing();
