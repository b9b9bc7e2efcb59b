# test/crash/config.py: what the whole run has in common: programs, folders, the seed, the sums.
# SPDX-License-Identifier: PostgreSQL
import collections
import os
import random

from server import Server
from shim import Shim
from waiting import clock, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))


class Config:
    wait = staticmethod(wait_until)

    def __init__(self, options):
        self.bin, self.work, self.perl = options.bin, options.work, options.perl
        self.sockets = options.work
        self.template = os.path.join(options.work, "template")
        self.forks = os.path.join(HERE, "forks.pl")
        self.seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
        self.fixed = dict(setting.split("=", 1) for setting in options.set)
        self.shim = Shim(options.shim)
        self.stop_point_delays = stop_point_delays if options.delays else None
        self.focus = options.focus
        self.totals = collections.Counter()
        self.told = set()
        self.ports = 7200
        self.end = None

    def begin(self, minutes):
        self.end = clock() + 60 * minutes

    def next_port(self):
        self.ports += 1
        return self.ports

    def server(self, name, data):
        return Server(name, data, self)

    def told_of_counters(self, totals):
        if totals is None and "counters" not in self.told:
            self.told.add("counters")
            print("  this module does not count evictions and extensions in glassheap_stat_io", flush=True)


def stop_point_delays(random_of_cycle):
    """What GH_STOP_POINT_DELAYS says: seed, probability in a thousand, most microseconds."""
    per_mille, longest = random_of_cycle.choice(((0, 0), (1, 20000), (2, 10000), (5, 3000), (20, 300)))    # 10 microseconds a pass at most
    return f"{random_of_cycle.randrange(10**6)} {per_mille} {longest}"
