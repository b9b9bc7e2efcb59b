# t/109_two_pools_torn.pl: a page that heap's records restore from an image in replay, and whose file is torn and newer: what is
# restored counts, not what is read.  Without checksums, which would tell.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs two access methods' unless is_glassheap();

my $node = new_node('main');
$node->stop;
command_ok([ 'pg_checksums', '-D', $node->data_dir, '--disable' ], 'no checksums');
$node->start;
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

sql("CREATE TABLE torn (id int, note text) USING heap; INSERT INTO torn SELECT g, repeat('a', 100) FROM generate_series(1, 30) g");
sql('CHECKPOINT');
my $file = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('torn')");
my $old = slurp_file($file);
sql("INSERT INTO torn SELECT g, repeat('b', 100) FROM generate_series(31, 40) g");
sql("UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'glassheap') WHERE oid = 'torn'::regclass");
sql("INSERT INTO torn SELECT g, repeat('c', 100) FROM generate_series(41, 43) g");
my $digest = table_digest($node, 'torn');
sql('SELECT glassheap_buffercache_evict_all()');
kill_server_9($node);

# All sectors but the first are as they were.
isnt(slurp_file($file), $old, 'the page was written');
open(my $handle, '+<', $file) or die "could not open $file: $!";
binmode $handle;
seek($handle, 512, 0) or die $!;
print {$handle} substr($old, 512, 8192 - 512);
close($handle) or die $!;

$node->start;
is(table_digest($node, 'torn'), $digest, 'all rows are there after replay');
is(sql("SELECT count(*) FROM glassheap_verify('torn')"), 0, 'nothing to complain about');

done_testing();
