# t/076_hint_image.pl: hint bits set while a checkpoint is writing the page, or between the image and the dirty mark, have
# an image behind the checkpoint's redo pointer: a torn write of the page is healed by recovery (fault A5 of 2026-11-21).
#
# The torn write: half of the page as a later write left it, half as the checkpoint's write had left it.
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

my $node = new_node('main', 'glassheap.writer_max_pages' => 0);
plan skip_all => 'needs stop points (GH_CHECKS=1)' unless has_stop_points($node);
my $redo = "SELECT redo_lsn FROM pg_control_checkpoint()";

sub read_page
{
	my ($file) = @_;
	open my $in, '<:raw', $file or die "$file: $!";
	read($in, my $page, 8192) == 8192 or die "$file: short";
	return $page;
}

# A table of one page, whose rows have no hint bits; with `clean`, the page has been written.
sub make_table
{
	my ($clean) = @_;
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS h; CREATE TABLE h (id int, pad text); ALTER TABLE h ALTER pad SET STORAGE PLAIN; CHECKPOINT');
	$node->safe_psql('postgres', "INSERT INTO h SELECT g, repeat('q', 900) FROM generate_series(1, 3) g");
	$node->safe_psql('postgres', "BEGIN; INSERT INTO h SELECT g, repeat('q', 900) FROM generate_series(4, 7) g; ROLLBACK");
	$node->safe_psql('postgres', 'CHECKPOINT') if $clean;
	return $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('h')");
}

# The checkpoint is done: the page is written with its hints, the server dies, and the write was torn.
sub tear_and_recover
{
	my ($file, $when) = @_;
	my $old = read_page($file);
	is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_buffercache WHERE relfilenode = pg_relation_filenode('h') AND relforknumber = 0 AND isdirty"),
		1, "$when: the hints are to be written");
	$node->safe_psql('postgres', "SELECT * FROM glassheap_buffercache_evict_relation('h')");
	my $new = read_page($file);
	isnt(substr($new, 0, 4096) . substr($old, 4096), $new, "$when: hints are in the second half of the page");
	isnt(substr($new, 0, 4096), substr($old, 0, 4096), "$when: the first half differs as well");
	$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
	kill_server_9($node);
	open my $out, '+<:raw', $file or die "$file: $!";
	print $out substr($new, 0, 4096), substr($old, 4096);
	close $out or die "$file: $!";
	$node->start;
	my ($rc, $count, $err) = $node->psql('postgres', 'SELECT count(*) FROM h');
	is("$count$err", '3', "$when: rows after a torn write and recovery");
	return;
}

# ---- the checkpoint's write is under way: DIRTY, not JUST_DIRTIED
my $file = make_table(0);
$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('buffer.page_write', 'wait', 0)");
my $checkpoint = start_background($node, sql => 'CHECKPOINT');
$node->safe_psql('postgres', "SELECT glassheap_stop_point_wait('buffer.page_write')");
is($node->safe_psql('postgres', 'SELECT count(*) FROM h'), 3, 'rows are read while the page is being written');
$node->safe_psql('postgres', 'SELECT glassheap_stop_point_clear()');
IPC::Run::finish($checkpoint);
tear_and_recover($file, 'hints during a write');

# ---- a checkpoint begins, and passes the page, between the image and the dirty mark
$file = make_table(1);
my $before = $node->safe_psql('postgres', $redo);
$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('buffer.hint_image_logged', 'wait', 0)");
my $reader = start_background($node, sql => 'SELECT count(*) FROM h');
$node->safe_psql('postgres', "SELECT glassheap_stop_point_wait('buffer.hint_image_logged')");
$checkpoint = start_background($node, sql => 'CHECKPOINT');
$node->poll_query_until('postgres', "SELECT redo_lsn > '$before' FROM glassheap_stat_checkpointer")
  or die 'the guardian did not see the new redo pointer';
# Twice round, so that both holders have passed.
my $turns = $node->safe_psql('postgres', 'SELECT turns FROM glassheap_stat_checkpointer');
$node->poll_query_until('postgres', "SELECT turns > $turns + 4 FROM glassheap_stat_checkpointer") or die 'no turns';
is($node->safe_psql('postgres', $redo), $before, 'the checkpoint waits for whoever logged the image');
$node->safe_psql('postgres', 'SELECT glassheap_stop_point_clear()');
IPC::Run::finish($reader);
IPC::Run::finish($checkpoint);
isnt($node->safe_psql('postgres', $redo), $before, 'the checkpoint is done');
tear_and_recover($file, 'hints beside a checkpoint');

# ---- a page marked dirty by hand: hints that follow take that mark for theirs
$file = make_table(1);
is($node->safe_psql('postgres', "SELECT buffers_dirtied FROM glassheap_buffercache_mark_dirty_relation('h')"), 1, 'one page is marked dirty');
is($node->safe_psql('postgres', 'SELECT count(*) FROM h'), 3, 'and read');
tear_and_recover($file, 'hints on a page marked by hand');

$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
