# t/lib/GlassheapPages.pm: the pages of tables as a server has them, and the comparison of two servers' pages.
#
# Why:    through SQL, while the servers run: before a kill and after the recovery, and of chosen tables only.  What may
#         differ on a page of a table, and why, says GlassheapForks.pm; the map is compared with its header, for a
#         record gives it the same LSN everywhere.  Free space is a hint that replay tells only of some pages: left
#         out; glassheap_verify looks at its tree.
# SPDX-License-Identifier: PostgreSQL
package GlassheapPages;

use strict;
use warnings;

use Exporter 'import';
use GlassheapForks qw(mask_main);
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(page_images same_pages visibility_of index_only_count sequential_count);

# "table fork block" => bytes, of the tables named.  Of a long table only the first and last four pages: the ones in
# between are zeroes in our tests.
sub page_images
{
	my ($node, @tables) = @_;
	my $list = join ',', map { "'$_'" } @tables;
	my $text = $node->safe_psql('postgres', <<"SQL");
SELECT t || ' ' || f || ' ' || b || ' ' || encode(glassheap_get_raw_page(t::regclass, f, b), 'hex')
  FROM unnest(ARRAY[$list]::text[]) t, unnest(ARRAY['main', 'vm']) f,
       LATERAL (SELECT pg_relation_size(t::regclass, f) / 8192 AS n) s, LATERAL generate_series(0, n - 1) b
 WHERE b < 4 OR b >= n - 4
SQL
	my %pages;
	for my $line (split /\n/, $text)
	{
		my ($table, $fork, $block, $hex) = split / /, $line;
		$pages{"$table $fork $block"} = pack 'H*', $hex;
	}
	return \%pages;
}

# The checksum is made when a page is written; of a page in memory it is the old one's.
sub without_checksum { my ($page) = @_; substr($page, 8, 2) = "\0\0"; return $page; }

sub masked
{
	my ($where, $page) = @_;
	my ($table, $fork, $block) = split / /, $where;
	return $fork eq 'vm' ? without_checksum($page) : mask_main($page, $block);
}

sub first_difference
{
	my ($one, $other) = @_;
	my $xor = $one ^ $other;
	$xor =~ /[^\0]/g or return 'length';
	my $at = pos($xor) - 1;
	return sprintf 'byte %d: %02x, %02x', $at, ord(substr $one, $at, 1), ord(substr $other, $at, 1);
}

# same_pages(pages, pages, what): one test; names the pages that differ.
sub same_pages
{
	my ($one, $other, $what) = @_;
	my @faults;
	my %seen = map { $_ => 1 } keys %$one, keys %$other;
	for my $where (sort keys %seen)
	{
		my @both = map { $_->{$where} } $one, $other;
		# A fork may be longer on one side by pages that hold nothing.
		$_ //= "\0" x 8192 for @both;
		@both = map { masked($where, $_) } @both;
		push @faults, "$where: " . first_difference(@both) if $both[0] ne $both[1];
	}
	my $shown = join "\n", @faults > 20 ? (@faults[ 0 .. 19 ], '...') : @faults;
	return is($shown, '', "$what: the same bytes in " . keys(%$one) . ' pages');
}

# "block:bits" of the pages whose map bits deny their flag or each other.
sub visibility_of
{
	my ($node, $table) = @_;
	return $node->safe_psql('postgres',
		"SELECT string_agg(blkno || ':' || CASE WHEN all_frozen THEN 'f' ELSE 'v' END, ' ' ORDER BY blkno) "
		  . "FROM glassheap_visibility('$table') WHERE all_visible AND NOT pd_all_visible OR all_frozen AND NOT all_visible");
}

sub index_only_count
{
	my ($node, $table) = @_;
	return $node->safe_psql('postgres',
		"SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM (SELECT id FROM $table WHERE id > 0) x");
}

sub sequential_count
{
	my ($node, $table) = @_;
	return $node->safe_psql('postgres',
		"SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM $table");
}

1;
