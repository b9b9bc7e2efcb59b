# t/134_judged_in_replay.pl: on a standby a query reads a page of ours just before core replays a record of code that bypasses the table
# access method, in shared_buffers.  Its hint bits are not kept: core's page is written and leaves shared_buffers, and then nothing would tell
# that ours is older.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use TwoPools ':all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

# Hint bits that are not logged stay on a standby, too.
my $node = new_node('main', wal_log_hints => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
$node->stop;
command_ok([ 'pg_checksums', '-D', $node->data_dir, '--disable' ], 'no checksums');
$node->start;
create_two_pools_functions($node);
my $standby = new_standby($node, 'standby', shared_buffers => '1MB');
my $ten = '1 2 3 4 5 6 7 8 9 10';

sub there { my ($query) = @_; return $standby->safe_psql('postgres', $query); }
sub ids_there { return there("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t"); }
sub copies { return there("SELECT count(*) FILTER (WHERE isdirty) || ' of ' || count(*) FROM pg_buffercache WHERE relfilenode = pg_relation_filenode('t') AND relforknumber = 0"); }
sub dirty { my ($table) = @_; return there("SELECT count(*) FROM glassheap_buffercache WHERE isdirty AND relfilenode = pg_relation_filenode('$table') AND relforknumber = 0"); }

sql('CREATE EXTENSION pg_buffercache');
sql("CREATE TABLE stock USING heap AS SELECT g AS id, repeat('s', 900) AS v FROM generate_series(1, 2000) g");
sql("CREATE TABLE $_ (id int, note text); INSERT INTO $_ SELECT g, 'ours' FROM generate_series(1, 10) g") for qw(t other);
sql('VACUUM');    # so that the next record of heap's is the one wanted
sql('CHECKPOINT');
$node->wait_for_catchup($standby);
there("SELECT glassheap_stop_point_set('redo.core_record', 'wait')");
sql("SELECT two_pools_insert('t', 11, 'theirs')");
there("SELECT glassheap_stop_point_wait('redo.core_record')");
is(ids_there(), $ten, 'before the record: a query reads our page');
is(dirty('t'), 0, '... and the hint bits that it sets are not to be written');
is(there('SELECT count(*) FROM other'), 10, '... nor does the record concern another page');
is(dirty('other'), 1, '... which keeps its hint bits');
there("SELECT glassheap_stop_point_set('redo.core_replayed', 'wait'); SELECT glassheap_stop_point_clear('redo.core_record')");
there("SELECT glassheap_stop_point_wait('redo.core_replayed')");
is(copies(), '1 of 1', 'the record is replayed in shared_buffers');
there('CHECKPOINT');
is(copies(), '0 of 1', '... and that page is written');
wait_until(sub { there('SELECT count(v) FROM stock'); return copies() eq '0 of 0'; }, 'the copy to leave shared_buffers');
is(ids_there(), $ten, 'our page is still the old one');
there("SELECT glassheap_buffercache_evict_relation('t')");
there('SELECT glassheap_stop_point_clear()');
$node->wait_for_catchup($standby);
is(ids_there(), "$ten 11", 'afterwards: their row is there');
wait_until(sub { noticed(0) }, 'the primary to find the change');    # the pool writer looks from time to time
is(ids('t'), "$ten 11", '... as on the primary');
$standby->stop;
$node->stop;
done_testing();
