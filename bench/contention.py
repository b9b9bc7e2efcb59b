#!/usr/bin/env python3
"""bench/contention.py: many clients on one page, one table's end, one index, one pool; heap against glassheap.

Why:    a lock that everybody takes does not show in instructions (instructions.py) or with few clients.
How:    a server of each access method with equal total memory (heap's shared_buffers are ours and the pool together), runs
        of both in turn.  Throughput and the 99th percentile of the latency are compared by the median of the pairs; what
        sessions waited for is sampled from pg_stat_activity, and is the evidence for or against page table and clock.
        The machine's noise shows in the smallest and largest ratio: only what all pairs agree on is an effect.

    make bench-contention [ONLY=hot_page,table_end] [CLIENTS=8,64] [PAIRS=5] [SECONDS_EACH=3]
    contention.py --bindir BIN --dir FOLDER

SPDX-License-Identifier: PostgreSQL
"""
import argparse
import collections
import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
from typing import NamedTuple

SIDES = ("heap", "glassheap")
MEMORY = {"heap": "shared_buffers = 128MB", "glassheap": "shared_buffers = 32MB\nglassheap.buffers = 96MB"}

# Durability costs both the same, and hides what is asked for.
SETTINGS = """
listen_addresses = ''
synchronous_commit = off
max_wal_size = 20GB
checkpoint_timeout = 1h
max_connections = 150
autovacuum_naptime = 10s
shared_preload_libraries = 'glassheap'
"""

SCHEMA = """
CREATE TABLE hot (id int PRIMARY KEY, n int) WITH (fillfactor = 40);
INSERT INTO hot SELECT g, 0 FROM generate_series(1, 60) g;
CREATE TABLE log (a int, b int, c text);
CREATE TABLE keyed (id bigserial PRIMARY KEY, b int, c text);
CREATE TABLE big (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 90);
INSERT INTO big SELECT g, 0, repeat('b', 400) FROM generate_series(1, 800000) g;
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
"""


class Workload(NamedTuple):
    """A pgbench script, and what is contended."""
    script: str
    what: str


WORKLOADS = {
    "hot_page": Workload("\\set id random(1, 60)\nUPDATE hot SET n = n + 1 WHERE id = :id;", "60 rows on one page, updated"),
    "hot_page_read": Workload("\\set id random(1, 60)\nSELECT n FROM hot WHERE id = :id;", "the same, read"),
    "table_end": Workload("INSERT INTO log VALUES (1, 2, 'hello');", "the end of a table without indexes"),
    "index": Workload("INSERT INTO keyed (b, c) VALUES (1, 'hello');", "the right edge of an index"),
    "pool_read": Workload("\\set id random(1, 800000)\nSELECT n FROM big WHERE id = :id;", "a table four to six times the memory"),
    "pool_write": Workload("\\set id random(1, 800000)\nUPDATE big SET n = n + 1 WHERE id = :id;", "the same, updated"),
}

WAITS = """SELECT coalesce(wait_event_type || '/' || wait_event, 'running') FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid()
\\watch 0.1
"""


class Run(NamedTuple):
    """tps, 99th percentile of the latency in ms, waits: event -> samples."""
    tps: float
    p99: float
    waits: collections.Counter


def fail(message):
    sys.exit(f"contention: {message}")


class Side:
    """A server whose tables are of one access method."""

    def __init__(self, options, name, port):
        self.bindir, self.name, self.port = options.bindir, name, str(port)
        self.seconds = options.seconds
        self.folder = os.path.join(options.dir, f"contention-{name}")
        self.data = os.path.join(self.folder, "data")

    def call(self, program, *words, **more):
        command = [os.path.join(self.bindir, program), *words]
        done = subprocess.run(command, text=True, capture_output=True, check=False, **more)
        if done.returncode != 0:
            fail(f"{self.name}: {program}: {done.stderr.strip()[-1000:]}")
        return done.stdout

    def connection(self):
        return ["-h", self.folder, "-p", self.port, "-U", "postgres"]

    def pg_ctl(self, *words):
        # Not captured: the server would keep the pipe.
        command = [os.path.join(self.bindir, "pg_ctl"), "-D", self.data, "-l", self.data + ".log", "-w", *words]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            fail(f"{self.name}: pg_ctl {' '.join(words)}, see {self.data}.log")

    def start(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.call("initdb", "-k", "-N", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-D", self.data)
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(f"{SETTINGS}{MEMORY[self.name]}\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n")
        self.pg_ctl("start")
        head = f"CREATE EXTENSION glassheap;\nSET default_table_access_method = {self.name};\n"
        self.call("psql", "-Xq", "-v", "ON_ERROR_STOP=1", *self.connection(), "-d", "postgres", input=head + SCHEMA)

    def stop(self):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.pg_ctl("-m", "fast", "stop")

    def run(self, workload, clients):
        script = os.path.join(self.folder, "script.sql")
        with open(script, "w", encoding="utf-8") as file:
            file.write(workload.script + "\n")
        for old in glob.glob(os.path.join(self.folder, "latency*")):
            os.unlink(old)
        watcher = subprocess.Popen(
            [os.path.join(self.bindir, "psql"), "-XqAt", *self.connection(), "-d", "postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        watcher.stdin.write(WAITS)
        watcher.stdin.flush()
        try:
            said = self.call("pgbench", "-n", "-M", "prepared", "-f", script, "-c", str(clients), "-j", "2", "-T", str(self.seconds),
                             "-l", "--log-prefix", os.path.join(self.folder, "latency"), *self.connection(), "postgres")
        finally:
            watcher.terminate()
        seen = watcher.communicate()[0]
        waits = collections.Counter(line for line in seen.splitlines() if re.fullmatch(r"running|\w+/\w+", line))
        return Run(float(re.search(r"tps = ([\d.]+)", said)[1]), self.percentile(0.99), waits)

    def percentile(self, part):
        times = []
        for path in glob.glob(os.path.join(self.folder, "latency*")):
            with open(path, encoding="utf-8") as file:
                times += [int(line.split()[2]) for line in file]
        times.sort()
        return times[min(len(times) - 1, int(len(times) * part))] / 1000 if times else float("nan")


def compare(sides, workload, clients, pairs):
    """Runs of both in turn, A B, B A, ...: name -> list of Run."""
    runs = {side.name: [] for side in sides}
    for side in sides:
        side.run(workload, clients)  # warm
    for pair in range(pairs):
        for side in sides if pair % 2 == 0 else reversed(sides):
            runs[side.name].append(side.run(workload, clients))
    return runs


def in_words(ratios):
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}..{max(ratios):.2f}]"


def waits_of(runs):
    total = sum((run.waits for run in runs), collections.Counter())
    count = sum(total.values()) or 1
    return ", ".join(f"{name} {100 * n // count} %" for name, n in total.most_common(4) if 100 * n // count > 0)


def line_of(name, clients, runs):
    heap, ours = (runs[side] for side in SIDES)
    tps = [b.tps / a.tps for a, b in zip(heap, ours)]
    p99 = [b.p99 / a.p99 for a, b in zip(heap, ours)]
    middle = [f"{statistics.median(run.tps for run in side):,.0f}" for side in (heap, ours)]
    late = [f"{statistics.median(run.p99 for run in side):.2f}" for side in (heap, ours)]
    return (f"| {name} | {clients} | {middle[0]} | {middle[1]} | {in_words(tps)} | {late[0]} | {late[1]} | {in_words(p99)} "
            f"| {waits_of(heap)} | {waits_of(ours)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--port", type=int, default=6410)
    parser.add_argument("--only", default=",".join(WORKLOADS))
    parser.add_argument("--clients", default="8,16,64")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    names = options.only.split(",")
    for name in names:
        if name not in WORKLOADS:
            fail(f"there is no workload {name!r}; there are {', '.join(WORKLOADS)}")
    sides = [Side(options, name, options.port + i) for i, name in enumerate(SIDES)]
    try:
        for side in sides:
            side.start()
        print("| workload | clients | heap tps | glassheap tps | ratio [min..max] | heap p99 ms | glassheap p99 ms | ratio [min..max] "
              "| heap's samples | glassheap's samples |\n|---|--:|--:|--:|---|--:|--:|---|---|---|", flush=True)
        for name in names:
            for clients in map(int, options.clients.split(",")):
                print(line_of(name, clients, compare(sides, WORKLOADS[name], clients, options.pairs)), flush=True)
    finally:
        for side in sides:
            side.stop()


if __name__ == "__main__":
    main()
