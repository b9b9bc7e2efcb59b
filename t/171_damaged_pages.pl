# t/171_damaged_pages.pl: pages, maps and index entries damaged at random, let in (no checksums), and then every access that
# there is.  A server may refuse (XX001, XX002, naming relation and block) or answer with what can be decoded; it may not
# crash, hang, fail an assertion, or report an internal error that tells nobody where.
#
# Two kinds of table: one whose columns have a fixed width is damaged everywhere; what a damaged length word of a column
# would make core's decoding do is core's (t/lib/GlassheapDamage.pm).  GH_SEED repeats, GH_ROUNDS does more.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapDamage;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_from_environment();
my $am = access_method();

# What may be said of damage.  Codes of other classes come from values that were decoded: a number out of range, a key
# that is there already, a transaction whose status nobody keeps.
my %is_report = map { $_ => 1 } qw(XX001 XX002);
my %is_of_values = map { $_ => 1 } qw(21000 22003 22008 22021 23502 23505 25P02 40001 55000 58P01 0A000 22023);
# Core's words, and heap's: its access methods for indexes look at offset numbers before we do; a transaction or multixact
# that never was is asked of core, which names it (and not the row); the executor has no more to say of a row that is
# seen and cannot be locked.
my $from_core = qr/^tuple offset out of range: \d+\nLOCATION:  tbm_add_tuples|^MultiXactId \d+ has not been created yet|^MultiXactId \d+ does no longer exist|^attempted to lock invisible tuple\nLOCATION:  ExecLockRows/;
my $columns = {
	anywhere => ['id int, n int, k bigint, f float8, u uuid, w name', "g, 0, g * 3, g / 7.0, md5(g::text)::uuid, 'name ' || g", 'n'],
	around => ['id int, n int, t text, a int[], j jsonb', "g, 0, repeat('t', g % 700), ARRAY[g, g + 1], jsonb_build_object('g', g)", 'n'],
};

my $node = new_node('damaged', restart_after_crash => 'on', statement_timeout => '90s', 'glassheap.buffers' => '4MB',
	shared_buffers => '8MB', log_error_verbosity => 'terse', log_statement => 'none');
$node->not_compared('its pages are damaged');
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--disable', '-D', $node->data_dir ], 'nothing keeps damaged pages out');
$node->start;

# Calls of every function of the extension that takes a table, with what its other arguments may be.
sub introspection
{
	my ($table) = @_;
	return '' unless is_glassheap();
	my $list = $node->safe_psql('postgres', <<'SQL');
SELECT p.proname || ' ' || array_to_string((string_to_array(oidvectortypes(proargtypes), ', '))[2:pronargs - pronargdefaults], ' ')
  FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid
 WHERE extname = 'glassheap' AND oidvectortypes(proargtypes) LIKE 'regclass%' AND prokind = 'f' AND p.proname <> 'glassheap_resolve'
 ORDER BY p.proname = 'glassheap_truncate_visibility_map', p.proname = 'glassheap_repair_visibility_map', 1
SQL
	my $calls = '';
	for my $line (split /\n/, $list)
	{
		my ($name, @types) = split / /, $line;
		next if grep { !/^(?:bigint|integer|text|boolean)$/ } @types;
		for my $block (grep { /./ } @types && grep { /int/ } @types ? (0, 1, 2, 3) : (0))
		{
			for my $fork (grep({ $_ eq 'text' } @types) ? qw(main vm fsm) : ('main'))
			{
				my %value = (bigint => $block, integer => $block, text => "'$fork'", boolean => 'true');
				$calls .= "SELECT count(x::text) FROM $name(" . join(', ', "'$table'", map { $value{$_} } @types) . ") x;\n";
			}
		}
	}
	return $calls . "SELECT count(x::text) FROM glassheap_verify('$table', check_toast => true) x;\n"
	  . "SELECT count(x::text) FROM generate_series(0, 4) b, glassheap_page_items(glassheap_get_raw_page('$table', b)) x;\n";
}

# Every way to read and to change; each statement stands alone, so that an error ends only it.
sub accesses
{
	my ($table) = @_;
	my $read = "SELECT count(*), sum(id), max(n), count(T.*::text) FROM $table T";
	my $no = 'SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;';
	my @reads = (
		"$read;", "COPY $table TO '/dev/null';", "$no SET enable_indexscan = on; $read WHERE id > 0;",
		"SELECT id FROM $table WHERE id > 0 ORDER BY id DESC;", "SELECT count(*) FROM $table WHERE id = 17;",
		"$no SET enable_indexonlyscan = on; SELECT count(id) FROM $table WHERE id > 0;", "$no SET enable_bitmapscan = on; $read WHERE id BETWEEN 5 AND 200;",
		"RESET ALL; SELECT count(*) FROM generate_series(0, 5) b, generate_series(0, 40, 3) o, LATERAL (SELECT id FROM $table T WHERE T.ctid = format('(%s,%s)', b, o)::tid) x;",
		"$read WHERE ctid > '(0,3)' AND ctid < '(3,2)';", "$read TABLESAMPLE SYSTEM (60);", "$read TABLESAMPLE BERNOULLI (60);",
		"SELECT currtid2('$table', format('(%s,%s)', g % 4, g)::tid) FROM generate_series(1, 12) g;",
		"SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SELECT count(*), sum(id) FROM $table; RESET ALL;");
	my @locks = map { "BEGIN; SELECT count(*) FROM (SELECT id FROM $table $_) x; SAVEPOINT s; UPDATE $table SET n = n + 1 WHERE id < 20; ROLLBACK;" }
	  'FOR KEY SHARE', 'FOR SHARE', 'FOR NO KEY UPDATE NOWAIT', 'FOR UPDATE SKIP LOCKED';
	my @changes = (
		"UPDATE $table SET n = n + 1 WHERE id % 5 = 0;", "UPDATE $table SET n = n + 1 WHERE ctid = '(1,2)';", "UPDATE $table SET id = id + 1000 WHERE id % 7 = 0;", "BEGIN; DELETE FROM $table; ROLLBACK;",
		"DELETE FROM $table WHERE id % 11 = 0;", "DELETE FROM $table WHERE ctid = '(2,1)';",
		"INSERT INTO $table SELECT * FROM model WHERE id < 30;", "INSERT INTO $table SELECT * FROM model WHERE id < 90 ON CONFLICT DO NOTHING;",
		"UPDATE $table SET n = n + 1;", "MERGE INTO $table T USING model m ON T.id = m.id WHEN MATCHED THEN UPDATE SET n = T.n + 1 WHEN NOT MATCHED THEN DO NOTHING;", "$read;");
	my @upkeep = (
		"ANALYZE $table;", "BEGIN; CREATE INDEX ON $table (n, id); ROLLBACK;", "BEGIN; REINDEX TABLE $table; ROLLBACK;", "CREATE INDEX CONCURRENTLY ON $table (n);",
		"BEGIN; CLUSTER $table USING ${table}_id; ROLLBACK;", "BEGIN; ALTER TABLE $table ALTER n TYPE bigint; ROLLBACK;", "BEGIN; CREATE TABLE copied AS SELECT * FROM $table; ROLLBACK;",
		"VACUUM $table;", "VACUUM (INDEX_CLEANUP on, TRUNCATE on) $table;", "VACUUM (FREEZE) $table;", "VACUUM (DISABLE_PAGE_SKIPPING, FREEZE) $table;",
		"INSERT INTO $table SELECT * FROM model WHERE id < 400;", "$read;", "VACUUM FULL $table;", "$read;");
	my $look = introspection($table);
	return join "\n", @reads, $look, @locks, @changes, $look, @upkeep;
}

# Fresh tables, some rows dead, some locked, some updated; half of them all-visible.
sub make_tables
{
	my ($round, $count) = @_;
	my @tables;
	my $sql = '';
	for my $i (1 .. $count)
	{
		my $where = $i % 3 ? 'anywhere' : 'around';
		my $table = "d${round}_$i";
		my ($definition, $values) = @{ $columns->{$where} };
		$sql .= "CREATE TABLE $table ($definition) WITH (fillfactor = 80); INSERT INTO $table SELECT $values FROM generate_series(1, 250) g; CREATE INDEX ${table}_id ON $table (id);";
		$sql .= "DELETE FROM $table WHERE id % 9 = 0; UPDATE $table SET n = 1 WHERE id % 4 = 0;";
		$sql .= $i % 2 ? "VACUUM $table;" : "BEGIN; SELECT count(*) FROM (SELECT * FROM $table WHERE id < 50 FOR SHARE) x; SAVEPOINT s; UPDATE $table SET n = 2 WHERE id < 30; ROLLBACK TO s; UPDATE $table SET n = 3 WHERE id < 9; COMMIT; VACUUM $table; UPDATE $table SET n = 4 WHERE id % 10 = 1;";
		$sql .= "\n";
		push @tables, { name => $table, where => $where };
	}
	$node->safe_psql('postgres', $sql);
	for my $table (@tables)
	{
		($table->{path}, $table->{index}) = map { $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_')") } $table->{name}, "$table->{name}_id";
	}
	return @tables;
}

sub says_where { return $_[0] =~ /"|relation |base\// && $_[0] =~ /block \d+|page \d+|\(\d+,\d+\)/; }
# An index entry that leads to a block in a segment that is not there: core's reading of files says which.
my $beyond_the_file = qr/could not (?:open|read) (?:file|block)/;

# What psql's stderr and the server say of one table's accesses.
my (%said, %internal, @faults);
sub judge
{
	my ($table, $errors) = @_;
	my $what = "$table->{name} ($table->{where}: $table->{damage})";
	while ($errors =~ /^(?:psql:.*?: )?(?:ERROR|FATAL|PANIC):  (\w{5}): (.*(?:\n(?!psql:).*)*)/mg)
	{
		my ($code, $text) = ($1, $2);
		$said{$code}++;
		(my $general = (split /\n/, $text)[0]) =~ s/\d+/N/g;
		$internal{$general}++ if $code eq 'XX000';
		next if $is_of_values{$code} || $text =~ $from_core;
		push @faults, "$what: $code: $text" unless says_where($text) && ($is_report{$code} || $text =~ $beyond_the_file);
	}
	push @faults, "$what: the server went away: $1" if $errors =~ /(server closed the connection|connection to server was lost|could not connect)/;
	return;
}

sub crashes { return slurp_file($node->logfile) =~ /^(.*(?:terminated by signal|TRAP:|PANIC:|check failed).*(?:\n.*DETAIL.*)?)/mg; }

my ($rounds, $tables, %planted) = (0, 0);
my $count = 48;
$node->safe_psql('postgres', 'CREATE TABLE model_around (' . $columns->{around}[0] . '); INSERT INTO model_around SELECT ' . $columns->{around}[1] . ' FROM generate_series(1, 500) g;'
	. 'CREATE TABLE model_anywhere (' . $columns->{anywhere}[0] . '); INSERT INTO model_anywhere SELECT ' . $columns->{anywhere}[1] . ' FROM generate_series(1, 500) g');
do
{
	my @tables = make_tables(++$rounds, $count);
	$node->stop('fast');
	for my $table (@tables)
	{
		my @kinds = kinds_of_damage($table->{where});
		my $kind = $kinds[ int rand @kinds ];
		$planted{$kind}++;
		$table->{damage} = damage_table($table->{where}, $kind, $table->{path}, $table->{index});
	}
	$node->start;
	for my $table (@tables)
	{
		(my $script = accesses($table->{name})) =~ s/\bmodel\b/model_$table->{where}/g;
		my ($out, $err) = ('', '');
		my $before = crashes();
		$node->psql('postgres', "\\set VERBOSITY verbose\n$script", on_error_stop => 0, stdout => \$out, stderr => \$err);
		judge($table, $err);
		$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
	}
	$node->safe_psql('postgres', join ';', map { "DROP TABLE $_->{name}" } @tables);
	$tables += @tables;
} while ($rounds < ($ENV{GH_ROUNDS} // 1));

my @crashes = crashes();
note "$rounds rounds, $tables tables; planted: " . join ', ', map { "$_ $planted{$_}" } sort keys %planted;
note 'said: ' . join ', ', map { "$_ $said{$_}" } sort keys %said;
note "internal: $_: $internal{$_}" for sort keys %internal;
diag(join "\n", @faults[ 0 .. ($#faults > 30 ? 30 : $#faults) ]) if @faults;
diag(join "\n", @crashes) if @crashes;
is(scalar @crashes, 0, 'no process died');
is(scalar @faults, 0, 'each error says that something is damaged, and where');
cmp_ok($said{XX001} // 0, '>', $count, 'damage was reported') if is_glassheap();
cmp_ok(scalar keys %planted, '>', 10, 'damage of most kinds was planted');
done_testing();
