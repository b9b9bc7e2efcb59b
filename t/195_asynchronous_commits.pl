# t/195_asynchronous_commits.pl: a table loaded with synchronous_commit = off a moment ago, and VACUUM: what is not flushed may
# not be called visible to all, so VACUUM flushes it first (mvcc.H4).  Without that it leaves all pages to the next VACUUM, and
# that to the one after it.  The WAL writer, which would flush at a time of its own, is stopped.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap leaves pages for the next VACUUM' unless is_glassheap();
my $node = new_node('main', synchronous_commit => 'off', autovacuum => 'off');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub stop_wal_writer { kill 'STOP', sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'") or die 'no WAL writer'; return; }
sub left { my ($table) = @_; return sql("SELECT count(*) FILTER (WHERE NOT all_visible) || ' of ' || (count(*) > 10) FROM glassheap_visibility_map('$table')"); }
sub scanned
{
	my ($table) = @_;
	my ($rc, $out, $said) = $node->psql('postgres', "VACUUM (VERBOSE) $table");
	return $said =~ /(\d+) scanned/ ? $1 : $said;
}

sql('CREATE TABLE t (id int, v text) WITH (toast.autovacuum_enabled = off); CREATE TABLE i (id int PRIMARY KEY, v text)');
stop_wal_writer();
sql("INSERT INTO t SELECT g, repeat('t', 100) FROM generate_series(1, 20000) g");
sql("INSERT INTO i SELECT g, repeat('i', 100) FROM generate_series(1, 20000) g");
# Commits after it are of the same group of xids in pg_xact.
sql("CREATE TABLE later$_ AS SELECT $_ AS id") for 1 .. 3;
for my $table (qw(t i))
{
	cmp_ok(scanned($table), '>', 10, "$table: VACUUM looks at the pages");
	is(left($table), '0 of true', "$table: ... and leaves none to the next one");
	is(scanned($table), 1, "$table: ... which looks at the last one only");
	# The dead rows of a transaction that is not flushed either.
	sql("DELETE FROM $table WHERE id % 5 = 0");
	sql("SELECT pg_current_xact_id()");
	cmp_ok(scanned($table), '>', 10, "$table: after a DELETE");
	is(left($table), '0 of true', "$table: ... no page is left either");
}
# The newest transaction is the first of a group of xids, and was rolled back: the group has no commit.
sql("CREATE TABLE g AS SELECT g AS id, repeat('g', 100) AS v FROM generate_series(1, 5000) g");
1 until sql('BEGIN; SELECT pg_current_xact_id()::text::bigint % 32; ROLLBACK') == 0;
scanned('g');
is(left('g'), '0 of true', 'rows of the group of xids before');

# A page whose LSN is past the commit may say that it was one, flushed or not (mvcc.H1): on a page that many write nobody would
# get around to it else, and everybody asks pg_xact for each version.
sql('CREATE TABLE h (id int PRIMARY KEY, n int)');
sql("INSERT INTO h VALUES ($_, 0)") for 1, 2;
my $hinted = sub { return sql('SELECT t_infomask & 256 FROM glassheap_page_items(\'h\', 0) WHERE lp = 1'); };
my $read = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT n FROM h WHERE id = 1';
sql($read);
is($hinted->(), 0, 'an unflushed commit later than the page: no hint');
sql("BEGIN; INSERT INTO h VALUES (3, 0); $read; COMMIT");
is($hinted->(), 256, 'earlier than the page: a hint');

# What VACUUM said of the pages holds after a crash: their transactions are there.
my %digest = map { $_ => table_digest($node, $_) } qw(t i g);
kill_server_9($node);
$node->start;
for my $table (sort keys %digest)
{
	is(table_digest($node, $table), $digest{$table}, "$table: the same rows after a crash");
	is(sql("SELECT count(*) FROM glassheap_verify('$table')"), '0', '... on sound pages');
}
done_testing();
