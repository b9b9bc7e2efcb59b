# test/tools/pg_rewind.pl: pg_rewind from a server that is at work (--source-server) and from a stopped one's files (--source-pgdata), in
# a small pool, without wal_log_hints (checksums do), where WAL that it needs is only in the archive (--restore-target-wal).  What was
# diverged: new pages, truncation, TRUNCATE, a dropped, a created and a rewritten table.  Every fork equals the source's.
# (wal_log_hints, clean stop and kill -9, both ways: t/127_rewind.pl.)
#
# heap: the same.  Control: before it the two differ, and pg_rewind says that it rewinds.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = new_bank('old', archive_mode => 'on', wal_log_hints => 'off');
$old->enable_archiving;
$old->reload;
my $new = new_standby($old, 'new', archive_mode => 'off', wal_log_hints => 'off');

# What nobody else has, so that its files and pages must go.
sub diverge
{
	my ($node) = @_;
	beside_load($node, $node->name . ' alone', sub { $node->safe_psql('postgres', <<'SQL') });
DELETE FROM kept WHERE id > 9000;
VACUUM kept;
CREATE TABLE own AS SELECT g AS id FROM generate_series(1, 5000) g;
VACUUM (FREEZE) own;
INSERT INTO kept SELECT g, 1, repeat('d', 700) FROM generate_series(50001, 52000) g;
CLUSTER pgbench_tellers USING pgbench_tellers_pkey;
SQL
	$node->safe_psql('postgres', 'CHECKPOINT; TRUNCATE pgbench_history; DROP TABLE unlogged; CHECKPOINT');
	return;
}

sub rewind
{
	my ($target, $source, @options) = @_;
	my $conf = slurp_file($target->data_dir . '/postgresql.conf');
	like(run_tool($target->name . ": pg_rewind @options", 'pg_rewind', '--no-sync', '--progress', '-D', $target->data_dir, @options),
		qr/servers diverged at WAL location.*\n.*rewinding from last common checkpoint/, $target->name . ': had diverged');
	unlink $target->data_dir . '/postgresql.conf';
	append_to_file($target->data_dir . '/postgresql.conf', $conf);
	$target->follows($source);
	return;
}

sub judge
{
	my ($target, $source) = @_;
	wait_for_replay($target, $source);
	is(bank_digest($target), bank_digest($source), $target->name . ': all rows of ' . $source->name);
	is($target->safe_psql('postgres', "SELECT to_regclass('own') IS NULL"), 't', $target->name . ': its own table is gone');
	is_sound($target, $target->name . ', rewound');
	$target->compare_standby;    # stops both
	checksums_ok($target);
	return;
}

# ---- from a server at work; the target's older WAL is in the archive only
$new->promote;
diverge($old);
archive_all($old);
$old->safe_psql('postgres', 'CHECKPOINT');
archive_all($old);
$old->PostgreSQL::Test::Cluster::stop('fast');
my $archive = $old->archive_dir;
for my $segment (map { m{/(\w{24})$} } glob($old->data_dir . '/pg_wal/*'))
{
	unlink $old->data_dir . "/pg_wal/$segment" if -e "$archive/$segment";
}
$old->append_conf('postgresql.conf', "restore_command = 'cp \"$archive/%f\" \"%p\"'");
$new->safe_psql('postgres', 'CHECKPOINT');
under_load($new, 'the source', sub { rewind($old, $new, '--source-server', $new->connstr('postgres'), '-R', '--restore-target-wal') });
$old->start;
judge($old, $new);

# ---- the other way, from the files of a stopped server
$_->start for $new, $old;
wait_for_replay($old, $new);
$old->promote;
$old->safe_psql('postgres', 'CHECKPOINT');
beside_load($old, 'the source, before', sub { $old->safe_psql('postgres', 'VACUUM kept') });
diverge($new);
$_->PostgreSQL::Test::Cluster::stop('fast') for $old, $new;
rewind($new, $old, '--source-pgdata', $old->data_dir);
# postgresql.auto.conf is the source's as well, with what pg_rewind -R wrote there.
$new->append_conf('postgresql.auto.conf', "primary_conninfo = '@{[$old->connstr]}'");
$new->set_standby_mode;
$_->start for $old, $new;
judge($new, $old);
done_testing();
