#!/usr/bin/env python3
# test/upstream/initdb.py — stands before the server's initdb on PATH: runs it, then makes the access method exist in all
# three databases.
#
# Why:    default_table_access_method is believed when a server starts, but each database that creates a table needs the
#         access method; pg_regress copies template0, TAP tests use postgres and call initdb themselves.
# How:    in single-user mode, which may enter template0 and needs no port.  What initdb itself refuses, or does without
#         making a cluster, stays as it is.
# Stands alone: it is copied to a folder that the server's user can read.
# SPDX-License-Identifier: PostgreSQL
import os
import pathlib
import subprocess
import sys

# Environment variables that tell it what to do.
BINDIR, SETUP, PRELOAD = "GH_UPSTREAM_BINDIR", "GH_UPSTREAM_SETUP", "GH_UPSTREAM_PRELOAD"
NO_CLUSTER = {"-S", "--sync-only", "-s", "--show", "-V", "--version", "-?", "--help"}


def data_folder(args):
    """-D X, -DX, --pgdata X, --pgdata=X, the last argument, or PGDATA."""
    found = os.environ.get("PGDATA", "")
    if args and pathlib.Path(args[-1], "PG_VERSION").exists():
        found = args[-1]
    for i, arg in enumerate(args):
        if arg in ("-D", "--pgdata") and i + 1 < len(args):
            found = args[i + 1]
        elif arg.startswith("--pgdata="):
            found = arg.partition("=")[2]
        elif arg.startswith("-D") and arg != "-D":
            found = arg[2:]
    return found


def main():
    args, bindir = sys.argv[1:], os.environ[BINDIR]
    status = subprocess.run([f"{bindir}/initdb", *args], check=False).returncode
    if status or NO_CLUSTER & set(args):
        return status
    for database in ("template1", "template0", "postgres"):
        result = subprocess.run(
            [f"{bindir}/postgres", "--single", "-j", "-F", "-D", data_folder(args), "-c", "exit_on_error=on", "-c",
             "log_checkpoints=off", "-c", "allow_system_table_mods=on", "-c", f"shared_preload_libraries={os.environ[PRELOAD]}", database],
            input=os.environ[SETUP], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if result.returncode:
            print(f"{database}: the access method could not be made: {result.stdout}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
