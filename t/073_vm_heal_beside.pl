# t/073_vm_heal_beside.pl: glassheap_repair_visibility_map beside others, and where the map reaches further than the rows.
# Records carry images of the map page to be compared: a bit that was cleared before the record that says so stops the
# standby, and the primary after a crash.
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
use constant PER_MAP_PAGE => 32672;

my $primary = new_node('primary', wal_keep_size => '1GB', wal_consistency_checking => "'glassheap'");
plan skip_all => 'needs stop points (GH_CHECKS=1)' unless has_stop_points($primary);
sub sql { return $primary->safe_psql('postgres', $_[0]); }

# Twenty pages of seven rows; three of them are not all-visible any more.
sub make
{
	my ($table) = @_;
	sql("CREATE TABLE $table (id int PRIMARY KEY, n int, pad text); ALTER TABLE $table ALTER pad SET STORAGE plain;"
		  . "INSERT INTO $table SELECT g, 0, repeat('x', 1000) FROM generate_series(1, 140) g; DELETE FROM $table WHERE id % 7 = 3");
	sql("VACUUM (FREEZE, INDEX_CLEANUP on) $table");
	sql("UPDATE $table SET n = 1 WHERE id IN (1, 36, 71)");
	return sql("SELECT pg_relation_filepath('$table')");
}
my $beside = make('beside');
my $far = make('far');
my $standby = new_standby($primary, 'standby', max_standby_streaming_delay => '100s');
$_->not_compared('their maps are damaged on purpose') for $primary, $standby;

# All bits of the map are set, on both servers.  The table "far" gets zeroes up to the second page of the map, and a
# third page of the map.
sub plant_map
{
	my ($file, $pages) = @_;
	open my $fh, '+<:raw', $file or die "$file: $!";
	read $fh, my $header, 24;
	seek $fh, 0, 0;
	print $fh (($header . "\xff" x 8168) x $pages);
	return close $fh;
}
$primary->stop('fast');
$standby->stop('fast');
for my $node ($primary, $standby)
{
	command_ok([ $node->installed_command('pg_checksums'), '--disable', '-D', $node->data_dir ], 'no checksums');
	my $data = $node->data_dir;
	plant_map("$data/${beside}_vm", 1);
	plant_map("$data/${far}_vm", 3);
	truncate "$data/$far", (PER_MAP_PAGE + 3) * 8192 or die "$far: $!";
	unlink "$data/${far}_fsm";
}
$_->start for $primary, $standby;

sub wrong_bits
{
	my ($node, $table) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM glassheap_visibility('$table') WHERE all_visible AND NOT pd_all_visible");
}
sub right_bits { return sql("SELECT count(*) FROM glassheap_visibility('$_[0]') WHERE pd_all_visible"); }

# Waits until the standby has replayed all, or has stopped.
sub follows
{
	my ($what) = @_;
	my $lsn = sql('SELECT pg_current_wal_insert_lsn()');    # a repair has no transaction id: its commit flushes nothing
	my $log = sub { slurp_file($standby->logfile) };
	wait_until(sub {
			my ($rc, $out) = $standby->psql('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'");
			return ($rc == 0 && $out eq 't') || $log->() =~ /inconsistent .*page|PANIC|FATAL:  .*consist/;
		}, 'the standby');
	return unlike($log->(), qr/inconsistent .*page|PANIC/, "$what: the standby has nothing to object");
}
sub same_map
{
	my ($what) = @_;
	my @map = map { $_->safe_psql('postgres', "SELECT b, md5(substr(glassheap_get_raw_page(t, 'vm', b), 25)) FROM (VALUES ('beside', 0), ('far', 0), ('far', 1), ('far', 2)) v (t, b)") } $primary, $standby;
	return is($map[1], $map[0], "$what: the standby has the primary's map");
}
# Two pages that are all-visible, and two whose bits are wrong.
my $update = "UPDATE beside SET n = n + 1 WHERE id IN (8, 15, 37, 72)";
sub hold_repair
{
	my $session = GlassheapSession->new($primary);
	sql("SELECT glassheap_stop_point_set('introspect.repair_map_before_correct', 'wait')");
	$session->begin("SELECT glassheap_repair_visibility_map('beside')");
	sql("SELECT glassheap_stop_point_wait('introspect.repair_map_before_correct')");
	return $session;
}

# ---- an UPDATE while the wrong bits are known and not yet cleared, and the server dies
is(wrong_bits($primary, 'beside'), 3, 'wrong bits');
# The image of the map page first: recovery after a crash compares nothing before it.
sql('UPDATE beside SET n = n + 1 WHERE id = 8');
my $session = hold_repair();
sql($update);
follows('an update within a repair');
kill_server_9($primary);
$session->close;
ok($primary->start(fail_ok => 1), 'after a crash within a repair the primary starts') or BAIL_OUT('it does not');
is(wrong_bits($primary, 'beside'), 3, 'and nothing was corrected by halves');

# ---- cancelled there
sql("SELECT glassheap_stop_point_set('introspect.repair_map_before_correct', 'error')");
my ($rc, $out, $err) = $primary->psql('postgres', "SELECT glassheap_repair_visibility_map('beside')");
isnt($rc, 0, 'a repair that fails');
sql('SELECT glassheap_stop_point_clear()');
is(wrong_bits($primary, 'beside'), 3, 'has corrected nothing that it has not logged');

# ---- the same UPDATE, and the repair goes on
$session = hold_repair();
my $right = right_bits('beside');
sql("UPDATE beside SET n = n + 1 WHERE id IN (22, 37)");
my $left = right_bits('beside');
cmp_ok($left, '<', $right, 'pages lose their bits within the repair');
sql("SELECT glassheap_stop_point_clear('introspect.repair_map_before_correct')");
# All the bits of the map page beyond the table's twenty pages, too.
my $pages = sql("SELECT pg_relation_size('beside') / 8192");
is($session->end, 3 + PER_MAP_PAGE - $pages, 'the repair counts what it cleared, not what the update did');
$session->close;
is(right_bits('beside'), $left, 'right bits stay');
sql("UPDATE beside SET n = n + 1 WHERE id IN (50, 72)");
follows('a repair beside updates');
is(wrong_bits($_, 'beside'), 0, $_->name . ': no wrong bits') for $primary, $standby;

# ---- pages of zeroes with bits, the second page of the map, and one beyond the end
is(wrong_bits($primary, 'far'), PER_MAP_PAGE + 3 - right_bits('far'), 'pages of zeroes have bits');
$right = right_bits('far');
cmp_ok($right, '>', 10, 'and there are right bits');
is(sql("SELECT glassheap_repair_visibility_map('far')"), 3 * PER_MAP_PAGE - $right, 'all are repaired, also beyond the end');
is(sql("SELECT count(*) FROM glassheap_visibility('far') WHERE all_visible AND all_frozen"), $right, 'right bits stay');
follows('a repair of three map pages');
same_map('three map pages');
is($standby->safe_psql('postgres', "SELECT bool_and(substr(glassheap_get_raw_page('far', 'vm', b), 25) = decode(repeat('00', 8168), 'hex')) FROM generate_series(1, 2) b"),
	't', 'nothing is left in the second and third');
is($_->safe_psql('postgres', "SELECT count(*) FROM glassheap_verify('far')"), 0, $_->name . ': verified') for $primary, $standby;
kill_server_9($primary);
$primary->start;
is(wrong_bits($primary, $_), 0, "$_: right after a crash") for qw(beside far);
is(sql("SELECT glassheap_repair_visibility_map('$_')"), 0, "$_: nothing is left to repair") for qw(beside far);

# ---- VACUUM corrects and logs page by page, in one step as well
follows('after a crash');
$standby->stop('fast');
$primary->stop('fast');
plant_map($_->data_dir . "/${beside}_vm", 1) for $primary, $standby;
$_->start for $primary, $standby;
sql('SET client_min_messages = error; VACUUM (INDEX_CLEANUP on, DISABLE_PAGE_SKIPPING) beside');
sql($update);
follows('VACUUM');
is(wrong_bits($_, 'beside'), 0, $_->name . ': VACUUM has corrected it') for $primary, $standby;
$standby->stop('fast');
$primary->stop('fast');
done_testing();
