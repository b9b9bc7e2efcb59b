# t/116_unguarded_libraries.pl: a library whose calls of heap's functions cannot be guarded is not let into a process, until a
# superuser says that it is harmless; one that the server has loaded before glassheap keeps it from starting.  Ways of
# escaping: something else has changed an entry, the entry cannot be written, its relocation is of an unknown kind, a
# pointer was copied before glassheap came; the library is brought along by another, or was, or is here by another name.  It
# stays, what its constructor left behind goes on, and so does all that has nothing to do with it: other libraries, plain
# statements for which the server loads one, clients, restores, replication.
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
	is(scalar(() = $err =~ /ERROR/g), 2, '... and the next one, no other library') or diag $err;
	is($out, "10\n10", '... neither has done anything');
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
is(scalar(() = $err =~ /ERROR:  55000/g), 2, 'brought along and never unloaded: refused, and again; no other library') or diag $err;
is($out, 't', '... it stays');

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

# ---- a library that another one has loaded by itself: too late, and not the next one's fault
my $behind = q{SELECT plt.fw_dlopen(setting || '/foreign_writer_beside.so') FROM pg_config WHERE name = 'PKGLIBDIR'};
($out, $err) = session("$behind; LOAD 'foreign_writer_noplt'; LOAD 'foreign_writer_lazy'; SELECT 'loaded'");
is($out, "t\nloaded", 'behind our back: the next ones are loaded');
is(scalar(() = $err =~ /$warning/g), 1, '... with a warning of the other, once') or diag $err;
for my $build (qw(beside brings))
{
	($out, $err) = session("$behind; LOAD 'foreign_writer_noplt'; LOAD 'foreign_writer_$build'");
	like($err, refusal('beside', 'heap_insert', $build), "... which the server does not get: $build");
}

# ---- what a refused library has brought along by itself, and keeps
($out, $err) = session("LOAD 'foreign_writer_holds'; LOAD 'foreign_writer_holds'; LOAD 'foreign_writer_plt'; " . loaded('code'));
is(scalar(() = $err =~ /ERROR:  55000/g), 2, 'held by itself: refused, and again; no other library') or diag $err;
unlike($err, $warning, '... no warning besides');
like($err, refusal('code', 'CatalogTupleDelete', 'holds'), '... both are named');
is($out, 't', '... the culprit stays');
($out, $err) = session("LOAD 'foreign_writer_holds'; LOAD 'foreign_writer_brings_holds'; LOAD 'foreign_writer_code'");
like($err, refusal('code', 'CatalogTupleDelete', $_), "... nor is it reached by $_") for qw(brings_holds code);
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
($out, $err) = session("$warn LOAD 'foreign_writer_code'; LOAD 'foreign_writer_noplt'; RESET glassheap.unguarded_libraries; LOAD 'foreign_writer_passes'; LOAD 'foreign_writer_plt'; SELECT 'loaded'");
is($out, 'loaded', 'one that was let in is not the fault of the next');
unlike($err, qr/ERROR/, '... no error');
is(scalar(() = $err =~ /WARNING/g), 1, '... and was warned of once') or diag $err;
($out, $err) = session("$warn LOAD 'foreign_writer_stays'; RESET glassheap.unguarded_libraries; LOAD 'foreign_writer_brings_alias'");
like($err, refusal('stays', 'heap_insert', 'brings_alias'), '... but of one that reaches it');
($out, $err) = session("LOAD 'foreign_writer_beside'; LOAD 'foreign_writer_passes'; LOAD 'foreign_writer_beside'");
is(scalar(() = $err =~ /ERROR:  55000/g), 2, 'refused, whatever is unloaded meanwhile') or diag $err;

# come again to the same place, between two looks
my $pointers = "(SELECT setting || '/foreign_writer_pointers.so' FROM pg_config WHERE name = 'PKGLIBDIR')";
my $guarded = "SELECT count(*) > 0 AND bool_and(guarded = entries) FROM glassheap_foreign_writers() WHERE library ~ 'foreign_writer_pointers'";
$node->safe_psql('postgres', "CREATE FUNCTION plt.fw_reopen(text) RETURNS bool LANGUAGE C STRICT AS 'foreign_writer_plt'");
($out, $err) = session("SELECT plt.fw_dlopen($pointers); $guarded; SELECT plt.fw_reopen($pointers); $guarded");
is($out, "t\nt\nt\nt", 'unloaded and loaded again behind our back: guarded again') or diag $err;

# ... and another file
my $path = PostgreSQL::Test::Utils::tempdir() . '/foreign_writer_calls_again.so';
my $copy = sub { "COPY (SELECT) TO PROGRAM 'cp \"$_[0]\" $path.new && mv $path.new $path';" };
my $libraries = $node->safe_psql('postgres', "SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'");
my $place = "SELECT substring(pg_read_file('/proc/self/maps') FROM '[^\\n]*foreign_writer_calls_again')::text ~ 'foreign', substring(pg_read_file('/proc/self/maps') FROM '([0-9a-f]+)-[^\\n]*foreign_writer_calls_again')";
($out, $err) = session($copy->("$libraries/foreign_writer_calls.so") . "SELECT plt.fw_dlopen('$path'); LOAD 'foreign_writer_noplt'; $place;"
	. $copy->("$libraries/foreign_writer_calls_code.so") . "SELECT plt.fw_reopen('$path'); $place; LOAD '$path'; LOAD '$path'");
like($out, qr/^t\n(t\|[0-9a-f]+)\nt\n\1$/, 'another file loaded behind our back into the old place') or diag $err;
is(scalar(() = $err =~ /ERROR:  55000: library "foreign_writer_calls_again.so" cannot be loaded/g), 2, '... is judged anew') or diag $err;

# ---- plain statements, for which the server loads libraries of its own
my $plain = <<'END';
SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0;
SELECT count(*) FROM ours WHERE id < 11 AND id % 7 = 3 AND length(v) > 0;
SELECT to_tsvector('english', 'running dogs');
SELECT convert_from('\xe4'::bytea, 'LATIN1');
DO $$ BEGIN RAISE NOTICE 'plpgsql'; END $$;
SET client_encoding = 'LATIN1';
SET client_encoding = 'UTF8';
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET force_parallel_mode = on;
SELECT count(*) FROM ours WHERE id < 11 AND id % 7 = 3 AND length(v) > 0;
SELECT count(*) FROM ours WHERE id < 11 AND id % 7 = 4 AND length(v) > 0;
END
my @answer = session($plain);
is($answer[0], "2\n'dog':2 'run':1\n\xc3\xa4\n2\n1", 'plain statements') or diag $answer[1];
like($answer[1], qr/^[^\n]*NOTICE:  00000: plpgsql\n[^\n]*LOCATION[^\n]*$/, '... no error');
for my $before ("LOAD 'foreign_writer_stays';", "$behind;", "$warn LOAD 'foreign_writer_stays'; RESET glassheap.unguarded_libraries;")
{
	($out, $err) = session("$before $plain");
	$out =~ s/^t\n//;
	is($out, $answer[0], "after $before the same");
	is(scalar(() = $err =~ /ERROR/g), $before =~ /^LOAD/ ? 1 : 0, '... no error of theirs') or diag $err;
}
# as pg_restore does
$node->safe_psql('postgres', 'CREATE DATABASE restored');
my ($rc);
($rc, $out, $err) = $node->psql('restored', <<'END', on_error_stop => 0);
SET check_function_bodies = false;
CREATE FUNCTION bad() RETURNS int LANGUAGE c AS 'foreign_writer_stays', 'fw_insert';
CREATE EXTENSION pg_trgm;
CREATE TABLE r (id int, t text) USING glassheap;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.t := upper(NEW.t); RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON r FOR EACH ROW EXECUTE FUNCTION f();
INSERT INTO r VALUES (1, 'x') RETURNING t;
END
is(scalar(() = $err =~ /ERROR/g), 1, 'a restored dump lacks the function of the refused library') or diag $err;
is($out, 'X', '... and nothing else');

# ---- parallel workers load what their leader has loaded: under warn, silently, though theirs is refuse then
($out, $err) = session("$warn LOAD 'foreign_writer_code'; SET force_parallel_mode = on; SELECT code.fw_in_worker(); SELECT count(*) FROM ours");
is($out, "t\n10", 'parallel workers');
is(scalar(() = $err =~ /WARNING/g), 1, '... only the leader warns') or diag $err;
($out, $err) = session('SET force_parallel_mode = on; SELECT code.fw_in_worker()');
like($err, refusal('code', 'CatalogTupleDelete'), '... and what the leader has not');

# ---- sessions and other processes
$node->safe_psql('postgres', "ALTER DATABASE postgres SET session_preload_libraries = 'foreign_writer_code'");
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
($out, $err) = session("LOAD 'foreign_writer_noplt'; SET glassheap.unguarded_libraries = refuse; LOAD 'foreign_writer_plt'; SELECT 'loaded'");
is("$out$err", 'loaded', '... a session that refuses loads others, too, without a further warning');

# ---- refuse comes back by a reload: what the postmaster has stays, and all others work
my $standby = new_standby($node, 'standby');
for my $server ($node, $standby)
{
	$from = -s $server->logfile;
	$server->append_conf('postgresql.conf', 'glassheap.unguarded_libraries = refuse');
	$server->reload;
	$server->wait_for_log(qr/parameter "glassheap.unguarded_libraries" changed to "refuse"/, $from);
}
$from = -s $standby->logfile;
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
ok($standby->wait_for_log(qr/started streaming WAL/, $from), 'refuse by a reload: a standby streams again');
is((session($plain))[0], $answer[0], '... plain statements');
{
	local $ENV{PGCLIENTENCODING} = 'LATIN1';
	is(($node->psql('postgres', 'SELECT 1'))[1], 1, '... clients of another encoding');
}
$_->append_conf('postgresql.conf', 'glassheap.unguarded_libraries = warn') for $node, $standby;    # they are compared at the end
$standby->stop;
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
($out, $err) = session("LOAD 'foreign_writer_plt'; SELECT 'loaded'");
is("$out$err", 'loaded', '... which is not the fault of others');
($out, $err) = session("LOAD 'foreign_writer_brings'");
like($err, refusal('beside', 'heap_insert', 'brings'), '... but of one that reaches it');
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
