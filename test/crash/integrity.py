# test/crash/integrity.py: a server judged without the ledger: its tables and indexes verified, its files, its log.
# SPDX-License-Identifier: PostgreSQL
import re
import subprocess

from faults import Fault

ALARMS = re.compile(r"PANIC|TRAP:|check failed|terminated by signal|\bXX00\d\b|\b58030\b|page verification failed|invalid page|"
                    r"could not access status|unexpected data beyond EOF|oldest checkpoint|stuck spinlock")
BESIDE = re.compile(r" (?:CONTEXT|DETAIL|HINT|STATEMENT):  ")
TORN_FREE_SPACE = re.compile(r"startup .*invalid page in block \d+ of relation \S+_fsm; zeroing out page")
BAD_PAGE = re.compile(r'failed in file "([^"]+)"')
# A table's extension is not logged, and lost with the power; its map may be ahead of it (src/fsm/README.md).
MAP_AHEAD = re.compile(r"free space map block \d+ promises \d+ bytes beyond")
PROCESS = re.compile(r"\[(\d+)\]")
KILLED = re.compile(r"\(PID (\d+)\) was terminated by signal 9")
TABLES = """SELECT c.oid::regclass::text, pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE amname = 'glassheap' AND c.oid >= 16384 AND relkind IN ('r', 'm') AND relpersistence = 'p' ORDER BY c.oid"""
INDEXES = """SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND indrelid >= 16384 ORDER BY indexrelid"""


def alarms(lines, killed):
    """Lines that must not be.  A page of a free space map that replay has dirtied may be torn: it is read as zeroes and filled
    anew (src/fsm/README.md), which takes two warnings."""
    for number, line in enumerate(lines):
        if not ALARMS.search(line) or BESIDE.search(line):
            continue
        death = KILLED.search(line)
        if death and int(death[1]) in killed:
            continue
        about = next_warning(lines, number) if "page verification failed" in line else line
        if not TORN_FREE_SPACE.search(about):
            yield line


def next_warning(lines, number):
    """What the same process says next of the page; others' lines may stand between."""
    process = PROCESS.search(lines[number])
    for line in lines[number + 1 :]:
        if process and PROCESS.search(line) and PROCESS.search(line)[1] == process[1] and "invalid page" in line:
            return line
    return ""


def check_log(server):
    text = server.log_since(server.log_read)
    server.log_read = server.log_size()
    for line in alarms(text.splitlines(), server.killed):
        raise Fault(f"{server.name}'s log: {line}")


def has_function(server, name):
    return server.value("SELECT EXISTS (SELECT FROM pg_proc WHERE proname = %s)", (name,))


class Integrity:
    def __init__(self, told):
        self.told = told        # what an older module lacks is said once

    def lacks(self, server, name):
        if has_function(server, name):
            return False
        if name not in self.told:
            self.told.add(name)
            print(f"  this module has no {name}(): not asked", flush=True)
        return True

    def check(self, server):
        found = []
        if not self.lacks(server, "glassheap_verify_all"):
            rows = [row[0] for row in server.ask("SELECT v::text FROM glassheap_verify_all() v LIMIT 20")]
            found += [f"glassheap_verify: {row}" for row in rows if not (server.lost_power and MAP_AHEAD.search(row))]
        for table, _ in server.ask(TABLES):
            for function in ("glassheap_check_visible", "glassheap_check_frozen"):
                if not self.lacks(server, function):
                    found += [f"{function}({table}): {row[0]}" for row in server.ask(f"SELECT {function}(%s)::text LIMIT 5", (table,))]
        for (index,) in server.ask(INDEXES):
            try:
                server.ask("SELECT bt_index_check(%s, true)", (index,))
            except Exception as error:
                found.append(f"bt_index_check({index}): {str(error).strip()}")
        if found:
            raise Fault(f"{server.name} verified:\n  " + "\n  ".join(found))


def stop_and_check(server):
    """A clean stop, and every page's checksum.  A file that a crashed transaction has left is nobody's, and may be torn."""
    owned = {row[0] for row in server.ask("SELECT pg_relation_filepath(oid) FROM pg_class")}
    server.stop()
    check_log(server)
    done = server.program("pg_checksums", "--check", "-D", server.data)
    faults = [line for line in done.stdout.splitlines() if BAD_PAGE.search(line) and is_owned(BAD_PAGE.search(line)[1], owned)]
    if faults or (done.returncode != 0 and "Bad checksums" not in done.stdout):
        raise Fault(f"{server.name}: pg_checksums --check:\n  " + "\n  ".join(faults or [done.stdout]))


def is_owned(path, owned):
    """Files of other databases, whose tables were not asked for, count."""
    base = re.search(r"(?:base|global)/.*?$", path)[0]
    plain = re.sub(r"(_(?:fsm|vm|init))?(\.\d+)?$", "", base)
    databases = {path_of.rpartition("/")[0] for path_of in owned if path_of}
    return plain in owned or plain.rpartition("/")[0] not in databases


def compare_forks(config, tables, one, other):
    """Of stopped servers: all forks of all tables; one alone is compared with itself, its map with its pages."""
    listed = "".join(f"{name}\t{path}\n" for name, path in tables)
    done = subprocess.run(["perl", "-I", config.perl, config.forks, one.data, other.data], input=listed, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
    if done.returncode != 0:
        lines = done.stdout.splitlines()
        raise Fault(f"forks of {one.name} and {other.name}, {len(lines)} differences:\n  " + "\n  ".join(lines[:20]))
