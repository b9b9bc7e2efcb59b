# test/crash/server.py: one PostgreSQL server of the loop: its folder, settings, start, stop and death.
#
# The postmaster is a child of ours, so that its death is known at once.  Whoever kills one of its processes says so
# here (killed), or the log check takes the "terminated by signal" for a fault.
# SPDX-License-Identifier: PostgreSQL
import os
import shutil
import signal
import subprocess

import psycopg2

import processes
from faults import Fault
from waiting import pause, wait_until


class Server:
    def __init__(self, name, data, config):
        self.name, self.data, self.config = name, data, config
        self.port = config.next_port()
        self.log = f"{data}.log"
        self.popen = None
        self.killed = set()     # processes that we ended; what the log says of them is no fault
        self.log_read = 0       # how far the log has been judged
        self.environment = {}
        self.lost_power = False
        self.is_standby = False     # replay may end any session
        self.rules = []         # of the shim, while there is a load
        self.counted = (0, 0)   # evictions and extensions already in the totals

    # ---- folder
    def copy_from(self, template):
        subprocess.run(["cp", "-a", template, self.data], check=True)
        return self

    def program(self, name, *arguments, timeout=300):
        return subprocess.run([os.path.join(self.config.bin, name), *arguments], stdin=subprocess.DEVNULL, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)

    def configure(self, settings):
        """Replaces what an earlier call has said; the port and the folder of sockets are ours."""
        lines = {"port": self.port, "unix_socket_directories": f"'{self.config.sockets}'", **settings}
        self.write("loop.conf", lines)
        self.write("loop_more.conf", {})

    def write(self, file_name, lines):
        with open(f"{self.data}/{file_name}", "w", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in lines.items())

    def alter(self, **settings):
        """Of a running server, until configure() is called again."""
        self.write("loop_more.conf", settings)
        self.ask("SELECT pg_reload_conf()")

    # ---- life
    def launch(self):
        self.counted = (0, 0)
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen([os.path.join(self.config.bin, "postgres"), "-D", self.data], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, env={**os.environ, **self.environment})

    def start(self):
        self.launch()
        self.wait_ready()
        return self

    def wait_ready(self):
        def answers():
            if self.popen.poll() is not None:
                raise Fault(f"{self.name} does not start: {self.tail()}")
            try:
                self.connect("look").close()
                return True
            except psycopg2.OperationalError:
                return False
        wait_until(answers, f"{self.name} to accept connections")

    def stop(self, mode="fast"):
        if not self.is_running():
            return
        self.popen.send_signal({"fast": signal.SIGINT, "smart": signal.SIGTERM, "immediate": signal.SIGQUIT}[mode])
        try:
            self.popen.wait(timeout=120)
        except subprocess.TimeoutExpired:
            raise Fault(f"{self.name} does not stop ({mode}) within 120 s; processes left: "
                        + "; ".join(map(processes.title_of, processes.children_of(self.popen.pid)))) from None

    def kill(self):
        if self.popen is not None:
            processes.kill_all(self.popen)

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def kill_one(self, pid):
        """The postmaster then ends all others and recovers."""
        self.killed.add(pid)
        processes.send(pid, signal.SIGKILL)

    def children(self, words):
        """Processes whose title has one of the words."""
        found = [(pid, processes.title_of(pid)) for pid in processes.children_of(self.popen.pid)]
        return [(pid, title) for pid, title in found if any(word in title for word in words)]

    def wait_restarted(self, log_from):
        """After the death of one process: until the postmaster has seen it, recovered and opened again.  False: it had ended."""
        seen = self.poll_log("all server processes terminated", log_from)
        self.counted = (0, 0) if seen else self.counted
        self.wait_ready()
        return seen

    def remove(self):
        shutil.rmtree(self.data, ignore_errors=True)
        if os.path.exists(self.log):
            os.unlink(self.log)

    # ---- log
    def log_size(self):
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0

    def log_since(self, start):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            file.seek(start)
            return file.read()

    def tail(self):
        return self.log_since(max(0, self.log_size() - 1500))[-1500:]

    # ---- SQL
    def connect(self, application, options=""):
        return psycopg2.connect(host=self.config.sockets, port=self.port, user="postgres", dbname="postgres", connect_timeout=30,
                                application_name=application, options=options)

    def ask(self, statement, arguments=None):
        """Rows of one statement on a connection of its own; on a standby, replay may end it: then again."""
        return self.despite_replay(lambda: self.ask_once(statement, arguments))

    def despite_replay(self, act, tries=50):
        for left in reversed(range(tries)):
            try:
                return act()
            except psycopg2.Error as error:
                if not (left and self.is_standby and self.is_running() and (error.pgcode in (None, "40001") or "conflict" in str(error))):
                    raise
                pause()
        return None

    def ask_once(self, statement, arguments):
        connection = self.connect("loop", "-c statement_timeout=120s")
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, statement, arguments=None):
        return self.ask(statement, arguments)[0][0]

    def flushed(self):
        """Where the log ends on disk: everything before is acknowledged."""
        self.ask("SET synchronous_commit = local; SELECT pg_logical_emit_message(true, 'loop', '')")
        return self.value("SELECT pg_current_wal_flush_lsn()::text")

    def wait_replayed(self, lsn):
        wait_until(lambda: self.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (lsn,)), f"{self.name} to replay {lsn}")

    def checkpoint(self):
        self.ask("CHECKPOINT")

    def poll_log(self, word, start, seconds=20):
        """Whether the word came; no fault when the server was quicker, or ended."""
        for _ in range(seconds * 50):
            if word in self.log_since(start):
                return True
            if not self.is_running():
                return False
            pause()
        return False
