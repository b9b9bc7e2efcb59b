# t/160_shim.pl: the shim, its rules and its journal do what test/shim/README.md says (test/shim/self_test.py), so that
# the tests which rely on them see what they think they see.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapShim;
use PostgreSQL::Test::Utils;
use Test::More;

my ($out, $err) = run_command([ 'python3', "$FindBin::Bin/../test/shim/self_test.py", shim_folder() ]);
for my $line (split /\n/, $out)
{
	if (my ($not, $what) = $line =~ /^(not )?ok - (.*)/) { ok(!$not, $what); }
	else { diag($line); }
}
is($err, '', 'no messages beside');
done_testing();
