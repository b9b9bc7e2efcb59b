#!/usr/bin/python3
# test/crash/run.py: the loop: cycles of kill -9, power loss, standby and stress in turn, as long as it is told.
#
#   run.py --bin FOLDER --work FOLDER --minutes N [--seed S] [--only kind,...] [--first N] [--set name=value] [--shim FOLDER]
#
# tools/check_crash builds what it needs and calls it as the server's user.  A fault ends the run with status 1; the cycle's
# folder then has the data directories, logs, ledger.json and history.json.
# SPDX-License-Identifier: PostgreSQL
import argparse
import collections
import os
import sys

import plan
import schema
from config import Config
from faults import Fault
from kinds import Kill, Power, Stress
from replicas import Standby
from waiting import clock

KINDS = {kind.kind: kind for kind in (Kill, Power, Standby, Stress)}
COUNTED = (("commits", "acknowledged commits"), ("crashes", "crashes"), ("checkpoints", "checkpoints"),
           ("restartpoints", "restartpoints"),
           ("evictions", "evictions"), ("extensions", "extensions"), ("unsynced", "sectors not synced"), ("torn", "torn pages"), ("lost", "lost sectors"))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--first", type=int, default=1, help="number of the first cycle, to repeat a later one")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--focus", choices=plan.FOCUS, help="all rounds have this load; else the seed chooses")
    parser.add_argument("--shim", default="none")
    parser.add_argument("--perl", required=True)
    parser.add_argument("--delays", action="store_true", help="the module knows delays at stop points")
    return parser.parse_args()


def make_template(config):
    server = config.server("template", config.template)
    done = server.program("initdb", "-k", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D", server.data)
    if done.returncode != 0:
        sys.exit(done.stdout)
    with open(f"{server.data}/postgresql.conf", "a", encoding="utf-8") as file:
        file.write("include_if_exists = 'loop.conf'\ninclude_if_exists = 'loop_more.conf'\n")
    server.configure({"listen_addresses": "''", "shared_preload_libraries": "'glassheap'", "fsync": "off"})
    try:
        server.start()
        schema.create(server)
        server.stop()
    finally:
        server.kill()


def run_cycles(config, kinds, first):
    """Numbers of cycles by kind, and the fault that ended them."""
    done, number, began = collections.Counter(), first, clock()
    while clock() < config.end or number < first + 1:
        kind = KINDS[kinds[(number - 1) % len(kinds)]]
        cycle = kind(config, number)
        print(f"  cycle {number}, {cycle.kind}, at {clock() - began:.0f} s", flush=True)
        try:
            cycle.run()
        except Fault as fault:
            tell_fault(config, cycle, fault, clock() - began)
            return done, fault
        done[cycle.kind] += 1
        number += 1
    return done, None


def tell_fault(config, cycle, fault, seconds):
    print(f"FAULT in cycle {cycle.number} ({cycle.kind}) after {seconds:.0f} s, seed {config.seed}")
    for line in cycle.history:
        print("  " + "; ".join(f"{name} {value}" if name != "what" else value for name, value in line.items()))
    print(f"{fault}\nkept: {cycle.folder}", flush=True)


def main():
    options = arguments()
    sys.setswitchinterval(0.001)    # sessions are to be told of their answers soon
    config = Config(options)
    kinds = [kind for kind in options.only.split(",") if kind != "power" or config.shim.can_lose_power()]
    if "power" in options.only.split(",") and "power" not in kinds:
        print("  no shim with a journal: no power loss")
    print(f"seed {config.seed}, {options.minutes:g} minutes, {', '.join(kinds)}", flush=True)
    make_template(config)
    config.begin(options.minutes)
    done, fault = run_cycles(config, kinds, options.first)
    print("cycles: " + ", ".join(f"{kind} {done[kind]}" for kind in kinds))
    for name, words in COUNTED:
        print(f"{words}: {config.totals[name]}")
    print(f"losses: {1 if fault else 0}")
    print(f"{sum(done.values())} passed, {1 if fault else 0} failed")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
