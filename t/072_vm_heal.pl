# t/072_vm_heal.pl: a visibility map that says too much is found and gets right.  Wrong bits are planted in the map's file of
# a stopped server: on a standby only, and on a primary (as if it had recovered, or been promoted, with them).
#   glassheap_repair_visibility_map   mends the primary and, by logging the map, every standby
#   glassheap_truncate_visibility_map the same by throwing the map away
#   VACUUM                            mends what it visits, and tells the standbys
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapPages;
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'glassheap only' unless is_glassheap();

my @tables = qw(repaired truncated vacuumed frozen again seen dead);
my $primary = new_node('primary', wal_keep_size => '1GB', full_page_writes => 'off');
# Without checksums, so that the planted page needs none.
$primary->stop('fast');
command_ok([ $primary->installed_command('pg_checksums'), '--disable', '-D', $primary->data_dir ], 'no checksums');
$primary->start;
sub sql { return $primary->safe_psql('postgres', $_[0]); }

# Sixty pages of seven rows; then one deleted row in pages 5 (alone), and in 40 to 59 but the last: a run that VACUUM
# skips when the map says so.  Page 20 gets a row that is not frozen.
for my $table (@tables, 'unlogged')
{
	my $unlogged = $table eq 'unlogged' ? 'UNLOGGED' : '';
	my $freeze = $table eq 'frozen' ? ', FREEZE' : '';
	sql("CREATE $unlogged TABLE $table (id int PRIMARY KEY, n int, pad text); ALTER TABLE $table ALTER pad SET STORAGE plain;"
		  . "INSERT INTO $table SELECT g, 0, repeat('x', 1000) FROM generate_series(1, 420) g;"
		  . "INSERT INTO $table SELECT g, 0, 'x' FROM generate_series(1001, 1003) g");
	sql("DELETE FROM $table WHERE id = 144");
	sql("VACUUM (INDEX_CLEANUP on$freeze) $table");
	sql("DELETE FROM $table WHERE id = 36 OR id = 99 OR id > 280 AND id < 415 AND id % 7 = 1");
	sql("VACUUM (INDEX_CLEANUP off) $table") if $table eq 'dead';
	# A new version in the page of the old one: then visible, not frozen.
	if ($freeze)
	{
		sql("UPDATE $table SET n = 1 WHERE id = 143");
		sql("VACUUM (INDEX_CLEANUP on) $table");
	}
}
my $standby = new_standby($primary, 'standby', max_standby_streaming_delay => '100s');
$_->not_compared('their maps are damaged on purpose') for $primary, $standby;
my %path = map { $_ => sql("SELECT pg_relation_filepath('$_')") . '_vm' } @tables, 'unlogged';

sub plant_flag
{
	my ($file) = @_;
	open my $fh, '+<:raw', $file or die "$file: $!";
	seek $fh, 5 * 8192 + 10, 0;
	read $fh, my $flags, 2;
	seek $fh, 5 * 8192 + 10, 0;
	print $fh pack 'v', 0x0004 | unpack 'v', $flags;
	close $fh or die;
	return;
}

# Both bits, or in "seen" and "dead" all-visible alone, for the table's sixty pages; the last page of all is always visited by VACUUM.
# In "dead" page 5 is marked all-visible too, in spite of a dead line pointer.
sub plant
{
	my ($node, @where) = @_;
	my $byte = $where[0] =~ /seen|dead/ ? "\x55" : "\xff";
	$node->stop('fast');
	for my $table (@where)
	{
		open my $fh, '+<:raw', $node->data_dir . "/$path{$table}" or die "$path{$table}: $!";
		seek $fh, 24, 0;
		print $fh $byte x 15;
		close $fh or die;
		plant_flag($node->data_dir . '/' . $path{$table} =~ s/_vm$//r) if $table eq 'dead';
	}
	$node->start;
	return;
}
# Or the standby, started again, would replay an older image over what was planted.
sub restartpoint
{
	sql('CHECKPOINT');
	$primary->wait_for_catchup($standby, 'replay');
	return $standby->safe_psql('postgres', 'CHECKPOINT');
}
my $wrong = 'SELECT count(*) FROM glassheap_visibility(%s) WHERE all_visible AND NOT pd_all_visible';
sub wrong_bits { my ($node, $table) = @_; return $node->safe_psql('postgres', sprintf $wrong, "'$table'"); }
sub same_map
{
	my ($table, $what) = @_;
	# Who takes no transaction id flushes nothing at its end, and the standby is waited for up to what is written.
	sql("SELECT pg_logical_emit_message(true, 'flush', '')");
	$primary->wait_for_catchup($standby, 'replay');
	my @map = map { page_images($_, $table)->{"$table vm 0"} // '' } $primary, $standby;
	return ok(substr($map[0], 24) eq substr($map[1], 24), "$what: the standby has the primary's map");
}
sub expect_right
{
	my ($table, $what) = @_;
	same_map($table, $what);
	my $rows = sequential_count($primary, $table);
	for my $node ($primary, $standby)
	{
		is(wrong_bits($node, $table), 0, "$what, " . $node->name . ': no wrong bit');
		is(index_only_count($node, $table), $rows, "$what, " . $node->name . ': index-only scan counts what is there');
		is($node->safe_psql('postgres', "SELECT * FROM glassheap_verify('$table')"), '', "$what, " . $node->name . ': verified');
		is($node->safe_psql('postgres', "SELECT * FROM glassheap_check_frozen('$table')"), '', "$what, " . $node->name . ': what is frozen is');
	}
	return;
}
sub expect_found
{
	my ($node, $table) = @_;
	cmp_ok(wrong_bits($node, $table), '>', 0, "$table, " . $node->name . ': glassheap_visibility shows wrong bits');
	like($node->safe_psql('postgres', "SELECT * FROM glassheap_verify('$table')"), qr/the page is not marked all-visible/, '... glassheap_verify names them');
	isnt($node->safe_psql('postgres', "SELECT * FROM glassheap_check_visible('$table')"), '', '... glassheap_check_visible the rows');
	return;
}

# ---- wrong on the standby only
plant($standby, qw(repaired truncated vacuumed));
for my $table (qw(repaired truncated vacuumed))
{
	expect_found($standby, $table);
	is(wrong_bits($primary, $table), 0, "$table: the primary is right");
	isnt(index_only_count($standby, $table), sequential_count($standby, $table), "$table: the standby's index-only scan is not") ;
}
is(sql("SELECT glassheap_repair_visibility_map('repaired')"), 0, 'nothing was wrong on the primary');
expect_right('repaired', 'repair for a standby');
sql("SELECT glassheap_truncate_visibility_map('truncated')");
expect_right('truncated', 'truncation for a standby');
sql("VACUUM (INDEX_CLEANUP on) truncated");
expect_right('truncated', 'and VACUUM');

# ---- an all-frozen bit that outlives its page: the page becomes all-visible again, and is not frozen
my $page_5 = "SELECT all_visible || ' ' || all_frozen || ' ' || pd_all_visible FROM glassheap_visibility('again', 5)";
plant($standby, 'again');
is($standby->safe_psql('postgres', $page_5), 'true true false', 'the standby\'s map calls page 5 frozen');
sql('VACUUM (INDEX_CLEANUP on) again');
is(sql($page_5), 'true false true', 'VACUUM makes it all-visible on the primary');
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', $page_5), 'true false true', 'and replay takes the other bit back');
restartpoint();
plant($standby, 'again');
is($standby->safe_psql('postgres', $page_5), 'true true true', 'a standby where an older build left it');
isnt($standby->safe_psql('postgres', "SELECT * FROM glassheap_check_frozen('again')"), '', 'glassheap_check_frozen finds its rows');
is(sql("SELECT glassheap_repair_visibility_map('again')"), 0, 'nothing was wrong on the primary');
expect_right('again', 'repair for a standby with all-frozen bits');

# ---- wrong on the primary, and not on the standby
plant($primary, qw(repaired vacuumed frozen unlogged));
expect_found($primary, $_) for qw(repaired vacuumed);
isnt(sql("SELECT * FROM glassheap_check_frozen('frozen')"), '', 'glassheap_check_frozen finds a row that is not');
cmp_ok(sql("SELECT glassheap_repair_visibility_map('repaired')"), '>', 0, 'the primary says how many pages were wrong');
expect_right('repaired', 'repair');
cmp_ok(sql("SELECT glassheap_repair_visibility_map('frozen')"), '>', 0, 'a wrong all-frozen bit alone is found');
expect_right('frozen', 'repair of all-frozen');
is(sql("SELECT all_visible || ' ' || all_frozen FROM glassheap_visibility_map('frozen', 0)"), 'true true', 'right bits stay');
my $page_20 = "SELECT all_visible || ' ' || all_frozen FROM glassheap_visibility_map('frozen', 20)";
is(sql($page_20), 'true false', '... one bit of a page too');
sql('VACUUM (FREEZE) frozen');
is(sql($page_20), 'true true', 'which VACUUM (FREEZE) then visits');
expect_right('frozen', 'VACUUM (FREEZE) after the repair');
cmp_ok(sql("SELECT glassheap_repair_visibility_map('unlogged')"), '>', 0, 'an unlogged table: wrong bits are found');
is(wrong_bits($primary, 'unlogged'), 0, '... and gone');
is(sql("SELECT all_visible || ' ' || all_frozen FROM glassheap_visibility_map('unlogged', 0)"), 'true false', '... what was right stays');

# VACUUM passes over pages by their bits, unless it is told not to.
my ($rc, $out, $err) = $primary->psql('postgres', 'VACUUM (INDEX_CLEANUP on, DISABLE_PAGE_SKIPPING) vacuumed');
like($err, qr/WARNING:  page has unfrozen tuples but visibility map says all-frozen in relation "vacuumed" page 0\n/, 'VACUUM warns of frozen bits');
like($err, qr/WARNING:  page is not marked all-visible but visibility map bit is set in relation "vacuumed" page 5\n/, 'VACUUM warns');
expect_right('vacuumed', 'VACUUM (DISABLE_PAGE_SKIPPING)');
plant($_, 'seen') for $standby, $primary;
expect_found($_, 'seen') for $standby, $primary;
sql('VACUUM (INDEX_CLEANUP on, DISABLE_PAGE_SKIPPING) seen');
expect_right('seen', 'VACUUM where only all-visible bits are wrong');

# A page that is marked all-visible and is not: the flag goes, on both servers.
my $dead_5 = "SELECT all_visible || ' ' || pd_all_visible FROM glassheap_visibility('dead', 5)";
plant($_, 'dead') for $standby, $primary;
is($_->safe_psql('postgres', $dead_5), 'true true', 'a wrong flag, ' . $_->name) for $standby, $primary;
($rc, $out, $err) = $primary->psql('postgres', 'VACUUM (INDEX_CLEANUP off, DISABLE_PAGE_SKIPPING) dead');
like($err, qr/WARNING:  page containing LP_DEAD items is marked as all-visible in relation "dead" page 5\n/, 'VACUUM warns of the flag');
expect_right('dead', 'VACUUM of a page with a wrong flag');
is($_->safe_psql('postgres', $dead_5), 'false false', 'no flag, ' . $_->name) for $standby, $primary;

# A clean restart keeps an unlogged table, and what was repaired of it without a record.
$primary->restart;
is(wrong_bits($primary, 'unlogged'), 0, 'an unlogged table: still right after a restart');
is(sql("CREATE TEMP TABLE mine AS SELECT g FROM generate_series(1, 1000) g; SELECT glassheap_repair_visibility_map('mine')"), 0, 'a temporary table has nothing to repair');

# ---- what was repaired survives a crash, and the standby cannot repair itself
kill_server_9($primary);
$primary->start;
for my $table (@tables)
{
	is(wrong_bits($primary, $table), 0, "$table: still right after a crash");
}
same_map($_, "$_: after a crash") for @tables;
($rc, $out, $err) = $standby->psql('postgres', "SELECT glassheap_repair_visibility_map('repaired')");
like($err, qr/cannot execute glassheap_repair_visibility_map\(\) during recovery/, 'not on a standby');

# ---- the statements that doc/backup-and-replication.md prints, where there are tables that cannot be looked at
my $doc = slurp_file("$FindBin::Bin/../doc/backup-and-replication.md");
my ($to_find) = $doc =~ /^( +SELECT c\.oid::regclass, v\.\*.*?;)\n/ms;
my ($to_add) = $doc =~ /^( +CREATE FUNCTION glassheap_repair.*?ADD FUNCTION [^\n]*;)\n/ms;
my ($to_heal) = $doc =~ /^( +SELECT c\.oid::regclass, glassheap_repair.*?;)\n/ms;
my $other = GlassheapSession->new($primary);
$other->ask('CREATE TEMP TABLE theirs (g) AS SELECT generate_series(1, 1000)');
sql('INSERT INTO unlogged SELECT 5000, 0, NULL');
# Again a row that is not frozen, for the bits that will be planted.
sql('UPDATE frozen SET n = 2 WHERE id = 143');
sql('VACUUM (INDEX_CLEANUP on) frozen');
restartpoint();
is($_->safe_psql('postgres', $to_find), '', $_->name . ': the query of the documentation finds nothing') for $primary, $standby;

# ---- a promoted standby with wrong bits
plant($standby, qw(repaired frozen));
like($standby->safe_psql('postgres', $to_find), qr/^repaired\|5\|t\|t\|f$/m, 'it finds what was planted on the standby');
# As an earlier build would have made the extension.
sql('ALTER EXTENSION glassheap DROP FUNCTION glassheap_repair_visibility_map(regclass); DROP FUNCTION glassheap_repair_visibility_map(regclass)');
sql($to_add);
is(sql("SELECT proacl::text ~ '(\\{|,)=' FROM pg_proc WHERE proname = 'glassheap_repair_visibility_map'"), 'f', 'the function that it tells to make is not for everybody');
like(sql($to_heal), qr/^repaired\|0$/m, 'its query to heal');
expect_right('repaired', 'the documentation\'s query');
$other->close;
restartpoint();
plant($standby, qw(repaired frozen));
$primary->stop('fast');
$standby->promote;
cmp_ok(wrong_bits($standby, 'repaired'), '>', 0, 'wrong bits on what was promoted');
isnt($standby->safe_psql('postgres', "SELECT * FROM glassheap_check_frozen('frozen')"), '', '... of rows that are not frozen, too');
cmp_ok($standby->safe_psql('postgres', "SELECT glassheap_repair_visibility_map('$_')"), '>', 0, "$_: repaired there") for qw(repaired frozen);
for my $table (qw(repaired frozen))
{
	is(wrong_bits($standby, $table), 0, "$table: right after promotion and repair");
	is(index_only_count($standby, $table), sequential_count($standby, $table), "$table: index-only scan");
	is($standby->safe_psql('postgres', "SELECT * FROM glassheap_check_frozen('$table')"), '', "$table: frozen bits");
}
$standby->safe_psql('postgres', "SELECT glassheap_repair_visibility_map(c.oid) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE amname = 'glassheap'");
$standby->stop;
done_testing();
