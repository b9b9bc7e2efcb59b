# t/lib/GlassheapShapes.pm: which of our WAL records, in which shapes, a stretch of WAL holds.
#
# Why:    a test of replay proves something of the records that were really written: it says which it wants and asks.
# How:    pg_walinspect's words (src/redo/describe.cpp).  A shape is "TYPE WORD", where WORD is a flag, a bit of xmax, a map
#         page (ref2, ref3; far_map: not the first one), an init, what a prune did; each comes as well with " img" when the record had an image.
# SPDX-License-Identifier: PostgreSQL
package GlassheapShapes;

use strict;
use warnings;

use Exporter 'import';
our @EXPORT_OK = qw(shapes_between missing_shapes);

# The words of one record.
sub words_of
{
	my ($description, $refs) = @_;
	my @words = map { s/ //gr } map { split /,/ } $description =~ /(?:flags|infobits): \[([^\]]+)\]/g;
	push @words, "vm=$1" if $description =~ /vm_bits: 0x0?(\w+)/;
	push @words, 'init' if $description =~ /init: true/;
	push @words, "head=$1" if $description =~ /head: (\w+)/;
	push @words, 'body=delta' if $description =~ /prefix: /;
	push @words, 'new_xmax' if $description =~ /new_xmax: [1-9]/;
	push @words, $1 if $description =~ /^(fsm_truncate|file_event)/;
	push @words, $1 while $description =~ /\bn(redirected|dead|unused|frozen): [1-9]/g;
	push @words, 'freezes_all' if $description =~ /freezes: all/;
	push @words, 'first' if $description =~ /\b(?:old_off|off): 1\b/;
	push @words, 'line_by_line' if $description =~ /offsets: \[\d+,/;
	push @words, 'far_map' if $refs =~ /fork vm blk [1-9]/;
	push @words, map { "ref$_" } $refs =~ /blkref #([123])/g;
	return @words;
}

# shapes_between(node, from, to): { "TYPE WORD" => how many }; "TYPE -" counts records without a word.
sub shapes_between
{
	my ($node, $from, $to) = @_;
	my $list = $node->safe_psql('postgres', <<"SQL");
SELECT record_type || '|' || (fpi_length > 0) || '|' || coalesce(block_ref, '') || '|' || description
  FROM pg_get_wal_records_info('$from', '$to') WHERE resource_manager = 'glassheap'
SQL
	my %count;
	for my $line (split /\n/, $list)
	{
		my ($type, $image, $refs, $description) = split /\|/, $line, 4;
		my $with = $image eq 'true' ? ' img' : '';
		$count{"$type $_$with"}++ for '-', words_of($description, $refs);
	}
	return \%count;
}

# Of the shapes wanted those that no record had, in any of the counts.
sub missing_shapes
{
	my ($wanted, @counts) = @_;
	return grep { my $shape = $_; !grep { $_->{$shape} } @counts } @$wanted;
}

1;
