#!/usr/bin/env python3
# test/upstream/run.py — PostgreSQL's own test suites with glassheap as the default table access method.
#
# Why:    promise 2 of the project: whoever sets default_table_access_method and nothing else sees no
#         difference.  PostgreSQL's tests are the judge; they are fetched with apt-get source, never kept here.
# How:    each suite runs twice on the installed server: once with glassheap, once with heap under the name
#         "glassheap" (the control).  A test fails only if it differs from what is expected AND from the control; it is
#         then run once more, both ways, so that chance (row order between parallel tests) does not count but a real
#         difference does.  regress.py: pg_regress and isolationtester; tap.py: TAP tests.
# Usage:  run.py [--out DIR] [--conf 'name = value']... [suite]...    suites: README.md.
#         The server under test must be a copy: test modules are installed into it.
# Result: a line per test that differs, then "N passed, N failed"; exit status 1 if any failed.
# SPDX-License-Identifier: PostgreSQL
import argparse
import pathlib
import shutil
import sys
import tempfile

from regress import RegressSuite
from server import CACHE, Server, run
from sources import build_libraries, fetch_source, matching_psql
from tap import TapSuite, expand, is_tap

# contrib directories whose tests need packages or settings that a plain server does not have, or that test
# heap's name only (they refuse every other access method): see README.md.
SKIP_CONTRIB = {"start-scripts", "hstore_plperl", "hstore_plpython", "jsonb_plperl", "jsonb_plpython", "ltree_plpython",
                "bool_plperl", "sepgsql", "vacuumlo", "oid2name", "xml2", "postgres_fdw", "dblink", "uuid-ossp"}


def names_of(source, suites):
    for name in suites:
        if name == "contrib":
            yield from (f"contrib/{p.name}" for p in sorted((source / "contrib").iterdir())
                        if p.is_dir() and p.name not in SKIP_CONTRIB)
        else:
            yield from expand(source, name)


def judge_suite(name, conf, scratch, tools):
    """(tests as with heap, failures) of one suite; says which failed, and how."""
    make = TapSuite if is_tap(name) else RegressSuite
    server, source, libs, psql = tools
    suite = make(server, name, source, libs, psql, scratch)
    if not suite.parts and not is_tap(name):
        return 0, 0
    verdicts, failed, crashes = suite.judge(conf)
    if failed and verdicts and not crashes:  # chance, or a difference that comes back?
        again = make(server, name, source, libs, psql, scratch / "again")
        _, failed_again, crashes = again.judge(conf, failed)
        failed = [t for t in failed if t in failed_again]
    for test in failed:
        print(f"not ok - {name}: {test}")
        print("\n".join("    " + line for line in suite.differs(test)[:40]))
    for line in crashes:
        print(f"not ok - {name}: server crashed: {line}")
    good = len(verdicts) - len([t for t in failed if t in verdicts])
    print(f"== {name}: {good} of {len(verdicts)} tests as with heap", flush=True)
    return good, len(failed) + len(crashes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="upstream-results")
    parser.add_argument("--conf", action="append", default=[], help="a line for postgresql.conf")
    parser.add_argument("suites", nargs="*", default=["regress", "isolation"])
    args = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    out = pathlib.Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    # The server's user writes the results, wherever the checkout is.
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="gh-upres-", dir="/var/tmp"))
    scratch.chmod(0o755)
    server = Server(scratch)
    source = fetch_source(server, out / "fetch.log")
    tools = (server, source, build_libraries(server, source, out / "build.log"), matching_psql(server, source))
    run(["chmod", "-R", "a+rX", CACHE])
    passed = failures = 0
    try:
        for name in names_of(source, args.suites):
            good, bad = judge_suite(name, args.conf, scratch, tools)
            passed, failures = passed + good, failures + bad
    finally:
        shutil.copytree(scratch, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("ports", "shims"))
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{passed} passed, {failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
