# t/lib/GlassheapDamage.pm: seeded damage to the files of a table whose server is stopped and has no checksums.
#
# Why:    what a page may hold decides who must cope with it.  Bytes of columns are core's to decode: a table whose columns
#         have a fixed width can be damaged anywhere, one with others only where no column is read from another place.
# Kinds:  "anywhere"  header, line pointers, row headers, columns, bits and bytes at random, pages exchanged or noise
#         "around"    header, line pointers that lead nowhere, both maps, entries of the index, files cut off
# SPDX-License-Identifier: PostgreSQL
package GlassheapDamage;

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(damage_table kinds_of_damage);

use constant { PAGE => 8192, HEADER => 24 };

sub any { return $_[ int rand @_ ]; }
sub random_bytes { my ($count) = @_; return join '', map { chr int rand 256 } 1 .. $count; }

# A number of 16 bits that somebody's arithmetic may not expect.
sub odd_number { return any(0, 1, 23, 24, 28, 100, 2044, 4095, 8191, 8192, 8193, 32767, 32768, 65535, int rand 65536, int rand 8192); }
sub odd_xid { return any(0, 1, 2, 3, 700, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, int rand 2000, int rand 2**32); }

# Changes one page of a file; $change gets it by reference.  Returns the block, undef when there is none.
sub change_page
{
	my ($path, $change, $block) = @_;
	my $pages = int((-s $path // 0) / PAGE) or return undef;
	$block //= int rand $pages;
	open my $file, '+<:raw', $path or die "$path: $!";
	seek $file, $block * PAGE, 0;
	read $file, my $page, PAGE;
	$change->(\$page);
	length $page == PAGE or die 'the page has another length';
	seek $file, $block * PAGE, 0;
	print $file $page;
	close $file or die $!;
	return $block;
}

sub put { my ($page, $at, $bytes) = @_; substr($$page, $at, length $bytes) = $bytes if $at + length $bytes <= PAGE; return; }
sub lines_of { my ($page) = @_; return unpack 'V*', substr $$page, HEADER, (unpack('v', substr $$page, 12, 2) - HEADER) & 0x3FFC; }

# The number of a line pointer, and where its row is.
sub a_row
{
	my ($page) = @_;
	my @lines = lines_of($page);
	my @rows = grep { ($lines[$_] >> 15 & 3) == 1 } 0 .. $#lines or return;
	my $i = any(@rows);
	return ($i, $lines[$i] & 0x7FFF);
}

sub header_field { my ($page) = @_; put($page, any(10, 12, 14, 16, 18), pack 'v', odd_number()); return; }
sub a_few_bytes { my ($page) = @_; put($page, int rand PAGE - 8, random_bytes(1 + int rand 8)) for 1 .. 1 + int rand 3; return; }
sub a_few_bits
{
	my ($page) = @_;
	for (1 .. 1 + int rand 4)
	{
		my $at = int rand PAGE;
		substr($$page, $at, 1) = chr(ord(substr $$page, $at, 1) ^ 1 << int rand 8);
	}
	return;
}
# State and offset at random: unused, normal, redirect, dead; the length mostly as it was.
sub line_pointer
{
	my ($page) = @_;
	my @lines = lines_of($page) or return;
	my $i = int rand @lines;
	my $length = rand() < 0.6 ? $lines[$i] >> 17 : any(0, 8, 22, 23, 24, odd_number() & 0x7FFF);
	my $offset = rand() < 0.4 ? $lines[$i] & 0x7FFF : any(odd_number() & 0x7FFF, 1 + int rand @lines, (int rand 1024) * 8);
	put($page, HEADER + 4 * $i, pack 'V', $offset | (int rand 4) << 15 | $length << 17);
	return;
}
# A line pointer that leads to no row: columns stay where they are.
sub line_pointer_elsewhere
{
	my ($page) = @_;
	my @lines = lines_of($page) or return;
	my $i = int rand @lines;
	my $redirect = 2 << 15 | any(0, 1, 1 + int rand @lines, 2045, 0x7FFF);
	put($page, HEADER + 4 * $i, pack 'V', any(0, 3 << 15, $redirect, (8184 | 1 << 15 | 100 << 17), (0x7FFF | 1 << 15 | 0x7FFF << 17), 12 | 1 << 15 | 100 << 17));
	return;
}
my %row_header = (
	xmin => sub { put($_[0], $_[1], pack 'V', odd_xid()) },
	xmax => sub { put($_[0], $_[1] + 4, pack 'V', odd_xid()) },
	cid => sub { put($_[0], $_[1] + 8, random_bytes(4)) },
	ctid => sub { put($_[0], $_[1] + 12, pack 'vvv', any(0, 0, 0, odd_number()), any(int rand 9, odd_number()), any(int rand 9, odd_number())) },
	infomask2 => sub { put($_[0], $_[1] + 18, pack 'v', odd_number()) },
	infomask => sub { put($_[0], $_[1] + 20, pack 'v', any(odd_number(), 1 << int rand 16, int rand 65536)) },
	hoff => sub { put($_[0], $_[1] + 22, chr int rand 256) },
);
sub row_header
{
	my ($page) = @_;
	for (1 .. 1 + int rand 3)
	{
		my (undef, $row) = a_row($page) or return;
		$row_header{ any(sort keys %row_header) }->($page, $row);
	}
	return;
}
# The chain of an update: flags and forward pointers that lead in circles, to each other, out of the page.
sub chain
{
	my ($page) = @_;
	for (1 .. 4)
	{
		my ($i, $row) = a_row($page) or return;
		my (undef, $to) = a_row($page);
		my ($xmin, $xmax) = map { substr $$page, $to + $_, 4 } 0, 4;
		put($page, $row + 4, any($xmin, $xmax));
		put($page, $row + 12, pack 'vvv', 0, any(0 .. 5), 1 + int rand 12);
		my $mask2 = unpack 'v', substr $$page, $row + 18, 2;
		put($page, $row + 18, pack 'v', $mask2 | any(0x4000, 0x8000, 0xC000, 0));
		my $mask = unpack 'v', substr $$page, $row + 20, 2;
		put($page, $row + 20, pack 'v', $mask & ~0x0C00 | any(0, 0x0400, 0x1000, 0x2000, 0x0080));
	}
	return;
}
sub noise { my ($page) = @_; put($page, HEADER, random_bytes(PAGE - HEADER)); return; }
# Of a map: what is behind its header.
sub map_bytes { my ($page) = @_; put($page, HEADER + int rand any(8, 16, PAGE - 40), random_bytes(1 + int rand 8)) for 1 .. 4; return; }
sub map_all { my ($page) = @_; put($page, HEADER, any("\xFF", "\xAA", "\x55") x (PAGE - HEADER)); return; }

# The heap addresses of a few entries of a btree's leaf.  Block numbers need not exist, nor offset numbers.
sub index_entries
{
	my ($page) = @_;
	return unless unpack('v', substr $$page, PAGE - 4, 2) & 1;
	my @lines = lines_of($page);
	for (1 .. 6)
	{
		my $at = any(@lines) & 0x7FFF;
		next if $at < HEADER || $at > PAGE - 24 || unpack('v', substr $$page, $at + 6, 2) & 0x2000;
		put($page, $at, pack 'vvv', any(0, 0, 0, odd_number()), any(int rand 12, odd_number()), any(0, int rand 20, odd_number() & 0x0FFF, 0xFFFF));
	}
	return;
}

my @around = (
	[ 'header' => '', \&header_field ], [ 'line pointer elsewhere' => '', \&line_pointer_elsewhere ],
	[ 'map bytes' => '_vm', \&map_bytes ], [ 'map all set' => '_vm', \&map_all ], [ 'map bits' => '_vm', \&a_few_bits ],
	[ 'map header' => '_vm', \&header_field ], [ 'free space bytes' => '_fsm', \&map_bytes ], [ 'free space all set' => '_fsm', \&map_all ],
	[ 'free space bits' => '_fsm', \&a_few_bits ], [ 'free space header' => '_fsm', \&header_field ], [ 'free space noise' => '_fsm', \&noise ],
	[ 'index entries' => 'index', \&index_entries ], [ 'cut off' => 'cut', undef ],
);
my @anywhere = (
	@around, [ 'bytes' => '', \&a_few_bytes ], [ 'bits' => '', \&a_few_bits ], [ 'line pointer' => '', \&line_pointer ],
	[ 'row header' => '', \&row_header ], [ 'chain' => '', \&chain ], [ 'noise' => '', \&noise ],
);

sub kinds_of_damage { my ($where) = @_; return map { $_->[0] } $where eq 'anywhere' ? @anywhere : @around; }

# damage_table(where, kind, main file, index file): says what was damaged.
sub damage_table
{
	my ($where, $kind, $path, $index) = @_;
	my ($entry) = grep { $_->[0] eq $kind } $where eq 'anywhere' ? @anywhere : @around or die "no damage \"$kind\"";
	my (undef, $fork, $change) = @$entry;
	if ($fork eq 'cut')
	{
		truncate $path, PAGE * (1 + int rand 3) + any(0, 100, 4096) or die $!;
		return $kind;
	}
	my $file = $fork eq 'index' ? $index : "$path$fork";
	# Of the index the first leaf; of the free space map any of its three pages.
	my @blocks = map { change_page($file, $change, $fork eq 'index' ? 1 : undef) // 'none' } 1 .. any(1, 2);
	return "$kind of block @blocks";
}

1;
