# t/150_longjmp_contract.pl: what this compiler makes of an error that jumps over C++ frames: destructors are skipped,
# PostgreSQL's own unwinding gives back what the guards held, and the error arrives whole (src/pg/README.md).
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'about pins of our pool' unless is_glassheap();

my $node = new_node('longjmp');
$node->safe_psql('postgres', "CREATE FUNCTION longjmp_probe(rel regclass, fail bool) RETURNS int AS 'longjmp_probe' LANGUAGE C STRICT;"
	. 'CREATE TABLE probed (a int); INSERT INTO probed VALUES (1)');
my ($session, $other) = map { GlassheapSession->new($node) } 1 .. 2;
my $pins = "SELECT coalesce(sum(pinning_backends), 0) FROM glassheap_buffercache WHERE relfilenode = pg_relation_filenode('probed')";

# Held on its way: the guard does hold what the rest of this file says is given back.
$other->ask('SELECT pg_advisory_lock(1)');
$session->begin("SELECT longjmp_probe('probed', false)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") or die 'the probe does not wait';
is($other->ask($pins), 1, 'the page is pinned while the guards live');
$other->ask('SELECT pg_advisory_unlock(1)');
is($session->end, 2, 'success: the destructors of both guards run');
is($other->ask($pins), 0, '... and no pin is left');

$session->ask("\\set VERBOSITY default\nSELECT 1");
like($session->ask("SELECT longjmp_probe('probed', true)"), qr/^ERROR:  probe: failing as told\nDETAIL:  A pin and a lock are held\.\nHINT:  Nothing to do\.$/,
	'failure at top level: the error arrives whole');
is($other->ask($pins), 0, '... and no pin is left');

# Caught in a subtransaction, two hundred times; the transaction goes on, so the pins must have gone with the subtransactions.
$session->ask('BEGIN');
my $caught = $session->ask(<<'SQL');
DO $$
DECLARE
    state text; detail text; hint text; caught int := 0;
BEGIN
    FOR i IN 1..200 LOOP
        BEGIN
            PERFORM longjmp_probe('probed', true);
        EXCEPTION WHEN serialization_failure THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            caught := caught + 1;
        END;
    END LOOP;
    RAISE NOTICE 'caught % times: % / % / %', caught, state, detail, hint;
END $$
SQL
like($caught, qr/caught 200 times: 40001 \/ A pin and a lock are held\. \/ Nothing to do\./, 'failure in a subtransaction: caught each time');
is($other->ask($pins), 0, '... and no pin is left while the transaction goes on');
$session->ask('COMMIT');

is($session->ask("SELECT longjmp_probe('probed', false)"), 4, 'two guards destroyed more than before, of the 201 failures none');
is($other->ask("UPDATE probed SET a = 2 RETURNING a"), 2, 'nobody holds the page: others change it');
is($other->ask("SELECT longjmp_probe('probed', false)"), 2, '... nor the lock');

$_->close for $session, $other;
unlike(slurp_file($node->logfile), qr/leak/, 'no resource was left over');
$node->stop;
done_testing();
