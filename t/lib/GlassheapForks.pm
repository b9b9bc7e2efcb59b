# t/lib/GlassheapForks.pm: two files of one fork that should hold the same, compared page by page.  No server.
#
# Why:    primary, standby and recovered server replay one history: their pages are equal but for what the log does
#         not carry.  Everything that is masked is named here with its reason; all else counts, to the bit.
#         The rules are those of src/wal/mask.cpp, but stricter: that one compares at a record, on a page that may
#         be ahead of it, and hides all transaction bits; here both histories have ended, and only hints are hidden.
#
#   main  masked: LSN and checksum (a hint logged as an image moves them, replay of a later image does not), the
#         hints in the header (free line pointers, full, prune xid), unused bytes between lower and upper and
#         behind a row up to its alignment, the hints in t_infomask (committed and invalid; with both for xmin,
#         which means frozen, those of xmin count) and its combo bit, the command id (replay writes 0), the token
#         of a speculative insertion.  PD_ALL_VISIBLE counts.  A page without line pointers equals a page never
#         written, and pages of that kind may be missing at the end: extension is not logged.
#   vm    every bit of every block counts; the page header does not; zeroes may be missing at the end.
#   init  of an unlogged table: there, and the same bytes; its other forks begin anew after a crash.
#   fsm   is not logged at all and may differ.  Asked of each file alone: every inner node is the greater of its two
#         children, and nothing follows the last node.
# SPDX-License-Identifier: PostgreSQL
package GlassheapForks;

use strict;
use warnings;

use Exporter 'import';
use List::Util qw(max min);

our @EXPORT_OK = qw(compare_relations compare_main compare_vm compare_init fsm_faults visibility_faults mask_main);

use constant {
	PAGE => 8192,
	HEADER => 24,
	ALL_VISIBLE => 0x0004,
	HINTS => 0x0F20,           # xmin, xmax committed and invalid; combo
	XMAX_HINTS => 0x0C20,
	FROZEN => 0x0300,
	SPECULATIVE => 0xFFFE,
	FSM_FIRST => 28,           # page header and fp_next_slot
	FSM_INNER => 4095,
	FSM_NODES => 8164,
	MAP_BYTES => 8192 - 24,
};

my $zeroes = "\0" x PAGE;

# All segments of a fork as one string; undef when it does not exist.
sub read_fork
{
	my ($path) = @_;
	return undef unless -e $path;
	my $bytes = '';
	for (my $segment = 0; ; $segment++)
	{
		my $file = $segment ? "$path.$segment" : $path;
		open my $in, '<:raw', $file or last;
		local $/;
		$bytes .= <$in> // '';
	}
	return $bytes;
}

sub mask_row
{
	my ($page, $offset, $length, $slot, $block) = @_;
	my $mask = unpack('v', substr($$page, $offset + 20, 2));
	$mask &= ~((($mask & FROZEN) == FROZEN) ? XMAX_HINTS : HINTS);
	substr($$page, $offset + 20, 2) = pack('v', $mask & 0xFFFF);
	substr($$page, $offset + 8, 4) = "\0\0\0\0";
	substr($$page, $offset + 12, 6) = pack('vvv', $block >> 16, $block & 0xFFFF, $slot)
	  if unpack('v', substr($$page, $offset + 16, 2)) == SPECULATIVE;
	return;
}

# The page with everything hidden that may differ.
sub mask_main
{
	my ($page, $block) = @_;
	my ($flags, $lower, $upper) = unpack('x10 vvv', $page);
	substr($page, 0, 10) = "\0" x 10;
	substr($page, 10, 2) = pack('v', $flags & ~0x0003);
	substr($page, 20, 4) = "\0\0\0\0";
	return $zeroes if $lower <= HEADER && !($flags & ALL_VISIBLE);
	return $page if $lower < HEADER || $lower > $upper || $upper > PAGE;
	substr($page, $lower, $upper - $lower) = "\0" x ($upper - $lower);
	my $slot = 0;
	for my $line (unpack('V*', substr($page, HEADER, $lower - HEADER)))
	{
		$slot++;
		my ($offset, $state, $length) = ($line & 0x7FFF, ($line >> 15) & 3, $line >> 17);
		next if $length == 0;
		my $end = ($offset + $length + 7) & ~7;
		next if $offset < $upper || $end > PAGE;
		mask_row(\$page, $offset, $length, $slot, $block) if $state == 1 && $length >= 23;
		substr($page, $offset + $length, $end - $offset - $length) = "\0" x ($end - $offset - $length);
	}
	return $page;
}

# Where in a page a byte lies, in words.
sub place_in_page
{
	my ($page, $at) = @_;
	return "header byte $at" if $at < HEADER;
	my $lower = unpack('x12 v', $page);
	return sprintf('line pointer %d', ($at - HEADER) / 4 + 1) if $at < $lower;
	my $slot = 0;
	for my $line (unpack('V*', substr($page, HEADER, max(0, min($lower, PAGE) - HEADER))))
	{
		$slot++;
		my ($offset, $length) = ($line & 0x7FFF, $line >> 17);
		return "row $slot, byte " . ($at - $offset) if $length && $at >= $offset && $at < $offset + $length;
	}
	return "byte $at";
}

sub first_difference
{
	my $differs = $_[0] ^ $_[1];
	$differs =~ /[^\0]/g;
	return pos($differs) - 1;
}

sub compare_main
{
	my ($one, $other) = map { read_fork($_) } @_;
	return ('the file is missing on one side') if defined $one != defined $other;
	return () unless defined $one;
	my @faults;
	for (my $at = 0; $at < max(length $one, length $other); $at += PAGE)
	{
		my $block = $at / PAGE;
		my ($left, $right) = map { length($_) > $at ? substr($_, $at, PAGE) : $zeroes } $one, $other;
		next if $left eq $right;
		$_ = mask_main($_, $block) for $left, $right;
		next if $left eq $right;
		if (grep { $_ eq $zeroes } $left, $right)
		{
			push @faults, "block $block is empty or missing on " . ($left eq $zeroes ? 'the first' : 'the second');
			next;
		}
		my $where = first_difference($left, $right);
		push @faults, sprintf('block %d differs in %s: %02x and %02x', $block, place_in_page($left, $where),
			ord substr($left, $where, 1), ord substr($right, $where, 1));
	}
	return @faults;
}

sub compare_init
{
	my ($one, $other) = map { read_fork($_) } @_;
	return ('the file is missing on ' . (defined $one || defined $other ? 'one side' : 'both sides')) unless defined $one && defined $other;
	return $one eq $other ? () : ('the bytes differ');
}

# The bits of all blocks, two each, as one string without the zeroes at its end.
sub map_bits
{
	my ($path) = @_;
	my $map = read_fork($path) // '';
	my $bits = '';
	for (my $at = 0; $at < length $map; $at += PAGE) { $bits .= substr($map, $at + HEADER, MAP_BYTES); }
	$bits =~ s/\0+\z//;
	return $bits;
}

sub compare_vm
{
	my ($one, $other) = map { map_bits($_) } @_;
	return () if $one eq $other;
	my $length = max(length $one, length $other);
	$_ .= "\0" x ($length - length $_) for $one, $other;
	my @faults;
	for my $block (0 .. 4 * $length - 1)
	{
		my ($left, $right) = map { vec($_, $block, 2) } $one, $other;
		push @faults, "bits of block $block: $left and $right" if $left != $right;
	}
	return @faults;
}

# One server alone: a bit for a page that does not say the same is a wrong answer of an index-only scan.
sub visibility_faults
{
	my ($main_path, $map_path) = @_;
	my $bits = map_bits($map_path);
	return () if $bits eq '';
	my $main = read_fork($main_path) // '';
	my @faults;
	for my $block (grep { vec($bits, $_, 2) } 0 .. 4 * length($bits) - 1)
	{
		my $mark = vec($bits, $block, 2);
		push @faults, "map says $mark for block $block, which is beyond the end" and next
		  if ($block + 1) * PAGE > length $main;
		push @faults, "map says $mark for block $block, whose page is not marked"
		  unless unpack('v', substr($main, $block * PAGE + 10, 2)) & ALL_VISIBLE;
		push @faults, "map says all-frozen but not all-visible for block $block" if $mark == 2;
	}
	return @faults;
}

sub fsm_page_fault
{
	my ($page) = @_;
	my @node = unpack('C*', substr($page, FSM_FIRST));
	for my $i (0 .. FSM_INNER - 1)
	{
		my $left = 2 * $i + 1;
		last if $left >= FSM_NODES;
		my $greater = max($node[$left], $left + 1 < FSM_NODES ? $node[ $left + 1 ] : 0);
		return "node $i is $node[$i], the greater of its children $greater" if $node[$i] != $greater;
	}
	return ();
}

sub fsm_faults
{
	my ($path) = @_;
	my $map = read_fork($path) // '';
	my @faults;
	for (my $at = 0; $at < length $map; $at += PAGE)
	{
		my $page = substr($map, $at, PAGE);
		next if substr($page, FSM_FIRST) eq substr($zeroes, FSM_FIRST);
		push @faults, map { 'block ' . $at / PAGE . ": $_" } fsm_page_fault($page);
	}
	return @faults;
}

# Two files of a logged table and its maps; then each server's maps against its own pages.
sub logged_faults
{
	my ($left, $right) = @_;
	my @found = ((map { "main: $_" } compare_main($left, $right)), map { "vm: $_" } compare_vm("${left}_vm", "${right}_vm"));
	for my $side ([ 'the first', $left ], [ 'the second', $right ])
	{
		my ($which, $path) = @$side;
		push @found, map { "vm of $which: $_" } visibility_faults($path, "${path}_vm");
		push @found, map { "fsm of $which: $_" } fsm_faults("${path}_fsm");
	}
	return @found;
}

# Of two data directories, all forks of all relations.
sub compare_relations
{
	my ($one, $other, @relations) = @_;
	my @faults;
	for my $relation (@relations)
	{
		my ($left, $right) = map { "$_/$relation->{file}" } $one, $other;
		my @found = $relation->{unlogged} ? map { "init: $_" } compare_init("${left}_init", "${right}_init") : logged_faults($left, $right);
		push @faults, map { "$relation->{database}.$relation->{name} ($relation->{file}) $_" } @found;
	}
	return @faults;
}

1;
