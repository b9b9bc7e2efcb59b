# tools/demo/server.py: talking to the demo's server through psql, and telling how long things take.
# SPDX-License-Identifier: PostgreSQL
import os
import signal
import subprocess
import sys
import threading
import time

TTY = sys.stdout.isatty()
BOLD, DIM, RED, GREEN, PLAIN = ("\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[0m") if TTY else [""] * 5


def duration(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def size(number):
    for unit in ("bytes", "kB", "MB"):
        if abs(number) < 10240:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.0f} GB"


class Step:
    """with Step("what") as step: prints the line; from the first second on a sign of life; at the end the time."""

    def __init__(self, what):
        self.what, self.detail, self.done = what, "", threading.Event()

    def __enter__(self):
        self.start = time.monotonic()
        print(f"   {self.what} ", end="", flush=True)
        self.ticker = threading.Thread(target=self._tick, daemon=True)
        self.ticker.start()
        return self

    def _tick(self):
        while not self.done.wait(1):
            print(".", end="", flush=True)

    def __exit__(self, kind, value, trace):
        self.done.set()
        self.ticker.join()
        self.seconds = time.monotonic() - self.start
        outcome = "failed" if kind else duration(self.seconds)
        print(f" {self.detail}{DIM}({outcome}){PLAIN}", flush=True)
        return False


class ServerError(Exception):
    pass


class Server:
    def __init__(self, bin_folder, host, port, data, user):
        self.bin, self.host, self.port, self.data, self.user = bin_folder, host, str(port), data, user
        self.database = "postgres"

    def psql(self, *arguments, **keywords):
        command = [f"{self.bin}/psql", "-X", "-q", "-h", self.host, "-p", self.port, "-U", "postgres",
                   "-v", "ON_ERROR_STOP=1", "-d", self.database, *arguments]
        return subprocess.run(command, capture_output=True, text=True, **keywords)

    def run(self, sql):
        """The result as psql prints it, aligned."""
        result = self.psql("-P", "footer=off", "-P", "null=-", "-c", sql)
        if result.returncode != 0:
            raise ServerError(f"{result.stderr.strip()}\n   in: {sql}")
        return result.stdout

    def rows(self, sql):
        result = self.psql("-A", "-t", "-F", "\t", "-c", sql)
        if result.returncode != 0:
            raise ServerError(f"{result.stderr.strip()}\n   in: {sql}")
        return [line.split("\t") for line in result.stdout.splitlines()]

    def value(self, sql):
        rows = self.rows(sql)
        return rows[-1][0] if rows else ""

    def script(self, text):
        result = self.psql("-f", "-", input=text)
        if result.returncode != 0:
            raise ServerError(result.stderr.strip())

    def copy(self, table_and_columns, lines):
        """COPY ... FROM STDIN of an iterable of tuples; None is NULL."""
        command = [f"{self.bin}/psql", "-X", "-q", "-h", self.host, "-p", self.port, "-U", "postgres",
                   "-v", "ON_ERROR_STOP=1", "-d", self.database, "-c", f"COPY {table_and_columns} FROM STDIN"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            for line in lines:
                process.stdin.write("\t".join(escape(value) for value in line) + "\n")
            _, errors = process.communicate()
        if process.returncode != 0:
            raise ServerError(errors.strip())

    # ------------------------------------------------------------------------------------ life and death
    def as_user(self, *command):
        if os.getuid() == 0:
            return ["runuser", "-u", self.user, "--", *command]
        return list(command)

    def start(self):
        log = os.path.dirname(self.data) + "/start.log"
        with open(log, "w", encoding="utf-8") as file:
            result = subprocess.run(self.as_user(f"{self.bin}/pg_ctl", "-D", self.data, "-l", self.data + ".log",
                                                 "-w", "-t", "120", "start"), stdout=file, stderr=file, check=False,
                                    cwd=os.path.dirname(self.data))
        if result.returncode != 0:
            raise ServerError("the server does not start: see " + self.data + ".log")

    def kill_9(self):
        """SIGKILL for the postmaster and all its children at once; returns how many there were."""
        with open(f"{self.data}/postmaster.pid", encoding="utf-8") as file:
            postmaster = int(file.readline())
        os.kill(postmaster, signal.SIGSTOP)  # it starts nobody meanwhile
        family = [*children_of(postmaster), postmaster]
        for pid in family:
            os.kill(pid, signal.SIGKILL)
        while any(alive(pid) for pid in family):
            time.sleep(0.002)
        # Until somebody reaps the orphan it is a zombie, which its successor would take for alive.
        for lock in (f"{self.data}/postmaster.pid", f"{self.host}/.s.PGSQL.{self.port}.lock"):
            if os.path.exists(lock):
                os.unlink(lock)
        return len(family)


def escape(value):
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def stat_fields(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(") ")[2].split()
    except OSError:
        return None


def alive(pid):
    fields = stat_fields(pid)
    return fields is not None and fields[0] != "Z"


def children_of(parent):
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if (fields := stat_fields(pid)) and fields[0] != "Z" and int(fields[1]) == parent]
