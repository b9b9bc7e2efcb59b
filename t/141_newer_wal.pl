# t/141_newer_wal.pl: WAL of a later version, which may use what doc/design/wal.md calls free: replay and decoding refuse it and say which
# library is wanted, nothing is passed over, and no table is taken for one in two pools.  With the right bytes all rows are there.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapWal;
use TwoPools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no records of its own' unless is_glassheap();

my $node = new_node('main', wal_level => 'logical', log_error_verbosity => 'verbose');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub marks { return scalar(grep { m{/\d+_\d+_\d+$} } glob($node->data_dir . '/glassheap_two_pools/*')); }
sql('CREATE EXTENSION pg_walinspect');

# What a later version may change.  The last byte of an insert's main data are its flags (at wal_level = logical there
# are some), the one before it twice the line pointer, and one; the head of a file event is 15 bytes before the end.
my %changes = (
	'an info value' => [ "record_type = 'INSERT'", sub { vec(${ $_[0] }, 16, 8) = 0xE0 | vec(${ $_[0] }, 16, 8) & 0x0F }, 'Record type 0xE0 is unknown to this version.', 'info: 0xE0 (of a newer version)' ],
	'a flag' => [ "record_type = 'INSERT'", sub { vec(${ $_[0] }, length(${ $_[0] }) - 1, 8) |= 0x04 }, 'A record of type INSERT says something that is unknown to this version.', ' (of a newer version)' ],
	'a subtype' => [ "record_type = 'OTHER'", sub { vec(${ $_[0] }, length(${ $_[0] }) - 15, 8) = 9 }, 'Record type OTHER with subtype 9 in format 1 is unknown to this version.', 'what: 9, format: 1 (of a newer version)' ],
	'a format' => [ "record_type = 'OTHER'", sub { vec(${ $_[0] }, length(${ $_[0] }) - 14, 8) = 2 }, 'Record type OTHER with subtype 2 in format 2 is unknown to this version.', 'what: 2, format: 2 (of a newer version)' ]);
my %damage = (
	'damage' => [ "record_type = 'INSERT'", sub { vec(${ $_[0] }, length(${ $_[0] }) - 2, 8) = 1 }, undef, ' (damaged)' ]);

# Writes the records that are changed, in a segment of their own; returns where they begin.
sub write_records
{
	my ($table) = @_;
	sql("CREATE TABLE $table (id int, note text) USING glassheap; INSERT INTO $table VALUES (1, 'first'); CREATE TABLE given_$table (id int) USING glassheap");
	sql('SELECT pg_switch_wal(); CHECKPOINT');
	my $from = sql('SELECT pg_current_wal_insert_lsn()');
	sql("INSERT INTO $table VALUES (2, 'second')");
	sql("UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE oid = 'given_$table'::regclass");
	sql("INSERT INTO $table VALUES (3, 'third'); VACUUM $table");
	return $from;
}
sub rows_of { my ($table) = @_; return sql("SELECT string_agg(id || ' ' || note, ', ' ORDER BY id) FROM $table"); }

# ---- decoding: nothing is replayed, so nobody else would notice
sql("SELECT pg_create_logical_replication_slot('$_', 'test_decoding')") for qw(slot skipping);
my $from = write_records('decoded');
sql('SELECT pg_switch_wal()');
my $decode = "SELECT count(*) FROM pg_logical_slot_get_changes('slot', NULL, NULL) WHERE data LIKE '%decoded: INSERT%'";
for my $case (sort keys %changes, sort keys %damage)
{
	my ($record, $change, $detail, $described) = @{ $changes{$case} // $damage{$case} };
	my $lsn = first_record($node, $from, $record);
	my $undo = change_record($node, $lsn, $change);
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$decode", on_error_stop => 1);
	if (defined $detail)
	{
		like($err, qr{ERROR:  0A000: glassheap WAL record at \Q$lsn\E cannot be decoded: a newer version of glassheap wrote it}, "decoding, $case: refused");
		like($err, qr/DETAIL:  \Q$detail\E\n.*HINT:  Install the glassheap that wrote it, or a later one\./s, "decoding, $case: detail and hint");
	}
	else
	{
		like($err, qr{ERROR:  XX001: malformed glassheap WAL record at \Q$lsn\E}, "decoding, $case: refused as damaged");
	}
	like(sql("SELECT description FROM pg_get_wal_record_info('$lsn')"), qr/\Q$described\E$/, "$case: described");
	# Who says that he wants none of it may go on.
	is(sql("SELECT count(*) FROM pg_replication_slot_advance('skipping', pg_current_wal_flush_lsn())"), 1, 'a slot is advanced over it') if $case eq 'an info value';
	$undo->();
}
is(sql($decode), 3, 'decoding, the right library: all rows');
sql("SELECT pg_drop_replication_slot('$_')") for qw(slot skipping);

# ---- replay
sub refused_in_replay
{
	my ($what, $lsn, $detail) = @_;
	my $said_before = -s $node->logfile;
	ok(!$node->start(fail_ok => 1), "replay, $what: refused");
	my $said = substr(slurp_file($node->logfile), $said_before);
	if (defined $detail)
	{
		like($said, qr{PANIC:  0A000: glassheap WAL record at \Q$lsn\E cannot be replayed: a newer version of glassheap wrote it}, "replay, $what: who wrote it");
		like($said, qr/DETAIL:  \Q$detail\E\n.*HINT:  Install the glassheap that wrote it, or a later one\./s, "replay, $what: detail and hint");
	}
	else
	{
		like($said, qr{PANIC:  XX001: glassheap WAL record at \Q$lsn\E cannot be replayed: malformed}, "replay, $what: said to be damaged");
	}
	unlike($said, qr/two buffer pools/, "replay, $what: not taken for two histories");
	is(marks(), 0, "replay, $what: no mark");
	return;
}
$from = write_records('replayed');
my %lsn_of = map { $_ => first_record($node, $from, $_) } "record_type = 'INSERT'", "record_type = 'OTHER'";
kill_server_9($node);
for my $case (sort keys %changes, sort keys %damage)
{
	my ($record, $change, $detail) = @{ $changes{$case} // $damage{$case} };
	my $undo = change_record($node, $lsn_of{$record}, $change);
	refused_in_replay($case, $lsn_of{$record}, $detail);
	$undo->();
}
$node->was_killed;
ok($node->start, 'replay, the right library: starts');
is(rows_of('replayed'), '1 first, 2 second, 3 third', 'replay, the right library: all rows');

# ---- the record names a block that was changed in both pools before
$node->not_compared('a table has two versions on purpose');
create_two_pools_functions($node);
$node->append_conf('postgresql.conf', 'glassheap.debug_tripwire = off');    # or the writer may see it before the crash
$node->restart;
sql("CREATE TABLE two (id int, note text) USING glassheap; INSERT INTO two VALUES (1, 'first')");
sql('SELECT pg_switch_wal(); CHECKPOINT');
$from = sql('SELECT pg_current_wal_insert_lsn()');
sql($_) for "INSERT INTO two VALUES (2, 'ours')", "SELECT two_pools_insert('two', 3, 'theirs')", "INSERT INTO two VALUES (4, 'ours')";
my $last = sql("SELECT max(start_lsn) FROM pg_get_wal_records_info('$from', pg_current_wal_flush_lsn()) WHERE resource_manager = 'glassheap' AND record_type = 'INSERT'");
is(marks(), 0, 'two pools: not noticed before the crash');
kill_server_9($node);
$node->append_conf('postgresql.conf', 'glassheap.debug_tripwire = on');
for my $case ('a flag', 'damage')
{
	my (undef, $change, $detail) = @{ $changes{$case} // $damage{$case} };
	my $undo = change_record($node, $last, $change);
	refused_in_replay("two pools, $case", $last, $detail);
	$undo->();
}
done_testing();
