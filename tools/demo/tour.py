#!/usr/bin/env python3
# tools/demo/tour.py: the demo itself, on a server that runs; called by tools/demo/demo.
#
# Why:    every answer is compared with one that was computed independently; a wrong one makes the exit status 1.
# SPDX-License-Identifier: PostgreSQL
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

from packages import Index
from server import BOLD, GREEN, PLAIN, RED, Server, ServerError, Step, size

AM = os.environ.get("GH_AM", "glassheap")
HERE = os.path.dirname(os.path.abspath(__file__))


class Tour:
    def __init__(self, server, index, report):
        self.server, self.index, self.report = server, index, report
        self.wrong = 0
        self.answers = []  # (question, SQL, right answer): asked again after the crash

    def title(self, text):
        print(f"{BOLD}== {text}{PLAIN}", flush=True)

    def expect(self, question, sql, right):
        """Asks and compares; right may be a list of rows or one value."""
        with Step(f"{question}:") as step:
            rows = self.server.rows(sql)
            got = rows if isinstance(right, list) else (rows[-1][0] if rows else "")
            right = [[str(value) for value in row] for row in right] if isinstance(right, list) else str(right)
            shown = got if isinstance(got, str) else ", ".join(" ".join(row) for row in got[:5])
            good = got == right
            step.detail = f"{shown} {GREEN}right{PLAIN} " if good else f"{RED}got {shown}, expected {right}{PLAIN} "
        self.wrong += not good

    def show(self, heading, sql, indent="      "):
        print(f"   {heading}")
        for line in self.server.run(sql).rstrip().splitlines():
            print(indent + line)

    # ---------------------------------------------------------------------------------------- loading
    def load(self):
        index, server = self.index, self.server
        self.title(f"load {len(index.packages)} packages and {len(index.edges)} dependency edges USING {AM}")
        server.script("CREATE DATABASE demo")
        server.database = "demo"
        if AM == "glassheap":
            server.script("CREATE SCHEMA glassheap; CREATE EXTENSION glassheap SCHEMA glassheap;"
                          'ALTER DATABASE demo SET search_path = "$user", public, glassheap')
        with open(f"{HERE}/schema.sql", encoding="utf-8") as file:
            server.script(file.read().replace("USING AM", f"USING {AM}"))
        with Step(f"{len(index.sections)} sections, {len(index.maintainers)} maintainers"):
            server.copy("section", index.sections.items())
            server.copy("maintainer", ((number, name) for name, number in index.maintainers.items()))
        with Step(f"{len(index.packages)} packages, with keys, foreign keys and a full-text column"):
            server.copy("package (id, name, version, architecture, section, priority, maintainer_id, installed_kb,"
                        " download_bytes, homepage, description)", index.packages)
        with Step(f"{len(index.edges)} dependency edges, with two foreign keys each"):
            server.copy("dependency", index.edges)
        with Step("indexes: GIN over the descriptions' words, B-trees over section and target"):
            server.script("CREATE INDEX package_words ON package USING gin (words);"
                          "CREATE INDEX package_section ON package (section);"
                          "CREATE INDEX dependency_target ON dependency (target)")
        with Step("VACUUM (ANALYZE)"):
            server.script("VACUUM (ANALYZE)")
        self.show("sizes", "SELECT relname AS table, to_char(reltuples::bigint, 'FM999,999,999') AS rows,"
                  " pg_size_pretty(pg_relation_size(oid)) AS main, pg_size_pretty(pg_relation_size(oid, 'fsm')) AS fsm,"
                  " pg_size_pretty(pg_relation_size(oid, 'vm')) AS vm, pg_size_pretty(pg_indexes_size(oid)) AS indexes"
                  " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relpages DESC")

    # ---------------------------------------------------------------------------------------- answers
    def prepare_answers(self):
        index = self.index
        wanted = index.most_wanted()
        start = next((name for name in ("apt", "bash", "dpkg") if name in index.by_name), index.packages[0][1])
        self.answers = [
            ("packages", "SELECT count(*) FROM package", len(index.packages)),
            ("edges", "SELECT count(*) FROM dependency", len(index.edges)),
            ("bytes to download for all", "SELECT sum(download_bytes) FROM package", index.total(8)),
            ("characters of all descriptions", "SELECT sum(length(description)) FROM package",
             sum(len(package[10]) for package in index.packages)),
            ("largest sections", "SELECT section, count(*) FROM package GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3",
             index.largest_sections(3)),
            ("sections and their counts agree", "SELECT count(*) FROM section s WHERE packages <> "
             "(SELECT count(*) FROM package p WHERE p.section = s.name)", 0),
            (f"packages that depend on {wanted}", "SELECT count(DISTINCT package_id) FROM dependency"
             f" WHERE kind = 'depends' AND target = '{wanted}'", index.dependents(wanted)),
            (f"what installing {start} may pull in", "WITH RECURSIVE closure(id) AS (SELECT "
             f"{index.by_name[start]} UNION SELECT target_id FROM closure JOIN dependency ON package_id = closure.id"
             " WHERE kind IN ('depends', 'pre-depends') AND target_id IS NOT NULL) SELECT count(*) FROM closure",
             index.reachable(start)),
            ("edges to packages that do not exist", "SELECT count(*) FROM dependency WHERE target_id IS NULL",
             sum(1 for edge in index.edges if edge[6] is None)),
        ]

    def ask(self):
        for question, sql, right in self.answers:
            self.expect(question, sql, right)
        # The same words through the index and without it; and at least what a simple reading finds.
        for word in ("database", "compiler"):
            sql = f"SELECT count(*) FROM package WHERE words @@ to_tsquery('simple', '{word}')"
            without = self.server.value(f"SET enable_bitmapscan = off; SET enable_indexscan = off; {sql}")
            self.expect(f"descriptions with '{word}', by the GIN index as by reading all",
                        f"SET enable_seqscan = off; {sql}", without)
            if int(without) < self.index.with_word(word):
                self.wrong += 1
                print(f"   {RED}but the text has it {self.index.with_word(word)} times{PLAIN}")

    # ---------------------------------------------------------------------------------------- updates
    def pgbench(self, seconds, clients=4, log=None):
        script = tempfile.NamedTemporaryFile("w", suffix=".sql", delete=False)
        with script:
            script.write(f"\\set id random(1, {len(self.index.packages)})\nBEGIN;\n"
                         "UPDATE package SET installs = installs + 1 WHERE id = :id;\n"
                         "INSERT INTO installation (package_id) VALUES (:id);\nCOMMIT;\n")
        command = [f"{self.server.bin}/pgbench", "-n", "-h", self.server.host, "-p", self.server.port, "-U", "postgres",
                   "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", script.name]
        if log:
            command += ["-l", f"--log-prefix={log}"]
        return subprocess.Popen([*command, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def check_installs(self, least, most):
        self.expect("every installation was counted once, none half",
                    "SELECT (SELECT sum(installs) FROM package) = (SELECT count(*) FROM installation)", "t")
        count = int(self.server.value("SELECT count(*) FROM installation"))
        good = least <= count <= most
        self.wrong += not good
        word = f"{GREEN}right{PLAIN}" if good else f"{RED}expected {least} to {most}{PLAIN}"
        print(f"   installations on record: {count}, acknowledged to the clients: {least} {word}")
        return count

    def update(self, seconds):
        self.title("update: four clients with pgbench")
        before = self.server.value("SELECT pg_current_wal_lsn()")
        with Step(f"UPDATE a package, INSERT an installation, COMMIT, for {seconds} s") as step:
            process = self.pgbench(seconds)
            output, errors = process.communicate()
            found = re.search(r"actually processed: (\d+)", output)
            if process.returncode != 0 or not found:
                raise ServerError("pgbench: " + errors)
            rate = re.search(r"tps = ([\d.]+)", output)
            step.detail = f"{found[1]} transactions, {float(rate[1]):.0f} per second "
        self.check_installs(int(found[1]), int(found[1]))
        self.show("what it did to the table", "SELECT n_tup_upd AS updates, n_tup_hot_upd AS \"of them HOT\", n_dead_tup AS dead,"
                  f" pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), '{before}')) AS wal,"
                  " pg_size_pretty(pg_relation_size('package')) AS size FROM pg_stat_user_tables WHERE relname = 'package'")

    def vacuum(self):
        self.title("vacuum")
        with Step("VACUUM package"):
            self.server.script("VACUUM package")
        with Step("DELETE every tenth edge, VACUUM dependency") as step:
            gone = self.server.value("WITH gone AS (DELETE FROM dependency WHERE package_id % 10 = 3 RETURNING 1)"
                                     " SELECT count(*) FROM gone")
            self.server.script("VACUUM (ANALYZE) dependency")
            step.detail = f"{gone} rows "
        edges = [edge for edge in self.index.edges if edge[0] % 10 != 3]
        self.expect("edges left", "SELECT count(*) FROM dependency", len(edges))
        with Step("INSERT them again: the space is used again") as step:
            before = int(self.server.value("SELECT pg_relation_size('dependency')"))
            self.server.copy("dependency", (edge for edge in self.index.edges if edge[0] % 10 == 3))
            grown = int(self.server.value("SELECT pg_relation_size('dependency')")) - before
            step.detail = f"the table grew by {size(grown)} of {size(before)} "
        if grown > before / 20:
            self.wrong += 1
            print(f"   {RED}it should hardly have grown{PLAIN}")
        self.expect("edges again", "SELECT count(*) FROM dependency", len(self.index.edges))

    # ------------------------------------------------------------------------------------------ crash
    def crash(self):
        self.title("kill -9 of the whole server under load")
        server = self.server
        before = int(server.value("SELECT count(*) FROM installation"))
        with tempfile.TemporaryDirectory() as folder:
            with Step("pgbench with a CHECKPOINT in its midst") as step:
                process = self.pgbench(60, log=f"{folder}/log")
                while int(server.value("SELECT count(*) FROM installation")) < before + 500:
                    time.sleep(0.05)
                server.script("CHECKPOINT")
                killed = server.kill_9()
                process.communicate()
                step.detail = f"{killed} processes killed "
            acknowledged = sum(sum(1 for _ in open(f"{folder}/{name}", encoding="utf-8")) for name in os.listdir(folder))
        log_start = os.path.getsize(server.data + ".log")
        with Step("start and recovery") as step:
            server.start()
            with open(server.data + ".log", encoding="utf-8", errors="replace") as file:
                file.seek(log_start)
                redo = re.search(r"redo done at \S+ .*?elapsed: ([\d.]+ s)", file.read())
            step.detail = f"WAL replayed in {redo[1]} " if redo else f"{RED}nothing was replayed{PLAIN} "
            self.wrong += redo is None
        self.check_installs(before + acknowledged, before + acknowledged + 4)
        self.title("the same questions again")
        self.ask()

    # ----------------------------------------------------------------------------------- look inside
    def look_inside(self):
        server = self.server
        self.title("what happened inside: the table package")
        self.show("the pool (glassheap_buffercache_summary, _relations)",
                  "SELECT *, pg_size_pretty(buffers_used * 8192::bigint) AS used FROM glassheap_buffercache_summary()")
        self.show("pages by their maps (glassheap_visibility_map_summary)",
                  "SELECT c.relname AS table, pg_relation_size(c.oid) / 8192 AS pages, v.all_visible, v.all_frozen"
                  " FROM pg_class c, glassheap_visibility_map_summary(c.oid::regclass) v WHERE relkind = 'r'"
                  " AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC")
        self.show("free space in the map (glassheap_freespace)",
                  "SELECT CASE WHEN avail = 0 THEN '0' WHEN avail < 256 THEN '1..255' WHEN avail < 1024 THEN '256..1023'"
                  " WHEN avail < 4096 THEN '1024..4095' ELSE '4096..' END AS free_bytes, count(*) AS pages"
                  " FROM glassheap_freespace('package') GROUP BY 1 ORDER BY min(avail)")
        server.script("BEGIN; UPDATE package SET installs = installs + 1 WHERE id = 1;"
                      " INSERT INTO installation (package_id) VALUES (1); COMMIT;")
        block = server.value("SELECT split_part(trim('()' FROM ctid::text), ',', 1) FROM package WHERE id = 1")
        self.show(f"the tuples of page {block}, just updated (glassheap_page_items): HOT chains and their transactions",
                  "SELECT lp, lp_flags AS flags, lp_off AS off, lp_len AS len, t_xmin AS xmin, t_xmax AS xmax, t_ctid AS ctid,"
                  " (glassheap_tuple_infomask_flags(t_infomask, t_infomask2)).raw_flags AS infomask"
                  f" FROM glassheap_page_items('package', {block}) ORDER BY lp_flags DESC, lp LIMIT 12")
        self.show("how full it is (glassheap_stattuple)", "SELECT table_len, tuple_count, round(tuple_percent::numeric, 1) AS"
                  " tuple_percent, dead_tuple_count AS dead, free_space, round(free_percent::numeric, 1) AS free_percent"
                  " FROM glassheap_stattuple('package')")
        self.expect("tuples that glassheap_stattuple finds", "SELECT tuple_count FROM glassheap_stattuple('package')",
                    len(self.index.packages))
        with Step("glassheap_verify: every page, tuple and chain of package and dependency") as step:
            faults = server.rows("SELECT * FROM glassheap_verify('package') UNION ALL SELECT * FROM glassheap_verify('dependency')")
            step.detail = f"{len(faults)} faults "
        self.wrong += len(faults) > 0
        self.show("the map of package (glassheap_map)", "SELECT * FROM glassheap_map('package', 80)")
        with Step("glassheap_report of the largest table") as step:
            largest = server.value("SELECT oid::regclass FROM pg_class WHERE relkind = 'r'"
                                   " AND relnamespace = 'public'::regnamespace ORDER BY pg_relation_size(oid) DESC LIMIT 1")
            page = server.psql("-A", "-t", "-c", f"SELECT glassheap_report('{largest}')")
            if page.returncode != 0 or "<svg" not in page.stdout:
                raise ServerError("glassheap_report: " + (page.stderr or page.stdout[:200]))
            with open(self.report, "w", encoding="utf-8") as file:
                file.write(page.stdout)
            step.detail = f"{largest}, {size(len(page.stdout))} "
        print(f"   open it in a browser: {BOLD}{self.report}{PLAIN}")


def main():
    options = argparse.ArgumentParser()
    for name in ("bin", "host", "port", "data", "user", "report"):
        options.add_argument("--" + name, required=True)
    given = options.parse_args()
    list_files = [line.strip() for line in sys.stdin if line.strip()]
    with Step(f"reading {len(list_files)} package lists of this machine's apt"):
        index = Index(list_files)
    if len(index.packages) < 1000:
        print(f"   {RED}only {len(index.packages)} packages: apt-get update?{PLAIN}")
    tour = Tour(Server(given.bin, given.host, given.port, given.data, given.user), index, given.report)
    try:
        tour.load()
        tour.prepare_answers()
        tour.title("ask, and compare with answers computed from the lists")
        tour.ask()
        tour.update(8)
        tour.vacuum()
        tour.crash()
        if AM == "glassheap":
            tour.look_inside()
    except ServerError as error:
        print(f"{RED}{error}{PLAIN}")
        return 1
    if tour.wrong:
        print(f"{RED}{tour.wrong} answer(s) were wrong{PLAIN}")
    return 1 if tour.wrong else 0


sys.exit(main())
