# t/116_unguarded_libraries.pl: a library whose calls of heap's functions cannot be guarded is not let into a process, until a
# superuser says that it is harmless; one that the server has loaded before glassheap keeps it from starting.  Ways of
# escaping: something else has changed an entry, the entry cannot be written, its relocation is of an unknown kind, a
# pointer was copied before glassheap came; the library is brought along by another, or was, or is here by another name.  As
# long as it is in a process nothing else is let in; what its constructor left behind goes on.
# Control: with `warn` the library's work goes past glassheap, and its row is not there.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use ForeignWriter;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap needs no guard' unless is_glassheap();

my $node = new_node('unguarded');
my $warn = 'SET glassheap.unguarded_libraries = warn;';
my $warning = qr/WARNING:  (?:01000: )?(?:glassheap cannot guard \d+ call|library "[^"]*" keeps)/;

sub refusal
{
	my ($build, $functions, $by) = @_;
	$by //= $build;
	return qr/ERROR:  55000: library "foreign_writer_$by(?:\.so)?" cannot be loaded beside glassheap.*DETAIL:[^\n]*"foreign_writer_$build\.so": $functions.*HINT:.*glassheap\.unguarded_libraries/s;
}

# Answer and errors of one session.
sub session
{
	my ($sql, %params) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 0, %params);
	return ($out, $err);
}

sub make_tables
{
	$node->safe_psql('postgres', "CREATE TABLE ours (id int, v text) USING glassheap; INSERT INTO ours SELECT g, 'x' FROM generate_series(1, 10) g;
		CREATE TABLE heaps (id int, v text) USING heap; INSERT INTO heaps SELECT g, 'x' FROM generate_series(1, 10) g");
	return;
}

sub loaded { return "SELECT count(*) > 0 FROM glassheap_foreign_writers() WHERE library ~ 'foreign_writer_$_[0]'"; }

make_tables();
my %functions = (
	changed => 'heap_fetch\.', code => 'CatalogTupleDelete, CatalogTupleInsert, .* and \d+ more\.', beside => 'heap_insert\.',
	stays => 'heap_insert\.');

for my $build (sort keys %functions)
{
	my $refusal = refusal($build, $functions{$build});
	my ($out, $err) = session(foreign_writer_functions($build));
	like($err, $refusal, "$build: a function cannot be created");
	$node->safe_psql('postgres', "DROP SCHEMA IF EXISTS $build CASCADE; $warn " . foreign_writer_functions($build));
	($out, $err) = session("LOAD 'foreign_writer_$build'; LOAD 'foreign_writer_$build'; SELECT count(*) FROM heaps; SELECT count(*) FROM ours");
	like($err, $refusal, "$build: LOAD");
	is(scalar(() = $err =~ /ERROR/g), 2, '... and again, nothing else') or diag $err;
	is($out, "10\n10", '... all tables are used');
	($out, $err) = session("SELECT $build.fw_insert('ours', 11, 'x', 'heap_insert'); SELECT $build.fw_insert('heaps', 11, 'x', 'heap_insert');
		SELECT count(*) FROM heaps; LOAD 'foreign_writer_plt'; SELECT count(*) FROM ours");
	is(scalar(() = $err =~ /$refusal/g), 1, "$build: a function's first call") or diag $err;
	like($err, refusal($build, $functions{$build}, 'plt'), '... and another library, as long as it is here');
	is(scalar(() = $err =~ /ERROR/g), 3, '... and the next call, nothing else') or diag $err;
	is($out, "10\n10", '... neither has done anything');
	($out, $err) = session("LOAD 'foreign_writer_plt'; SELECT 'loaded'");
	is("$out$err", 'loaded', '... another session has nothing to do with it');
	is((session("LOAD 'foreign_writer_$build'; " . loaded($build)))[0], 't', "$build: it stays in the process");
	($out, $err) = session("DO \$\$ DECLARE r record; BEGIN FOR r IN SELECT ctid AS c FROM ours LOOP
		BEGIN PERFORM $build.fw_delete('ours', r.c, 'heap_delete'); RAISE NOTICE 'done';
		EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE NOTICE 'refused'; END; END LOOP; END \$\$; SELECT count(*) FROM ours");
	is(scalar(() = $err =~ /NOTICE:  00000: refused/g), 10, "$build: each time, if the error is caught") or diag $err;
	is($out, 10, '... and the transaction goes on');
	($out, $err) = session("BEGIN; INSERT INTO ours VALUES (11); TRUNCATE heaps; SAVEPOINT s; SELECT $build.fw_insert('ours', 12, 'x', 'heap_insert'); ROLLBACK TO s;
		SELECT count(*) FROM ours; ROLLBACK; SELECT count(*) FROM heaps");
	is($out, "11\n10", "$build: in a subtransaction");
	# admitted, it stays, whatever the setting says later
	($out, $err) = session("$warn LOAD 'foreign_writer_$build'; RESET glassheap.unguarded_libraries; SELECT $build.fw_insert('heaps', 11, 'x', 'heap_insert') IS NOT NULL;
		SELECT bool_or(guarded < entries) FROM glassheap_foreign_writers() WHERE library ~ 'foreign_writer_$build'; DELETE FROM heaps WHERE id = 11");
	is($out, "t\nt", "$build: warn lets it in, and one can see which functions it is");
	like($err, $warning, '... with a warning');
	unlike($err, qr/ERROR/, '... no error');
}
unlike(slurp_file($node->logfile), qr/FATAL/, 'no session has ended');

# ---- a library that brings another one along
my ($out, $err) = session("LOAD 'foreign_writer_brings'; LOAD 'foreign_writer_brings'; " . loaded('beside'));
is(scalar(() = $err =~ /ERROR:  55000/g), 2, 'brought along: refused, and again') or diag $err;
like($err, refusal('beside', 'heap_insert', 'brings'), '... both are named');
is($out, 't', '... and stay');
for my $first ('LOAD \'foreign_writer_stays\'', 'LOAD \'foreign_writer_brings_stays\'')
{
	($out, $err) = session("$first; LOAD 'foreign_writer_brings_alias'");
	is(scalar(() = $err =~ /ERROR:  55000/g), 2, "$first, then by another name: refused") or diag $err;
	like($err, refusal('stays', 'heap_insert', 'brings_alias'), '... it is named');
}

($out, $err) = session("LOAD 'foreign_writer_brings_stays'; LOAD 'foreign_writer_brings_stays'; LOAD 'foreign_writer_plt'; " . loaded('stays'));
is(scalar(() = $err =~ /ERROR:  55000/g), 3, 'brought along and never unloaded: refused, and all that is asked for then') or diag $err;
is($out, 't', '... it stays');
is((session("LOAD 'foreign_writer_stays'; LOAD 'foreign_writer_plt'; " . loaded('plt')))[0], 'f', '... and the others do not even begin');

# ---- what a refused library has left with the server
$node->safe_psql('postgres', foreign_writer_functions('plt') . "CREATE FUNCTION plt.fw_finds(text) RETURNS bool LANGUAGE C STRICT AS 'foreign_writer_plt'");
my $from = -s $node->logfile;
($out, $err) = session("LOAD 'foreign_writer_leaves'; SELECT 'at work'");
like($err, qr/ERROR:  55000: library "foreign_writer_leaves[^"]*" cannot be loaded.*"foreign_writer_leaves\.so": simple_heap_insert/s, 'a constructor leaves a callback: refused');
is($out, 'at work', '... the session goes on');
ok($node->wait_for_log(qr/foreign_writer: the callback is called|terminated by signal/, $from), '... and calls it in the end');
unlike(substr(slurp_file($node->logfile), $from), qr/terminated by signal/, '... without a crash');
my $finds = q{SELECT plt.fw_finds('loads_copy')};
($out) = session("$finds; LOAD 'foreign_writer_leaves'; $finds; $warn LOAD 'foreign_writer_leaves'; $finds");
is($out, "f\nf\nt", '... nobody finds its symbols, until it is let in');

# ---- a library that another one has loaded by itself: it is in, but who else uses it nobody knows
my $behind = q{SELECT plt.fw_dlopen(setting || '/foreign_writer_beside.so') FROM pg_config WHERE name = 'PKGLIBDIR'};
($out, $err) = session("$behind; LOAD 'foreign_writer_noplt'; SELECT 'loaded'");
is($out, "t\nloaded", 'behind our back: the session goes on');
like($err, refusal('beside', 'heap_insert', 'noplt'), '... and loads nothing more');
($out, $err) = session("$behind; $warn LOAD 'foreign_writer_noplt'; SELECT 'loaded'");
is($out, "t\nloaded", '... but with warn');
is(scalar(() = $err =~ /WARNING/g), 1, '... with a warning of the other') or diag $err;
($out, $err) = session("$behind; LOAD 'foreign_writer_beside'");
like($err, refusal('beside', 'heap_insert'), '... which the server does not get');

# ---- what a refused library has brought along by itself, and keeps
($out, $err) = session("LOAD 'foreign_writer_holds'; LOAD 'foreign_writer_holds'; LOAD 'foreign_writer_plt'; " . loaded('code'));
is(scalar(() = $err =~ /ERROR:  55000/g), 3, 'held by itself: refused, and all that is asked for then') or diag $err;
like($err, refusal('code', 'CatalogTupleDelete', 'holds'), '... both are named');
is($out, 't', '... the culprit stays');
($out, $err) = session("LOAD 'foreign_writer_holds'; $warn LOAD 'foreign_writer_holds'");
is(scalar(() = $err =~ /ERROR/g), 1, '... warn lets it in') or diag $err;
is(scalar(() = $err =~ /$warning/g), 1, '... with a warning of the culprit') or diag $err;

# ---- it may need very many libraries
($out, $err) = session("LOAD 'foreign_writer_brings_many'; SELECT 'loaded'");
is("$out$err", 'loaded', 'needs very many libraries: loaded, no warning');

# ---- a copy of heap's routine that a library makes after glassheap has come is no reason, whatever else is loaded or unloaded
for my $loads ([qw(routine passes)], [qw(passes routine)], [qw(routine brings_routine)], [qw(brings_routine routine)], [qw(routine plt brings_routine)])
{
	($out, $err) = session(join('', map { "LOAD 'foreign_writer_$_';" } @$loads));
	is($err, '', "@$loads: loaded, no warning");
}
($out, $err) = session("LOAD 'foreign_writer_routine'; LOAD 'foreign_writer_fails'; LOAD 'foreign_writer_plt'");
is(scalar(() = $err =~ /ERROR/g), 1, 'a load that fails') or diag $err;
unlike($err, $warning, '... no warning of others');
($out, $err) = session("$warn LOAD 'foreign_writer_code'; LOAD 'foreign_writer_passes'; RESET glassheap.unguarded_libraries; LOAD 'foreign_writer_plt'; SELECT 'at work'");
like($err, refusal('code', 'CatalogTupleDelete', 'plt'), 'one that was let in is a reason against the next, as soon as refuse is back');
is(scalar(() = $err =~ /ERROR/g), 1, '... not before') or diag $err;
is(scalar(() = $err =~ /WARNING/g), 1, '... of which it was warned once') or diag $err;
($out, $err) = session("LOAD 'foreign_writer_beside'; LOAD 'foreign_writer_passes'; LOAD 'foreign_writer_beside'");
is(scalar(() = $err =~ /ERROR:  55000/g), 3, 'refused, and all that is asked for then') or diag $err;

# come again to the same place, between two looks
my $pointers = "(SELECT setting || '/foreign_writer_pointers.so' FROM pg_config WHERE name = 'PKGLIBDIR')";
my $guarded = "SELECT count(*) > 0 AND bool_and(guarded = entries) FROM glassheap_foreign_writers() WHERE library ~ 'foreign_writer_pointers'";
$node->safe_psql('postgres', "CREATE FUNCTION plt.fw_reopen(text) RETURNS bool LANGUAGE C STRICT AS 'foreign_writer_plt'");
($out, $err) = session("SELECT plt.fw_dlopen($pointers); $guarded; SELECT plt.fw_reopen($pointers); $guarded");
is($out, "t\nt\nt\nt", 'unloaded and loaded again behind our back: guarded again') or diag $err;

# ---- parallel workers load what their leader has loaded: under warn, silently, though theirs is refuse then
($out, $err) = session("$warn LOAD 'foreign_writer_code'; SET force_parallel_mode = on; SELECT code.fw_in_worker(); SELECT count(*) FROM ours");
is($out, "t\n10", 'parallel workers');
is(scalar(() = $err =~ /WARNING/g), 1, '... only the leader warns') or diag $err;
($out, $err) = session('SET force_parallel_mode = on; SELECT code.fw_in_worker()');
like($err, refusal('code', 'CatalogTupleDelete'), '... and what the leader has not');

# ---- sessions and other processes
$node->safe_psql('postgres', "ALTER DATABASE postgres SET session_preload_libraries = 'foreign_writer_code'");
my ($rc);
($rc, $out, $err) = $node->psql('postgres', 'SELECT 1');
like($err, qr/FATAL:  library "foreign_writer_code[^"]*" cannot be loaded beside glassheap/, 'session_preload_libraries: the session ends');
$node->safe_psql('template1', 'ALTER DATABASE postgres SET glassheap.unguarded_libraries = warn');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ours'), 10, '... a database where it is let in');
$node->safe_psql('template1', 'ALTER DATABASE postgres RESET ALL');
$node->psql('postgres', "SELECT plt.fw_start_worker('foreign_writer_beside')");
like(slurp_file($node->logfile), qr/background worker\S* ERROR:  library "foreign_writer_beside[^"]*" cannot|ERROR:  library "foreign_writer_beside[^"]*" cannot be loaded beside glassheap/,
	'a background worker');
$node->safe_psql('postgres', 'CREATE ROLE gh_user');
($out, $err) = session('SET ROLE gh_user; SET glassheap.unguarded_libraries = warn');
like($err, qr/permission denied/, 'only superusers choose');
is($node->safe_psql('postgres', "SELECT plt.fw_insert('ours', 11, 'x', 'heap_insert') IS NOT NULL; SELECT count(*) FROM ours"), "t\n11", 'guarded: as ever');
$node->stop;

# ---- the server does not start
sub start_with
{
	my ($libraries, $setting) = @_;
	my $from = -s $node->logfile;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\nglassheap.unguarded_libraries = $setting");
	my $started = $node->start(fail_ok => 1);
	return ($started, substr(slurp_file($node->logfile), $from));
}

my ($started, $log) = start_with('foreign_writer_copied, glassheap', 'refuse');
is($started, 0, 'preloaded before glassheap, with copied pointers: the server does not start');
like($log, qr/FATAL:  library "foreign_writer_copied\.so" cannot be used beside glassheap.*HINT:  Put glassheap first in shared_preload_libraries/s, '... and says why');
my ($stdout, $stderr) = run_command([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ]);
like($stderr, qr/FATAL:  library "foreign_writer_copied\.so" cannot be used beside glassheap/, '... nor a single user');
($started, $log) = start_with('glassheap, foreign_writer_code', 'refuse');
is($started, 0, 'preloaded after it, unguarded: the server does not start');
like($log, qr/FATAL:  library "foreign_writer_code[^"]*" cannot be loaded beside glassheap/, '... and says why');
($started, $log) = start_with('foreign_writer_plt, glassheap, foreign_writer_copied', 'refuse');
is($started, 1, 'guarded, before or after: it starts');
unlike($log, $warning, '... no warning');
is($node->safe_psql('postgres', 'SELECT count(*) > 0 AND bool_and(guarded = entries) FROM glassheap_foreign_writers()'), 't', '... all guarded');
$node->stop;
($started, $log) = start_with('foreign_writer_copied, glassheap', 'warn');
is($started, 1, 'warn: it starts');
like($log, $warning, '... with a warning');
is($node->safe_psql('postgres', 'SET force_parallel_mode = on; SELECT count(*) FROM ours'), 11, '... and works');
($out, $err) = session("LOAD 'foreign_writer_noplt'; SET glassheap.unguarded_libraries = refuse; LOAD 'foreign_writer_plt'; SELECT 'at work'");
like($err, qr/ERROR:  55000: library "foreign_writer_plt[^"]*" cannot be loaded.*"foreign_writer_copied\.so"/s, '... a session that refuses loads nothing more');
is(scalar(() = $err =~ /ERROR|WARNING/g), 1, '... others do, without a further warning') or diag $err;
is($out, 'at work', '... and goes on');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP|check failed/, 'nothing crashed');

# ---- after a crash the postmaster starts again, whatever has come meanwhile
my $again = new_node('again');
$again->append_conf('postgresql.conf', "shared_preload_libraries = 'glassheap, foreign_writer_routine_passes'\nrestart_after_crash = on");
$again->restart;
unlike(slurp_file($again->logfile), $warning, 'copies of heap\'s routine, libraries opened and closed: it starts, no warning');
$from = -s $again->logfile;
my $session = $again->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $pid;
ok($again->poll_query_until('postgres', "SELECT 1 FROM pg_stat_activity WHERE pid = $pid HAVING count(*) = 0", '1'), 'it starts again');
eval { $session->quit };
$log = substr(slurp_file($again->logfile), $from);
like($log, qr/reinitializing/, '... after a crash');
like($log, $warning, '... with a warning of what has come');
unlike($log, qr/foreign_writer_routine_passes/, '... and of nothing else');
$node = $again;
($out, $err) = session("LOAD 'foreign_writer_plt'; $warn LOAD 'foreign_writer_plt'; SELECT 'loaded'");
like($err, refusal('beside', 'heap_insert', 'plt'), '... a reason against others');
is($out, 'loaded', '... but with warn');
$again->stop;

# ---- control: what is refused would lose rows
my $control = new_node('control');
$control->not_compared('a table has pages in two pools');
$node = $control;
make_tables();
$control->safe_psql('postgres', "$warn " . foreign_writer_functions('code'));
($rc, $out, $err) = $control->psql('postgres', "UPDATE ours SET v = 'dirty'; $warn SELECT code.fw_insert('ours', 11, 'lost', 'heap_insert') IS NOT NULL; SELECT count(*) FROM ours");
# The pool's writer may have noticed meanwhile.
like("$out\n$err", qr/^t\n(?:10\n|.*ERROR:  relation "ours" is in two buffer pools)/s, 'control: with warn the row is not there');
$control->stop('immediate');
done_testing();
