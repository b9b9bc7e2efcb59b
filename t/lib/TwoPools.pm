# t/lib/TwoPools.pm: builds test/modules/two_pools and makes its functions.
# SPDX-License-Identifier: PostgreSQL
package TwoPools;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(create_two_pools_functions);

sub create_two_pools_functions
{
	my ($node, $database) = @_;
	my $source = "$FindBin::Bin/../test/modules/two_pools/two_pools.c";
	my $library = PostgreSQL::Test::Utils::tempdir() . '/two_pools.so';
	my ($include) = run_command([ $node->installed_command('pg_config'), '--includedir-server' ]);
	PostgreSQL::Test::Utils::system_or_bail('cc', '-shared', '-fPIC', '-O1', "-I$include", $source, '-o', $library, '-ldl');
	chmod 0755, $library;
	$node->safe_psql($database // 'postgres', <<"SQL");
CREATE FUNCTION two_pools_insert(regclass, int, text) RETURNS tid AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_delete(regclass, tid) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_read(regclass, int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_set_visible(regclass, int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_read_slowly(regclass, int, bool) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_index(regclass, int, tid) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION two_pools_hold(regclass, int) RETURNS void AS '$library' LANGUAGE C STRICT;
SQL
	return;
}

1;
