# test/crash/processes.py: a server's processes as /proc shows them, and their sudden death.
#
# Why:    all of them have to die at one moment, as with the machine; so the postmaster is halted first, and nobody is
#         forked that the list does not have.
# SPDX-License-Identifier: PostgreSQL
import os
import signal

from waiting import wait_until


def state_of(pid):
    """(state letter, parent) or (None, None)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return None, None
    return words[0], int(words[1])


def title_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read().replace("\0", " ").strip()
    except OSError:
        return ""


def children_of(postmaster):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            state, parent = state_of(name)
            if parent == postmaster and state != "Z":
                found.append(int(name))
    return sorted(found)


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill_all(popen):
    """SIGKILL for the postmaster and all its children; returns when none of them runs."""
    postmaster = popen.pid
    if popen.poll() is None:
        send(postmaster, signal.SIGSTOP)
        wait_until(lambda: state_of(postmaster)[0] in ("T", "Z", None), "the postmaster to halt")
    children = children_of(postmaster)
    for pid in [*children, postmaster]:
        send(pid, signal.SIGKILL)
    popen.wait()
    wait_until(lambda: all(state_of(pid)[0] in ("Z", None) for pid in children), "killed processes to be gone")
    return len(children)
