# t/172_damaged_chains.pl: row versions that follow each other in a circle, within a page and from page to page, are an error
# and not a walk without end, and are not pruned; so is an index entry that names line pointer 0 when index entries are
# deleted; and what VACUUM FULL objects to names the row.  A page that calls itself all-visible and is not: CREATE INDEX, ANALYZE
# and VACUUM FULL ask its rows, as heap's do.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'glassheap only: heap follows them for ever' unless is_glassheap();

my $node = new_node('chains', shared_buffers => '1MB', statement_timeout => '20s', max_prepared_transactions => 5);
$node->not_compared('its pages are damaged');
# One transaction inserts and updates: all its versions have the same xmin and xmax.  "near" updates within the page.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE near (id int PRIMARY KEY, n int);
BEGIN; INSERT INTO near VALUES (1, 0); UPDATE near SET n = 1; COMMIT;
CREATE TABLE pair (id int, n int);
BEGIN; INSERT INTO pair VALUES (1, 0); UPDATE pair SET n = 1; UPDATE pair SET n = 2; COMMIT;
CREATE TABLE ring (id int, pad text);
ALTER TABLE ring ALTER pad SET STORAGE plain;
BEGIN; INSERT INTO ring VALUES (1, repeat('x', 2500)); UPDATE ring SET id = 2; UPDATE ring SET id = 3; COMMIT;
CREATE TABLE far (id int PRIMARY KEY, pad text);
ALTER TABLE far ALTER pad SET STORAGE plain;
BEGIN; INSERT INTO far VALUES (1, repeat('x', 5000)); UPDATE far SET pad = repeat('y', 5000); COMMIT;
CREATE TABLE shared (id int, n int);
INSERT INTO shared VALUES (1, 0);
BEGIN; UPDATE shared SET n = 1; UPDATE shared SET n = 2; PREPARE TRANSACTION 'shared';
CREATE TABLE wanted (id int, n int);
INSERT INTO wanted VALUES (1, 0);
BEGIN; UPDATE wanted SET n = 1; UPDATE wanted SET n = 2; PREPARE TRANSACTION 'wanted';
CREATE TABLE old (id int, n int);
INSERT INTO old VALUES (1, 0), (2, 0);
CREATE TABLE entries (id int, n int) WITH (fillfactor = 50);
INSERT INTO entries SELECT g, 0 FROM generate_series(1, 300) g;
CREATE INDEX entries_id ON entries (id) WITH (deduplicate_items = off);
CREATE INDEX entries_n ON entries (n);
CREATE TABLE flagged (id int, n int);
INSERT INTO flagged SELECT g, 0 FROM generate_series(1, 20) g;
DELETE FROM flagged WHERE id <= 10;
INSERT INTO flagged SELECT g, 1 FROM generate_series(1, 10) g;
SQL
my %path = map { $_ => $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_')") } qw(near pair ring far shared wanted old entries_id flagged);
is($node->safe_psql('postgres', "SELECT n.t_ctid, f.t_ctid FROM glassheap_page_items('near', 0) n, glassheap_page_items('far', 0) f WHERE n.lp = 1"), '(0,2)|(1,1)',
	'the versions are where the test wants them');
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--disable', '-D', $node->data_dir ], 'nothing keeps damaged pages out');

sub change_row
{
	my ($file, $block, $item, $change) = @_;
	open my $fh, '+<:raw', $path{$file} or die "$path{$file}: $!";
	seek $fh, $block * 8192, 0;
	read $fh, my $page, 8192;
	$change->(\$page, unpack('V', substr $page, 20 + 4 * $item, 4) & 0x7FFF);
	seek $fh, $block * 8192, 0;
	print $fh $page;
	close $fh or die $!;
	return;
}
# As if the version's own transaction had updated it, to the version at (block, item).
sub lead_to
{
	my ($block, $item, $hot) = @_;
	return sub {
		my ($page, $row) = @_;
		substr($$page, $row + 4, 4) = substr $$page, $row, 4;
		substr($$page, $row + 12, 6) = pack 'vvv', 0, $block, $item;
		my ($mask2, $mask) = unpack 'vv', substr $$page, $row + 18, 4;
		substr($$page, $row + 18, 4) = pack 'vv', $mask2 | ($hot ? 0x4000 : 0), $mask & ~0x0C00;
	};
}
change_row('near', 0, 2, lead_to(0, 2, 1));
change_row('pair', 0, 1, lead_to(0, 9, 0));
change_row('pair', 0, 3, lead_to(0, 2, 1));
change_row('far', 1, 1, lead_to(0, 1, 0));
change_row($_, 0, 3, lead_to(0, 2, 1)) for qw(ring shared wanted);
change_row('old', 0, 2, sub { my ($page, $row) = @_; substr($$page, $row, 4) = pack 'V', 5; });
change_row('entries_id', 1, 40, sub { my ($page, $entry) = @_; substr($$page, $entry + 4, 2) = pack 'v', 0; });
change_row('flagged', 0, 1, sub { my ($page) = @_; substr($$page, 10, 2) = pack 'v', 0x0004 | unpack 'v', substr $$page, 10, 2; });
$node->start;

sub refused
{
	my ($what, $wanted, $sql) = @_;
	my ($out, $err, $timed_out) = ('', '');
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, timeout => 60, timed_out => \$timed_out, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	ok(!$timed_out, "$what: an end");
	return like($err, $wanted, "$what: an error says so");
}
my $circle = qr/ERROR:  XX001: row versions in block \d of relation "(?:near|far|shared|wanted)" follow each other in a circle/;
refused('an index scan', $circle, 'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT n FROM near WHERE id = 1');
refused('a bitmap scan', $circle, 'SET enable_seqscan = off; SET enable_indexscan = off; SELECT n FROM near WHERE id = 1');
refused('a walk to the newest version', $circle, "SELECT currtid2('far', '(0,1)')");
refused('the walk of a KEY SHARE lock along an update under way', $circle, 'SELECT * FROM shared FOR KEY SHARE');
# Who waits for the updater finds its circle when that has committed.
my $waiter = GlassheapSession->new($node);
$waiter->begin('SELECT * FROM wanted FOR UPDATE');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND backend_type = 'client backend'") or die 'it does not wait';
$node->safe_psql('postgres', "COMMIT PREPARED 'wanted'");
is($waiter->end, 'ERROR:  XX001', 'the pursuit of the newest version ends');
$waiter->close;
$node->safe_psql('postgres', "ROLLBACK PREPARED 'shared'");
refused('an insertion that makes room in the index', qr/ERROR:  XX002: index "entries_id" is corrupt: heap tid \(0,0\)/,
	join ';', map { "UPDATE entries SET n = $_" } 1 .. 4);
refused('VACUUM FULL of a row from before relfrozenxid', qr/ERROR:  XX001: found xmin 5 from before relfrozenxid \d+\nCONTEXT:  while copying block 0 offset 2 of relation "old"/, 'VACUUM FULL old');
# Pruning leaves such a chain alone, though all of it is dead and the page short of space; VACUUM may not.
is($node->safe_psql('postgres', 'SELECT count(*) FROM ring'), 0, 'a scan that prunes reads over it');
refused('VACUUM of a chain that is all dead', qr/ERROR:  XX001: .*is not part of any HOT chain.*block 0.*relation "public.ring"/s, 'VACUUM ring');
is($node->safe_psql('postgres', "SELECT string_agg(lp || ':' || lp_flags, ' ' ORDER BY lp) FROM glassheap_page_items('ring', 0)"), '1:1 2:1 3:1', '... and nothing of it is touched');
is($node->safe_psql('postgres', "SELECT pd_all_visible FROM glassheap_visibility('flagged')"), 't', 'a page that is flagged all-visible');
$node->safe_psql('postgres', 'ANALYZE flagged');
is($node->safe_psql('postgres', "SELECT reltuples FROM pg_class WHERE relname = 'flagged'"), 20, 'ANALYZE counts its live rows');
is($node->psql('postgres', 'CREATE UNIQUE INDEX ON flagged (id)'), 0, 'a unique index has no entries of its dead rows');
is($node->psql('postgres', 'VACUUM FULL flagged'), 0, 'VACUUM FULL drops them');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM flagged'), '20|20', '... and it is sound again');
like($node->safe_psql('postgres', "SELECT offnum, msg FROM glassheap_verify('near')"), qr/^2\|tuple is HOT-updated to itself/m, 'glassheap_verify finds the circle of one');
like($node->safe_psql('postgres', "SELECT offnum, msg FROM glassheap_verify('pair')"), qr/^3\|the versions before this one follow each other in a circle/m, '... and of two');
unlike(slurp_file($node->logfile), qr/terminated by signal|TRAP|PANIC/, 'nothing crashed');
$node->stop('fast');
done_testing();
