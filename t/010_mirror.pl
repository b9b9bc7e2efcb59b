# t/010_mirror.pl: the same random session on heap and on glassheap gives the same output, line by line.
#
# The two tables have the same name in two schemas, so even error messages are equal.  Each seed makes a script of
# a few hundred statements: every kind of change, savepoints and rollbacks, cursors, upserts, MERGE, COPY, TOAST,
# DDL that rewrites, VACUUM; queries by every kind of scan.  GH_SEED=n repeats one.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = 120;

sub pick { return $_[ int(rand(@_)) ]; }
sub key  { return 1 + int(rand($keys)); }

sub value
{
	return pick(
		sub { 'NULL' },
		sub { "repeat(md5('" . int(rand(50)) . "'), " . int(rand(6)) . ')' },
		sub { "'" . int(rand(1e6)) . "'" },
		# Out of line: random enough not to compress.
		sub { '(SELECT string_agg(md5((' . int(rand(1e6)) . " + i)::text), '' ORDER BY i) FROM generate_series(1, " . int(rand(250)) . ') i)' }
	)->();
}

sub condition
{
	my $k = key();
	return pick("k = $k", "k BETWEEN $k AND $k + 7", "g = " . int(rand(10)), "g < 2 AND k > $k", "v IS NULL", "k % 17 = 3");
}

# Columns that exist at every moment; what a query shows of a long value is its length and hash.
my $shown = "k, g, length(v) AS len, md5(v) AS hash, n";

my @changes = (
	sub { "INSERT INTO m (k, g, v) VALUES (" . key() . ", " . int(rand(10)) . ", " . value() . ");" },
	sub { "INSERT INTO m (k, g, v) SELECT i, i % 10, 'b' || i FROM generate_series(" . key() . ", $keys, " . (1 + int(rand(9))) . ") i ON CONFLICT DO NOTHING;" },
	sub { "INSERT INTO m (k, g, v) VALUES (" . key() . ", 1, 'u'), (" . ($keys + key()) . ", 2, " . value() . ") ON CONFLICT (k) DO UPDATE SET n = m.n + 1, v = excluded.v RETURNING k, n;" },
	sub { "UPDATE m SET n = n + 1 WHERE " . condition() . ";" },
	sub { "UPDATE m SET v = " . value() . " WHERE " . condition() . ";" },
	sub { "UPDATE m SET g = (g + 1) % 10 WHERE " . condition() . " RETURNING k, g;" },
	sub { "UPDATE m SET k = k + 1000 WHERE " . condition() . "; UPDATE m SET k = k - 1000 WHERE k > 1000;" },
	sub { "DELETE FROM m WHERE " . condition() . ";" },
	sub { "DELETE FROM m WHERE k = " . key() . " RETURNING $shown;" },
	sub { "MERGE INTO m USING (SELECT i, i * 2 AS x FROM generate_series(" . key() . ", " . key() . ") i) s ON m.k = s.i "
		. "WHEN MATCHED AND m.g = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET n = s.x WHEN NOT MATCHED THEN INSERT (k, g, v) VALUES (s.i, 4, 'merged');" },
	sub { my $k = key(); "COPY m (k, g, v) FROM STDIN;\n" . join('', map { ($k + $_ + 2000) . "\t$_\tcopy\n" } 1 .. 5) . "\\.\nDELETE FROM m WHERE k > 2000;" },
	sub { my $k = key(); "DO \$\$ BEGIN INSERT INTO m (k) VALUES ($k); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN UPDATE m SET n = n - 1 WHERE k = $k; END \$\$;" },
);

my @queries = (
	sub { "SELECT $shown FROM m WHERE " . condition() . " ORDER BY k;" },
	sub { "SELECT count(*), sum(n), sum(length(v)), min(k), max(k) FROM m;" },
	sub { "SET enable_seqscan = off; SELECT $shown FROM m WHERE g = " . int(rand(10)) . " ORDER BY k; RESET enable_seqscan;" },
	sub { "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT k FROM m WHERE k > " . key() . " ORDER BY k DESC LIMIT 20; RESET ALL;" },
	sub { "SET enable_seqscan = off; SET enable_indexscan = off; SELECT sum(n), count(v) FROM m WHERE g IN (1, 4, 7) OR k < " . key() . "; RESET ALL;" },
	sub { "SELECT count(*) FROM m WHERE ctid = ANY (ARRAY(SELECT ctid FROM m WHERE g = 3));" },
	sub { "SELECT count(*) FROM m WHERE ctid >= '(0,1)' AND ctid < '(100000,1)';" },
	sub { "SELECT count(*) FROM m TABLESAMPLE SYSTEM (100);" },
	sub { "SELECT a.k FROM m a JOIN m b ON a.k = b.g * 3 WHERE b.n > 0 ORDER BY 1 LIMIT 15;" },
	sub { "SELECT k, xmin = xmax, tableoid::regclass FROM m WHERE k = " . key() . " FOR UPDATE;" },
);

my @ddl = (
	sub { "VACUUM m;" },
	sub { "VACUUM (FREEZE, ANALYZE) m;" },
	sub { "VACUUM FULL m;" },
	sub { "CLUSTER m USING m_g;" },
	sub { "REINDEX TABLE m;" },
	sub { "ANALYZE m;" },
	sub { "DROP INDEX m_g; CREATE INDEX m_g ON m (g);" },
	sub { "ALTER TABLE m ADD COLUMN extra int DEFAULT 7; SELECT sum(extra) FROM m; ALTER TABLE m DROP COLUMN extra;" },
	sub { "ALTER TABLE m ALTER COLUMN n TYPE bigint; ALTER TABLE m ALTER COLUMN n TYPE int;" },
);

sub transaction
{
	my @lines = ("BEGIN;");
	push @lines, pick(@changes)->() for 1 .. 1 + int(rand(3));
	if (rand() < 0.6)
	{
		push @lines, "SAVEPOINT a;", pick(@changes)->();
		push @lines, "SAVEPOINT b;", pick(@changes)->(), pick('ROLLBACK TO b;', 'RELEASE b;') if rand() < 0.5;
		push @lines, pick(@queries)->() if rand() < 0.5;
		push @lines, pick('ROLLBACK TO a;', 'RELEASE a;');
		push @lines, pick(@changes)->();
	}
	push @lines, "TRUNCATE m;", "INSERT INTO m (k, g) SELECT i, i % 10 FROM generate_series(1, 40) i;" if rand() < 0.04;
	push @lines, "DECLARE c SCROLL CURSOR FOR SELECT k, n FROM m WHERE g < 6;", "FETCH FORWARD 3 FROM c \\g /dev/null",
	  "MOVE FORWARD ALL FROM c;", "MOVE BACKWARD ALL FROM c;" if rand() < 0.2;
	push @lines, pick(@queries)->();
	return join("\n", @lines, pick('COMMIT;', 'COMMIT;', 'ROLLBACK;'));
}

sub script
{
	my @lines = (
		"\\set VERBOSITY terse",
		"CREATE TABLE m (k int PRIMARY KEY, g int, v text, n int NOT NULL DEFAULT 0) WITH (fillfactor = " . pick(100, 70, 40) . ");",
		"CREATE INDEX m_g ON m (g);",
		"INSERT INTO m (k, g, v) SELECT i, i % 10, repeat('s', i % 90) FROM generate_series(1, $keys) i;");
	for (1 .. 90)
	{
		my $dice = rand();
		push @lines, $dice < 0.45 ? pick(@changes)->() : $dice < 0.72 ? transaction() : $dice < 0.93 ? pick(@queries)->() : pick(@ddl)->();
	}
	push @lines, "SELECT $shown FROM m ORDER BY k;", "SET enable_seqscan = off;", "SELECT $shown FROM m WHERE g >= 0 ORDER BY k;";
	return join("\n", @lines) . "\n";
}

sub run_side
{
	my ($node, $side, $am, $script) = @_;
	my $text = "\\set ECHO none\nSET client_min_messages = warning;\nDROP SCHEMA IF EXISTS $side CASCADE;\nCREATE SCHEMA $side;\n"
	  . "ALTER ROLE CURRENT_USER SET search_path = $side, public;\nSET search_path = $side, public;\nSET default_table_access_method = $am;\n\\o\n\\set ECHO all\n$script";
	# RESET ALL in a script falls back to the role's settings.
	$node->safe_psql('postgres', "ALTER ROLE CURRENT_USER SET default_table_access_method = $am");
	$node->safe_psql('postgres', "ALTER ROLE CURRENT_USER SET search_path = $side, public");
	my ($stdout, $stderr);
	IPC::Run::run([ $node->installed_command('psql'), '-X', '-d', $node->connstr('postgres') ],
		'<', \$text, '>', \$stdout, '2>&1');
	$stdout =~ s/\b$side\b/side/g;
	return $stdout;
}

my $node = new_node('mirror', 'glassheap.buffers' => '2MB');
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
# Asked before the seed is: seed_from_environment() sets GH_SEED for whoever asks again.
my $seeds = ($ENV{GH_SEED} // '') ne '' ? 1 : 25;
my $first = seed_from_environment();
my (%done, $errors, $statements);
for my $seed ($first .. $first + $seeds - 1)
{
	srand($seed);
	my $script = script();
	my %output = map { $_->[0] => run_side($node, @$_, $script) } [ heap_side => 'heap' ], [ am_side => access_method() ];
	# What psql says that was done; in a script of one seed not every kind need be there.
	$done{$1}++ while $output{am_side} =~ /^(INSERT 0|UPDATE|DELETE|MERGE|COPY|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|MOVE|TRUNCATE TABLE|VACUUM|CLUSTER|REINDEX|ALTER TABLE)\b(?! 0$)/mg;
	$errors += () = $output{am_side} =~ /ERROR:/g;
	$statements += $script =~ tr/;//;
	like($output{am_side}, qr/\(\d{2,} rows\)\s*\z/, "seed $seed: the script came to its end");
	is($node->safe_psql('postgres', "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid = 'am_side.m'::regclass"), access_method(), "seed $seed: on " . access_method());
	if (!ok($output{heap_side} eq $output{am_side}, "seed $seed: same output of " . ($script =~ tr/;//) . ' statements'))
	{
		my $folder = PostgreSQL::Test::Utils::tempdir();
		for my $side (keys %output)
		{
			open my $file, '>', "$folder/$side" or die $!;
			print $file $output{$side};
			close $file;
		}
		diag("repeat with GH_SEED=$seed");
		diag(scalar `diff -U4 $folder/heap_side $folder/am_side | head -n 60`);
	}
	my ($rc, $out, $err) = $node->psql('postgres',
		"SELECT bt_index_check(indexrelid, heapallindexed => true) FROM pg_index WHERE indrelid = 'am_side.m'::regclass");
	is($err, '', "seed $seed: indexes and table agree");
}
note join ', ', map { "$_ $done{$_}" } sort keys %done;
# A failed statement spoils the rest of its transaction: how much of one script does is luck.
cmp_ok($errors, '<', $statements / 4, "most statements came off: $errors errors in $statements statements") if $seeds > 1;
is(join(', ', grep { ($done{$_} // 0) < 5 } 'INSERT 0', qw(UPDATE DELETE MERGE COPY COMMIT ROLLBACK SAVEPOINT RELEASE MOVE VACUUM CLUSTER REINDEX), 'TRUNCATE TABLE', 'ALTER TABLE'), '', 'every kind of statement did something')
  if $seeds > 1;
done_testing();
