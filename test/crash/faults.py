# test/crash/faults.py: what the loop is looking for.
# SPDX-License-Identifier: PostgreSQL


class Fault(Exception):
    """Something that must not be: a lost row, a hang, a damaged page, a word in the log.  Ends the run."""
