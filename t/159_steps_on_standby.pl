# t/159_steps_on_standby.pl: after every step of a random list of work on the primary (inserts, updates that move rows between all-visible pages,
# HOT updates, deletes, VACUUM, freezing, truncation of the tail and of the table, aborted work, checkpoints, SIGKILL of either server) each kind
# of scan on the standby says what it says on the primary, index-only scans above all; the standby also starts from
# restartpoints in the middle of it.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapScans;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

seed_from_environment();
my $steps = $ENV{GH_STEPS} || 90;
my $primary = new_node('primary', 'glassheap.buffers' => '1MB', wal_writer_delay => '10ms', wal_log_hints => 'on');
$primary->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 90); CREATE INDEX ON t (n);"
	. "ALTER TABLE t ALTER pad SET STORAGE plain;"
	. "INSERT INTO t SELECT g, g, repeat('s', 300) FROM generate_series(1, 1500) g");
$primary->safe_psql('postgres', 'VACUUM t');
# Replay waits for the looks at it, which are short; without a wait it would cancel them.
my $standby = new_standby($primary, 'standby', max_standby_streaming_delay => '-1', wal_retrieve_retry_interval => '20ms');
my %server = (primary => $primary, standby => $standby);

# ---- sessions that stay; new ones after a kill
my %session;
sub ask_on
{
	my ($name) = @_;
	return sub {
		my ($query) = @_;
		$session{$name} //= GlassheapSession->new($server{$name});
		my $answer = $session{$name}->ask($query);
		die "$query: $answer" if $answer =~ /ERROR|FATAL/;
		return $answer;
	};
}
my ($here, $there) = map { ask_on($_) } qw(primary standby);
sub restart_killed
{
	my ($name) = @_;
	kill_server_9($server{$name});
	eval { (delete $session{$name})->close } if $session{$name};
	$server{$name}->start;
	return;
}

# ---- the work; on neighbours among the rows, on a few pages or many
my $next = 1501;
sub some_ids
{
	my $width = (10, 60, 400)[ rand 3 ];
	my $part = rand;
	my $first = $here->("SELECT id FROM t ORDER BY id OFFSET (SELECT floor(count(*) * $part) FROM t) LIMIT 1") || 1;
	return "id BETWEEN $first AND " . ($first + $width);
}
sub insert { my $first = $next; my $count = 50 + int rand 350; $next += $count; return "INSERT INTO t SELECT g, g, repeat('i', 300) FROM generate_series($first, $first + $count - 1) g"; }
# Rows that are too long for their page, and others with room; all of them all-visible before.
sub move_between_visible
{
	$here->('DELETE FROM t WHERE ' . some_ids() . ' AND id % 5 > 0; VACUUM (INDEX_CLEANUP on) t');
	my $pad = 1500 + int rand 1000;
	return "UPDATE t SET pad = repeat('v', $pad) WHERE id IN (SELECT id FROM t WHERE " . some_ids() . ' AND length(pad) < 1500 LIMIT 3)';
}
sub visible_pages { return is_glassheap() ? $here->("SELECT count(*) FROM glassheap_visibility('t') WHERE all_visible") : 0; }
my $crossed = 0;
my %work = (
	'insert' => [ 3, \&insert ],
	# Longer rows leave their page, to pages that VACUUM has made room in.
	'move' => [ 5, sub { my $pad = 400 + int rand 500; return "UPDATE t SET pad = repeat('m', $pad), n = n + 1 WHERE " . some_ids() . ' AND id % 3 = 0' } ],
	'move between all-visible pages' => [ 5, \&move_between_visible ],
	'hot' => [ 3, sub { return 'UPDATE t SET pad = upper(pad) WHERE ' . some_ids() . ' AND id % 5 = 0' } ],
	'key' => [ 2, sub { my $id = $next++; return "UPDATE t SET id = $id WHERE id = (SELECT id FROM t WHERE " . some_ids() . ' LIMIT 1)' } ],
	'delete' => [ 3, sub { return 'DELETE FROM t WHERE ' . some_ids() . ' AND id % 4 = 1' } ],
	'lock' => [ 1, sub { return 'SELECT count(*) FROM (SELECT FROM t WHERE ' . some_ids() . ' FOR UPDATE) x' } ],
	'abort' => [ 2, sub { return 'BEGIN; ' . insert() . '; UPDATE t SET n = -n WHERE ' . some_ids() . '; ROLLBACK' } ],
	'vacuum' => [ 4, sub { return 'VACUUM (INDEX_CLEANUP on) t' } ],
	'freeze' => [ 2, sub { return 'VACUUM (FREEZE) t' } ],
	'tail' => [ 1, sub { return 'DELETE FROM t WHERE ctid >= $$(' . int(rand(60)) . ',0)$$ AND ctid > (SELECT max(ctid) FROM t WHERE id % 2 = 0); VACUUM (TRUNCATE on) t' } ],
	'truncate' => [ 0.3, sub { return 'TRUNCATE t; ' . join('; ', map { insert() } 1 .. 4) } ],
	'checkpoint' => [ 1, sub { return 'CHECKPOINT' } ],
	'restartpoint' => [ 2, sub { $here->('CHECKPOINT'); catch_up(); $there->('CHECKPOINT'); return } ],
	'kill primary' => [ 0.7, sub { restart_killed('primary'); return } ],
	'kill standby' => [ 1.5, sub { restart_killed('standby'); return } ]);
my @lots = map { ($_) x (10 * $work{$_}[0]) } sort keys %work;
my %done;

sub catch_up
{
	my $lsn = $here->('SELECT pg_current_wal_insert_lsn()');
	wait_until(sub { $there->("SELECT pg_last_wal_replay_lsn() >= '$lsn'") eq 't' }, 'replay');
	return;
}
uses_every_scan($_, 't', 'id') for $here, $there;
my @wrong;
for my $number (1 .. $steps)
{
	# Each kind of work comes once, whatever the seed says; then by lot.
	my @never = grep { !$done{$_} } sort keys %work;
	my $kind = $steps - $number < @never ? $never[0] : $lots[ rand @lots ];
	$done{$kind}++;
	my $statement = $work{$kind}[1]->();
	my $visible = visible_pages();
	$here->($statement) if defined $statement;
	$crossed++ if $kind =~ /all-visible/ && visible_pages() < $visible - 1;
	catch_up();
	my %here = by_every_scan($here, 't', qw(id n));
	my %there = by_every_scan($there, 't', qw(id n));
	my @different = grep { $here{$_} ne $here{sequential} || $there{$_} ne $here{sequential} } sort keys %here;
	next unless @different;
	push @wrong, "step $number, $kind (" . ($statement // '') . "): " . join(', ', map { "$_ here $here{$_} there $there{$_}" } 'sequential', @different);
	last;
}
is(join('; ', @wrong), '', "$steps steps: every kind of scan says the same on both servers");
note join ', ', map { "$_ $done{$_}" } sort keys %done;
is(join(' ', grep { !$done{$_} } sort keys %work), '', 'every kind of work was done');
cmp_ok($crossed, '>', 2, "rows moved between all-visible pages $crossed times") if is_glassheap();
for my $name (sort keys %session) { $session{$name}->close; }

# ---- promotion
$standby->promote if !@wrong;
is_by_every_scan(sub { $standby->safe_psql('postgres', $_[0]) }, 't', [qw(id n)], undef, 'promoted: the same');
done_testing();
