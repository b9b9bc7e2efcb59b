# test/crash/replicas.py: a standby under load: killed and started again, restartpoints, compared, promoted; then a new one.
# SPDX-License-Identifier: PostgreSQL
import integrity
import shim
from cycle import Cycle
from faults import Fault
from readers import Compare
from waiting import wait_until


class Standby(Cycle):
    kind = "standby"
    has_standbys = True

    def __init__(self, config, number):
        super().__init__(config, number)
        self.made = 0
        self.standby = None
        # A commit waits for the standby's disk: what is acknowledged survives the primary.
        self.synchronous = self.random.random() < 0.5

    def role_settings(self, server):
        if server is self.primary and self.synchronous and self.standby is not None:
            return {"synchronous_standby_names": "'*'"}
        return {}

    def round(self, number):
        if self.standby is None:
            self.make_standby()
        crew = self.begin_load(number)
        self.kills = 0 if self.synchronous else self.random.randrange(3)
        self.load(crew, 600, 2500)
        if self.synchronous and self.random.random() < 0.7:
            self.lose_primary(crew)
        else:
            self.compare_quiet(crew)

    # ---- making
    def make_standby(self):
        self.made += 1
        standby = self.new_server(f"standby{self.made}")
        standby.is_standby = True
        copy = self.primary.program("pg_basebackup", "-D", standby.data, "-X", "stream", "-c", "fast", "-R", "--no-sync", "-U", "postgres",
                                    "-h", self.config.sockets, "-p", str(self.primary.port), "-d", f"application_name={standby.name}")
        if copy.returncode != 0:
            raise Fault(f"pg_basebackup: {copy.stdout.strip()}")
        self.configure(standby)
        standby.start()
        self.standby = standby
        self.wait_streaming()
        if self.synchronous:
            self.require_standby()

    def wait_streaming(self):
        wait_until(lambda: self.primary.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1,
                   f"{self.standby.name} to stream")

    def require_standby(self):
        self.primary.alter(synchronous_standby_names="'*'")
        wait_until(lambda: self.primary.value("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1,
                   f"{self.standby.name} to be synchronous")

    # ---- meanwhile
    def adjust(self, crew):
        """Readers of the standby compare the ways to read it, at every step of replay."""
        class OnStandby(Compare):
            def __init__(self, own_crew, lane, server):
                super().__init__(own_crew, lane)
                self.server = server
        crew.add(OnStandby, [80, 81], server=self.standby)

    def look_on(self, crew):
        if self.random.random() < 0.02:
            self.restartpoint()
        if self.kills and self.random.random() < 0.01:
            self.kills -= 1
            self.tell("standby is killed", commits=self.ledger.commits)
            self.standby.kill()
            self.totals["crashes"] += 1
            self.configure(self.standby)
            self.standby.start()

    def restartpoint(self):
        self.standby.checkpoint()

    # ---- at the end of a round
    def catch_up(self):
        shim.impose(self.standby, [])    # a log of many small records in a small pool would take an hour
        self.standby.wait_replayed(self.primary.flushed())

    def compare_quiet(self, crew):
        self.after_death(crew)
        if self.synchronous:
            self.wait_streaming()
        self.judge(self.primary)
        self.catch_up()
        self.judge(self.standby)
        if self.random.random() < 0.5:
            self.tell("primary is killed, quiet; promotion")
            self.primary.kill()
            self.promote()
        else:
            self.compare_all_forks()

    def lose_primary(self, crew):
        self.tell("primary is killed under load; promotion", commits=self.ledger.commits)
        self.primary.kill()
        self.after_death(crew)
        self.promote()

    def promote(self):
        self.totals["crashes"] += 1
        integrity.check_log(self.primary)
        shim.impose(self.standby, [])    # what is left to replay must not last longer than our patience
        self.standby.ask("SELECT pg_promote(false)")    # one that waited would keep a snapshot, which replay has to wait for
        wait_until(lambda: self.standby.value("SELECT NOT pg_is_in_recovery()"), "the promotion")
        self.primary, self.standby = self.standby, None
        self.primary.is_standby = False
        self.judge(self.primary)

    def compare_all_forks(self):
        """Both stop, their files are compared, and go on."""
        self.quiet(self.primary)
        tables = self.primary.ask(integrity.TABLES)
        self.primary.checkpoint()
        self.catch_up()
        self.standby.checkpoint()
        for server in (self.standby, self.primary):
            integrity.stop_and_check(server)
        integrity.compare_forks(self.config, tables, self.primary, self.standby)
        for server in (self.primary, self.standby):
            self.configure(server)
            server.start()
        self.wait_streaming()

    def farewell(self):
        if self.standby is not None:
            self.primary.alter(synchronous_standby_names="''")
            integrity.stop_and_check(self.standby)
        super().farewell()
