# t/170_redo_kinds.pl: every type of record with every flag that it can have, replayed by a standby and by a recovery from
# kill -9, and all pages of all forks compared.  What t/071 has not: the first and the last line pointer, pages that are full,
# empty, or have as many line pointers as a page can; locks by several transactions, of this one's subtransactions, and their
# freezing; aborted work; values out of line; rows that move to another partition; speculative insertions taken back; rewrites;
# what logical decoding adds.  Each time with images, without, and without checksums with each page compared at each record.
# The order of the changes is random (GH_SEED); that each record did occur is asked of the WAL.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapShapes qw(shapes_between missing_shapes);
use GlassheapTest;
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'glassheap only' unless is_glassheap();
seed_from_environment();

my $wide = "repeat('p', 380)";
my $long = "(SELECT string_agg(md5(g::text || n), '') FROM generate_series(1, 200) g)";    # goes out of line

# Page 0 is full: rows 1 to 18.  Page 1 has room: rows 19 to 27.  A change is done to one row of each; X is that row's id.
my %rows = (first => [ 1, 19 ], last => [ 18, 27 ]);
my %change = (
	update => 'UPDATE T SET n = n + 1 WHERE id = X;',
	update_null => 'UPDATE T SET pad = NULL WHERE id = X;',
	update_key => 'UPDATE T SET id = id + 1000 WHERE id = X;',
	update_again => 'BEGIN; UPDATE T SET n = n + 1 WHERE id = X; SAVEPOINT s; UPDATE T SET n = n + 1 WHERE id = X; ROLLBACK TO s; COMMIT; UPDATE T SET n = n + 1 WHERE id = X;',
	update_aborted => 'BEGIN; UPDATE T SET n = n + 1 WHERE id = X; UPDATE T SET id = id + 1000 WHERE id = X; ROLLBACK;',
	update_long => "UPDATE T SET ext = $long WHERE id = X; UPDATE T SET n = n + 1 WHERE id = X;",
	delete => 'DELETE FROM T WHERE id = X;',
	delete_aborted => 'BEGIN; DELETE FROM T WHERE id = X; ROLLBACK;',
	delete_locked => 'BEGIN; SELECT 1 FROM T WHERE id = X FOR KEY SHARE; SAVEPOINT s; DELETE FROM T WHERE id = X; COMMIT;',
	lock => join(' ', map { "BEGIN; SELECT 1 FROM T WHERE id = X FOR $_; COMMIT;" } 'KEY SHARE', 'SHARE', 'NO KEY UPDATE', 'UPDATE'),
	lock_later => 'BEGIN; UPDATE T SET n = n + 1 WHERE id = X; SAVEPOINT s; SELECT 1 FROM T WHERE id = X FOR UPDATE; COMMIT;',
	upsert => "INSERT INTO T VALUES (X, 1) ON CONFLICT (id) DO UPDATE SET n = 7; INSERT INTO T VALUES (X + 500, 1) ON CONFLICT DO NOTHING;",
	prune => 'UPDATE T SET n = n + 1 WHERE id = X; ' x 2 . 'DELETE FROM T WHERE id = X + (CASE X WHEN 1 THEN 1 ELSE -1 END); SELECT count(*) FROM T; VACUUM (INDEX_CLEANUP off) T;',
	vacuum => 'DELETE FROM T WHERE id = X; VACUUM (INDEX_CLEANUP on) T;',
	freeze => 'UPDATE T SET n = n + 1 WHERE id = X; VACUUM (FREEZE) T;',
	copy => "DELETE FROM T WHERE id IN (X, 3, 7, 21, 23); VACUUM (INDEX_CLEANUP on) T;\nCOPY T FROM STDIN;\n"
	  . join('', map { "X_$_\t0\t" . ($_ % 2 ? '\N' : 'v' x ($_ % 90)) . "\t\\N\n" } 701 .. 730) . "\\.\n",
);
# Beside another transaction that has locked or updated the rows (first), and after it (third).
my %beside = (
	beside_key_share => [ 'SELECT 1 FROM T WHERE id = X FOR KEY SHARE;', 'UPDATE T SET n = n + 1 WHERE id = X; SELECT 1 FROM T WHERE id = X FOR SHARE; VACUUM (FREEZE) T;',
		'UPDATE T SET n = n + 1 WHERE id = X; VACUUM (FREEZE) T; DELETE FROM T WHERE id = X;' ],
	beside_share => [ 'SELECT 1 FROM T WHERE id = X FOR SHARE;', 'SELECT 1 FROM T WHERE id = X FOR KEY SHARE; BEGIN; SELECT 1 FROM T WHERE id = X FOR SHARE; ROLLBACK;',
		'DELETE FROM T WHERE id = X; VACUUM (FREEZE) T;' ],
	beside_update => [ 'UPDATE T SET n = n + 5 WHERE id = X;', 'SELECT 1 FROM T WHERE id = X FOR KEY SHARE; VACUUM (INDEX_CLEANUP on) T;',
		'SELECT 1 FROM T WHERE id = X FOR UPDATE; VACUUM (FREEZE) T;' ],
	beside_chain => [ 'SELECT 1 FROM T WHERE id = X FOR KEY SHARE;', 'BEGIN; SELECT 1 FROM T WHERE id = X FOR KEY SHARE; UPDATE T SET n = n + 1 WHERE id = X; COMMIT;',
		'BEGIN; SELECT 1 FROM T WHERE id = X FOR NO KEY UPDATE; SAVEPOINT s; UPDATE T SET id = id + 1000 WHERE id = X; ROLLBACK TO s; UPDATE T SET n = 9 WHERE id = X; COMMIT;' ],
);

sub tables
{
	my @tables;
	for my $change (sort(keys %change), sort keys %beside)
	{
		for my $state (qw(frozen visible neither))
		{
			push @tables, { name => "${change}_${state}_$_", change => $change, state => $state, rows => $rows{$_} } for sort keys %rows;
		}
	}
	return @tables;
}

sub create
{
	my ($table) = @_;
	my $vacuum = { frozen => 'VACUUM (FREEZE) T;', visible => 'VACUUM T;', neither => '' }->{ $table->{state} };
	# A row that VACUUM removes while another transaction keeps it from calling the page all-visible.
	$vacuum .= 'DELETE FROM T WHERE id IN (5, 23);' if $beside{ $table->{change} };
	return "CREATE TABLE T (id int PRIMARY KEY, n int, pad text, ext text); ALTER TABLE T ALTER pad SET STORAGE plain; ALTER TABLE T ALTER ext SET STORAGE external;"
	  . "INSERT INTO T SELECT g, 0, $wide FROM generate_series(1, 27) g;$vacuum\n";
}
# The statements for the rows of a table, in either order; X_ begins an id that no other row has.
sub statements
{
	my ($table, $sql) = @_;
	return join '', map { my $id = $_; $sql =~ s/\bX(?:\b|_)/$id/gr . "\n" } shuffle @{ $table->{rows} };
}
sub run_for
{
	my ($node, $make, @tables) = @_;
	my $script = '';
	for my $table (@tables)
	{
		$script .= $make->($table) =~ s/\bT\b/$table->{name}/gr;
	}
	$node->safe_psql('postgres', $script);
	return;
}

# What needs tables of its own.
my $special_tables = <<'SQL';
CREATE TABLE parted (id int, part int, pad text) PARTITION BY LIST (part);
CREATE TABLE part1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT g, 1, 'p' FROM generate_series(1, 100) g;
CREATE TABLE emptied (id int PRIMARY KEY, pad text) WITH (fillfactor = 100);
ALTER TABLE emptied ALTER pad SET STORAGE plain;
INSERT INTO emptied SELECT g, repeat('e', 1500) FROM generate_series(1, 40) g;
CREATE TABLE widest ();
INSERT INTO widest SELECT FROM generate_series(1, 900);
CREATE TABLE whole (id int PRIMARY KEY, v text, n int);
ALTER TABLE whole REPLICA IDENTITY FULL;
INSERT INTO whole SELECT g, 'w', 0 FROM generate_series(1, 50) g;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, v text);
INSERT INTO unlogged SELECT g, 'u' FROM generate_series(1, 2000) g;
-- While the index on taken_back's second column is filled, somebody inserts the row that is being inserted.
CREATE TABLE taken_back (id int, n int);
CREATE FUNCTION intruder(id int) RETURNS void LANGUAGE sql AS 'INSERT INTO taken_back VALUES (id, 2)';
CREATE FUNCTION intrude(id int, n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  IF n = 1 THEN PERFORM intruder(id); END IF;
  RETURN n;
END $$;
CREATE INDEX taken_back_n ON taken_back (intrude(id, n));
CREATE UNIQUE INDEX taken_back_id ON taken_back (id);
CREATE TABLE mapped AS SELECT g AS id FROM generate_series(1, 500) g;
CREATE TABLE tail (id int PRIMARY KEY, pad text);
INSERT INTO tail SELECT g, repeat('t', 300) FROM generate_series(1, 400) g;
SQL
my @special = (
	'UPDATE parted SET part = 2 WHERE id % 3 = 0', 'BEGIN; UPDATE parted SET part = 2 WHERE id % 3 = 1; ROLLBACK', 'DELETE FROM parted WHERE id % 5 = 0',
	'DELETE FROM emptied WHERE id > 5; VACUUM (INDEX_CLEANUP on, TRUNCATE off) emptied; VACUUM (TRUNCATE off) emptied; '
	  . "UPDATE emptied SET pad = repeat('f', 3000) WHERE id = 1; INSERT INTO emptied SELECT g, repeat('g', 1500) FROM generate_series(100, 112) g",
	'DELETE FROM widest WHERE ctid IN (SELECT ctid FROM widest LIMIT 500); VACUUM (INDEX_CLEANUP on, TRUNCATE off) widest; INSERT INTO widest SELECT FROM generate_series(1, 700); VACUUM (FREEZE) widest',
	'UPDATE whole SET n = 1 WHERE id % 2 = 0; DELETE FROM whole WHERE id % 5 = 0; UPDATE whole SET id = id + 100 WHERE id % 7 = 0',
	'ALTER TABLE unlogged SET LOGGED; UPDATE unlogged SET v = NULL WHERE id % 9 = 0',
	'INSERT INTO taken_back VALUES (1, 1) ON CONFLICT (id) DO NOTHING; INSERT INTO taken_back SELECT g, 2 FROM generate_series(2, 30) g; INSERT INTO taken_back VALUES (31, 1) ON CONFLICT (id) DO NOTHING',
	'DELETE FROM tail WHERE id > 100; VACUUM (INDEX_CLEANUP on, TRUNCATE on) tail',
	"CREATE TABLE fresh (id int PRIMARY KEY, v text); INSERT INTO fresh VALUES (1, 'first') ON CONFLICT DO NOTHING; VACUUM fresh",
	"VACUUM (FREEZE) mapped; SELECT glassheap_truncate_visibility_map('mapped'); VACUUM (FREEZE) mapped",
	'CREATE TABLE loaded AS SELECT g AS id, g::text AS v FROM generate_series(1, 3000) g; CREATE INDEX loaded_id ON loaded (id); VACUUM (FREEZE) loaded; CLUSTER loaded USING loaded_id',
	"CREATE TABLE given (id int, v text); BEGIN; TRUNCATE given; COPY given FROM PROGRAM 'seq 1 900 | sed s/\$/,x/' (FORMAT csv, FREEZE); COMMIT; VACUUM FULL given",
);

# One table whose last page lies behind 32,672 pages of zeroes (a hole in the file): another page of the map covers it.
use constant FAR => 32672 + 1;
sub make_distant
{
	my ($node) = @_;
	my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "CREATE TABLE distant (id int, n int); INSERT INTO distant VALUES (0, 0); SELECT pg_relation_filepath('distant')");
	$node->stop('fast');
	truncate $path, (FAR + 1) * 8192 or die "$path: $!";
	$node->start;
	# The free space map knows nothing: the last page is taken.
	$node->safe_psql('postgres', 'INSERT INTO distant SELECT g, 0 FROM generate_series(1, 40) g; CREATE INDEX distant_id ON distant (id)');
	return;
}
# Each finds the page all-frozen, whatever was deleted before: a few dead line pointers among so many pages would be left.
my @distant = map { "VACUUM (FREEZE, INDEX_CLEANUP on) distant; $_" } (
	'UPDATE distant SET n = n + 1 WHERE id = 1', 'DELETE FROM distant WHERE id = 40', 'BEGIN; SELECT 1 FROM distant WHERE id = 20 FOR SHARE; COMMIT',
	'DELETE FROM distant WHERE id = 2; VACUUM (INDEX_CLEANUP on) distant', "SELECT glassheap_truncate_visibility_map('distant'); VACUUM distant");

my @counts;
sub run_kind
{
	my ($name, %with) = @_;
	my $primary = new_node($name, wal_keep_size => '2GB', max_wal_size => '4GB', full_page_writes => $with{images}, %{ $with{settings} // {} });
	if (!$with{checksums})
	{
		$primary->stop('fast');
		command_ok([ $primary->installed_command('pg_checksums'), '--disable', '-D', $primary->data_dir ], "$name: no checksums");
		$primary->start;
	}
	$primary->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect');
	my @tables = tables();
	run_for($primary, \&create, @tables);
	$primary->safe_psql('postgres', $special_tables);
	make_distant($primary) if $with{distant};
	my $standby = new_standby($primary, "${name}_standby", max_standby_streaming_delay => '100s');
	my $from = $primary->safe_psql('postgres', 'CHECKPOINT; SELECT pg_current_wal_insert_lsn()');

	my @alone = grep { $change{ $_->{change} } } @tables;
	my @beside = grep { $beside{ $_->{change} } } @tables;
	my $holder = GlassheapSession->new($primary);
	$holder->ask('BEGIN');
	$holder->ask(statements($_, $beside{ $_->{change} }[0]) =~ s/\bT\b/$_->{name}/gr =~ s/;\s*\z//r) for shuffle @beside;
	run_for($primary, sub { statements($_[0], $beside{ $_[0]{change} }[1]) }, shuffle @beside);
	$holder->ask('COMMIT');
	$holder->close;
	run_for($primary, sub { statements($_[0], $change{ $_[0]{change} }) }, shuffle @alone);
	run_for($primary, sub { statements($_[0], $beside{ $_[0]{change} }[2]) }, shuffle @beside);
	$primary->safe_psql('postgres', $_) for shuffle @special, $with{distant} ? @distant : ();
	is($primary->safe_psql('postgres', 'SELECT DISTINCT (ctid::text::point)[0] FROM distant WHERE id > 2'), FAR, "$name: rows lie under the second page of the map") if $with{distant};
	my $to = $primary->safe_psql('postgres', "SELECT pg_logical_emit_message(true, 'end', ''); SELECT pg_current_wal_flush_lsn()");
	push @counts, shapes_between($primary, $from, (split /\n/, $to)[-1]);
	$primary->wait_for_catchup($standby, 'replay');
	unlike(slurp_file($standby->logfile), qr/inconsistent glassheap page|PANIC/, "$name: the standby had nothing to object");
	# The recovery is compared here, of all that came since the checkpoint; the standby at the end.
	$primary->stop('fast');
	$standby->stop('fast');
	return;
}

run_kind('images', images => 'on', checksums => 1, settings => {});
run_kind('no_images', distant => 1, images => 'off', checksums => 1, settings => { wal_level => 'logical' });
run_kind('compared', images => 'off', checksums => 0, settings => { wal_level => 'logical', wal_consistency_checking => "'glassheap'" });

# With and without an image, but for what is listed below.  (An image and a row that leans on its old one: t/071, compared.)
my %wanted = (
	INSERT => [qw(- CLEAR_VM SPECULATIVE CONTAINS_NEW_TUPLE ref2)],
	'INSERT+INIT' => [qw(- CLEAR_VM CONTAINS_NEW_TUPLE first)],
	MULTI_INSERT => [qw(CLEAR_VM CONTAINS_NEW_TUPLE LAST_IN_MULTI SAME_HEAD SAME_LENGTH INIT_PAGE ALL_FROZEN line_by_line)],
	DELETE => [qw(- first CLEAR_VM KEYS_UPDATED IS_MULTI PARTITION_MOVE SPECULATIVE_ABORT CONTAINS_OLD_KEY CONTAINS_OLD_TUPLE ref2)],
	UPDATE => [qw(- first CLEAR_VM CLEAR_VM_OLD KEYS_UPDATED IS_MULTI EXCL_LOCK new_xmax init head=stored ref1 ref2 CONTAINS_NEW_TUPLE CONTAINS_OLD_KEY CONTAINS_OLD_TUPLE)],
	HOT_UPDATE => [qw(- first CLEAR_VM IS_MULTI EXCL_LOCK new_xmax head=stored ref2 CONTAINS_NEW_TUPLE CONTAINS_OLD_TUPLE)],
	LOCK => [qw(- first CLEAR_FROZEN CHAIN_KEPT IS_MULTI LOCK_ONLY EXCL_LOCK KEYSHR_LOCK KEYS_UPDATED ref2)],
	CONFIRM => [qw(- first)],
	PRUNE => [qw(redirected dead unused frozen freezes_all vm=0 vm=1 vm=3 ref2)],
	VACUUM => [qw(unused vm=0 vm=1 vm=3 ref2)],
	VISIBLE => [qw(vm=1 vm=3 ref2)],
);
my @wanted = ((map { my $type = $_; map { ("$type $_", "$type $_ img") } @{ $wanted{$type} } } sort keys %wanted),
	'HINT_IMAGE - img', (map { "$_ far_map" } qw(DELETE HOT_UPDATE LOCK PRUNE VACUUM VISIBLE)), 'NEW_PAGES - img', 'OTHER fsm_truncate', map { ("$_ body=delta", "$_ head=from_old") } qw(UPDATE HOT_UPDATE));
my %total;
for my $count (@counts) { $total{$_} += $count->{$_} for keys %$count; }
note join ', ', map { "$_: $total{$_}" } sort keys %total;
is(join(', ', missing_shapes(\@wanted, @counts)), '', 'each type of record came with each flag, with an image and without');
done_testing();
