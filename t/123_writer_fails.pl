# t/123_writer_fails.pl: the pool writer cannot write ahead, again and again; it looks for our pages in shared_buffers all the same.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use TwoPools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', 'glassheap.writer_delay' => '10ms');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

sql("CREATE TABLE cached (id int, note text); INSERT INTO cached SELECT g, 'ours' FROM generate_series(1, 10) g");
sql("CREATE TABLE other AS SELECT g AS id, repeat('x', 900) AS v FROM generate_series(1, 800) g");
sql('CHECKPOINT; SELECT count(*) FROM cached');
my $from = -s $node->logfile;
sub errors { return scalar(() = slurp_file($node->logfile, $from) =~ /ERROR:  stop point "worker\.write_ahead" was reached/g); }
sub noticed { return slurp_file($node->logfile, $from) =~ /was changed in shared_buffers/; }

# Frames are asked for, so that there is work, on which the writer fails.
my $fail = "SELECT glassheap_stop_point_set('worker.write_ahead', 'error');"
	. "SELECT glassheap_buffercache_evict_relation('other'); SELECT count(*) FROM other";
wait_until(sub { sql($fail); return errors() >= 2 }, 'two errors');
sql("$fail; SELECT two_pools_insert('cached', 11, 'theirs')");
my $before = errors();
# A look comes before every write, so before the second of those that may have begun.
wait_until(sub { sql($fail); return noticed() || errors() >= $before + 4 }, 'a look, or errors');
ok(noticed(), 'it was noticed') or diag(errors() - $before . ' errors meanwhile');
sql('SELECT glassheap_stop_point_clear()');
$node->poll_query_until('postgres', 'SELECT count(*) = 11 FROM cached') or die 'their row never showed';
pass('their row is there');
$node->stop;
done_testing();
