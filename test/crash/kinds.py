# test/crash/kinds.py: the kinds of cycles that need one server: kill -9, power loss, stress.
# SPDX-License-Identifier: PostgreSQL
import threading

import psycopg2

import shim
from cycle import Cycle
from waiting import pause, wait_until

SYNCING = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkpointer' AND wait_event = 'DataFileSync'"


class Stress(Cycle):
    """No crash: a load, and now and then everybody stops and is compared."""

    kind = "stress"

    def round(self, number):
        crew = self.begin_load(number)
        self.load(crew, 800, 3000)
        self.after_death(crew)
        self.judge(self.primary)


class Kill(Cycle):
    """kill -9: of all processes at once, or of one, which makes the postmaster end all others and recover."""

    kind = "kill"
    ways = ("all", "all", "after checkpoint", "immediate", "client backend", "glassheap", "checkpointer", "walwriter")

    def round(self, number):
        crew = self.begin_load(number)
        self.load(crew)
        way = self.random.choice(self.ways)
        self.tell(f"death: {way}", commits=self.ledger.commits)
        if way in ("all", "after checkpoint", "within checkpoint", "immediate"):
            self.kill_whole(way)
            self.after_death(crew)
            self.primary.stop("immediate")
            self.configure(self.primary)
            self.start_again()
        else:
            self.kill_one(crew, way)
        self.judge(self.primary)

    def kill_whole(self, way):
        if way == "after checkpoint":
            self.primary.checkpoint()
        if way == "immediate":
            self.primary.stop("immediate")
        else:
            self.primary.kill()
        self.totals["crashes"] += 1

    def start_again(self):
        """Now and then recovery dies as well."""
        while self.random.random() < 0.3:
            self.kill_recovery()
        self.primary.start()

    def kill_recovery(self):
        seen = self.primary.log_size()
        self.primary.launch()
        self.primary.poll_log("redo starts", seen)
        for _ in range(self.random.randrange(15)):
            pause()
        self.tell("recovery is killed")
        self.primary.kill()
        self.totals["crashes"] += 1

    def kill_one(self, crew, way):
        seen = self.primary.log_size()
        victims = self.victims(way)
        if not victims:
            self.tell("nobody to kill")
            self.after_death(crew)
            return
        self.primary.kill_one(self.random.choice(victims))
        crew.stopping.set()
        if self.primary.wait_restarted(seen):
            self.totals["crashes"] += 1
        self.after_death(crew)

    def victims(self, way):
        if way == "client backend":
            return [pid for pid, title in self.primary.children(("postgres: postgres",)) if "oracle" not in title]
        return [pid for pid, _ in self.primary.children((way,))]


class Power(Kill):
    """All processes die, and what was not synced is lost, kept or torn, sector by sector."""

    kind = "power"
    loses_power = True
    ways = ("all", "after checkpoint", "within checkpoint", "within checkpoint")

    def kill_whole(self, way):
        if way == "within checkpoint":
            self.begin_to_sync()
        super().kill_whole(way)
        self.lose_power()

    def begin_to_sync(self):
        """A checkpoint is over that took its time, and the next one has written its pages, of which none is synced: what changed in a
        page while the first one wrote it, and that no record behind its redo pointer tells of, may tear now."""
        shim.impose(self.primary, ["writes base/* fork=main delay 2-15", *self.primary.rules])
        self.primary.checkpoint()
        shim.impose(self.primary, ["syncs base/* delay 60000-60000"])
        next_one = threading.Thread(target=self.checkpoint_to_death, daemon=True)
        next_one.start()
        wait_until(lambda: not next_one.is_alive() or self.primary.ask(SYNCING), "the checkpoint to sync")

    def checkpoint_to_death(self):
        try:
            self.primary.checkpoint()
        except psycopg2.Error:
            pass

    def lose_power(self):
        self.primary.lost_power = True
        said = shim.lose_power(self.config.shim, self.primary, self.random.randrange(10**6), self.totals)
        self.tell("power loss", said=said)

    def kill_recovery(self):
        super().kill_recovery()
        self.lose_power()
