# test/tools/logical.pl: publications both ways between two servers, and between glassheap and heap tables, with work in small pools on both
# sides: initial copy under load, kill -9 of the subscriber and of the publisher in the middle, large transactions streamed,
# row filters and column lists, two-phase commit, a conflict that stops the subscription and is skipped.
# (What is decoded of every kind of change, replica identities, TOAST: t/033_logical.pl; pglogical: t/102_pglogical.pl.)
#
# heap: the same; a table on one side is heap in either run.  Control: the conflict is noticed, and the rows differ until it is solved.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use GlassheapTest;
use GlassheapTools;
use PostgreSQL::Test::Utils;
use Test::More;

my %logical = (wal_level => 'logical', max_replication_slots => 10, max_logical_replication_workers => 10, max_worker_processes => 20,
	logical_decoding_work_mem => '64kB', wal_retrieve_retry_interval => '200ms');
my $east = new_bank('east', %logical);
my $west = new_node('west', %logical, 'glassheap.buffers' => '1MB');
my @bank = qw(pgbench_accounts pgbench_tellers pgbench_branches kept);
my $am = access_method();

sub subscribe
{
	my ($subscriber, $publisher, $name, $options) = @_;
	$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION $name CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION $name WITH ($options)");
	return;
}

# By position: names in pg_stat_replication are the subscriptions'.
sub caught_up
{
	my ($publisher, @names) = @_;
	for my $name (@names)
	{
		my $lsn = $publisher->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
		$publisher->poll_query_until('postgres', "SELECT confirmed_flush_lsn >= '$lsn' FROM pg_replication_slots WHERE slot_name = '$name'") or die "$name does not catch up";
	}
	return;
}

sub same
{
	my ($what, @tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join('; ', map { table_digest($west, $_) } @tables), join('; ', map { table_digest($east, $_) } @tables), "$what: the same rows of @tables");
	return;
}

# ---- east to west: of one table each way between the access methods
my $schema = $east->safe_psql('postgres', 'SELECT 1') && `pg_dump --schema-only --no-table-access-method -t 'pgbench_*' -t kept '@{[$east->connstr('postgres')]}'`;
$west->safe_psql('postgres', 'CREATE EXTENSION amcheck');
$west->safe_psql('postgres', $schema);
$west->safe_psql('postgres', 'ALTER TABLE kept SET ACCESS METHOD heap');
$east->safe_psql('postgres', 'ALTER TABLE pgbench_tellers SET ACCESS METHOD heap; ALTER TABLE pgbench_history REPLICA IDENTITY FULL;'
	. 'CREATE PUBLICATION bank FOR TABLE ' . join(', ', @bank, 'pgbench_history'));
under_load($east, 'initial copy', sub {
		subscribe($west, $east, 'bank', 'streaming = on, two_phase = off');
		$west->poll_query_until('postgres', "SELECT count(*) = 5 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel") or die 'the initial copy does not end';
	});
caught_up($east, 'bank');
same('initial copy', @bank, 'pgbench_history');

# ---- west to east at the same time, filters, columns
my $back = "CREATE TABLE back (id int, part int, secret text, pad text, PRIMARY KEY (id, part)) USING";
$west->safe_psql('postgres', "$back $am; INSERT INTO back SELECT g, g % 10, 'secret', repeat('b', 300) FROM generate_series(1, 3000) g;"
	. "CREATE TABLE texts (id int PRIMARY KEY, v text) USING $am;"
	. "CREATE PUBLICATION back FOR TABLE back (id, part, pad) WHERE (part < 5), texts");
$east->safe_psql('postgres', "$back heap; CREATE TABLE texts (id int PRIMARY KEY, v text) USING $am");
subscribe($east, $west, 'back', 'streaming = on, two_phase = on');
$east->poll_query_until('postgres', "SELECT count(*) = 2 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel") or die 'the initial copy does not end';
$east->poll_query_until('postgres', "SELECT subtwophasestate = 'e' FROM pg_subscription WHERE subname = 'back'") or die 'no two-phase commit';
is($east->safe_psql('postgres', 'SELECT count(*), max(part), count(secret) FROM back'), '1500|4|0', 'filter and columns: initial copy');

# ---- both at work; the subscriber dies, then the publisher
my $load = start_load($east);
$west->safe_psql('postgres', 'UPDATE back SET part = part + 1; DELETE FROM back WHERE id % 3 = 0; INSERT INTO texts SELECT g, repeat($$v$$, 500) FROM generate_series(1, 5000) g');
$west->safe_psql('postgres', "BEGIN; UPDATE texts SET v = 'prepared' WHERE id < 100; PREPARE TRANSACTION 'p'");
kill_server_9($west);
$west->start;
$west->safe_psql('postgres', "COMMIT PREPARED 'p'; UPDATE texts SET v = v || id WHERE id % 2 = 0");
my $count = $east->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history');
$east->poll_query_until('postgres', "SELECT count(*) > $count + 100 FROM pgbench_history") or die 'no load';
kill_server_9($east);
stop_load($load);
$east->start;
$east->safe_psql('postgres', 'BEGIN; UPDATE kept SET n = n + 1; SAVEPOINT s; DELETE FROM kept WHERE id > 10000; ROLLBACK TO s; DELETE FROM kept WHERE id > 15000; COMMIT');
# Without a key, of which REPLICA IDENTITY FULL finds the rows.
$east->safe_psql('postgres', 'UPDATE pgbench_history SET filler = $$f$$ WHERE ctid IN (SELECT ctid FROM pgbench_history LIMIT 50);'
	. 'WITH gone AS (DELETE FROM pgbench_history WHERE ctid IN (SELECT ctid FROM pgbench_history LIMIT 20) RETURNING delta, bid, tid, aid) INSERT INTO pgbench_history SELECT tid, bid, aid, delta, now(), NULL FROM gone');
caught_up($east, 'bank');
caught_up($west, 'back');
same('after kill -9 of both', @bank, 'pgbench_history', 'texts');
is(table_digest($east, '(SELECT id, part, pad FROM back)'), table_digest($west, '(SELECT id, part, pad FROM back WHERE part < 5)'), 'filter and columns: after updates and deletes');
is($east->safe_psql('postgres', "SELECT count(*) FROM texts WHERE v LIKE 'prepared%'"), 99, 'the prepared transaction is there');
is_sound($_, $_->name) for $east, $west;

# ---- TRUNCATE, also of several at once
$east->safe_psql('postgres', 'TRUNCATE kept, pgbench_history; INSERT INTO kept VALUES (1, 1, NULL); UPDATE pgbench_accounts SET abalance = 0; UPDATE pgbench_tellers SET tbalance = 0; UPDATE pgbench_branches SET bbalance = 0');
caught_up($east, 'bank');
same('TRUNCATE', @bank, 'pgbench_history');

# ---- a conflict.  (Not before: a lost connection counts as an error, too.)
$east->safe_psql('postgres', 'ALTER SUBSCRIPTION back SET (disable_on_error = on)');
$east->safe_psql('postgres', "INSERT INTO texts VALUES (9000, 'mine')");
$west->safe_psql('postgres', "INSERT INTO texts VALUES (9000, 'theirs')");
$east->poll_query_until('postgres', "SELECT NOT subenabled FROM pg_subscription WHERE subname = 'back'") or die 'the conflict is not noticed';
$west->safe_psql('postgres', "INSERT INTO texts VALUES (9001, 'after it')");
is($east->safe_psql('postgres', 'SELECT count(*) FROM texts WHERE id = 9001'), 0, 'conflict: the subscription stands');
my ($lsn) = slurp_file($east->logfile) =~ /duplicate key value violates unique constraint "texts_pkey".*finished at ([0-9A-F\/]+)/s;
ok(defined $lsn, 'conflict: the log names the row and the transaction');
$east->safe_psql('postgres', "ALTER SUBSCRIPTION back SKIP (lsn = '$lsn'); ALTER SUBSCRIPTION back ENABLE");
caught_up($west, 'back');
is($east->safe_psql('postgres', 'SELECT v FROM texts WHERE id >= 9000 ORDER BY id'), "mine\nafter it", 'conflict: skipped, what follows is there');
is_sound($_, $_->name . ' at the end') for $east, $west;
done_testing();
