# t/101_foreign_writer_loading.pl: a library is guarded wherever and whenever it is loaded: by LOAD, by a function's first
# call, by session_preload_libraries, by another library behind the server's back, by a parallel worker, by a background
# worker that is the first to load it, in a server that restarts after a crash; and the log says so once.
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

my $node = new_node('loading', restart_after_crash => 'on');
$node->safe_psql('postgres', foreign_writer_functions('plt'));
my $guarded = "SELECT count(*) > 0 AND bool_and(guarded = entries) FROM glassheap_foreign_writers() WHERE library ~ 'foreign_writer_%s.so\$'";

is($node->safe_psql('postgres', 'SELECT count(*) FROM glassheap_foreign_writers()'), 0, 'no library, nothing to guard');
# What another library loads is met when the server loads its next one, or is asked.
my $log_says = sub { return slurp_file($node->logfile) =~ /library "foreign_writer_lazy\.so"/ ? 1 : 0; };
my $behind = q{SELECT plt.fw_dlopen(setting || '/foreign_writer_lazy.so') FROM pg_config WHERE name = 'PKGLIBDIR'};
is($node->safe_psql('postgres', $behind), 't', 'loaded by a library');
is($log_says->(), 0, '... and not noticed: this is what the documentation says');
is($node->safe_psql('postgres', "$behind; LOAD 'pgrowlocks'"), 't', 'loaded by a library, then another by the server');
is($log_says->(), 1, '... guarded');
is($node->safe_psql('postgres', "$behind; " . sprintf($guarded, 'lazy')), "t\nt", 'loaded by a library, then asked');
$node->safe_psql('postgres', 'CREATE TABLE late (id int PRIMARY KEY, v text) USING glassheap; INSERT INTO late VALUES (1)');
is($node->safe_psql('postgres', "$behind; LOAD 'pgrowlocks'; " . foreign_writer_functions('lazy') . "SELECT lazy.fw_insert('late', 2, 'x', 'CatalogTupleInsert') IS NOT NULL;
	SELECT sum(id) FROM late"), "t\nt\n3", 'functions that were not bound yet lead to us');
$node->safe_psql('postgres', foreign_writer_functions('pointers'));
is($node->safe_psql('postgres', "LOAD 'foreign_writer_noplt'; " . sprintf($guarded, 'noplt')), 't', 'LOAD');
is($node->safe_psql('postgres', 'SELECT count(*) FROM glassheap_foreign_writers()'), 0, '... is of one session');
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET session_preload_libraries = \'foreign_writer_plt\'');
is($node->safe_psql('postgres', sprintf($guarded, 'plt')), 't', 'session_preload_libraries');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET session_preload_libraries');

# What a library itself has put in place of a function stays: it is said, and shown.
# In the first process it is still the server's: what was said of a library then does not silence the warning.
append_to_file($node->data_dir . '/unchanged', '');
$node->safe_psql('postgres', "LOAD 'foreign_writer_changed'");
unlike(slurp_file($node->logfile), qr/WARNING:  glassheap cannot guard/, 'not changed yet: no warning');
unlink $node->data_dir . '/unchanged';
is($node->safe_psql('postgres', "SET glassheap.unguarded_libraries = warn; LOAD 'foreign_writer_changed'; SELECT function FROM glassheap_foreign_writers()
	WHERE library ~ 'changed' AND guarded < entries"), 'heap_fetch', 'a changed pointer is not ours to change');
like(slurp_file($node->logfile), qr/WARNING:  glassheap cannot guard 1 call\(s\) of heap's functions in library "foreign_writer_changed\.so"/,
	'... and the log warns');

# A parallel worker loads what its leader has loaded.
$node->safe_psql('postgres', 'CREATE TABLE read_by_worker (id int, v text) USING glassheap; INSERT INTO read_by_worker SELECT generate_series(1, 500)');
is($node->safe_psql('postgres', q{SET force_parallel_mode = on; SELECT plt.fw_in_worker(), plt.fw_scan('read_by_worker', 'heap_beginscan'), plt.fw_scan('read_by_worker', 'rs_cbuf')}),
	't|500 rows, sum 125250|500 rows, sum 125250', 'a parallel worker reads the rows');

for my $am ('heap', 'glassheap')
{
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS by_worker; CREATE TABLE by_worker (id int PRIMARY KEY, v text) USING $am");
	is($node->safe_psql('postgres', "SELECT plt.fw_start_worker('foreign_writer_pointers')"), 't', "$am: a worker ran");
	is($node->safe_psql('postgres', 'SELECT * FROM by_worker'), '1|worker', "$am: its row is there");
	is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT v FROM by_worker WHERE id = 1'), 'worker', "$am: also by index");
}

$node->safe_psql('postgres', "LOAD 'foreign_writer_noplt'") for 1 .. 3;
my $log = slurp_file($node->logfile);
for my $build (qw(plt noplt pointers))
{
	my @lines = $log =~ /glassheap guards \d+ call\(s\) of heap's functions in library "foreign_writer_$build\.so"/g;
	is(scalar @lines, 1, "the log names foreign_writer_$build.so once");
}

# ---- pointers that a library copies in its _PG_init: before glassheap has come they escape it, and it says so
my $copied = sprintf($guarded, 'copied');
my $warning = qr/WARNING:  library "foreign_writer_copied\.so" keeps 48 pointer\(s\) to heap's functions that glassheap cannot guard/;
is($node->safe_psql('postgres', "LOAD 'foreign_writer_copied'; $copied"), 't', 'copied after glassheap: guarded');
unlike(slurp_file($node->logfile), $warning, '... no warning');
$node->append_conf('postgresql.conf', "glassheap.unguarded_libraries = warn\nshared_preload_libraries = 'foreign_writer_copied, glassheap'");
$node->restart;
like(slurp_file($node->logfile), $warning, 'copied before glassheap: the log warns');
is($node->safe_psql('postgres', $copied), 'f', '... and it shows');

# ---- preloaded, through a crash restart: what the postmaster changed stays changed
$node->append_conf('postgresql.conf', "glassheap.unguarded_libraries = refuse\nshared_preload_libraries = 'foreign_writer_plt, glassheap'");
$node->restart;
is($node->safe_psql('postgres', sprintf($guarded, 'plt')), 't', 'preloaded before glassheap');
my ($rc, $out, $err) = $node->psql('postgres', 'SELECT pg_backend_pid() \gset' . "\n" . '\setenv PID :pg_backend_pid' . "\n" . '\! kill -9 $PID' . "\n" . 'SELECT 1');
$node->poll_query_until('postgres', 'SELECT 1', '1');
is($node->safe_psql('postgres', sprintf($guarded, 'plt')), 't', '... and after a crash restart');
$node->safe_psql('postgres', "TRUNCATE by_worker; SELECT plt.fw_insert('by_worker', 5, 'after the restart', 'CatalogTupleInsert')");
is($node->safe_psql('postgres', 'SELECT * FROM by_worker'), '5|after the restart', '... rows are written through the pool');
is($node->safe_psql('postgres', "SELECT * FROM glassheap_verify('by_worker')"), '', '... and verify');
$node->stop;
done_testing();
