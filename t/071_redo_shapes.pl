# t/071_redo_shapes.pl: every kind of change to a page, on pages in every state of the visibility map, with and without
# images, with and without checksums.  Afterwards the pages of all forks are the same on the primary, on its standby, and
# on the primary when it has recovered from kill -9.
#
#   page 0: rows 1 to 7 and three small ones, no room for a large row.  The old page of a move.
#   page 1: rows 8 to 10 and three small ones, with room.               Its new page, and the page of everything else.
#   page 2: rows 11 to 17 and three small ones, no room.                Touched first to use up the image of the map page.
#
# In the tables "far_..." page 1 lies behind 32,672 pages of zeroes, so that another page of the map covers it.
# The shapes are generated, all of them each time; the order of the changes is random (GH_SEED).
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapPages;
use GlassheapTest;
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'glassheap only' unless is_glassheap();
seed_from_environment();

use constant FAR => 32672 + 1;    # block number of the far page

my $big = "repeat('x', 1000)";
my $copied = join '', map { "$_\t1\t" . 'c' x 1000 . "\n" } 601 .. 603;

# Changes of page 1; "T" is the table.
my %change = (
	hot_update => 'UPDATE T SET n = n + 1 WHERE id = 8;',
	key_update => 'UPDATE T SET id = id + 1000 WHERE id = 8;',
	no_change_update_aborted => 'BEGIN; UPDATE T SET n = n + 1 WHERE id = 9; ROLLBACK;',
	delete => 'DELETE FROM T WHERE id = 8;',
	insert => "INSERT INTO T VALUES (500, 1, $big);",
	multi_insert => "COPY T FROM STDIN;\n$copied\\.\n",
	upsert => "INSERT INTO T VALUES (501, 1, $big) ON CONFLICT (id) DO NOTHING; INSERT INTO T VALUES (8, 1, 'x') ON CONFLICT (id) DO UPDATE SET n = 7;",
	lock => 'BEGIN; SELECT id FROM T WHERE id = 8 FOR UPDATE; COMMIT;',
	lock_and_update => 'BEGIN; SELECT id FROM T WHERE id = 8 FOR KEY SHARE; SAVEPOINT s; UPDATE T SET n = 3 WHERE id = 8; ROLLBACK TO s; UPDATE T SET n = 4 WHERE id = 8; COMMIT;',
	prune => "UPDATE T SET n = n + 1, pad = $big WHERE id = 8; " x 3 . 'SELECT count(*) FROM T; SELECT count(*) FROM T;',
	vacuum => 'DELETE FROM T WHERE id = 8; VACUUM (INDEX_CLEANUP on) T;',
	vacuum_freeze => 'UPDATE T SET n = n + 1 WHERE id = 9; VACUUM (FREEZE) T;',
	vacuum_visible => 'VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) T;',
	vacuum_empty_page => 'DELETE FROM T WHERE id IN (8, 9, 10, 108, 109, 110); VACUUM (INDEX_CLEANUP on) T; VACUUM (INDEX_CLEANUP on) T; '
	  . "INSERT INTO T VALUES (502, 1, $big);",
	truncate_tail => 'DELETE FROM T WHERE id > 7 AND id < 100 OR id > 103; VACUUM (INDEX_CLEANUP on, TRUNCATE on) T;',
	copy_freeze => "BEGIN; TRUNCATE T; COPY T FROM STDIN (FREEZE);\n$copied\\.\nCOMMIT; INSERT INTO T VALUES (503, 1, 'x');",
);
# Changes of both pages.
my %move = (
	move => "UPDATE T SET n = n + 1 WHERE id = 1; UPDATE T SET n = n + 1 WHERE id = 2;",
);

# name, states of the pages 0 and 1 (f: all-frozen, v: all-visible, n: neither), touched, what is done
sub shapes
{
	my ($touches, @far) = @_;
	my @shapes;
	for my $old (qw(f v n))
	{
		for my $new (qw(f v n))
		{
			push @shapes, { name => "far_$old$new", states => [ $old, $new ], touched => 0, sql => $move{move}, far => 1 }
			  if grep { $_ eq "$old$new" } @far;
			for my $touched (@$touches)
			{
				push @shapes, { name => "move_$old$new$touched", states => [ $old, $new ], touched => $touched, sql => $move{move} };
				next unless $old eq 'v';
				push @shapes, { name => "${_}_$new$touched", states => [ $old, $new ], touched => $touched, sql => $change{$_} }
				  for sort keys %change;
			}
		}
	}
	return @shapes;
}

sub create
{
	my ($shape) = @_;
	my $sql = "CREATE TABLE T (id int PRIMARY KEY, n int, pad text); ALTER TABLE T ALTER pad SET STORAGE plain;"
	  . "INSERT INTO T SELECT g, 0, $big FROM generate_series(1, 7) g; INSERT INTO T SELECT g, 0, 'x' FROM generate_series(101, 103) g;\n";
	$sql .= fill_page_1() . "INSERT INTO T SELECT g, 0, $big FROM generate_series(21, 24) g; INSERT INTO T SELECT g, 0, $big FROM generate_series(11, 17) g;"
	  . "INSERT INTO T SELECT g, 0, 'x' FROM generate_series(201, 203) g; DELETE FROM T WHERE id BETWEEN 21 AND 24;\n" unless $shape->{far};
	return $sql;
}
sub fill_page_1
{
	return "INSERT INTO T SELECT g, 0, $big FROM generate_series(8, 10) g; INSERT INTO T SELECT g, 0, 'x' FROM generate_series(108, 110) g;\n";
}
# An unfrozen version of a small row makes a page all-visible at most; an update without VACUUM makes it neither.
sub reach_visible
{
	my ($shape) = @_;
	my ($old, $new) = @{ $shape->{states} };
	my $frozen = $old eq 'f' || $new eq 'f' ? 'FREEZE' : '';
	my $sql = "VACUUM (INDEX_CLEANUP on" . ($frozen ? ', FREEZE' : '') . ") T;\n";
	$sql .= "UPDATE T SET n = n + 1 WHERE id = 101;\n" if $frozen && $old ne 'f';
	$sql .= "UPDATE T SET n = n + 1 WHERE id = 108;\n" if $frozen && $new ne 'f';
	return $sql . ($frozen ? "VACUUM (INDEX_CLEANUP on) T;\n" : '');
}
sub reach_neither
{
	my ($shape) = @_;
	my ($old, $new) = @{ $shape->{states} };
	my $sql = $old eq 'n' ? "UPDATE T SET n = n + 1 WHERE id = 102;\n" : '';
	return $sql . ($new eq 'n' ? "UPDATE T SET n = n + 1 WHERE id = 109;\n" : '');
}

sub for_each
{
	my ($node, $make, @shapes) = @_;
	my $script = '';
	for my $shape (@shapes)
	{
		# A session of its own: none remembers where it inserted last.
		my $sql = "\\connect postgres\n" . $make->($shape);
		$sql =~ s/\bT\b/$shape->{name}/g;
		$script .= $sql;
	}
	$node->safe_psql('postgres', $script) if $script ne '';
	return;
}

# Appends zero pages (a hole in the file) on both servers, so that the last one is the far page.
sub grow_and_fill
{
	my ($nodes, $primary, @far) = @_;
	my @paths = map { $primary->safe_psql('postgres', "SELECT pg_relation_filepath('$_->{name}')") } @far;
	$_->stop('fast') for @$nodes;
	for my $node (@$nodes)
	{
		truncate $node->data_dir . "/$_", (FAR + 1) * 8192 or die "$_: $!" for @paths;
	}
	$_->start for @$nodes;
	for_each($primary, \&fill_page_1, @far);    # the free space map knows nothing: the last page is taken
	for_each($primary, \&reach_visible, @far);
	# VACUUM has told the free space map of the zeroes; without it, the last page is taken again.
	$primary->wait_for_catchup($nodes->[1], 'replay');
	$_->stop('fast') for @$nodes;
	for my $node (@$nodes)
	{
		unlink map { $node->data_dir . "/${_}_fsm" } @paths;
	}
	$_->start for @$nodes;
	return;
}

sub expect_states
{
	my ($node, @shapes) = @_;
	my $expected = join ',', map { sprintf "('%s', %d, '%s')", $_->{name}, $_->{far} ? FAR : 1, join '', @{ $_->{states} } } @shapes;
	my $wrong = $node->safe_psql('postgres', <<"SQL");
SELECT name, has FROM (VALUES $expected) e (name, other, wanted), LATERAL
       (SELECT string_agg(CASE WHEN all_frozen THEN 'f' WHEN all_visible THEN 'v' ELSE 'n' END, '' ORDER BY b) AS has
          FROM unnest(ARRAY[0, other]) b, glassheap_visibility(name::regclass, b) v
         WHERE all_visible = pd_all_visible) s WHERE has IS DISTINCT FROM wanted
SQL
	return is($wrong, '', 'the pages are in the states that the test is about');
}

sub run_shapes
{
	my ($name, %with) = @_;
	my $primary = new_node($name, wal_keep_size => '2GB', full_page_writes => $with{images}, %{ $with{settings} // {} });
	if (!$with{checksums})
	{
		$primary->stop('fast');
		command_ok([ $primary->installed_command('pg_checksums'), '--disable', '-D', $primary->data_dir ], "$name: no checksums");
		$primary->start;
	}
	my @shapes = shapes($with{touches}, @{ $with{far} // [] });
	my @far = grep { $_->{far} } @shapes;
	my @near = grep { !$_->{far} } @shapes;
	for_each($primary, \&create, @shapes);
	for_each($primary, \&reach_visible, @near);
	my $standby = new_standby($primary, "${name}_standby", max_standby_streaming_delay => '100s');
	$_->not_compared('this test does it itself, while they run') for $primary, $standby;
	grow_and_fill([ $primary, $standby ], $primary, @far) if @far;
	for_each($primary, \&reach_neither, @shapes);
	expect_states($primary, @shapes);

	$primary->safe_psql('postgres', 'CHECKPOINT');
	for_each($primary, sub { 'DELETE FROM T WHERE id = 203;' . "\n" }, grep { $_->{touched} } @shapes);
	for_each($primary, sub { $_[0]->{sql} . "\n" }, shuffle @shapes);
	my @moved = map { $_->{name} . ($_->{far} ? ' ' . FAR : ' 1') } grep { $_->{name} =~ /^(move|far)_/ } @shapes;
	my $where = join ' UNION ALL ', map { my ($t, $b) = split / /; "SELECT '$t' WHERE NOT EXISTS (SELECT FROM $t WHERE id = 1 AND ctid::text LIKE '($b,%')" } @moved;
	is($primary->safe_psql('postgres', $where), '', "$name: the row moved to the page meant");

	my @tables = map { $_->{name} } @shapes;
	my $before = page_images($primary, @tables);
	$primary->wait_for_catchup($standby, 'replay');
	same_pages($before, page_images($standby, @tables), "$name: standby");
	unlike(slurp_file($standby->logfile), qr/inconsistent glassheap page|PANIC/, "$name: the standby had nothing to object");
	kill_server_9($primary);
	$primary->start;
	same_pages($before, page_images($primary, @tables), "$name: recovered");
	for my $node ($standby, $primary)
	{
		is($node->safe_psql('postgres', "SELECT t, v.* FROM unnest(ARRAY[" . join(',', map { "'$_'" } grep { !/^far/ } @tables) . "]) t, glassheap_verify(t::regclass) v"),
			'', $node->name . ': verified');
	}
	$standby->stop('fast');
	$primary->stop('fast');
	return;
}

# A map page that was touched since the checkpoint has no image in the record: with images, that is the case to look at.
# Comparing adds an image that replay does not restore: without images to restore, every change is replayed and compared.
run_shapes('images', images => 'on', checksums => 1, touches => [1], far => ['vv']);
run_shapes('no_images', images => 'off', checksums => 1, touches => [0], far => [qw(ff fv fn vf vv vn nf nv nn)]);
run_shapes('compared', images => 'off', checksums => 0, touches => [0],
	settings => { wal_consistency_checking => "'glassheap'", max_wal_size => '4GB' });
done_testing();
