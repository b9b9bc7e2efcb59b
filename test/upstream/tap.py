# test/upstream/tap.py — PostgreSQL's TAP suites: recovery, subscription, and the programs of src/bin.
#
# Why:    they start, copy, promote, upgrade, dump and break clusters of their own, all of which get our default.
# How:    initdb is shims/initdb on PATH, the settings come by TEMP_CONFIG.  Each file runs with heap under our name and
#         with glassheap.  It fails if a test point fails, or is not reached, that the control passes; if its server
#         crashed and the control's did not; or if it does not end.  What a test lets pg_regress do (027_stream_regress,
#         002_pg_upgrade) counts test by test, by its output beside the control's.
# Also:   VARIANTS: the same file once more under settings of ours, judged by the control of the plain one.
# SPDX-License-Identifier: PostgreSQL
import concurrent.futures
import os
import re
import shutil
import signal

from regress import differing_output, verdicts_in
from server import AM, PRELOAD, crashes_in, die, settings_for

HOMES = {"recovery": "src/test/recovery", "subscription": "src/test/subscription"}
JOBS = 2
SECONDS = 1800  # for one file; each wait inside has 180
TIMED_OUT = (124, 137)
# Replay of PostgreSQL's whole regression suite, each record's pages compared on the standby, with eviction under it.
VARIANTS = {"recovery/027_stream_regress": {"consistency": ["wal_consistency_checking = 'glassheap'", "glassheap.buffers = 1MB"]}}
# What such a run must have left in the primary's WAL: name of the variant -> (manager, words of pg_waldump).
PROOFS = {"consistency": (AM, "for WAL verification")}
# A test that heap's numbers make is given ours, to test the same of us (README.md): (its words, what stands there for us).
EDITS = {"recovery/043_vacuum_horizon_floor": [("generate_series(1, 200000)", "generate_series(1, 9000000)"),
                                               ("maintenance_work_mem = 1024", "maintenance_work_mem = 1024\nwal_keep_size = 8GB")]}


def is_tap(name):
    return name.split("/")[0] in ("bin", *HOMES)


def expand(source, name):
    """bin: a suite for each program that has TAP tests."""
    if name == "bin":
        return [f"bin/{t.parent.name}" for t in sorted((source / "src/bin").glob("*/t"))]
    return [name]


def general(description):
    """A test point's words without what differs from run to run: numbers, temporary names."""
    words = re.sub(r"/tmp/\w{10}\b|tmp_test_\w+", "TMP", description)
    return re.sub(r"[0-9A-F]+/[0-9A-F]{2,}|\d+", "N", words)


def points_in(output):
    """Test points in order: {words, numbered where they come more than once: passed}."""
    points, seen = {}, {}
    for indent, failed, words, todo in re.findall(r"(?m)^( *)(not )?ok \d+(?: -)?(.*?)(# TODO.*)?$", output):
        words = indent + general(words.split(" # skip")[0].strip())
        seen[words] = seen.get(words, 0) + 1
        points[f"{words} [{seen[words]}]" if seen[words] > 1 else words] = not failed or bool(todo)
    return points


class Outcome:
    """What one file did, once."""

    def __init__(self, status, output, crashes, inner, results):
        self.status, self.output, self.crashes, self.inner, self.results = status, output, crashes, inner, results
        self.points = points_in(output)
        self.missing_proof = None

    def failures_beside(self, control):
        """What failed here and not in the control."""
        found = [f"crash: {line}" for line in self.crashes if general(line) not in map(general, control.crashes)]
        found += [f"regress: {name}" for name, passed in self.inner.items()
                  if not passed and self.output_of(name, control)]
        if self.missing_proof:
            found.append(self.missing_proof)
        if self.status == 0:
            return found
        if self.status in TIMED_OUT:
            return [*found, f"no end within {SECONDS} s"]
        found += [words for words, passed in self.points.items() if not passed and control.points.get(words, True)]
        found += [f"not reached: {words}" for words, passed in control.points.items() if passed and words not in self.points]
        if not found and control.status == 0:
            found.append(f"exit status {self.status}")
        return found

    def output_of(self, name, control):
        return differing_output(control.results / f"{name}.out", self.results / f"{name}.out")


class TapSuite:
    def __init__(self, server, name, source, libs, psql, out):
        self.server, self.name, self.source, self.libs, self.psql = server, name, source, libs, psql
        self.out = out / name.replace("/", "-")
        head, *rest = name.split("/")
        self.home = source / (f"src/bin/{rest.pop(0)}" if head == "bin" else HOMES[head])
        self.suite = "/".join([head, self.home.name] if head == "bin" else [head])
        wanted = rest[0].removesuffix(".pl") if rest else "*"
        self.parts = [f.stem for f in sorted((self.home / "t").glob(f"{wanted}.pl"))]
        self.found = {}

    # ------------------------------------------------------------------------------------------- one file
    def settings(self, kind, conf, path):
        lines = [f"shared_preload_libraries = '{PRELOAD[kind]}'", f"default_table_access_method = {AM}",
                 *settings_for(kind, conf)]
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o644)

    def script(self, file, kind, folder):
        """Where the file is that runs: of ours with the edits."""
        edits = EDITS.get(f"{self.suite}/{file}")
        if kind == "control" or not edits:
            return f"t/{file}.pl"
        text = (self.home / "t" / f"{file}.pl").read_text()
        for theirs, ours in edits:
            if theirs not in text:
                die(f"{file} does not say \"{theirs}\" any more: see EDITS in tap.py")
            text = text.replace(theirs, ours)
        (folder / f"{file}.pl").write_text(text)
        return folder / f"{file}.pl"

    def run_file(self, file, kind, label, conf, proof):
        """In a folder of its own, which only the logs outlive."""
        work = self.out / kind / label / "work"
        shutil.rmtree(work.parent, ignore_errors=True)
        work.mkdir(parents=True)
        self.server.own(work)
        self.settings(kind, conf, work.parent / "settings.conf")
        env = self.server.environment(
            kind, PATH=f"{self.server.shims}:{self.psql}:{self.server.bindir}:{os.environ['PATH']}", HOME=work, TESTDIR=work,
            TEMP_CONFIG=work.parent / "settings.conf", PG_REGRESS=self.server.tests / "regress/pg_regress",
            REGRESS_SHLIB=self.libs / "regress.so", top_builddir=self.server.ports, GZIP_PROGRAM="gzip", LZ4="lz4", TAR="tar",
            **({"PG_TEST_NOCLEAN": 1} if proof else {}))
        result = self.server.as_user(
            ["timeout", "-k", "30", str(SECONDS), "prove", "-v", "-I", self.source / "src/test/perl", "-I", ".",
             self.script(file, kind, work.parent)], cwd=self.home, env=env)
        self.end_servers(work)
        outcome = self.read(work, result)
        if proof and result.returncode == 0:
            outcome.missing_proof = self.lacks_proof(work, *proof)
        (work.parent / "output").write_text(result.stdout)
        shutil.rmtree(work, ignore_errors=True)
        return outcome

    def end_servers(self, work):
        """Of a test that did not end them."""
        for file in work.glob("tmp_check/*_data/pgdata/postmaster.pid"):
            try:
                os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)
            except (OSError, ValueError, IndexError):
                pass

    def read(self, work, result):
        check = work / "tmp_check"
        crashes = []
        for log in sorted((check / "log").glob("*")):
            shutil.copy(log, work.parent)
            if log.suffix == ".log" and not log.name.startswith("regress_log"):
                crashes += crashes_in(log.read_text(errors="replace"))
        results = work.parent / "results"
        if (check / "results").is_dir():
            shutil.copytree(check / "results", results)
        report = check / "regression.out"
        inner = dict(verdicts_in(report.read_text(errors="replace"))) if report.exists() else {}
        return Outcome(result.returncode, result.stdout, crashes, inner, results)

    def lacks_proof(self, work, manager, words):
        """None if the WAL of the primary says that the run did what it is about."""
        for segment in sorted(work.glob("tmp_check/*primary_data/pgdata/pg_wal/" + "[0-9A-F]" * 24)):
            dump = self.server.as_user([self.server.bindir / "pg_waldump", "--bkp-details", "-r", "custom128", segment], cwd="/")
            if words in dump.stdout:
                return None
        return f"no record of {manager} is \"{words}\""

    # ------------------------------------------------------------------------------------------ the suite
    def variants(self, file, conf):
        """(kind, label, settings, proof) of all runs of a file."""
        yield "control", file, conf, None
        yield "run", file, conf, None
        for name, lines in VARIANTS.get(f"{self.suite}/{file}", {}).items():
            yield "run", f"{file} ({name})", conf + lines, PROOFS.get(name)

    def judge(self, conf, again=()):
        """Verdicts, names that failed, crashes (a crash is a failure of its file: it is run again like others)."""
        files = [f for f in self.parts if not again or any(name.split(" (")[0] == f for name in again)]
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            runs = {(kind, label): (file, pool.submit(self.run_file, file, kind, label, lines, proof))
                    for file in files for kind, label, lines, proof in self.variants(file, conf)}
            outcomes = {key: (file, future.result()) for key, (file, future) in runs.items()}
        verdicts = {}
        for (kind, label), (file, outcome) in outcomes.items():
            if kind == "run":
                control = outcomes["control", file][1]
                self.found[label] = outcome.failures_beside(control)
                verdicts[label] = {"run": not self.found[label], "control": control.status == 0}
                self.tell(label, outcome, control)
        return verdicts, [label for label in verdicts if self.found[label]] if verdicts else ["(no test ran)"], []

    def tell(self, label, outcome, control):
        """What passes only because the control fails as well is worth a line."""
        if not self.found[label] and outcome.status:
            failed = [words.strip() for words, passed in outcome.points.items() if not passed]
            print(f"as control - {self.name}: {label}: {'; '.join(failed[:5]) or 'exit status ' + str(outcome.status)}")
        if not outcome.points and "skipped" in outcome.output and not control.points:
            print(f"skipped - {self.name}: {label}")

    def differs(self, label):
        return self.found.get(label, [])

