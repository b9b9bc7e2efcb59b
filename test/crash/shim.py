# test/crash/shim.py: what the loop asks of test/shim: delays of reads, writes and syncs, and the loss of power.
#
# Without the shim (another machine, --shim none) servers run as they are, and the power is never lost.
# SPDX-License-Identifier: PostgreSQL
import os
import subprocess

from faults import Fault

class Shim:
    """The library and the program that belongs to it."""

    def __init__(self, folder):
        self.library = os.path.join(folder, "gh_shim.so")
        self.program = os.path.join(folder, "power_loss")

    def can_lose_power(self):
        return os.path.exists(self.library) and os.path.exists(self.program)

    def is_there(self):
        return os.path.exists(self.library)


def delays(random):
    """Rules that hold some reads, writes and syncs of our forks for some milliseconds."""
    rules = []
    if random.random() < 0.15:
        return rules
    for function, mean in (("reads", 0.2), ("writes", 1.5), ("syncs", 5)):    # milliseconds at most, on the average
        for fork in ("main", "vm", "fsm"):
            if random.random() < (0.8 if fork == "main" else 0.3):
                longest = random.choice((3, 10, 40, 150))
                probability = round(random.uniform(0.1, 1) * min(1, 2 * mean / longest), 4)
                rules.append(f"{function} base/* fork={fork} p={probability} delay 1-{longest}")
    if random.random() < 0.4:    # who writes a page waits for the log first
        rules.append(f"syncs pg_wal/* p={round(random.uniform(0.02, 0.6), 3)} delay 1-{random.choice((5, 20))}")
    return rules


def environment(shim, folder, rules, journal, seed):
    """What a server's environment must say; the folder outlives restarts."""
    if not shim.is_there():
        return {}
    os.makedirs(folder, exist_ok=True)
    settings = {"LD_PRELOAD": shim.library, "GH_SHIM_RULES": os.path.join(folder, "rules")}
    write_rules(settings["GH_SHIM_RULES"], rules, seed)
    if journal:
        settings["GH_SHIM_JOURNAL"] = os.path.join(folder, "journal")
        os.makedirs(settings["GH_SHIM_JOURNAL"], exist_ok=True)    # power_loss empties it
    return settings


def write_rules(path, rules, seed=0):
    """Seen by every process at its next call."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in (f"seed {seed}", *rules))
    os.rename(f"{path}.new", path)


def impose(server, rules):
    if path := server.environment.get("GH_SHIM_RULES"):
        write_rules(path, rules)


def lose_power(shim, server, seed, totals):
    """Of a dead server: what was not synced is lost, kept or torn."""
    lock = os.path.join(server.data, "postmaster.pid")
    if os.path.exists(lock):
        os.unlink(lock)
    done = subprocess.run([shim.program, "--data", server.data, "--journal", server.environment["GH_SHIM_JOURNAL"], "--seed", str(seed), "--verbose"],
                          stdin=subprocess.DEVNULL, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300, check=False)
    if done.returncode != 0:
        raise Fault(f"power_loss: {done.stdout.strip()}")
    *files, total = done.stdout.strip().splitlines()
    counts = dict(word.split("=") for word in total.split())
    totals["torn"] += int(counts["torn_pages"])
    totals["lost"] += int(counts["lost"])
    totals["unsynced"] += int(counts["sectors"])
    return [total, *files]
