# t/021_crash_small.pl: a table that lies in the pool as a whole, so that nothing but the guardians and the pool's
# writer brings a page to disk; no acknowledged change is lost in 20 crashes.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCrash;
use Test::More;

run_crash_cycles('small', rows => 3000, pad => 100, cycles => 20, 'glassheap.buffers' => '64MB');
done_testing();
