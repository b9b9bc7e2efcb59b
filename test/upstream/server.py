# test/upstream/server.py — the server that PostgreSQL's tests run on, and what they all share.
#
# Why:    each suite runs twice, with glassheap ("run") and with heap under the name glassheap ("control"), so that the
#         name itself makes no difference.  AM, the SQL that makes it exist, and who runs what, are here.
# SPDX-License-Identifier: PostgreSQL
import os
import pathlib
import re
import shutil
import subprocess
import sys

import initdb

AM = "glassheap"
# In a schema of their own: tests list what is in public.  In one of the system's, for pg_dump leaves those out, and what is
# restored finds the access method there already.
SCHEMA = "pg_glassheap"
SETUP = {"run": f"CREATE SCHEMA {SCHEMA}; CREATE EXTENSION glassheap SCHEMA {SCHEMA};\n",
         "control": f"CREATE SCHEMA {SCHEMA}; CREATE FUNCTION {SCHEMA}.glassheap_tableam_handler(internal) RETURNS table_am_handler"
                    " AS 'heap_tableam_handler' LANGUAGE internal STRICT;"
                    f" CREATE ACCESS METHOD glassheap TYPE TABLE HANDLER {SCHEMA}.glassheap_tableam_handler;"
                    " COMMENT ON ACCESS METHOD glassheap IS 'heap rebuilt on its own buffer pool';\n"}
PRELOAD = {"run": "glassheap", "control": ""}
CACHE = pathlib.Path(os.environ.get("GH_UPSTREAM_CACHE", "/var/tmp/glassheap-upstream"))


def run(cmd, **kw):
    return subprocess.run([str(c) for c in cmd], text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kw)


def die(message):
    print(f"upstream: {message}", file=sys.stderr)
    sys.exit(2)


def crashes_in(log):
    """Lines of a server's log that no test wants."""
    return re.findall(r"(?m)^.*(?:terminated by signal (?:4|6|7|8|11)\b|PANIC: |TRAP: ).*$", log)


def settings_for(kind, lines):
    """Heap knows none of our settings."""
    return [ln for ln in lines if kind == "run" or not ln.startswith("glassheap.")]


def clean_environment(**more):
    """The tests' environment: nothing of the caller's settings."""
    env = dict(os.environ, LANG="C", TZ="UTC", **{name: str(value) for name, value in more.items()})
    for name in ("PGDATA", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGHOST", "PGPORT", "LC_ALL", "LANGUAGE", "MAKEFLAGS"):
        env.pop(name, None)
    return env


class Server:
    """Where the installed server is, and who runs it: never root."""

    def __init__(self, scratch):
        self.pg_config = os.environ.get("PG_CONFIG", "pg_config")
        self.bindir = pathlib.Path(self.ask("--bindir"))
        self.tests = pathlib.Path(self.ask("--pgxs")).parent.parent / "test"
        self.number = self.ask("--version").split()[1]
        self.user = os.environ.get("GH_TEST_USER", "postgres") if os.geteuid() == 0 else None
        options = self.ask("--configure")  # what its makefiles would tell the TAP tests
        self.features = {"with_icu": "yes" if "--with-icu" in options else "no",
                         "with_readline": "no" if "--without-readline" in options else "yes"}
        self.shims = scratch / "shims"
        self.shims.mkdir()
        shutil.copy(pathlib.Path(__file__).with_name("initdb.py"), self.shims / "initdb")
        (self.shims / "initdb").chmod(0o755)
        self.ports = scratch / "ports"  # which ports the TAP tests have taken
        self.ports.mkdir()
        self.own(self.ports)

    def environment(self, kind, **more):
        """For the shim of initdb, and whoever calls it."""
        shim = {initdb.BINDIR: self.bindir, initdb.SETUP: SETUP[kind], initdb.PRELOAD: PRELOAD[kind]}
        return clean_environment(**shim, **self.features, **more)

    def ask(self, what):
        return run([self.pg_config, what]).stdout.strip()

    def as_user(self, cmd, **kw):
        prefix = ["runuser", "-u", self.user, "--"] if self.user else []
        return run(prefix + [str(c) for c in cmd], **kw)

    def own(self, path):
        if self.user:
            shutil.chown(path, self.user)
