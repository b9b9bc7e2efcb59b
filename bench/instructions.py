#!/usr/bin/env python3
"""bench/instructions.py: instructions per operation, heap against glassheap, both on the same server programs.

Why:    a real server (postmaster, workers, one backend per run) of each side runs under `valgrind --tool=callgrind`.
        Counts do not depend on the load of the machine: a ratio of 1.02 here is real, where a timed one is noise.
        They are not time: cache misses, waits and the kernel's work are not seen; for those, bench/RESULTS.md.
How:    an operation costs (long run - short run) / operations, so start-up and connection do not count.  Only user
        space of the session's own backend is counted.

    make bench-instructions [ONLY=count,sum] [FUNCTIONS=30] [LIMIT=1.02]       installs what is missing, and calls this
    instructions.py --bindir BIN --dir FOLDER --limits bench/instructions.limits    as `tools/check instructions` does
    instructions.py --self-test

With limits each workload is a line "ok - ..." or "not ok - ...", and the exit status is 1 if one is above its limit.
SPDX-License-Identifier: PostgreSQL
"""
import argparse
import collections
import concurrent.futures
import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

SIDES = ("heap", "glassheap")

SETTINGS = """
listen_addresses = ''
fsync = off
autovacuum = off
jit = off
checkpoint_timeout = 1h
max_wal_size = 20GB
shared_buffers = 256MB
bgwriter_delay = 10s
max_parallel_workers_per_gather = 0
log_disconnections = on
log_line_prefix = '%p %a '
shared_preload_libraries = 'glassheap'
glassheap.autoprewarm = on
"""

SCHEMA = """
CREATE TABLE acc (id int PRIMARY KEY, a int, b int, f text) WITH (fillfactor = 90);
INSERT INTO acc SELECT g, g, g, repeat('x', 50) FROM generate_series(1, 20000) g;
CREATE TABLE tight (id int PRIMARY KEY, a int, b int, f text);
INSERT INTO tight SELECT g, g, g, repeat('x', 50) FROM generate_series(1, 20000) g;
CREATE INDEX ON tight (a);
CREATE TABLE parent (id int PRIMARY KEY, x text);
INSERT INTO parent SELECT g, 'p' FROM generate_series(1, 1000) g;
CREATE TABLE child (id serial, parent int REFERENCES parent, x text);
CREATE TABLE log (a int, b int, c text);
CREATE TABLE keyed (id bigserial PRIMARY KEY, b int, c text);
CREATE TABLE narrow (a int, b int, c int, d text);
INSERT INTO narrow SELECT g, g % 1000, g % 7, 'v' || g % 1000 FROM generate_series(1, 60000) g;
CREATE INDEX narrow_b ON narrow (b);
CREATE TABLE hinted (LIKE narrow);
INSERT INTO hinted SELECT * FROM narrow;
CREATE TABLE loaded (LIKE narrow);
CREATE TABLE wide (c1 int, c2 int, c3 bigint, c4 text, c5 int, c6 bool, c7 timestamptz, c8 int, c9 text, c10 int, c11 int,
    c12 bigint, c13 float8, c14 int, c15 text, c16 int, c17 smallint, c18 int, c19 int, c20 int);
INSERT INTO wide SELECT g, g, g, 'text ' || g, g, true, now(), g, repeat('y', g % 20), g, g, g, g, g, 'z', g, 1, g, g, g
    FROM generate_series(1, 10000) g;
CREATE TABLE gaps (a int, b int, c int, d text);
INSERT INTO gaps SELECT g, nullif(g % 3, 0), g, nullif('v' || g % 5, 'v0') FROM generate_series(1, 20000) g;
CREATE TABLE dead (id int, b int, f text);
INSERT INTO dead SELECT g, (g * 7919) % 30000, 'x' FROM generate_series(1, 30000) g;
CREATE TABLE frozen (LIKE dead);
INSERT INTO frozen SELECT * FROM dead;
CREATE TABLE updated (LIKE dead);
INSERT INTO updated SELECT * FROM dead;
CREATE TABLE sorted (LIKE dead);
INSERT INTO sorted SELECT * FROM dead;
CREATE INDEX ON dead (b);
VACUUM FREEZE acc;
VACUUM FREEZE tight;
VACUUM FREEZE parent;
VACUUM FREEZE narrow;
VACUUM FREEZE wide;
VACUUM FREEZE gaps;
VACUUM ANALYZE;
SELECT count(*) FROM hinted;
COPY narrow TO '{dir}/narrow.copy';
CHECKPOINT;
"""

# Under valgrind, before anything is counted: else what comes first pays for reading the pages.
WARM = [f"SELECT count(*) FROM {table}" for table in ("acc", "tight", "parent", "narrow", "hinted", "wide", "gaps")]


class Repeated(NamedTuple):
    """A pgbench script, and how many times the short and the long run carry it out."""
    script: str
    short: int
    long: int


class Once(NamedTuple):
    """A statement, carried out once; `before` runs in a session of its own."""
    statement: str
    before: str = ""


BY_KEY = "\\set id random(1, 20000)\n"
BY_INDEX = "SET enable_bitmapscan = off;\nSET enable_seqscan = off;\n"
WORKLOADS = {
    "select_pk": Repeated(BY_KEY + "SELECT a FROM acc WHERE id = :id;", 300, 1300),
    "insert1": Repeated("INSERT INTO log VALUES (1, 2, 'hello');", 300, 2300),
    "insert1_pk": Repeated("INSERT INTO keyed (b, c) VALUES (1, 'hello');", 300, 2300),
    "insert1_fk": Repeated("\\set id random(1, 1000)\nINSERT INTO child (parent, x) VALUES (:id, 'c');", 300, 1300),
    "update_hot": Repeated(BY_KEY + "UPDATE acc SET b = b + 1 WHERE id = :id;", 500, 3000),
    "update_same_row": Repeated("UPDATE acc SET b = b + 1 WHERE id = 77;", 300, 2300),
    "update_indexed": Repeated(BY_KEY + "UPDATE tight SET a = a + 1 WHERE id = :id;", 500, 2500),
    "lock_row": Repeated(BY_KEY + "SELECT a FROM acc WHERE id = :id FOR UPDATE;", 300, 2300),
    "upsert": Repeated(BY_KEY + "INSERT INTO acc VALUES (:id, 1, 1, 'x') ON CONFLICT (id) DO UPDATE SET b = acc.b + 1;", 300, 2300),
    "delete_insert": Repeated(BY_KEY + "BEGIN;\nDELETE FROM tight WHERE id = :id;\n"
                              "INSERT INTO tight VALUES (:id, 1, 1, 'x') ON CONFLICT DO NOTHING;\nCOMMIT;", 300, 1300),
    "count": Repeated("SELECT count(*) FROM narrow;", 2, 8),
    "sum": Repeated("SELECT sum(a) FROM narrow;", 2, 8),
    "filter": Repeated("SELECT count(*) FROM narrow WHERE b + 0 = 5;", 2, 8),
    "count_hinted": Repeated("SELECT count(*) FROM hinted;", 2, 8),
    "wide_first": Repeated("SELECT sum(c1) FROM wide;", 2, 8),
    "wide_last": Repeated("SELECT sum(c20) FROM wide;", 2, 8),
    "nulls": Repeated("SELECT sum(c), count(b), count(d) FROM gaps;", 2, 8),
    "bitmap": Repeated("SET enable_indexscan = off;\nSELECT sum(a) FROM narrow WHERE b BETWEEN 10 AND 30;", 10, 60),
    "index_scan": Repeated(BY_INDEX + "SELECT sum(a) FROM narrow WHERE b BETWEEN 10 AND 30;", 10, 60),
    "index_only": Repeated(BY_INDEX + "SELECT count(b) FROM narrow WHERE b BETWEEN 10 AND 90;", 10, 60),
    "insert_select": Repeated("INSERT INTO loaded SELECT * FROM narrow LIMIT 20000;", 1, 3),
    "ctas": Repeated("DROP TABLE IF EXISTS made;\nCREATE TABLE made AS SELECT * FROM narrow LIMIT 20000;", 1, 3),
    "copy": Repeated("COPY loaded FROM '{dir}/narrow.copy';", 1, 2),
    "count_fresh": Once("SELECT count(*) FROM fresh", before="CREATE TABLE fresh (LIKE narrow); INSERT INTO fresh SELECT * FROM narrow"),
    "delete_fifth": Once("DELETE FROM sorted WHERE id % 5 = 0"),
    "vacuum_fifth": Once("VACUUM (TRUNCATE off) dead", before="DELETE FROM dead WHERE id % 5 = 0"),
    "vacuum_again": Once("VACUUM (TRUNCATE off) frozen"),
    "vacuum_freeze": Once("VACUUM (FREEZE, TRUNCATE off) frozen", before="SELECT count(*) FROM frozen"),
    "update_all": Once("UPDATE sorted SET b = b + 1"),
    "vacuum_updated": Once("VACUUM (TRUNCATE off) updated", before="UPDATE updated SET b = b + 1"),
    "analyze": Once("ANALYZE narrow"),
    "create_index": Once("CREATE INDEX ON hinted (b)"),
    "cluster": Once("VACUUM FULL hinted"),
}


def fail(message):
    sys.exit(f"instructions: {message}")


def output_of(command, **more):
    return subprocess.run(command, check=True, text=True, capture_output=True, **more).stdout


def until(condition, what, tries=3000):
    """The condition's first true value, polled."""
    for _ in range(tries):
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    return fail(f"waited too long for {what}")


# ------------------------------------------------------------------------------------------------ measuring
def total(profile):
    """Instructions of a complete profile, else 0."""
    if not os.path.exists(profile):
        return 0
    with open(profile, encoding="utf-8", errors="replace") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("totals:")), 0)


def by_function(profile):
    found = collections.Counter()
    for line in output_of(["callgrind_annotate", "--threshold=100", "--auto=no", profile]).splitlines():
        match = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(.*)$", line)
        if match and "PROGRAM TOTALS" not in line:
            name = re.sub(r"^\S*/", "", re.sub(r" \[.*", "", match[2]))
            found[name[:110]] += int(match[1].replace(",", ""))
    return found


class Side:
    """A server whose tables are of one access method, under valgrind once its data is there."""

    def __init__(self, options, name, port):
        self.bindir, self.name, self.port = options.bindir, name, str(port)
        self.with_functions = options.functions > 0
        self.folder = os.path.join(options.dir, name)
        self.data = os.path.join(options.dir, f"cluster-{name}")
        self.log = self.data + ".log"
        self.server, self.sessions = None, 0

    def program(self, name):
        return os.path.join(self.bindir, name)

    def connection(self):
        return ["-h", self.folder, "-p", self.port, "-U", "postgres"]

    def sql(self, *statements, env=None):
        commands = [word for statement in statements for word in ("-c", statement)]
        return output_of([self.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", *self.connection(), "-d", "postgres", *commands], env=env)

    def pg_ctl(self, *words):
        subprocess.run([self.program("pg_ctl"), "-D", self.data, "-l", self.log, "-w", *words], check=True, stdout=subprocess.DEVNULL)

    def prepare(self):
        """The cluster and its tables, made at full speed."""
        for old in (self.folder, self.data):
            shutil.rmtree(old, ignore_errors=True)
        os.makedirs(self.folder)
        output_of([self.program("initdb"), "-k", "-N", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-D", self.data])
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(f"{SETTINGS}port = {self.port}\nunix_socket_directories = '{self.folder}'\n")
        self.pg_ctl("start")
        self.sql("CREATE EXTENSION glassheap", f"ALTER SYSTEM SET default_table_access_method = {self.name}", "SELECT pg_reload_conf()")
        self.sql(*(line for line in SCHEMA.replace("{dir}", self.folder).split(";") if line.strip()))
        self.pg_ctl("-m", "fast", "stop")

    def require_running(self):
        if self.server.poll() is not None:
            fail(f"{self.name}: the server under valgrind has ended, see {self.log}")

    def answers(self):
        self.require_running()
        with contextlib.suppress(subprocess.CalledProcessError):
            return self.sql("SELECT 1")
        return None

    def start(self):
        with open(self.log, "w", encoding="utf-8") as log:
            self.server = subprocess.Popen(
                ["valgrind", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={self.folder}/callgrind.%p",
                 self.program("postgres"), "-D", self.data], stdout=log, stderr=subprocess.STDOUT)
        until(self.answers, f"{self.name}: the server under valgrind, see {self.log}")
        self.sql(*WARM)

    def stop(self):
        if self.server:
            self.server.send_signal(signal.SIGINT)
            self.server.wait()

    def profile_of(self, action, connections=1):
        """Calls action(environment), which connects so many times; the profile of the last session."""
        self.sessions += 1
        name = f"session_{self.sessions}"
        action(dict(os.environ, PGAPPNAME=name))

        def finished():
            self.require_running()
            # The backend is known by the log line of its end, its profile is complete when it has a sum.
            with open(self.log, encoding="utf-8", errors="replace") as file:
                ended = re.findall(rf"^(\d+) {name} LOG:  disconnection", file.read(), re.M)
            profile = f"{self.folder}/callgrind.{ended[-1]}" if len(ended) == connections else ""
            return profile if total(profile) else None

        return until(finished, f"{self.name}: a profile")

    def repeat(self, script, times):
        path = os.path.join(self.folder, "script.sql")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script.replace("{dir}", self.folder) + "\n")
        command = [self.program("pgbench"), "-n", "-M", "prepared", "-f", path, "-t", str(times), "--random-seed=1", *self.connection(), "postgres"]
        return self.profile_of(lambda env: output_of(command, env=env), connections=2)  # pgbench looks round first

    def measure(self, workload):
        """Instructions per operation, and per function."""
        if isinstance(workload, Repeated):
            short, long = (self.repeat(workload.script, times) for times in (workload.short, workload.long))
            operations = workload.long - workload.short
        else:
            if workload.before:
                self.sql(workload.before)
            short = self.profile_of(lambda env: self.sql("SELECT 1", env=env))
            long = self.profile_of(lambda env: self.sql(workload.statement, env=env))
            operations = 1
        functions = {}
        if self.with_functions:
            less, more = by_function(short), by_function(long)
            functions = {name: (more[name] - less[name]) / operations for name in set(less) | set(more)}
        return (total(long) - total(short)) / operations, functions

    def measure_all(self, names):
        """name: what measure() says; a workload that fails ends the run."""
        try:
            self.prepare()
            self.start()
            found = {}
            for name in names:
                found[name] = self.measure(WORKLOADS[name])
                print(f"   {self.name}: {name}", file=sys.stderr, flush=True)
            return found
        except subprocess.CalledProcessError as error:
            return fail(f"{self.name}: {' '.join(error.cmd)[:300]}: {(error.stderr or '').strip()[-1000:]}")
        finally:
            self.stop()


# ------------------------------------------------------------------------------------------------- judging
def known(names, where):
    for name in names:
        if name not in WORKLOADS:
            fail(f"{where}: there is no workload {name!r}; there are {', '.join(WORKLOADS)}")
    return names


def read_limits(path):
    """name: limit, of lines "name limit"; # begins a comment."""
    limits = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            where = f"{path}:{number}"
            if len(words) != 2 or not re.fullmatch(r"\d+\.\d+", words[1]) or float(words[1]) == 0:
                fail(f"{where}: not a workload and its limit, as in 'count 0.70': {line.strip()}")
            known(words[:1], where)
            if words[0] in limits:
                fail(f"{where}: {words[0]} has a limit already")
            limits[words[0]] = float(words[1])
    if not limits:
        fail(f"{path}: no limits in it")
    return limits


def judge(measured, limits):
    """A line "ok - ..." or "not ok - ..." for each; 1 if one is above its limit."""
    above = 0
    for name, limit in limits.items():
        heap, glassheap = (measured[side][name][0] for side in SIDES)
        ratio = glassheap / heap
        line = f"{name}: {ratio:.3f} of heap's instructions, limit {limit:g} ({glassheap:,.0f} and {heap:,.0f})"
        if ratio <= limit:
            print(f"ok - {line}")
        else:
            above = 1
            print(f"not ok - {line}; where they go: make bench-instructions ONLY={name} FUNCTIONS=30")
    return above


def show(measured, names, functions):
    print("| workload | heap | glassheap | glassheap / heap |\n|---|--:|--:|--:|")
    for name in names:
        (heap, heap_by), (glassheap, glassheap_by) = (measured[side][name] for side in SIDES)
        print(f"| {name} | {heap:,.0f} | {glassheap:,.0f} | {glassheap / heap:.3f} |")
        differing = {key: glassheap_by.get(key, 0) - heap_by.get(key, 0) for key in {*heap_by, *glassheap_by}}
        for key in sorted(differing, key=lambda k: -abs(differing[k]))[:functions]:
            print(f"    {differing[key]:+12,.0f}  {key}")


# ----------------------------------------------------------------------------------------------- self-test
REFUSED = {
    "empty table": ("# nothing\n\n", "no limits"),
    "unknown workload": ("count 0.7\nno_such 0.7\n", ":2: there is no workload 'no_such'"),
    "no number": ("count little\n", ":1: not a workload and its limit"),
    "limit forgotten": ("count\n", ":1: not a workload and its limit"),
    "a limit of nothing": ("count 0.0\n", ":1: not a workload and its limit"),
    "twice": ("count 0.7\ncount 0.8\n", ":2: count has a limit already"),
}


def self_test():
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "limits")

        def limits_of(text):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            return read_limits(path)

        for name, (text, expected) in REFUSED.items():
            try:
                faults.append(f"{name}: taken as {limits_of(text)}")
            except SystemExit as refusal:
                if expected not in str(refusal):
                    faults.append(f"{name}: {refusal}")
        measured = {"heap": {"count": (1000.0, {}), "sum": (1000.0, {})}, "glassheap": {"count": (680.0, {}), "sum": (760.0, {})}}
        for text, status, expected in (
                ("count 0.70  # below\nsum 0.76\n", 0, "ok - count: 0.680 of heap's instructions, limit 0.7 (680 and 1,000)\nok - sum: 0.760"),
                ("count 0.67\nsum 0.80\n", 1, "not ok - count: 0.680 of heap's instructions, limit 0.67 (680 and 1,000); "
                                              "where they go: make bench-instructions ONLY=count FUNCTIONS=30\nok - sum")):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                got = judge(measured, limits_of(text))
            if got != status or not printed.getvalue().startswith(expected):
                faults.append(f"{text!r}: exit status {got}, {printed.getvalue()!r}")
    for fault in faults:
        print(f"not ok - {fault}")
    print(f"instructions, self-test: {len(REFUSED) + 2} tables: {'ok' if not faults else 'failed'}")
    return 1 if faults else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bindir", default="/usr/lib/postgresql/15/bin")
    parser.add_argument("--dir", default="/tmp/instructions", help="for clusters, logs and profiles")
    parser.add_argument("--port", type=int, default=6546, help="and the next one; on sockets in --dir only")
    parser.add_argument("--only", help="these workloads, with commas between; default: all, or those of --limits")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="the N functions that differ most")
    parser.add_argument("--limit", type=float, help="the most that any may need, as a part of heap's instructions")
    parser.add_argument("--limits", metavar="FILE", help="the same for each workload")
    parser.add_argument("--self-test", action="store_true")
    return parser.parse_args()


def main():
    options = arguments()
    if options.self_test:
        return self_test()
    limits = read_limits(options.limits) if options.limits else {}
    names = known(options.only.split(","), "--only") if options.only else list(limits or WORKLOADS)
    if options.limit is not None:
        limits = dict.fromkeys(names, options.limit)
    limits = {name: limit for name, limit in limits.items() if name in names}
    if not shutil.which("valgrind"):
        fail("valgrind is not installed: tools/deps instructions")
    sides = [Side(options, name, options.port + number) for number, name in enumerate(SIDES)]

    def interrupted(*_):
        for side in sides:
            side.stop()
        os._exit(130)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    with concurrent.futures.ThreadPoolExecutor(len(sides)) as pool:
        measured = dict(zip(SIDES, pool.map(lambda side: side.measure_all(names), sides)))
    if options.functions or not options.limits:
        show(measured, names, options.functions)
    return judge(measured, limits)


if __name__ == "__main__":
    sys.exit(main())
