# t/083_damaged_index.pl: an index that is damaged names offset numbers which no page can have.  Index scans touch the
# rows ahead of them; that must not take the server down: the entry leads nowhere, the other rows come.  CREATE INDEX
# CONCURRENTLY looks up what is in its index already: there such an entry is an error.
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

my $node = new_node('damaged_index');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (a int, b text);
INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(1, 300) g;
CREATE INDEX t_a ON t (a);
CHECKPOINT;
SQL
my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('t_a')");
is($node->safe_psql('postgres', "SELECT pg_relation_size('t_a') / 8192"), '2', 'the index is a leaf and a meta page');
$node->stop;

# Offset number of the heap address of the entry at `item` on the only leaf.
sub damage
{
	my ($item, $offset_number) = @_;
	open my $file, '+<:raw', $path or die "$path: $!";
	seek $file, 8192 + 24 + ($item - 1) * 4, 0;
	read $file, my $line, 4;
	seek $file, 8192 + (unpack('V', $line) & 0x7fff) + 4, 0;
	print $file pack 'v', $offset_number;
	close $file or die;
	return;
}
damage(40, 0);
damage(41, 0);
damage(80, 65535);
damage(120, 2043);

$node->append_conf('postgresql.conf', "ignore_checksum_failure = on\nshared_buffers = 1MB\n");
$node->start;
# Only rows of pages in the pool are touched ahead.
is($node->safe_psql('postgres', 'SELECT count(b) FROM t'), '300', 'the table is whole, and cached');
my $set = 'SET client_min_messages = error; SET enable_seqscan = off; SET enable_bitmapscan = off;';
is($node->safe_psql('postgres', "$set SELECT count(b) FROM t WHERE a > 0"), '296', 'forward: all other rows come');
is($node->safe_psql('postgres',
		"$set SELECT count(b) FROM (SELECT b FROM t WHERE a > 0 ORDER BY a DESC) x"), '296', 'backward, too');

# The index is damaged on disk between its build and its validation, when it has left shared_buffers.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_buffercache;
CREATE TABLE filler (id int PRIMARY KEY, pad text) USING heap;
INSERT INTO filler SELECT g, repeat('x', 2000) FROM generate_series(1, 2000) g;
ALTER DATABASE postgres SET enable_seqscan = off;
ALTER DATABASE postgres SET enable_bitmapscan = off;
SQL
my ($writer, $later, $builder) = map { GlassheapSession->new($node) } 1 .. 3;
sub wait_for_phase
{
	my ($phase) = @_;
	$node->poll_query_until('postgres', "SELECT phase = '$phase' FROM pg_stat_progress_create_index") or die $phase;
	return;
}
$writer->ask('BEGIN; LOCK t IN ROW EXCLUSIVE MODE');
$builder->begin('CREATE INDEX CONCURRENTLY t_late ON t (a)');
wait_for_phase('waiting for writers before build');
$later->ask('BEGIN; LOCK t IN ROW EXCLUSIVE MODE');
$writer->ask('COMMIT');
wait_for_phase('waiting for writers before validation');
$path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('t_late')");
$node->safe_psql('postgres', 'CHECKPOINT');
$node->poll_query_until('postgres', <<'SQL') or die 'the index stays in shared_buffers';
SELECT sum(length(pad)) = 4000000 AND NOT EXISTS (SELECT FROM pg_buffercache
    WHERE relfilenode = pg_relation_filenode('t_late') AND relblocknumber = 1) FROM filler WHERE id > 0;
SQL
damage(40, 0);
$later->ask('COMMIT');
is($builder->end =~ /^(ERROR:  \S+)/m ? $1 : '', 'ERROR:  XX002', 'CREATE INDEX CONCURRENTLY: the index is corrupted');
$_->close for $writer, $later, $builder;
$node->stop;
done_testing();
