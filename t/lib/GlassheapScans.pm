# t/lib/GlassheapScans.pm: what every kind of scan says of a table.
#
# Why:    sequential, index, index-only and bitmap scans find rows by different ways (pages, index and pages, index and
#         visibility map); a server is right only if all of them say the same.
# SPDX-License-Identifier: PostgreSQL
package GlassheapScans;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(by_every_scan is_by_every_scan uses_every_scan);

my %allowed = ('sequential' => 'seqscan', 'index' => 'indexscan', 'index-only' => 'indexonlyscan', 'bitmap' => 'bitmapscan');
my @kinds = sort keys %allowed;

# In a transaction or outside; an index-only scan needs indexscan, too.
sub settings_for
{
	my ($kind) = @_;
	return join '; ', 'SET max_parallel_workers_per_gather = 0', map
	{
		my $on = $_ eq $allowed{$kind} || ($kind eq 'index-only' && $_ eq 'indexscan');
		"SET enable_$_ = " . ($on ? 'on' : 'off')
	} values %allowed;
}

# Rows and a checksum of an indexed column.
sub query_of
{
	my ($table, $column) = @_;
	return "SELECT count(*) || ':' || coalesce(sum(hashint4($column)::bigint), 0) FROM $table WHERE $column >= 0";
}

# by_every_scan(sub that asks SQL, table, indexed int columns): kind => answer.
sub by_every_scan
{
	my ($ask, $table, @columns) = @_;
	my @statements = map { my $kind = $_; (settings_for($kind), map { query_of($table, $_) } @columns) } @kinds;
	my @answers = split /\n/, $ask->(join '; ', @statements);
	return map { $_ => join(' ', splice @answers, 0, scalar @columns) } @kinds;
}

# One test: every kind of scan says $expected (as by_every_scan says it; nothing: they agree).
sub is_by_every_scan
{
	my ($ask, $table, $columns, $expected, $what) = @_;
	my %said = by_every_scan($ask, $table, @$columns);
	$expected //= $said{sequential};
	return is_deeply(\%said, { map { $_ => $expected } @kinds }, $what);
}

# One test: the planner takes the scans that are meant.
sub uses_every_scan
{
	my ($ask, $table, $column) = @_;
	my %node = ('sequential' => 'Seq Scan', 'index' => 'Index Scan', 'index-only' => 'Index Only Scan', 'bitmap' => 'Bitmap Heap Scan');
	my @missing = grep { $ask->(settings_for($_) . '; EXPLAIN (COSTS off) ' . query_of($table, $column)) !~ /$node{$_} / } @kinds;
	return is("@missing", '', "$table: every kind of scan is used");
}

1;
