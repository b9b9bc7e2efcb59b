# t/137_held_on_standby.pl: on a standby, code that bypasses the table access method has a page of ours pinned in shared_buffers while replay
# changes ours.  No restartpoint waits for that.  After promotion somebody changes the old copy: the table has two versions then, and ours is
# not lost.  A copy that was let go before is none.  And replay by core does not go on from an old copy: who holds it has to go.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use TwoPools ':all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main');
create_two_pools_functions($node);
my $standby = new_standby($node, 'standby', max_standby_streaming_delay => '100ms');
$standby->not_compared('a table is in two pools');
my $ten = '1 2 3 4 5 6 7 8 9 10';
my @tables = qw(changed held let_go replayed);

sub there { my ($query) = @_; return $standby->safe_psql('postgres', $query); }
sub ids_there { my ($table) = @_; return there("SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"); }
sub dirty { my ($table) = @_; return there("SELECT count(*) FROM glassheap_buffercache WHERE isdirty AND relfilenode = pg_relation_filenode('$table') AND relforknumber = 0"); }
sub redo_there { return there('SELECT redo_lsn FROM pg_control_checkpoint()'); }
sub checkpoint { sql('CHECKPOINT'); $node->wait_for_catchup($standby); return; }
sub said_of { my ($table) = @_; my ($rc, $out, $err) = $standby->psql('postgres', "SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"); return "$out$err"; }

make_table($_) for @tables;
checkpoint();
is(ids_there($_), $ten, "$_: read on the standby") for @tables;
my ($holder, $short, $cancelled) = map { GlassheapSession->new($standby) } 1 .. 3;
$holder->ask("BEGIN; SELECT two_pools_hold('changed', 0), two_pools_hold('held', 0)");
$short->ask("BEGIN; SELECT two_pools_hold('let_go', 0)");
$cancelled->ask("BEGIN; SELECT two_pools_hold('replayed', 0)");
sql("INSERT INTO $_ VALUES (11, 'ours')") for @tables;
# Theirs comes from what we have written, and needs no image.
sql("SELECT glassheap_buffercache_evict_relation('replayed'); SELECT two_pools_insert('replayed', 21, 'theirs')");
$node->wait_for_catchup($standby);
is(ids_there('replayed'), "$ten 11 21", 'replayed: both rows are there');
is(ids('replayed'), "$ten 11 21", '... as on the primary');
like(slurp_file($standby->logfile), qr/FATAL:  terminating connection due to conflict with recovery/, '... and who held the old copy is not');
$cancelled->close;
pop @tables;
checkpoint();
is(dirty($_), 1, "$_: replay has written our page, and will look at it again") for @tables;
my $before = redo_there();
there('CHECKPOINT');
isnt(redo_there(), $before, 'a restartpoint');
$short->ask('ROLLBACK');
checkpoint();
is(dirty('let_go'), 0, 'let_go: nothing is left to be looked at');
is(dirty('changed'), 1, 'changed: still held');

$standby->promote;
there("SELECT two_pools_insert('changed', 21, 'theirs')");
wait_until(sub { said_of('changed') ne "$ten 11" }, 'the change to be noticed');
like(said_of('changed'), qr/relation "changed" is in two buffer pools/, 'changed: has two versions');
$holder->ask('ROLLBACK');
there("SELECT count(*) FROM glassheap_resolve('changed', 'glassheap')");
is(ids_there('changed'), "$ten 11", 'changed: our row is there');
there('CHECKPOINT');
like(said_of('held'), qr/^$ten 11$|two buffer pools/, 'held: our row is there, or both versions are');
is(ids_there('let_go'), "$ten 11", 'let_go: all rows');
there("INSERT INTO let_go VALUES (12, 'ours')");
there('CHECKPOINT');
is(ids_there('let_go'), "$ten 11 12", 'let_go: works as ever');
$standby->stop;
$node->stop;
done_testing();
