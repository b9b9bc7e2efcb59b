# test/crash/cycle.py: what all kinds of cycles have in common: a server with the first content, rounds of load, the judgement.
# SPDX-License-Identifier: PostgreSQL
import json
import os
import random
import shutil
import subprocess

import psycopg2

import integrity
import plan
import schema
import shim
from actors import Crew
from faults import Fault
from oracle import Oracle
from waiting import clock, pause

PATIENCE = 20     # seconds for a round's commits on a machine that has little time for us


class Cycle:
    kind = None
    has_standbys = False
    loses_power = False

    def __init__(self, config, number):
        self.config, self.number = config, number
        self.seed = f"{config.seed}/{number}/{self.kind}"
        self.random = random.Random(self.seed)
        self.folder = os.path.join(config.work, f"cycle{number}")
        self.totals = config.totals
        self.servers, self.history = [], []
        self.ledger = schema.new_ledger()
        self.integrity = integrity.Integrity(config.told)

    # ---- servers
    def new_server(self, name):
        server = self.config.server(name, os.path.join(self.folder, name))
        self.servers.append(server)
        return server

    def configure(self, server):
        """Settings and delays for the server's next start."""
        chosen = {**plan.settings(self.random, self.has_standbys), **self.config.fixed}
        if self.loses_power:
            chosen["fsync"] = "on"
        server.configure({**chosen, **self.role_settings(server)})
        server.rules = rules = shim.delays(self.random)
        server.environment = shim.environment(self.config.shim, f"{server.data}.shim", rules, self.loses_power, self.random.randrange(10**6))
        if self.config.stop_point_delays:
            server.environment["GH_STOP_POINT_DELAYS"] = self.config.stop_point_delays(self.random)
        self.tell(f"{server.name} is to start", settings={name: chosen[name] for name in sorted(chosen) if name not in plan.CONSTANT}, delays=rules,
                  stop_points=server.environment.get("GH_STOP_POINT_DELAYS"))

    def role_settings(self, server):
        return {}

    def tell(self, what, **details):
        self.history.append({"what": what, **details})

    # ---- the course
    def run(self):
        os.makedirs(self.folder)
        try:
            self.primary = self.new_server("primary").copy_from(self.config.template)
            self.configure(self.primary)
            self.primary.start()
            self.rounds()
            self.farewell()
        except Fault:
            self.keep()
            raise
        except (psycopg2.Error, subprocess.TimeoutExpired) as error:
            self.keep()
            raise Fault(f"{getattr(error, 'pgcode', '')} {error}") from error
        finally:
            self.end_servers()
            self.count_checkpoints()
        shutil.rmtree(self.folder, ignore_errors=True)

    def rounds(self):
        for number in range(self.random.randint(2, 4)):
            self.round(number)
            if clock() > self.config.end:
                break

    def round(self, number):
        raise NotImplementedError

    def begin_load(self, number, server=None):
        crew = Crew(server or self.primary, self.ledger, f"{self.seed}/{number}")
        crew.may_terminate = self.random.random() < 0.5
        crew.totals = self.totals if integrity.has_function(crew.server, "glassheap_stat_io_rows") else None
        self.config.told_of_counters(crew.totals)
        focus = self.config.focus or plan.choose_focus(self.random)
        self.tell(f"load: {focus}")
        plan.crew(crew, self.random, focus)
        self.adjust(crew)
        self.commits_before = self.ledger.commits
        self.commits_for_one = plan.COMMITS.get(focus, 1)
        for server_at_work in self.servers:
            shim.impose(server_at_work, server_at_work.rules)
        crew.start()
        return crew

    def adjust(self, crew):
        """What a kind of cycle adds to the crew."""

    def load(self, crew, least=200, most=2000):
        """Until a number of commits that the seed says: the moment is the server's own."""
        goal, end = self.ledger.commits + int(self.random.randint(least, most) * self.commits_for_one), clock() + PATIENCE
        while self.ledger.commits < goal and clock() < min(end, self.config.end + 10):
            pause()
            crew.check()
            self.look_on(crew)

    def look_on(self, crew):
        """Something that a kind does meanwhile."""

    def after_death(self, crew):
        """The server is dead: the crew ends, and what it knows is certain or in doubt."""
        crew.stop()
        self.totals["commits"] += self.ledger.commits - self.commits_before

    def judge(self, server):
        shim.impose(server, [])    # nothing is to be found by being slow now
        server.despite_replay(lambda: Oracle(server, self.ledger).judge())
        integrity.check_log(server)
        self.integrity.check(server)
        integrity.check_log(server)

    def quiet(self, server):
        """No worker begins anything any more that would change pages."""
        server.alter(autovacuum="off")
        self.config.wait(lambda: server.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'") == 0,
                         "autovacuum workers to end")

    def farewell(self):
        """A clean stop, and every file judged."""
        tables = self.primary.ask(integrity.TABLES)
        integrity.stop_and_check(self.primary)
        integrity.compare_forks(self.config, tables, self.primary, self.primary)

    # ---- the end
    def end_servers(self):
        for server in self.servers:
            server.kill()

    def count_checkpoints(self):
        for server in self.servers:
            if os.path.exists(server.log):
                text = server.log_since(0)
                self.totals["checkpoints"] += text.count("checkpoint complete:")
                self.totals["restartpoints"] += text.count("restartpoint complete:")

    def keep(self):
        """Everything that tells what happened; the data directories as they are."""
        self.end_servers()
        with open(os.path.join(self.folder, "history.json"), "w", encoding="utf-8") as file:
            json.dump({"seed": self.config.seed, "cycle": self.number, "kind": self.kind, "history": self.history}, file, indent=1)
        with open(os.path.join(self.folder, "ledger.json"), "w", encoding="utf-8") as file:
            json.dump({"tables": self.ledger.tables, "prepared": {gid: unit.changes for gid, unit in self.ledger.prepared.items()},
                       "raised": [[*key, count] for key, count in self.ledger.raised.items()]}, file)
