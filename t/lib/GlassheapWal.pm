# t/lib/GlassheapWal.pm: WAL as another version would have written it: bytes of a record changed in the segment file, its
# checksum made right again.
#
# Why:    what a version does with a later one's records has to be seen before there is a later version.
# SPDX-License-Identifier: PostgreSQL
package GlassheapWal;

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(first_record change_record);

use constant { PAGE => 8192, SEGMENT => 16 * 1024 * 1024, HEADER => 24 };

my @crc_of;
for my $byte (0 .. 255)
{
	my $crc = $byte;
	$crc = $crc & 1 ? $crc >> 1 ^ 0x82F63B78 : $crc >> 1 for 1 .. 8;
	push @crc_of, $crc;
}

sub crc32c
{
	my $crc = 0xFFFFFFFF;
	$crc = $crc_of[ ($crc ^ $_) & 0xFF ] ^ $crc >> 8 for map { unpack 'C*', $_ } @_;
	return $crc ^ 0xFFFFFFFF;
}

# The next $count bytes of records from $at on: their places in the file, page headers left out.
sub places
{
	my ($at, $count) = @_;
	my @places;
	for (; @places < $count; $at++)
	{
		$at += ($at % SEGMENT ? 24 : 40) if $at % PAGE == 0;
		die 'the record is not in one segment' if $at >= SEGMENT;
		push @places, $at;
	}
	return @places;
}

# LSN of the first record of ours from $from on that matches (a condition of SQL, on record_type and the like).
sub first_record
{
	my ($node, $from, $condition) = @_;
	my $lsn = $node->safe_psql('postgres', "SELECT start_lsn FROM pg_get_wal_records_info('$from', pg_current_wal_flush_lsn())"
		  . " WHERE resource_manager = 'glassheap' AND $condition ORDER BY start_lsn LIMIT 1");
	die "no record: $condition" unless $lsn;
	return $lsn;
}

# $change gets the record's bytes, header and all, by reference; the length stays.  Returns what undoes it.  The server
# must not write to that segment any more: stopped, or behind pg_switch_wal.
sub change_record
{
	my ($node, $lsn, $change) = @_;
	my ($high, $low) = map { hex } split m{/}, $lsn;
	my $file = sprintf '%s/pg_wal/%08X%08X%08X', $node->data_dir, 1, $high, int($low / SEGMENT);
	open(my $handle, '+<', $file) or die "could not open $file: $!";
	binmode $handle;
	my $segment = do { local $/; <$handle> };
	my $bytes_at = sub { join '', map { substr $segment, $_, 1 } @_ };
	my $length = unpack 'V', $bytes_at->(places($low % SEGMENT, 4));
	my @at = places($low % SEGMENT, $length);
	my $old = $bytes_at->(@at);
	my $crc_of = sub { pack 'V', crc32c(substr($_[0], HEADER), substr($_[0], 0, HEADER - 4)) };
	substr($old, HEADER - 4, 4) eq $crc_of->($old) or die "no record at $lsn of $file";

	my $new = $old;
	$change->(\$new);
	substr($new, HEADER - 4, 4) = $crc_of->($new);
	length($new) == $length or die 'the length has changed';
	my $write = sub {
		my ($bytes) = @_;
		for my $i (0 .. $#at)
		{
			seek($handle, $at[$i], 0) or die $!;
			print {$handle} substr($bytes, $i, 1);
		}
		$handle->flush or die $!;
	};
	$write->($new);
	return sub { $write->($old); close($handle) or die $!; };
}

1;
