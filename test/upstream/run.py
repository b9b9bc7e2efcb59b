#!/usr/bin/env python3
# test/upstream/run.py — PostgreSQL's own test suites with glassheap as the default table access method.
#
# Why:    promise 2 of the project: whoever sets default_table_access_method and nothing else sees no
#         difference.  PostgreSQL's tests are the judge; they are fetched with apt-get source, never kept here.
# How:    each suite runs twice on the installed server: once with glassheap, once with heap under the name
#         "glassheap" (the control, so that the name itself makes no difference).  A test fails only if its output differs
#         from the expected one AND from the control's; it is then run once more alone, both ways, so that
#         chance (row order between parallel tests) does not count but a real difference does.
# Usage:  run.py [--out DIR] [--conf 'name = value']... [suite]...    suites: regress isolation plpgsql contrib
#         or contrib/NAME, or modules/NAME (src/test/modules; compiled into the server under test, which must be a copy).
# Result: a line per test that differs, then "N passed, N failed"; exit status 1 if any failed.
# SPDX-License-Identifier: PostgreSQL
import argparse
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

AM = "glassheap"
# In a schema of their own: tests list what is in public.
SETUP = {"run": "CREATE SCHEMA glassheap; CREATE EXTENSION glassheap SCHEMA glassheap;\n",
         "control": "CREATE SCHEMA glassheap; CREATE FUNCTION glassheap.glassheap_tableam_handler(internal) RETURNS table_am_handler"
                    " AS 'heap_tableam_handler' LANGUAGE internal STRICT;"
                    " CREATE ACCESS METHOD glassheap TYPE TABLE HANDLER glassheap.glassheap_tableam_handler;"
                    " COMMENT ON ACCESS METHOD glassheap IS 'heap rebuilt on its own buffer pool';\n"}
CACHE = pathlib.Path(os.environ.get("GH_UPSTREAM_CACHE", "/var/tmp/glassheap-upstream"))
# contrib directories whose tests need packages or settings that a plain server does not have, or that test
# heap's name only (they refuse every other access method): see README.md.
SKIP_CONTRIB = {"start-scripts", "hstore_plperl", "hstore_plpython", "jsonb_plperl", "jsonb_plpython", "ltree_plpython",
                "bool_plperl", "sepgsql", "vacuumlo", "oid2name", "xml2", "postgres_fdw", "dblink", "uuid-ossp"}


def run(cmd, **kw):
    return subprocess.run([str(c) for c in cmd], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)


def die(message):
    print(f"upstream: {message}", file=sys.stderr)
    sys.exit(2)


class Server:
    """Where the installed server is, and who runs it: never root."""

    def __init__(self):
        self.pg_config = os.environ.get("PG_CONFIG", "pg_config")
        self.bindir = pathlib.Path(self.ask("--bindir"))
        self.tests = pathlib.Path(self.ask("--pgxs")).parent.parent / "test"
        self.number = self.ask("--version").split()[1]
        self.user = os.environ.get("GH_TEST_USER", "postgres") if os.geteuid() == 0 else None

    def ask(self, what):
        return run([self.pg_config, what]).stdout.strip()

    def as_user(self, cmd, **kw):
        prefix = ["runuser", "-u", self.user, "--"] if self.user else []
        return run(prefix + [str(c) for c in cmd], **kw)

    def own(self, path):
        if self.user:
            shutil.chown(path, self.user)


def fetch_source(server, log):
    """apt-get source into the cache; a mirror may lack the very minor release, then the newest it has."""
    major = server.number.split(".")[0]
    have = sorted(CACHE.glob(f"src/postgresql-{major}-*/src/test/regress/parallel_schedule"))
    if have:
        return have[-1].parents[3]
    etc = CACHE / "apt"
    for sub in ("parts", "lists/partial", "cache/archives/partial"):
        (etc / sub).mkdir(parents=True, exist_ok=True)
    sources = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]
    for file in (f for f in sources if f.is_file()):
        text = file.read_text()
        if file.suffix == ".sources":
            (etc / "parts" / file.name).write_text(re.sub(r"(?m)^Types:.*", "Types: deb-src", text))
        elif file.suffix == ".list":
            lines = [re.sub(r"^deb ", "deb-src ", ln) for ln in text.splitlines() if ln.startswith("deb ")]
            (etc / "parts" / file.name).write_text("\n".join(lines) + "\n")
    opts = ["-q", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={etc}/parts",
            "-o", f"Dir::State::lists={etc}/lists", "-o", f"Dir::Cache={etc}/cache", "-o", "APT::Sandbox::User="]
    (CACHE / "src").mkdir(exist_ok=True)
    out = run(["apt-get", *opts, "update"]).stdout
    shown = run(["apt-cache", *opts, "showsrc", f"postgresql-{major}"]).stdout
    versions = sorted(set(re.findall(r"(?m)^Version: (\S+)", shown)),
                      key=lambda v: [int(n) for n in re.findall(r"\d+", v)], reverse=True)
    for version in versions:
        result = run(["apt-get", *opts, "source", f"postgresql-{major}={version}"], cwd=CACHE / "src")
        out += result.stdout
        if result.returncode == 0:
            break
    log.write_text(out)
    have = sorted(CACHE.glob(f"src/postgresql-{major}-*/src/test/regress/parallel_schedule"))
    if not have:
        die(f"could not fetch PostgreSQL's source with apt-get: {log}")
    return have[-1].parents[3]


def matching_psql(server, source):
    """The expected outputs belong to the psql of their own minor release."""
    version = re.search(r"(?m)^PACKAGE_VERSION='(.*)'", (source / "configure").read_text()).group(1)
    if version == server.number:
        return server.bindir
    client, major = CACHE / f"client-{version}", version.split(".")[0]
    binary = client / f"usr/lib/postgresql/{major}/bin/psql"
    if not binary.exists():
        with tempfile.TemporaryDirectory() as tmp:
            run(["apt-get", "-q", "download", f"postgresql-client-{major}={version}-*"], cwd=tmp)
            for deb in pathlib.Path(tmp).glob("*.deb"):
                run(["dpkg", "-x", deb, client])
    if not binary.exists():
        print(f"== no psql {version}: COPY tests may differ from the expected output (and are judged by the control)")
        return server.bindir
    only = CACHE / f"psql-{version}"
    only.mkdir(exist_ok=True)
    link = only / "psql"
    if not link.exists():
        link.symlink_to(binary)
    return only


def build_libraries(server, source, log):
    """regress.so and the contrib/spi modules that the core tests load."""
    libs = CACHE / f"lib-{server.number}"
    if (libs / "regress.so").exists() and (libs / "refint.so").exists():
        return libs
    libs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        work = pathlib.Path(tmp)
        shutil.copytree(source / "contrib/spi", work / "spi")
        (work / "regress").mkdir()
        shutil.copy(source / "src/test/regress/regress.c", work / "regress")
        (work / "regress/Makefile").write_text(
            "MODULES = regress\nPGXS := $(shell $(PG_CONFIG) --pgxs)\ninclude $(PGXS)\n")
        text = ""
        for part in ("spi", "regress"):
            text += run(["make", "-s", "-C", work / part, "USE_PGXS=1", f"PG_CONFIG={server.pg_config}",
                         "with_llvm=no"]).stdout
        log.write_text(text)
        for so in work.glob("*/*.so"):
            shutil.copy(so, libs)
    if not (libs / "regress.so").exists():
        die(f"regress.so does not compile: {log}")
    return libs


def build_module(server, directory, log):
    """A module of src/test/modules, installed into the server under test."""
    with tempfile.TemporaryDirectory() as tmp:
        work = pathlib.Path(tmp) / directory.name
        shutil.copytree(directory, work)
        result = run(["make", "-s", "-C", work, "USE_PGXS=1", f"PG_CONFIG={server.pg_config}", "with_llvm=no", "install"])
    log.write_text(result.stdout)
    if result.returncode:
        die(f"{directory.name} cannot be built or installed: {log}")


def preloaded_by(lines):
    """Libraries that a test directory's configuration wants preloaded, quoted or not."""
    found = [re.match(r"\s*shared_preload_libraries\s*=\s*'?([^'#]*)'?", line) for line in lines]
    return [name.strip() for match in found if match for name in match.group(1).split(",") if name.strip()]


class Cluster:
    """A throw-away server in which the access method exists in every database."""

    def __init__(self, server, kind, out, conf):
        self.server, self.kind, self.out = server, kind, out
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gh-up-", dir="/var/tmp"))
        self.server.own(self.dir)
        self.data = self.dir / "data"
        result = server.as_user([server.bindir / "initdb", "-A", "trust", "-k", "--no-sync", "--no-locale", "-E", "UTF8",
                                 "-U", "postgres", "-D", self.data], cwd="/")
        if result.returncode:
            die(f"initdb: {result.stdout}")
        ours = ["glassheap"] if kind == "run" else []
        preload = ",".join(ours + preloaded_by(conf))
        conf = [ln for ln in conf if not preloaded_by([ln])]
        for database in ("template1", "template0", "postgres"):
            result = server.as_user(
                [server.bindir / "postgres", "--single", "-j", "-F", "-D", self.data, "-c", "exit_on_error=on",
                 "-c", f"shared_preload_libraries={','.join(ours)}", database], input=SETUP[kind], cwd="/")
            if result.returncode:
                die(f"setup in {database}: {result.stdout}")
        lines = [f"shared_preload_libraries = '{preload}'", f"default_table_access_method = {AM}", "fsync = off",
                 "listen_addresses = ''", f"unix_socket_directories = '{self.dir}'", "port = 5432",
                 "max_prepared_transactions = 20", "log_line_prefix = '%m [%p] %q%a %e '", "log_lock_waits = on",
                 "log_autovacuum_min_duration = 0", "wal_level = logical", *conf]
        if kind == "control":
            lines = [ln for ln in lines if not ln.startswith("glassheap.")]
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
        return re.findall(r"(?m)^.*(?:terminated by signal|PANIC:|TRAP:).*$", log)


class Suite:
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

    def pg_regress(self, cluster, part, tests, results):
        program, directory, database, args, _ = part
        results.mkdir(parents=True, exist_ok=True)
        self.server.own(results)
        env = dict(os.environ, PATH=f"{self.psql}:{self.server.bindir}:{os.environ['PATH']}", LANG="C", TZ="UTC")
        for name in ("PGDATA", "PGUSER", "PGDATABASE", "PGOPTIONS", "LC_ALL", "LANGUAGE"):
            env.pop(name, None)
        return self.server.as_user(
            [self.server.tests / program, f"--bindir={self.psql}", f"--inputdir={directory}", f"--outputdir={results}",
             f"--dlpath={self.libs}", f"--host={cluster.dir}", "--port=5432", "--user=postgres", f"--dbname={database}",
             *(tests or args)], cwd=directory, env=env, timeout=3000).stdout

    def go(self, conf):
        self.out.mkdir(parents=True, exist_ok=True)
        verdicts, crashes = {}, []
        for kind in ("control", "run"):
            settings = [ln for part in self.parts[:1] for ln in part[4]]
            cluster = Cluster(self.server, kind, self.out, settings + conf)
            try:
                for part in self.parts:
                    text = self.pg_regress(cluster, part, None, self.out / kind)
                    (self.out / f"{kind}-{part[0].split('/')[0]}.log").write_text(text)
                    for name, verdict in re.findall(r"(?m)^(?:test|    )?\s*(\S+)\s+\.\.\. (ok|FAILED|failed)", text):
                        verdicts.setdefault(name, {})[kind] = verdict == "ok"
            finally:
                found = cluster.stop()
            crashes += found if kind == "run" else []
        return verdicts, crashes

    def differs(self, name):
        """What this test's output has that neither the expected output nor the control's has."""
        files = [self.out / kind / "results" / f"{name}.out" for kind in ("control", "run")]
        texts = [f.read_text(errors="replace").splitlines() if f.exists() else [] for f in files]
        return list(difflib.unified_diff(*texts, "control", "glassheap", lineterm=""))

    def judge(self, conf):
        verdicts, crashes = self.go(conf)
        failed = []
        for name, v in sorted(verdicts.items()):
            if not v.get("run", False) and self.differs(name):
                failed.append(name)
        if not verdicts or all("run" not in v for v in verdicts.values()):
            failed.append("(no test ran)")
        return verdicts, failed, crashes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="upstream-results")
    parser.add_argument("--conf", action="append", default=[], help="a line for postgresql.conf")
    parser.add_argument("suites", nargs="*", default=["regress", "isolation"])
    args = parser.parse_args()
    server = Server()
    CACHE.mkdir(parents=True, exist_ok=True)
    out = pathlib.Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    # The server's user writes the results, wherever the checkout is.
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="gh-upres-", dir="/var/tmp"))
    scratch.chmod(0o755)
    source = fetch_source(server, out / "fetch.log")
    libs, psql = build_libraries(server, source, out / "build.log"), matching_psql(server, source)
    run(["chmod", "-R", "a+rX", CACHE])
    passed = failures = 0
    names = []
    for name in args.suites:
        if name == "contrib":
            names += [f"contrib/{p.name}" for p in sorted((source / "contrib").iterdir())
                      if p.is_dir() and p.name not in SKIP_CONTRIB]
        else:
            names.append(name)
    for name in names:
        suite = Suite(server, name, source, libs, psql, scratch)
        if not suite.parts:
            continue
        verdicts, failed, crashes = suite.judge(args.conf)
        if failed and not crashes:  # chance, or a difference that comes back?
            again = Suite(server, name, source, libs, psql, scratch / "again")
            _, failed_again, crashes = again.judge(args.conf)
            failed = [t for t in failed if t in failed_again]
        for test in failed:
            print(f"not ok - {name}: {test}")
            print("\n".join("    " + line for line in suite.differs(test)[:40]))
        for line in crashes:
            print(f"not ok - {name}: server crashed: {line}")
        good = len(verdicts) - len(failed)
        print(f"== {name}: {good} of {len(verdicts)} tests as with heap", flush=True)
        passed += good
        failures += len(failed) + len(crashes)
    shutil.copytree(scratch, out, dirs_exist_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)
    print(f"{passed} passed, {failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
