# t/129_stopped_reader.pl: somebody is stopped while he reads a page of ours into shared_buffers.  The page is not written meanwhile, and
# that is all: queries that need frames choose others, the pool writer writes and looks at other pages, no table is marked.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use TwoPools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', 'glassheap.buffers' => '2MB', 'glassheap.writer_delay' => '10ms', wal_log_hints => 'off', autovacuum => 'off', restart_after_crash => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);
my $ten = '1 2 3 4 5 6 7 8 9 10';
my $refused = qr/cannot be written, because another process/;

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub ids { my ($table) = @_; return sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"); }
sub marks { return scalar(grep { m{/\d+_\d+_\d+$} } glob($node->data_dir . '/glassheap_two_pools/*')); }

sql("CREATE TABLE $_ (id int, note text); INSERT INTO $_ SELECT g, 'ours' FROM generate_series(1, 10) g") for qw(slow other);
sql("CREATE TABLE big AS SELECT g AS id, repeat('b', 900) AS v FROM generate_series(1, 8000) g; CREATE INDEX ON big (id)");
sql('VACUUM big; CHECKPOINT');
my $reader = GlassheapSession->new($node);
$reader->ask("BEGIN; SELECT two_pools_read_slowly('slow', 0, true)");
sql("INSERT INTO slow VALUES (11, 'ours')");

# ---- the clock goes round several times
my $from = -s $node->logfile;
my ($rc, $out, $err) = $node->psql('postgres', 'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(v) FROM big WHERE id > 0');
is("$out$err", 8000, 'a query that needs many frames');
sql("UPDATE big SET v = 'c' WHERE id % 100 = 0");
unlike(slurp_file($node->logfile, $from), $refused, 'nobody was refused');

# ---- a checkpoint has to fail; the others are looked at all the same
($rc, $out, $err) = $node->psql('postgres', 'CHECKPOINT');
like($err, qr/checkpoint request failed/, 'a checkpoint fails');
like(slurp_file($node->logfile, $from), $refused, 'the log says why');
is(ids('other'), $ten, 'another table');
$from = -s $node->logfile;
sql("SELECT two_pools_insert('other', 11, 'theirs')");
wait_until(sub { slurp_file($node->logfile, $from) =~ /was changed in shared_buffers/ || ids('other') eq "$ten 11" }, 'the other table');
sql("INSERT INTO other VALUES (12, 'ours')");
is(ids('other'), "$ten 11 12", 'another table: both rows');
$reader->ask("SELECT two_pools_read_slowly('slow', 0, false); COMMIT");
wait_until(sub { my ($bad) = $node->psql('postgres', 'CHECKPOINT'); return $bad == 0; }, 'a checkpoint');
is(marks(), 0, 'nothing is marked');
is(ids('slow'), "$ten 11", 'all rows');
$node->stop;
done_testing();
