# t/192_late_inserts.pl: another library inserts rows one by one while a transaction or subtransaction ends, after our own
# callback has stored what runs had gathered (design.D10): nothing would store what a run gathers then, so each row goes by
# itself (heap.I3).  Without that the page stays pinned and its rows are lost.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no runs' unless is_glassheap();
# Callbacks are called from the last one that was registered to the first: this one after ours.
my $node = new_node('main', shared_preload_libraries => "'late_inserter, glassheap'");
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sql('CREATE TABLE other (id int)');

# Rows that are there after the transaction, and pages that are still pinned, with the session open.
sub after
{
	my ($settings, @statements) = @_;
	sql('DROP TABLE IF EXISTS late; CREATE TABLE late (id int, v text)');
	my $session = GlassheapSession->new($node);
	my $said = join '', map { $session->ask($_) } $settings, @statements;
	my $found = sql("SELECT (SELECT count(*) FROM late) || ' rows, ' || (SELECT count(*) FROM glassheap_pages('late') WHERE pins > 0) || ' pinned'");
	$session->close;
	return $said . $found;
}

my $block = "DO \$\$ BEGIN BEGIN INSERT INTO other VALUES (1); EXCEPTION WHEN division_by_zero THEN NULL; END; END \$\$";
my $nested = "DO \$\$ BEGIN BEGIN BEGIN INSERT INTO other VALUES (1); EXCEPTION WHEN division_by_zero THEN NULL; END; EXCEPTION WHEN division_by_zero THEN NULL; END; END \$\$";
my $failing = "DO \$\$ BEGIN BEGIN BEGIN INSERT INTO other VALUES (1); EXCEPTION WHEN division_by_zero THEN NULL; END; PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END; END \$\$";
for my $nest (qw(off on))
{
	my $settings = "SET late_inserter.nest = $nest; SET late_inserter.at";
	is(after("SET late_inserter.nest = $nest", 'BEGIN; SET LOCAL late_inserter.at = pre_commit', 'INSERT INTO other VALUES (1)', 'COMMIT'), '100 rows, 0 pinned', "before a commit, nest $nest");
	is(after("$settings = pre_commit_sub", $block), '100 rows, 0 pinned', "before a subtransaction's commit, nest $nest");
	is(after("$settings = pre_commit_sub", $nested), '200 rows, 0 pinned', "... of two, one in the other, nest $nest");
	is(after("$settings = pre_commit_sub", $failing), '0 rows, 0 pinned', "... of one whose parent aborts, nest $nest");
	is(after("$settings = pre_commit_sub", $block, "SET late_inserter.at = ''", "INSERT INTO late SELECT g, repeat('r', 100) FROM generate_series(1, 500) g"),
		'600 rows, 0 pinned', "rows go in runs again, nest $nest");
}
# Core lets nobody begin a subtransaction while a savepoint is released.
is(after('SET late_inserter.at = pre_commit_sub', 'BEGIN', 'SAVEPOINT a', 'INSERT INTO other VALUES (1)', 'RELEASE SAVEPOINT a', 'COMMIT'),
	'100 rows, 0 pinned', 'before the release of a savepoint');
my $digest = table_digest($node, 'late');
kill_server_9($node);
$node->start;
is(table_digest($node, 'late'), $digest, 'the same after a crash');
is(sql("SELECT count(*) FROM glassheap_verify('late')"), '0', 'on sound pages');
done_testing();
