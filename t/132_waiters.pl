# t/132_waiters.pl: between letting a page go and waiting for who holds its row, or its pin, everything may happen.  Here it does: the holder
# commits, rolls back, changes the row once more, deletes it or moves it out of the condition's reach, and VACUUM comes by, while the waiter
# is held at that very place.  What DELETE, UPDATE and SELECT ... FOR UPDATE then find is what READ COMMITTED promises: the newest version.
# VACUUM (FREEZE), held where it is about to wait for a reader's pin, freezes the page once the reader has gone.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs stop points' unless is_glassheap();
my $node = new_node('main');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub stop_point { my ($verb, $name) = @_; sql("SELECT glassheap_stop_point_$verb('$name'" . ($verb eq 'set' ? ", 'wait')" : ')')); return; }

my ($holder, $waiter) = map { GlassheapSession->new($node) } 1 .. 2;
my %statement = (
	delete => "DELETE FROM t WHERE id = %d AND v < 100 RETURNING v",
	lock => "SELECT v FROM t WHERE id = %d AND v < 100 FOR UPDATE",
	update => "UPDATE t SET v = v + 1 WHERE id = %d AND v < 100 RETURNING v",
);
my %point = (delete => 'heap.before_delete_wait', lock => 'heap.before_lock_wait', update => 'heap.before_update_wait');
# What the holder does, how it ends, what others do then; the version that the waiter has to find (undef: none).
my @cases = (
	[ 'commits', 'UPDATE t SET v = v + 10 WHERE id = %d', 'COMMIT', undef, 10 ],
	[ 'rolls back', 'UPDATE t SET v = v + 10 WHERE id = %d', 'ROLLBACK', undef, 0 ],
	[ 'commits, and another change follows', 'UPDATE t SET v = v + 10 WHERE id = %d', 'COMMIT', 'UPDATE t SET v = v + 10 WHERE id = %d', 20 ],
	[ 'commits a row on another page', "UPDATE t SET v = v + 10, pad = repeat('y', 3000) WHERE id = %d", 'COMMIT', undef, 10 ],
	[ 'deletes', 'DELETE FROM t WHERE id = %d', 'COMMIT', undef, undef ],
	[ 'moves it out of reach', 'UPDATE t SET v = 1000 WHERE id = %d', 'COMMIT', undef, undef ],
	[ 'has only locked it', 'SELECT 1 FROM t WHERE id = %d FOR UPDATE', 'COMMIT', undef, 0 ],
);

sql("CREATE TABLE t (id int PRIMARY KEY, v int, pad text); ALTER TABLE t ALTER pad SET STORAGE PLAIN;"
	. " INSERT INTO t SELECT g, 0, repeat('x', 500) FROM generate_series(1, 100) g");

my $id = 0;
for my $kind (sort keys %statement)
{
	for my $case (@cases)
	{
		my ($what, $change, $end, $other, $found) = @$case;
		$id++;
		$holder->ask(sprintf "BEGIN; $change", $id);
		stop_point('set', $point{$kind});
		$waiter->begin(sprintf "BEGIN; $statement{$kind}", $id);
		stop_point('wait', $point{$kind});
		$holder->ask($end);
		sql(sprintf $other, $id) if $other;
		sql('VACUUM t');
		stop_point('clear', $point{$kind});
		my $wanted = !defined $found ? '' : $kind eq 'update' ? $found + 1 : $found;
		is($waiter->end, $wanted, "$kind: the holder $what");
		$waiter->ask('COMMIT');
	}
}
is(sql("SELECT count(*) FROM t WHERE id <= $id"), $id - 3 - 5, 'what is left: all but the three that a holder deleted and the five that a waiter did');
is(sql("SELECT count(*) FROM glassheap_verify('t')"), 0, 'nothing to complain about');

# ---- a reader's pin
sql('CREATE TABLE frozen (id int); INSERT INTO frozen SELECT generate_series(1, 10)');
$holder->ask('BEGIN; DECLARE c CURSOR FOR SELECT id FROM frozen; FETCH 1 FROM c');
stop_point('set', 'buffer.cleanup_waits');
$waiter->begin('VACUUM (FREEZE) frozen');
stop_point('wait', 'buffer.cleanup_waits');
is(sql("SELECT all_frozen FROM glassheap_visibility_map('frozen', 0)"), 'f', 'VACUUM waits for the pin');
is($holder->ask('FETCH 1 FROM c'), '2', 'the reader goes on');
$holder->ask('COMMIT');
stop_point('clear', 'buffer.cleanup_waits');
$waiter->end;
is(sql("SELECT all_frozen FROM glassheap_visibility_map('frozen', 0)"), 't', 'and freezes the page when it has gone');

$_->close for $holder, $waiter;
$node->stop;
done_testing();
