# t/060_verify_damage.pl: every kind of damage that glassheap_verify knows is planted on disk and found, named, where it is;
# and a page that is not damaged is not accused.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'glassheap_verify is for glassheap' unless is_glassheap();

my $node = new_node('verify', 'glassheap.autoprewarm' => 'off');
sub sql { return $node->safe_psql('postgres', $_[0]); }

# Forty pages of ten rows; relfrozenxid is newer than the cluster's oldest xid, so that both limits can be told apart.
sql("CREATE TABLE t (id int, v text, w text) USING glassheap WITH (autovacuum_enabled = off);"
  . "ALTER TABLE t ALTER v SET STORAGE PLAIN; ALTER TABLE t ALTER w SET STORAGE EXTERNAL");
sql("SELECT txid_current()") for 1 .. 5;
sql("VACUUM FREEZE t");
sql("INSERT INTO t SELECT g, repeat('v', 740), NULL FROM generate_series(1, 600) g");
# Four rows with TOAST values on a page of their own at the end.
sql("INSERT INTO t SELECT 1000 + g, repeat('p', 1500), repeat(md5(g::text), 300) FROM generate_series(1, 5) g");
my $aborted = sql("BEGIN; SELECT txid_current(); ROLLBACK;");
my $committed = sql("SELECT txid_current()");
sql("SELECT count(*) FROM t");    # hints
my ($pages) = sql("SELECT pg_relation_size('t') / 8192");
my $frozen = sql("SELECT relfrozenxid FROM pg_class WHERE relname = 't'");
my $toast = sql("SELECT reltoastrelid FROM pg_class WHERE relname = 't'");
# A second table for what belongs to the maps: vacuumed, all-visible, one page with a deleted row.
sql("CREATE TABLE m (id int, v text) USING glassheap WITH (autovacuum_enabled = off);"
  . "INSERT INTO m SELECT g, repeat('m', 740) FROM generate_series(1, 100) g");
sql("VACUUM m");
my $later = sql("SELECT txid_current()");
is(sql("SELECT count(*) FROM glassheap_verify_all()"), 0, 'healthy tables: nothing is reported');
is(sql("SELECT count(*) FROM glassheap_verify('t', check_toast => true)"), 0, '... nor about their TOAST values');
my ($path, $map) = map { $node->data_dir . '/' . sql("SELECT pg_relation_filepath('$_')") } qw(t m);

# ------------------------------------------------------------------------------------------- tools
sub change_page
{
	my ($file, $block, $change) = @_;
	open my $fh, '+<:raw', $file or die "$file: $!";
	seek $fh, $block * 8192, 0;
	read $fh, my $page, 8192;
	$change->(\$page);
	seek $fh, $block * 8192, 0;
	print $fh $page;
	close $fh or die;
	return;
}
sub get2 { my ($p, $at) = @_; return unpack 'v', substr $$p, $at, 2; }
sub put1 { my ($p, $at, $value) = @_; substr($$p, $at, 1) = pack 'C', $value; return; }
sub put2 { my ($p, $at, $value) = @_; substr($$p, $at, 2) = pack 'v', $value; return; }
sub put4 { my ($p, $at, $value) = @_; substr($$p, $at, 4) = pack 'V', $value; return; }
sub line { my ($p, $n) = @_; my $word = unpack 'V', substr $$p, 20 + $n * 4, 4; return ($word & 0x7fff, $word >> 15 & 3, $word >> 17); }
sub set_line { my ($p, $n, $offset, $state, $length) = @_; put4($p, 20 + $n * 4, $offset | $state << 15 | $length << 17); return; }
sub tuple { my ($p, $n) = @_; return (line($p, $n))[0]; }
sub or2 { my ($p, $at, $bits) = @_; put2($p, $at, get2($p, $at) | $bits); return; }
sub clear2 { my ($p, $at, $bits) = @_; put2($p, $at, get2($p, $at) & ~$bits); return; }
my ($XMIN, $XMAX, $CTID, $MASK2, $MASK, $HOFF) = (0, 4, 12, 18, 20, 22);

# ------------------------------------------------------------------------------------------- what to plant
# [what, change of a page of its own, item or undef, what the message must say]
my @damage = (
	[ 'size and version', sub { put2($_[0], 18, 0x1234) }, undef, qr/size and version 0x1234/ ],
	[ 'lower beyond upper', sub { put2($_[0], 12, 8000) }, undef, qr/lower 8000.*not in order/ ],
	[ 'unknown page flags', sub { put2($_[0], 10, 0x8000) }, undef, qr/unknown flags 0x8000/ ],
	[ 'new page with bytes', sub { put2($_[0], 14, 0) }, undef, qr/marked new, but is not all zeroes|not in order/ ],
	[ 'special area', sub { put2($_[0], 16, 8184) }, undef, qr/special area/ ],
	[ 'misaligned line pointer', sub { my ($o, $s, $l) = line($_[0], 2); set_line($_[0], 2, $o + 4, $s, $l) }, 2, qr/not aligned/ ],
	[ 'short line pointer', sub { my ($o, $s, $l) = line($_[0], 2); set_line($_[0], 2, $o, $s, 8) }, 2, qr/length 8, less than a tuple header/ ],
	[ 'line pointer beyond the page', sub { set_line($_[0], 3, 8184, 1, 100) }, 3, qr/ends beyond the page/ ],
	[ 'line pointer into free space', sub { set_line($_[0], 3, 200, 1, 100) }, 3, qr/outside the tuple area/ ],
	[ 'redirect to nothing', sub { set_line($_[0], 3, 0, 2, 0) }, 3, qr/redirects to item 0/ ],
	[ 'redirect too far', sub { set_line($_[0], 3, 77, 2, 0) }, 3, qr/redirects to item 77, but the page has only/ ],
	[ 'redirect to itself', sub { set_line($_[0], 3, 3, 2, 0) }, 3, qr/redirects to itself/ ],
	[ 'redirect to a dead item', sub { set_line($_[0], 3, 4, 2, 0); set_line($_[0], 4, 0, 3, 0) }, 3, qr/redirects to item 4, which is dead/ ],
	[ 'redirect to a root', sub { set_line($_[0], 3, 4, 2, 0) }, 3, qr/not a heap-only tuple/ ],
	[ 'unused with length', sub { set_line($_[0], 3, 0, 0, 40) }, 3, qr/unused line pointer has length 40/ ],
	[ 'overlap', sub { my ($o, $s, $l) = line($_[0], 3); set_line($_[0], 4, $o + 8, 1, $l) }, undef, qr/overlaps the tuple of item/ ],
	[ 'data beyond the tuple', sub { put1($_[0], tuple($_[0], 2) + $HOFF, 255); my ($o, $s, $l) = line($_[0], 2); set_line($_[0], 2, $o, $s, 100) }, 2, qr/begins at byte 255, beyond its length 100/ ],
	[ 'data at the wrong byte', sub { put1($_[0], tuple($_[0], 2) + $HOFF, 40) }, 2, qr/begins at byte 40 instead of 24/ ],
	[ 'too many attributes', sub { put2($_[0], tuple($_[0], 2) + $MASK2, 9) }, 2, qr/has 9 attributes, but the table only 3/ ],
	[ 'unknown tuple flags', sub { or2($_[0], tuple($_[0], 2) + $MASK2, 0x0800) }, 2, qr/unknown flags 0x0800/ ],
	[ 'committed multixact', sub { or2($_[0], tuple($_[0], 2) + $MASK, 0x1400); put4($_[0], tuple($_[0], 2) + $XMAX, 1) }, 2, qr/multixact, but is marked committed/ ],
	[ 'heap-only without update', sub { or2($_[0], tuple($_[0], 2) + $MASK2, 0x8000) }, 2, qr/not marked as the result of an update/ ],
	[ 'heap-only and unreachable', sub { or2($_[0], tuple($_[0], 2) + $MASK2, 0x8000); or2($_[0], tuple($_[0], 2) + $MASK, 0x2000) }, 2, qr/not reachable/ ],
	[ 'HOT-updated by nobody', sub { or2($_[0], tuple($_[0], 2) + $MASK2, 0x4000); clear2($_[0], tuple($_[0], 2) + $MASK, 0x0800) }, 2, qr/HOT-updated, but its xmax is 0/ ],
	[ 'xmin in the future', sub { put4($_[0], tuple($_[0], 2) + $XMIN, $committed + 1_000_000) }, 2, qr/xmin \d+ is not older than the next transaction id/ ],
	[ 'xmin before the cluster', sub { put4($_[0], tuple($_[0], 2) + $XMIN, 5) }, 2, qr/xmin 5 is older than the oldest transaction id of the cluster/ ],
	[ 'xmin before the table', sub { put4($_[0], tuple($_[0], 2) + $XMIN, $frozen - 1) }, 2, qr/is older than the table's relfrozenxid/ ],
	[ 'xmin committed, says the hint', sub { put4($_[0], tuple($_[0], 2) + $XMIN, $aborted); or2($_[0], tuple($_[0], 2) + $MASK, 0x0100) }, 2, qr/marked committed, but the commit log says aborted/ ],
	[ 'xmin aborted, says the hint', sub { put4($_[0], tuple($_[0], 2) + $XMIN, $committed); clear2($_[0], tuple($_[0], 2) + $MASK, 0x0100); or2($_[0], tuple($_[0], 2) + $MASK, 0x0200) }, 2, qr/marked aborted, but the commit log says committed/ ],
	[ 'xmax in the future', sub { put4($_[0], tuple($_[0], 2) + $XMAX, $committed + 1_000_000); clear2($_[0], tuple($_[0], 2) + $MASK, 0x0800) }, 2, qr/xmax \d+ is not older than the next/ ],
	[ 'xmax committed, says the hint', sub { put4($_[0], tuple($_[0], 2) + $XMAX, $aborted); clear2($_[0], tuple($_[0], 2) + $MASK, 0x0800); or2($_[0], tuple($_[0], 2) + $MASK, 0x0400) }, 2, qr/xmax \d+ is marked committed, but the commit log says aborted/ ],
	[ 'multixact in the future', sub { put4($_[0], tuple($_[0], 2) + $XMAX, 99_999); clear2($_[0], tuple($_[0], 2) + $MASK, 0x0800); or2($_[0], tuple($_[0], 2) + $MASK, 0x1000) }, 2, qr/multixact 99999 is not older than the next/ ],
	[ 'multixact nobody', sub { put4($_[0], tuple($_[0], 2) + $XMAX, 0); or2($_[0], tuple($_[0], 2) + $MASK, 0x1000) }, 2, qr/said to be a multixact, but is 0/ ],
	[ 'value longer than the tuple', sub { put4($_[0], tuple($_[0], 2) + 28, 5000 << 2) }, 2, qr/attribute ends at byte \d+, beyond the tuple's length/ ],
	[ 'value shorter than its length word', sub { put4($_[0], tuple($_[0], 2) + 28, 2 << 2) }, 2, qr/length 2, less than its own length word/ ],
	[ 'TOAST pointer of no kind', sub { my $t = tuple($_[0], 2) + 28; put1($_[0], $t, 1); put1($_[0], $t + 1, 77) }, 2, qr/TOAST pointer has tag 77/ ],
	[ 'HOT chain out of the page', sub {
		my $t = tuple($_[0], 2);
		put4($_[0], $t + $XMAX, $committed); clear2($_[0], $t + $MASK, 0x0800); or2($_[0], $t + $MASK2, 0x4000); put2($_[0], $t + $CTID + 4, 99);
	}, 2, qr/HOT-updated to item 99, but the page has only/ ],
	[ 'HOT chain to another page', sub {
		my $t = tuple($_[0], 2);
		put4($_[0], $t + $XMAX, $committed); clear2($_[0], $t + $MASK, 0x0800); or2($_[0], $t + $MASK2, 0x4000); put2($_[0], $t + $CTID + 2, 1);
	}, 2, qr/HOT-updated, but its next version is in block/ ],
	[ 'two versions, one successor', sub {
		for my $n (2, 3) {
			my $t = tuple($_[0], $n);
			put4($_[0], $t + $XMAX, $committed); clear2($_[0], $t + $MASK, 0x0800); or2($_[0], $t + $MASK2, 0x4000); put2($_[0], $t + $CTID + 4, 5);
		}
		my $next = tuple($_[0], 5);
		put4($_[0], $next + $XMIN, $committed); or2($_[0], $next + $MASK2, 0x8000); or2($_[0], $next + $MASK, 0x2000);
	}, 3, qr/points to item 5, but item 2 points there too/ ],
	[ 'HOT update of an ordinary row', sub {
		my $t = tuple($_[0], 2);
		put4($_[0], $t + $XMAX, $committed); clear2($_[0], $t + $MASK, 0x0800); or2($_[0], $t + $MASK2, 0x4000); put2($_[0], $t + $CTID + 4, 5);
		put4($_[0], tuple($_[0], 5) + $XMIN, $committed);
	}, 2, qr/HOT update made item 5, which is not a heap-only tuple/ ],
);
cmp_ok($pages, '>', @damage + 4, 'a page for each kind of damage');

# ------------------------------------------------------------------------------------------- checksum
$node->stop('fast');
change_page($path, 3, sub { put2($_[0], 5000, get2($_[0], 5000) ^ 0xff) });
$node->start;
is(sql("SELECT blkno || ' ' || (offnum IS NULL) || ' ' || (msg ~ 'checksum 0x.... *, but its bytes give 0x....') FROM glassheap_verify('t')"),
	'3 true true', 'a wrong checksum is found without stopping at it');
$node->stop('fast');
change_page($path, 3, sub { put2($_[0], 5000, get2($_[0], 5000) ^ 0xff) });
command_ok([ 'pg_checksums', '--disable', '-D', $node->data_dir ], 'checksums off: from here on only structure speaks');

# ------------------------------------------------------------------------------------------- the heap pages
for my $i (0 .. $#damage) { change_page($path, $i + 1, $damage[$i][1]); }
# The rows with TOAST values: four kinds, on the last page.
my $toast_page = $pages - 1;
change_page($path, $toast_page, sub {
	my $page = $_[0];
	my $at = sub { my $n = shift; my ($o, $s, $l) = line($page, $n); return $o + $l - 18; };    # the pointer is the tuple's end
	put4($page, $at->(1) + 2, -7 & 0xffffffff);                       # va_rawsize
	put4($page, $at->(2) + 10, 12_345_678);                           # va_valueid
	put4($page, $at->(3) + 14, 99);                                   # va_toastrelid
	clear2($page, tuple($page, 4) + $MASK, 0x0004);                   # HEAP_HASEXTERNAL
});
$node->start;
sql("SELECT 1");
my %found;
for my $line (split /\n/, sql("SELECT blkno, coalesce(offnum, 0), coalesce(attnum, -1), msg FROM glassheap_verify('t', check_toast => true)"))
{
	my ($block, $item, $attribute, $text) = split /\|/, $line, 4;
	push @{ $found{$block} }, [ $item, $attribute, $text ];
}
for my $i (0 .. $#damage)
{
	my ($what, undef, $item, $message) = @{ $damage[$i] };
	my @rows = @{ $found{ $i + 1 } // [] };
	my @hits = grep { $_->[2] =~ $message && (!defined $item || $_->[0] == $item) } @rows;
	ok(@hits, "found: $what") or diag(join "\n", map { join '|', @$_ } @rows);
}
for my $check ([ 1, qr/raw size of -7/ ], [ 2, qr/TOAST value 12345678 is not in the TOAST table/ ],
	[ 3, qr/said to be in table 99, but the table's TOAST table is $toast/ ], [ 4, qr/not marked to have external values/ ])
{
	my ($item, $message) = @$check;
	my @rows = @{ $found{$toast_page} // [] };
	ok((grep { $_->[0] == $item && $_->[1] == 2 && $_->[2] =~ $message } @rows), "found, with its attribute: $message")
	  or diag(join "\n", map { join '|', @$_ } @rows);
}
my %planted = map { $_ => 1 } 1 .. @damage, $toast_page;
is(join(' ', grep { !$planted{$_} } sort keys %found), '', 'no undamaged page is accused');
is(sql("SELECT count(DISTINCT blkno) FROM glassheap_verify('t', on_error_stop => true)"), 1, 'on_error_stop stops at the first damaged page');
is(sql("SELECT count(*) FROM glassheap_verify('t', startblock => 0, endblock => 0)"), 0, 'a range without damage');
is(sql("SELECT min(blkno) || ' ' || max(blkno) FROM glassheap_verify('t', startblock => 6, endblock => 8)"), '6 8', 'a range with damage');
is(sql("SELECT count(*) > 40 FROM glassheap_verify_all() WHERE relid = 't'::regclass"), 't', 'glassheap_verify_all reports it too');
is(sql("SELECT count(*) FILTER (WHERE NOT readable) > 0, count(*) FROM glassheap_pages('t')"), "t|$pages", 'glassheap_pages shows what it can');
like(sql("SELECT glassheap_report('t')"), qr/<\/html>/, 'and so does glassheap_report');
is($node->psql('postgres', 'SELECT count(v) FROM t'), 3, 'readers are told');

# ------------------------------------------------------------------------------------------- both maps
$node->stop('fast');
change_page($map, 1, sub { clear2($_[0], 10, 0x0004) });                     # page forgets that it is all-visible
change_page($map, 2, sub {                                                    # a row deleted behind the map's back
	my $t = tuple($_[0], 3);
	put4($_[0], $t + $XMAX, $later); clear2($_[0], $t + $MASK, 0x0800);
});
change_page($map, 3, sub { set_line($_[0], 4, 0, 3, 0) });                   # a dead line pointer
change_page("${map}_vm", 0, sub {
	my $page = $_[0];
	my $byte = unpack 'C', substr $$page, 25, 1;                             # pages 4 to 7
	put1($page, 25, ($byte & 0xfc) | 2);                                     # page 4: all-frozen without all-visible
	my $next = unpack 'C', substr $$page, 25, 1;
	put1($page, 25, $next | 0x08);                                           # page 5: all-frozen, but it is not
	put1($page, 24 + 500, 1);                                                # a page far beyond the end
});
change_page("${map}_fsm", 2, sub { put1($_[0], 28 + 4095 + 6, 250) });       # leaf of page 6; its parents know nothing
$node->start;
my $text = sql("SELECT string_agg(blkno || ':' || coalesce(offnum, 0) || ':' || msg, E'\\n') FROM glassheap_verify('m')");
like($text, qr/^1:0:visibility map says all-visible, but the page is not marked all-visible$/m, 'found: map says all-visible, page does not');
like($text, qr/^2:3:page is marked all-visible, but this tuple was deleted or updated by xmax \d+$/m, 'found: deleted row on an all-visible page');
like($text, qr/^3:4:page is marked all-visible, but has a dead line pointer$/m, 'found: dead line pointer on an all-visible page');
like($text, qr/^4:0:visibility map says all-frozen, but not all-visible$/m, 'found: all-frozen without all-visible');
like($text, qr/^5:\d+:page is marked all-frozen, but this tuple is not frozen$/m, 'found: a tuple not frozen on an all-frozen page');
like($text, qr/^2000:0:visibility map has bits set beyond the table's last block \d+$/m, 'found: bits beyond the end');
like($text, qr/^[67]:0:free space map block 2: node \d+ is \d+, but one of its children is 250$/m, 'found: free space that the map\'s tree does not know');
unlike($text, qr/^0:/m, 'the page without damage is not accused');
is(sql("SELECT count(*) FROM glassheap_fsm_check('m') WHERE blkno = 6"), 1, 'glassheap_fsm_check shows the page that promises too much');
is(sql("SELECT string_agg(t_ctid::text, ' ') FROM glassheap_check_visible('m')") =~ /\(2,3\).*\(3,4\)/ ? 1 : 0, 1, 'glassheap_check_visible names the rows');
$node->stop('fast');

done_testing();
