# test/upstream/regress.py — suites of pg_regress and isolationtester.
#
# How:    one cluster for the control, one for the run; a test differs when its output is neither the expected one nor the
#         control's.
# SPDX-License-Identifier: PostgreSQL
import difflib
import os
import pathlib
import re
import shutil
import tempfile

from server import AM, PRELOAD, clean_environment, crashes_in, die, settings_for
from sources import build_module


def preloaded_by(lines):
    """Libraries that a test directory's configuration wants preloaded, quoted or not."""
    found = [re.match(r"\s*shared_preload_libraries\s*=\s*'?([^'#]*)'?", line) for line in lines]
    return [name.strip() for match in found if match for name in match.group(1).split(",") if name.strip()]


def verdicts_in(text):
    """(name, whether it passed) of each test in what pg_regress prints."""
    return [(name, verdict == "ok")
            for name, verdict in re.findall(r"(?m)^(?:test|    )?\s*(\S+)\s+\.\.\. (ok|FAILED|failed)", text)]


def differing_output(control, ours):
    """What a test's output has that the control's has not, or the other way round."""
    texts = [f.read_text(errors="replace").splitlines() if f.exists() else [] for f in (control, ours)]
    return list(difflib.unified_diff(*texts, "control", "glassheap", lineterm=""))


class Cluster:
    """A throw-away server in which the access method exists in every database."""

    def __init__(self, server, kind, out, conf):
        self.server, self.kind, self.out = server, kind, out
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gh-up-", dir="/var/tmp"))
        self.server.own(self.dir)
        self.data = self.dir / "data"
        result = server.as_user([server.shims / "initdb", "-A", "trust", "-k", "--no-sync", "--no-locale", "-E", "UTF8",
                                 "-U", "postgres", "-D", self.data], cwd="/", env=server.environment(kind))
        if result.returncode:
            die(f"initdb: {result.stdout}")
        preload = ",".join([name for name in [PRELOAD[kind]] if name] + preloaded_by(conf))
        conf = [ln for ln in conf if not preloaded_by([ln])]
        lines = [f"shared_preload_libraries = '{preload}'", f"default_table_access_method = {AM}", "fsync = off",
                 "listen_addresses = ''", f"unix_socket_directories = '{self.dir}'", "port = 5432",
                 "max_prepared_transactions = 20", "log_line_prefix = '%m [%p] %q%a %e '", "log_lock_waits = on",
                 "log_autovacuum_min_duration = 0", "wal_level = logical", *settings_for(kind, conf)]
        path = self.data / "postgresql.conf"
        path.write_text(path.read_text() + "\n".join(lines) + "\n")
        result = server.as_user([server.bindir / "pg_ctl", "-D", self.data, "-l", self.dir / "log", "-w", "-t", "60", "start"],
                                cwd="/")
        if result.returncode:
            die(f"start: {result.stdout} {(self.dir / 'log').read_text()[-2000:]}")

    def stop(self):
        self.server.as_user([self.server.bindir / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop"], cwd="/")
        log = (self.dir / "log").read_text(errors="replace")
        (self.out / f"server-{self.kind}.log").write_text(log)
        shutil.rmtree(self.dir, ignore_errors=True)
        return crashes_in(log)


class RegressSuite:
    def __init__(self, server, name, source, libs, psql, out):
        self.server, self.name, self.libs, self.psql = server, name, libs, psql
        self.out = out / name.replace("/", "-")
        self.parts = list(self.find_parts(source))

    def find_parts(self, source):
        """(program, input directory, database, arguments that name the tests, server settings)"""
        if self.name == "regress":
            d = source / "src/test/regress"
            yield "regress/pg_regress", d, "regression", ["--max-concurrent-tests=20", f"--schedule={d}/parallel_schedule"], []
        elif self.name == "isolation":
            d = source / "src/test/isolation"
            yield ("isolation/pg_isolation_regress", d, "isolation_regression",
                   [f"--schedule={d}/isolation_schedule"], [])
        else:
            home = {"plpgsql": "src/pl/plpgsql/src"}.get(self.name, re.sub(r"^modules/", "src/test/modules/", self.name))
            d = source / home
            if self.name.startswith("modules/"):
                self.out.mkdir(parents=True, exist_ok=True)
                build_module(self.server, d, self.out / "build.log")
            text = re.sub(r"\\\n", " ", (d / "Makefile").read_text())
            conf = [str(d / m) for m in re.findall(r"--temp-config[= ]\$\(top_srcdir\)/" + home + r"/(\S+)", text)]
            lines = [ln for c in conf for ln in pathlib.Path(c).read_text().splitlines()]
            for word, program in (("REGRESS", "regress/pg_regress"), ("ISOLATION", "isolation/pg_isolation_regress")):
                tests = re.search(rf"(?m)^{word}\s*=\s*(.*)$", text)
                names = [t for t in tests.group(1).split() if not t.startswith("$")] if tests else []
                if names:
                    yield program, d, "contrib_regression", names, lines

    def pg_regress(self, cluster, part, results):
        program, directory, database, args, _ = part
        results.mkdir(parents=True, exist_ok=True)
        self.server.own(results)
        env = clean_environment(PATH=f"{self.psql}:{self.server.bindir}:{os.environ['PATH']}")
        return self.server.as_user(
            [self.server.tests / program, f"--bindir={self.psql}", f"--inputdir={directory}", f"--outputdir={results}",
             f"--dlpath={self.libs}", f"--host={cluster.dir}", "--port=5432", "--user=postgres", f"--dbname={database}",
             *args], cwd=directory, env=env, timeout=3000).stdout

    def go(self, conf):
        self.out.mkdir(parents=True, exist_ok=True)
        verdicts, crashes = {}, []
        for kind in ("control", "run"):
            settings = [ln for part in self.parts[:1] for ln in part[4]]
            cluster = Cluster(self.server, kind, self.out, settings + conf)
            try:
                for part in self.parts:
                    text = self.pg_regress(cluster, part, self.out / kind)
                    (self.out / f"{kind}-{part[0].split('/')[0]}.log").write_text(text)
                    for name, passed in verdicts_in(text):
                        verdicts.setdefault(name, {})[kind] = passed
            finally:
                found = cluster.stop()
            crashes += found if kind == "run" else []
        return verdicts, crashes

    def differs(self, name):
        return differing_output(*(self.out / kind / "results" / f"{name}.out" for kind in ("control", "run")))

    def judge(self, conf, _again=()):
        """Verdicts, names that failed, crashes.  Tests of a schedule build on each other: again means all of them."""
        verdicts, crashes = self.go(conf)
        failed = []
        for name, v in sorted(verdicts.items()):
            if not v.get("run", False) and self.differs(name):
                failed.append(name)
        if not verdicts or all("run" not in v for v in verdicts.values()):
            failed.append("(no test ran)")
        return verdicts, failed, crashes
