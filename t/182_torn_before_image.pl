# t/182_torn_before_image.pl: without checksums the record of the visibility map's bits has no image of the page.  A later change has,
# and the page may be torn while that is written: replay then meets the torn page before its image, passes it
# over, and has all rows.  (A page that is torn without a record to heal it: t/040, t/076.)
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapShim;
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_from_environment();
plan skip_all => 'tears pages of our pool' unless is_glassheap();
my $node = new_shim_node('torn', 'glassheap.buffers' => '4MB', shared_buffers => '4MB', full_page_writes => 'on', wal_log_hints => 'off');
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--disable', '-D', $node->data_dir ], 'no checksums');
$node->start;
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# Rows that reach from the page's end into its middle, and line pointers over several sectors at its beginning.
my @tables = map { "t$_" } 1 .. 40;
sql(join ';', map { "CREATE TABLE $_ (id int, v text); INSERT INTO $_ SELECT g, repeat('v', 10) FROM generate_series(1, 100) g" } @tables);
sql(join ';', map { "SELECT count(*) FROM $_" } @tables);
sql('CHECKPOINT');
sql("VACUUM $_") for @tables;
sql(join ';', map { "INSERT INTO $_ SELECT g, repeat('w', 10) FROM generate_series(101, 150) g" } @tables);

# The pages are written, each as a part of its sectors, and all processes die.
set_rules($node, "seed $seed", 'writes base/* fork=main torn');
sql("SELECT glassheap_buffercache_evict_relation('$_')") for @tables;
my $torn = fired($node);
cmp_ok($torn, '>=', scalar @tables, "$torn pages are torn");
kill_server_9($node);
set_rules($node);
ok($node->start(fail_ok => 1), 'the server recovers') or BAIL_OUT('it does not start');
my @wrong = grep { sql("SELECT count(*) || ' ' || sum(id) FROM $_") ne '150 11325' } @tables;
is("@wrong", '', 'all rows are there');
is(sql('SELECT count(*) FROM glassheap_verify_all()'), 0, 'nothing to complain about');
is(sql(join ' UNION ALL ', map { "SELECT * FROM glassheap_check_visible('$_')" } @tables), '', 'no page is called all-visible that is not');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|invalid page/, 'and nothing was said of the torn pages');
$node->stop('fast');
done_testing();
