# tools/source_files.py: what the gates share: the files, their includes, their layer.
# SPDX-License-Identifier: PostgreSQL
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SRC = os.path.join(ROOT, "src")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def source_files(*suffixes):
    """Paths below src/, relative to it, sorted."""
    found = []
    for folder, _, names in os.walk(SRC):
        for name in names:
            if name.endswith(suffixes or (".hpp", ".cpp")):
                found.append(os.path.relpath(os.path.join(folder, name), SRC))
    return sorted(found)


def read(path):
    with open(os.path.join(SRC, path), encoding="utf-8") as file:
        return file.read()


def own_includes(path):
    """The files of ours that this one includes directly."""
    return [name for name in INCLUDE.findall(read(path)) if os.path.exists(os.path.join(SRC, name))]


def server_files():
    """The files that reach postgres.h, directly or not."""
    direct = {path: own_includes(path) for path in source_files()}
    server = {path for path in direct if path.startswith("pg/") and "pg/pg.hpp" in [path, *direct[path]]}
    grown = True
    while grown:
        more = {path for path in direct if path not in server and server & set(direct[path])}
        server |= more
        grown = bool(more)
    return server


def report(gate, faults, checked):
    """Prints the outcome and returns the exit status."""
    for fault in faults:
        print(f"  {fault}")
    state = "ok" if not faults else f"{len(faults)} fault(s), see tools/README.md"
    print(f"{gate}: {checked}: {state}")
    return 1 if faults else 0


def die(message):
    print(message, file=sys.stderr)
    sys.exit(2)
