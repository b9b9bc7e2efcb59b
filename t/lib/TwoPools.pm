# t/lib/TwoPools.pm: builds test/modules/two_pools and makes its functions; what tests of the tripwire ask of the server where they are.
# SPDX-License-Identifier: PostgreSQL
package TwoPools;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use GlassheapTest;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(create_two_pools_functions);
our @EXPORT_OK = qw(sql stderr_of ids marks noticed make_table stop_point wait_for_stop clear_stop_points);
our %EXPORT_TAGS = (all => [ @EXPORT, @EXPORT_OK ]);

my $node;    # where the functions were made last

sub create_two_pools_functions
{
	($node, my $database) = @_;
	my $source = "$FindBin::Bin/../test/modules/two_pools/two_pools.c";
	my $library = PostgreSQL::Test::Utils::tempdir() . '/two_pools.so';
	my ($include) = run_command([ $node->installed_command('pg_config'), '--includedir-server' ]);
	PostgreSQL::Test::Utils::system_or_bail('cc', '-shared', '-fPIC', '-O1', "-I$include", $source, '-o', $library, '-ldl');
	chmod 0755, $library;
	$node->safe_psql($database // 'postgres', <<"SQL");
CREATE FUNCTION two_pools_insert(regclass, int, text) RETURNS tid AS '$library' LANGUAGE C;
CREATE FUNCTION two_pools_delete(regclass, tid) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_read(regclass, int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_set_visible(regclass, int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_read_slowly(regclass, int, bool) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_read_fails(int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_index(regclass, int, tid) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_hold(regclass, int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_hint(regclass, int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_flush(regclass, bool) RETURNS void AS '$library' LANGUAGE C STRICT;
SQL
	return;
}

sub sql { my ($query, $database) = @_; return $node->safe_psql($database // 'postgres', $query); }
sub stderr_of { my ($query) = @_; my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query"); return $err // ''; }
sub ids { my ($table) = @_; return sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table"); }
sub marks { return scalar(grep { m{/\d+_\d+_\d+$} } glob($node->data_dir . '/glassheap_two_pools/*')); }
sub noticed { my ($from) = @_; return slurp_file($node->logfile, $from) =~ /was changed in shared_buffers/; }
sub stop_point { my ($name, $action) = @_; sql("SELECT glassheap_stop_point_set('$name', '$action')"); return; }
sub wait_for_stop { my ($name) = @_; sql("SELECT glassheap_stop_point_wait('$name')"); return; }
sub clear_stop_points { sql('SELECT glassheap_stop_point_clear()'); return; }

# Ten rows, written, cached in our pool only; if $hinted, with hint bits that are not written yet.
sub make_table
{
	my ($name, $hinted) = @_;
	sql("CREATE TABLE $name (id int, note text); INSERT INTO $name SELECT g, 'ours' FROM generate_series(1, 10) g");
	sql($hinted ? "CHECKPOINT; SELECT count(*) FROM $name" : "SELECT count(*) FROM $name; CHECKPOINT");
	return;
}

1;
