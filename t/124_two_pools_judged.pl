# t/124_two_pools_judged.pl: what the tripwire says of a copy in shared_buffers when LSNs do not tell (no checksums): PD_ALL_VISIBLE in theirs
# or in ours only.  And a reader that is stopped while it reads a page of ours in: nobody knows what it will have, so the page is not
# written meanwhile, and no table is marked for it.
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

my $node = new_node('main', wal_log_hints => 'off', 'glassheap.writer_delay' => '10ms', bgwriter_lru_maxpages => 0);
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
$node->not_compared('PD_ALL_VISIBLE is set behind the back of the visibility map');
$node->stop;
command_ok([ 'pg_checksums', '-D', $node->data_dir, '--disable' ], 'no checksums');
$node->start;
create_two_pools_functions($node);
my $ten = '1 2 3 4 5 6 7 8 9 10';

sub flag_of { my ($table) = @_; return sql("SELECT flags & 4 FROM glassheap_page_header('$table', 0)"); }

# ---- theirs has the flag
make_table('flag');
is(flag_of('flag'), 0, 'their flag: ours has none');
sql("SELECT two_pools_set_visible('flag', 0)");
wait_until(sub { flag_of('flag') == 4 }, 'their flag');
pass('their flag: we have it, too');
is(marks(), 0, 'their flag: nothing is marked');

# ---- ours has the flag, and somebody holds a copy of the same LSN that has not: another version, which he may write yet
make_table('held');
my $holder = GlassheapSession->new($node);
$holder->ask("BEGIN; SELECT two_pools_hold('held', 0)");
my $lsn = sql("SELECT lsn FROM glassheap_page_header('held', 0)");
sql('VACUUM held');
is(sql("SELECT lsn || ' ' || (flags & 4) FROM glassheap_page_header('held', 0)"), "$lsn 4", 'our flag: no LSN tells of it');
sql('CHECKPOINT');
is(marks(), 1, 'our flag, another version under a lasting pin: marked');
$holder->ask('COMMIT');
sql("SELECT count(*) FROM glassheap_resolve('held', 'glassheap')");
is(ids('held'), $ten, 'our flag: all rows');
is(flag_of('held'), 4, 'our flag: kept');

# ---- stopped while reading
make_table('slow');
sql("INSERT INTO slow VALUES (11, 'ours'); SELECT count(*) FROM slow");
my $reader = GlassheapSession->new($node);
$reader->ask("BEGIN; SELECT two_pools_read_slowly('slow', 0, true)");
like(stderr_of('CHECKPOINT'), qr/ERROR/, 'stopped while reading: a checkpoint fails');
like(slurp_file($node->logfile), qr/cannot be written, because another process is reading it into shared_buffers/, 'stopped while reading: the log says why');
is(marks(), 0, 'stopped while reading: nothing is marked');
$reader->ask("SELECT two_pools_read_slowly('slow', 0, false); COMMIT");
wait_until(sub { stderr_of('CHECKPOINT') eq '' }, 'a checkpoint');
is(marks(), 0, 'stopped while reading: afterwards neither');
is(ids('slow'), "$ten 11", 'stopped while reading: all rows');

# ---- he began beside our write, and has the page of before, which was all-visible; he sets a hint bit in it
make_table('hinted');
sql('VACUUM hinted');
sql('CHECKPOINT');
sql("INSERT INTO hinted VALUES (11, 'ours'); SELECT count(*) FROM hinted");
stop_point('buffer.write_looked', 'wait');
my $checkpoint = start_background($node, sql => 'CHECKPOINT');
wait_for_stop('buffer.write_looked');
$reader->ask("BEGIN; SELECT two_pools_read_slowly('hinted', 0, true)");
clear_stop_points();
ok(IPC::Run::finish($checkpoint), 'a hint in an old copy with the flag: the checkpoint has written ours');
$reader->ask("SELECT two_pools_read_slowly('hinted', 0, false), two_pools_hint('hinted', 0); COMMIT");
$node->psql('postgres', 'CHECKPOINT');
is(marks(), 0, 'a hint in an old copy with the flag: nothing is marked');
is(ids('hinted'), "$ten 11", 'a hint in an old copy with the flag: all rows');

# ---- the same, but it had no flag, and he sets it
make_table('late');
sql("INSERT INTO late VALUES (11, 'ours'); SELECT count(*) FROM late");
stop_point('buffer.write_looked', 'wait');
$checkpoint = start_background($node, sql => 'CHECKPOINT');
wait_for_stop('buffer.write_looked');
$reader->ask("BEGIN; SELECT two_pools_read_slowly('late', 0, true)");
clear_stop_points();
ok(IPC::Run::finish($checkpoint), 'their flag in an old copy: the checkpoint has written ours');
$reader->ask("SELECT two_pools_read_slowly('late', 0, false), two_pools_set_visible('late', 0); COMMIT");
$node->psql('postgres', 'CHECKPOINT');
is(marks(), 1, 'their flag in an old copy: marked');
sql("SELECT count(*) FROM glassheap_resolve('late', 'glassheap')");
is(ids('late'), "$ten 11", 'their flag in an old copy: our row is there');
is(flag_of('late'), 0, 'their flag in an old copy: not taken over');
$node->stop;
done_testing();
