# test/crash/forks.pl FOLDER FOLDER: all forks of the tables named on standard input (name, tab, path), of two stopped servers.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use GlassheapForks qw(compare_relations);

my ($one, $other) = @ARGV;
my @relations = map { my ($name, $file) = /^(.*)\t(.*)$/; { database => 'postgres', name => $name, file => $file } } <STDIN>;
my @faults = compare_relations($one, $other, @relations);
print "$_\n" for @faults;
exit(@faults ? 1 : 0);
