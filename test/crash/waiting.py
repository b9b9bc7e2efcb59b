# test/crash/waiting.py: the only place of the loop that looks at a clock or sleeps.
#
# Why:    the loop waits for conditions.  A clock says when the run is over, and that something hangs.
# SPDX-License-Identifier: PostgreSQL
import time

from faults import Fault

HANG = 60


def clock():
    return time.monotonic()


def pause(seconds=0.02):
    time.sleep(seconds)


def wait_until(condition, what, seconds=180):
    """The condition's first true value.  Too late is a fault: the loop has no other idea of a hang."""
    end = clock() + seconds
    while True:
        value = condition()
        if value:
            return value
        if clock() > end:
            raise Fault(f"waited {seconds} s for {what}")
        pause()
