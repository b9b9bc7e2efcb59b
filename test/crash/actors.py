# test/crash/actors.py: an actor is a thread with a session that works until it is told to stop; a crew is all of them.
#
# An actor's decisions follow from the seed, the cycle, the round and its name; what the server makes of them at the same
# moment does not.
# SPDX-License-Identifier: PostgreSQL
import random
import threading
import traceback

from faults import Fault
from ledger import LANE, Unit
from session import Lost, Refused, Session
from waiting import HANG, clock, pause, wait_until


class Actor(threading.Thread):
    options = "-c lock_timeout=20s"

    def __init__(self, crew, lane, name=None):
        self.name_of = name or f"{type(self).__name__.lower()}{lane}"
        super().__init__(name=self.name_of, daemon=True)
        self.crew, self.lane, self.server, self.ledger = crew, lane, crew.server, crew.ledger
        self.random = random.Random(f"{crew.seed}/{self.name_of}")
        self.session = None
        self.doing, self.since = "", clock()
        self.steps = 0
        self.next_id = None

    # ---- watched by the crew
    def begins(self, statement):
        self.doing, self.since = statement, clock()

    def ends(self):
        self.doing, self.since = "", clock()

    # ---- life
    def run(self):
        try:
            while not self.crew.stopping.is_set():
                self.live()
        except Fault as fault:
            self.crew.report(fault)
        except Exception:  # a mistake of the loop's own must not pass for a quiet actor
            self.crew.report(Fault(f"{self.name}: {traceback.format_exc()}"))

    def live(self):
        try:
            self.session = Session(self.server, self, self.options)
            self.ledger.settle(self.name, self.fetch)
            self.ready()
            while not self.crew.stopping.is_set():
                self.try_step()
        except Lost:
            pause()
        finally:
            if self.session is not None:
                self.session.close()

    def try_step(self):
        try:
            self.step()
            self.steps += 1
        except Refused:
            self.ledger.refused(self.name)
            self.session.roll_back()

    def ready(self):
        """A new session."""

    def step(self):
        raise NotImplementedError

    # ---- helpers
    def chance(self, probability):
        return self.random.random() < probability

    def new_ids(self, count):
        """Ids that this lane never had."""
        with self.ledger.lock:
            used = self.ledger.next_ids.get(self.lane, self.lane * LANE + LANE // 2)
            self.ledger.next_ids[self.lane] = used + count
        return list(range(used, used + count))

    def fetch(self, table, ids):
        if not self.session.run("SELECT to_regclass(%s) IS NOT NULL", (table,))[0][0]:
            return None
        where = "" if ids is None else " WHERE id = ANY(%s)"
        rows = self.session.run(f"SELECT id, k, v, n FROM {table}{where}", None if ids is None else (ids,))
        return {row[0]: tuple(row[1:]) for row in rows}

    def expect(self, count, wanted, what):
        if count != wanted:
            raise Fault(f"{self.name}: {count} rows instead of {wanted}: {what}")

    # ---- transactions
    def one(self, unit, statement, arguments=None, copy=None):
        """A transaction of one statement."""
        self.ledger.in_doubt(self.name, unit)
        count = self.session.run(statement, arguments, copy)
        self.ledger.acknowledged(self.name, unit)
        return count

    def transaction(self, unit, body, end="COMMIT"):
        self.session.run("BEGIN")
        body()
        if end == "COMMIT":
            self.ledger.in_doubt(self.name, unit)
        self.session.run(end)
        if end == "COMMIT":
            self.ledger.acknowledged(self.name, unit)


class Crew:
    """The actors of one round."""

    def __init__(self, server, ledger, seed):
        self.server, self.ledger, self.seed = server, ledger, seed
        self.stopping = threading.Event()
        self.actors, self.faults = [], []
        self.may_terminate = False      # sessions of others
        self.totals = None              # where counters are added up

    def add(self, kind, lanes, **arguments):
        self.actors += [kind(self, lane, **arguments) for lane in lanes]

    def start(self):
        for actor in self.actors:
            actor.start()

    def report(self, fault):
        self.faults.append(fault)
        self.stopping.set()

    def check(self):
        """Raises what an actor has found, or that somebody hangs."""
        if self.faults:
            raise self.faults[0]
        late = [actor for actor in self.actors if actor.is_alive() and actor.doing and clock() - actor.since > HANG]
        if late:
            raise Fault("no progress for %d s: %s\n%s" % (HANG, "; ".join(
                f"{actor.name} ({actor.session.pid}): {actor.doing[:100]}" for actor in late), self.who_waits()))

    def who_waits(self):
        try:
            rows = self.server.ask("""SELECT pid, backend_type, application_name, wait_event_type, wait_event, state,
                pg_blocking_pids(pid)::text, left(query, 80) FROM pg_stat_activity WHERE pid <> pg_backend_pid() ORDER BY pid""")
        except Exception as error:
            return f"pg_stat_activity cannot be read: {error}"
        return "\n".join("  " + " | ".join(str(word) for word in row) for row in rows)

    def stop(self):
        """Until all have ended; what they found on the way is not lost."""
        self.stopping.set()
        def ended():
            self.check()
            return not any(actor.is_alive() for actor in self.actors)
        wait_until(ended, "the sessions to end", 4 * HANG)
        self.check()


def unit_of(table, rows):
    unit = Unit()
    unit.changes[table] = dict(rows)
    return unit
