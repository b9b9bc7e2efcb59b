# t/020_crash_large.pl: a table twenty times larger than the pool; no acknowledged change is lost in 20 crashes.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCrash;
use Test::More;

run_crash_cycles('large', rows => 21000, pad => 900, cycles => 20, evictions => 1, 'glassheap.buffers' => '1MB');
done_testing();
