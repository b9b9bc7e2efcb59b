# t/090_compare_pages.pl: the comparison that ends the tests (t/lib/GlassheapForks.pm) finds one planted bit in each
# fork, a missing file and a missing tail, and passes over what the log does not carry, and over nothing else: each bit
# of a page of a table is planted in turn, and of both maps every bit that chance takes (GH_SEED).
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCompare qw(relations_of compare_relations);
use GlassheapForks qw(mask_main);
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

seed_from_environment();
my $node = new_node('pages');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT g, repeat('v', 30) FROM generate_series(1, 1000) g;
DELETE FROM t WHERE id % 10 = 0;
VACUUM t;
UPDATE t SET v = 'new' WHERE id = 1;
UPDATE t SET v = NULL WHERE id IN (2, 200);
CREATE UNLOGGED TABLE u (id int);
INSERT INTO u VALUES (1);
SQL
my @all = relations_of($node);
my @relations = grep { $_->{name} eq 't' } @all;
my ($unlogged) = grep { $_->{name} eq 'u' } @all;
is(scalar @all, 2, 'the tables are found');
$node->stop('fast');

my $original = $node->data_dir;
my $copy = PostgreSQL::Test::Utils::tempdir();
my $file = $relations[0]{file};
my ($folder) = $file =~ m{(.*)/};
system_or_bail('mkdir', '-p', "$copy/$folder");

# The faults of a copy in which something was changed.
sub faults_after
{
	my ($change) = @_;
	system_or_bail('sh', '-c', "rm -f '$copy/$file'* && cp '$original/$file'* '$copy/$folder/'");
	$change->();
	return join "\n", compare_relations($original, $copy, @relations);
}

sub bytes_of
{
	my ($suffix, $at, $length) = @_;
	open my $in, '<:raw', "$copy/$file$suffix" or die "$file$suffix: $!";
	seek $in, $at, 0;
	read($in, my $bytes, $length);
	return $bytes;
}

# Turns the bits of a mask in one byte.
sub flip
{
	my ($suffix, $at, $mask) = @_;
	my $byte = ord bytes_of($suffix, $at, 1);
	open my $out, '+<:raw', "$copy/$file$suffix" or die "$file$suffix: $!";
	seek $out, $at, 0;
	print $out chr($byte ^ $mask);
	close $out or die $!;
	return;
}

is(faults_after(sub { }), '', 'equal files: nothing is found');

# Row 2 of block 1: line pointer, header, bytes.
faults_after(sub { });
my $page = 8192;
my $line = unpack('V', bytes_of('', $page + 28, 4));
my $row = $page + ($line & 0x7FFF);
my $lower = unpack('v', bytes_of('', $page + 12, 2));

my %found = (
	'a line pointer' => [ $page + 28, 0x01, qr/main: block 1 differs in line pointer 2/ ],
	'xmin' => [ $row, 0x01, qr/main: block 1 differs in row 2, byte 0/ ],
	'the forward pointer' => [ $row + 16, 0x01, qr/main: block 1 differs in row 2, byte 16/ ],
	'the number of columns' => [ $row + 18, 0x01, qr/main: block 1 differs in row 2, byte 18/ ],
	'lock only' => [ $row + 20, 0x80, qr/main: block 1 differs in row 2, byte 20/ ],
	'a column' => [ $row + 24, 0x80, qr/main: block 1 differs in row 2, byte 24/ ],
	'all-visible' => [ $page + 10, 0x04, qr/main: block 1 differs in header byte 10.*vm of the second: map says 1 for block 1, whose page is not marked/s ],
);
for my $what (sort keys %found)
{
	my ($at, $mask, $fault) = @{ $found{$what} };
	like(faults_after(sub { flip('', $at, $mask) }), $fault, "main: one bit of $what is found");
}
my %passed = (
	'LSN' => [ $page, 0x01 ],
	'checksum' => [ $page + 8, 0x01 ],
	'full' => [ $page + 10, 0x02 ],
	'prune xid' => [ $page + 20, 0x01 ],
	'free space' => [ $page + $lower, 0xFF ],
	'command id' => [ $row + 8, 0x01 ],
	'hints of xmax' => [ $row + 21, 0x0C ],
	'a hint of xmin' => [ $row + 21, 0x01 ],
);
for my $what (sort keys %passed)
{
	my ($at, $mask) = @{ $passed{$what} };
	is(faults_after(sub { flip('', $at, $mask) }), '', "main: $what may differ");
}
like(faults_after(sub { truncate("$copy/$file", 8192) or die $! }), qr/main: block 1 is empty or missing on the second/, 'main: a missing tail is found');
like(faults_after(sub { unlink "$copy/$file" or die $! }), qr/main: the file is missing on one side/, 'main: a missing file is found');

# Visibility map: a bit more, a bit less.
like(faults_after(sub { flip('_vm', 24, 0x04) }), qr/vm: bits of block 1: 1 and 0/, 'vm: a missing bit is found');
like(faults_after(sub { flip('_vm', 24, 0x01) }), qr/vm: bits of block 0: 0 and 1.*vm of the second: map says 1 for block 0, whose page is not marked/s,
	'vm: a bit too many is found, beside the other server and beside the page');
like(faults_after(sub { unlink "$copy/${file}_vm" or die $! }), qr/vm: bits of block 1/, 'vm: a missing map is found');
is(faults_after(sub { flip('_vm', 0, 0x01) }), '', 'vm: the LSN may differ');

# Free space map: every bit of every node in use is someone's child or parent.
faults_after(sub { });
my $leaf = 28 + 4095 + 1;
ok(ord(bytes_of('_fsm', 2 * 8192 + 28, 1)) > 0, 'fsm: the bottom page has something to say');
like(faults_after(sub { flip('_fsm', 2 * 8192 + $_->[0], $_->[1]) }), qr/fsm of the second: block 2: node \d+ is \d+/, "fsm: one bit of $_->[2] is found")
  for [ 28, 0x01, 'the root' ], [ $leaf, 0x80, 'a leaf' ];

# ---- each bit of a page of the table
# What may differ, by byte: the bits of it.
sub excepted_bits
{
	my ($page) = @_;
	my %may = map { $_ => 0xFF } 0 .. 9, 20 .. 23;    # LSN, checksum; prune xid
	$may{10} = 0x03;                                  # free line pointers, full
	my ($lower, $upper) = unpack 'x12 vv', $page;
	$may{$_} = 0xFF for $lower .. $upper - 1;         # free space
	for my $line (unpack 'V*', substr $page, 24, $lower - 24)
	{
		my ($at, $length) = ($line & 0x7FFF, $line >> 17);
		next unless ($line >> 15 & 3) == 1;
		$may{$_} = 0xFF for $at + 8 .. $at + 11, $at + $length .. (($at + $length + 7) & ~7) - 1;    # command id; alignment
		my $mask = unpack 'v', substr $page, $at + 20, 2;
		$may{ $at + 20 } = 0x20;                                               # combo command id
		# Hints of xmax; of xmin one alone, for both mean frozen.
		$may{ $at + 21 } = 0x0C | ($mask & 0x0200 ? 0 : 0x01) | ($mask & 0x0100 ? 0 : 0x02);
	}
	return \%may;
}
faults_after(sub { });
for my $block (0, 1)
{
	my $bytes = bytes_of('', 8192 * $block, 8192);
	my ($may, $masked) = (excepted_bits($bytes), mask_main($bytes, $block));
	my (@missed, @accused);
	for my $at (0 .. 8191)
	{
		# Between two rows one is like the other: of the far half of the page every seventh byte.
		next if $at > 4096 && $at % 7 && $at < 8000;
		for my $bit (map { 1 << $_ } 0 .. 7)
		{
			my $other = $bytes;
			substr($other, $at, 1) = chr(ord(substr $other, $at, 1) ^ $bit);
			my $found = mask_main($other, $block) ne $masked;
			push @missed, sprintf '%d/%02x', $at, $bit if !$found && !(($may->{$at} // 0) & $bit);
			push @accused, sprintf '%d/%02x', $at, $bit if $found && ($may->{$at} // 0) & $bit;
		}
	}
	is("@missed", '', "main, block $block: each bit is found but for those that may differ");
	is("@accused", '', "main, block $block: and of those none");
}

# ---- bits of the maps
sub fault_of_bit
{
	my ($suffix, $at) = @_;
	return faults_after(sub { flip($suffix, $at, 1 << int rand 8) });
}
my @bytes_of_map = map { 24 + int rand 8192 - 24 } 1 .. 40;
is(scalar(grep { fault_of_bit('_vm', $_) !~ /vm: bits of block \d+/ } @bytes_of_map), 0, 'vm: bits of forty bytes are found');
is(scalar(grep { fault_of_bit('_vm', $_) ne '' } 0 .. 23), 0, 'vm: and of its header none');
my @inner = map { 2 * 8192 + 28 + int rand 4095 } 1 .. 40;
is(scalar(grep { fault_of_bit('_fsm', $_) !~ /fsm of the second: block 2: node/ } @inner), 0, 'fsm: bits of forty inner nodes are found');
# A leaf is a value, which may differ; that its parents do not know it is found.
is(scalar(grep { fault_of_bit('_fsm', $_) ne '' } 2 * 8192 .. 2 * 8192 + 27), 0, 'fsm: and of header and next slot none');

# ---- the init fork of an unlogged table
@relations = $unlogged;
$file = $unlogged->{file};
is(faults_after(sub { }), '', 'init: equal files');
my $append = sub { my ($bytes) = @_; open my $out, '>>:raw', "$copy/${file}_init" or die $!; print $out $bytes; close $out or die $!; };
like(faults_after(sub { $append->("\x01" . "\0" x 8191) }), qr/init: the bytes differ/, 'init: one bit is found');
like(faults_after(sub { unlink "$copy/${file}_init" or die $! }), qr/init: the file is missing on one side/, 'init: a missing file is found');
done_testing();
