#!/usr/bin/env python3
# test/shim/self_test.py FOLDER [TEST...]: do gh_shim.so and power_loss do what they say?  Without a server; FOLDER has both.
#
# How:    a worker (this file with --worker) does under LD_PRELOAD what it is told in JSON, a list of calls, and answers with
#         their results; the files and what power_loss makes of them are judged here, where nothing is preloaded.
# Prints: lines "ok - ..." and "not ok - ..." for t/160_shim.pl; status 1 if there is one of the latter.
# SPDX-License-Identifier: PostgreSQL
import ctypes
import importlib.machinery
import importlib.util
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

SECTOR, PAGE, SEEDS = 512, 8192, range(24)
RELATION = "base/5/16384"
TOOLS = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
faults = 0


def load_power_loss():
    loader = importlib.machinery.SourceFileLoader("power_loss", os.path.join(TOOLS, "power_loss"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("power_loss", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------------------- worker
class Worker:
    """Descriptors by name; names with @ are another descriptor of the same file."""

    def __init__(self):
        self.files = {}
        self.libc = ctypes.CDLL(None, use_errno=True)

    def open(self, name, flags=os.O_RDWR | os.O_CREAT):
        self.files[name] = os.open(name.split("@")[0], flags, 0o600)

    def descriptor(self, name):
        if name not in self.files:
            self.open(name)
        return self.files[name]

    def do(self, call, name, *rest):
        if call == "open":
            return self.open(name, *rest)
        if call in ("unlink", "rename", "truncate"):
            return getattr(os, call)(name, *rest)
        fd = self.descriptor(name)
        if call in ("pwrite", "pwrite_plain"):
            at, letter, length = rest
            data = letter.encode() * length
            return os.pwrite(fd, data, at) if call == "pwrite" else self.libc.pwrite(fd, data, ctypes.c_size_t(length), ctypes.c_long(at))
        if call == "pwritev":
            at, letter, length = rest
            return os.pwritev(fd, [letter.encode() * (length // 2), letter.encode() * (length - length // 2)], at)
        if call == "write":
            return os.write(fd, rest[0].encode() * rest[1])
        if call == "pread_chk":
            room = ctypes.create_string_buffer(rest[1])
            return getattr(self.libc, "__pread_chk")(fd, room, ctypes.c_size_t(rest[1]), ctypes.c_long(rest[0]), ctypes.c_size_t(rest[1]))
        if call in ("pread", "read"):
            return len(os.pread(fd, rest[1], rest[0]) if call == "pread" else os.read(fd, rest[0]))
        if call == "position":
            return os.lseek(fd, 0, os.SEEK_CUR)
        if call == "count":    # of a ledger: a number goes up in a sector of its own, synced and acknowledged
            return self.count(fd, *rest)
        return {"fsync": os.fsync, "fdatasync": os.fdatasync, "ftruncate": os.ftruncate, "close": os.close,
                "allocate": os.posix_fallocate}[call](fd, *rest)

    @staticmethod
    def count(fd, sector, ledger):
        with open(ledger, "w", encoding="ascii", buffering=1) as acknowledged:
            for number in range(1, 1 << 30):
                os.pwrite(fd, struct.pack("<Q", number) * (SECTOR // 8), sector * SECTOR)
                os.fdatasync(fd)
                acknowledged.write(f"{number}\n")

    def run(self, calls):
        for call in calls:
            try:
                yield self.do(*call)
            except OSError as error:
                yield error.strerror


def worker():
    os.chdir(os.environ["GH_SHIM_DATA"])
    results = list(Worker().run(json.loads(sys.argv[2])))
    print(json.dumps(results))


# -------------------------------------------------------------------------------------------------- place
class Place:
    """A data directory with a journal and rules, empty."""

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="shim.")
        self.data, self.journal, self.rules = (os.path.join(self.top, name) for name in ("data", "journal", "rules"))
        for folder in "base/5", "log":
            os.makedirs(os.path.join(self.data, folder))
        os.mkdir(self.journal)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.top)

    def environment(self, **more):
        return {**os.environ, "LD_PRELOAD": os.path.join(TOOLS, "gh_shim.so"), "GH_SHIM_DATA": self.data,
                "GH_SHIM_JOURNAL": self.journal, "GH_SHIM_RULES": self.rules, **more}

    def start(self, *calls):
        # pylint: disable=consider-using-with
        return subprocess.Popen([sys.executable, __file__, "--worker", json.dumps(calls)], env=self.environment(),
                                stdout=subprocess.PIPE, text=True)

    def run(self, *calls):
        """Results of the calls; a number that is not a list is the worker's status."""
        process = self.start(*calls)
        out, _ = process.communicate()
        return json.loads(out) if process.returncode == 0 else process.returncode

    def set_rules(self, *lines):
        with open(self.rules + ".new", "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        os.rename(self.rules + ".new", self.rules)
        check = subprocess.run(["true"], env=self.environment(GH_SHIM_CHECK="1"), stderr=subprocess.DEVNULL, check=False)
        return check.returncode == 0

    def fired(self, rule=0):
        info = os.stat(self.rules)
        with open(f"{self.rules}.counts.{info.st_ino}.{info.st_mtime_ns}", "rb") as file:
            return struct.unpack_from("<QQ", file.read(), 16 + rule * 264)

    def path(self, name=RELATION):
        return os.path.join(self.data, name)

    def content(self, name=RELATION):
        with open(self.path(name), "rb") as file:
            return file.read()

    def journal_bytes(self):
        return sum(max(0, os.stat(os.path.join(self.journal, name)).st_size - 4096) for name in os.listdir(self.journal))

    def after_losses(self, name=RELATION, mode="mixed", seeds=SEEDS):
        """Contents of a file after a power loss with each seed."""
        for seed in seeds:
            with tempfile.TemporaryDirectory(prefix="shim.") as copy:
                # The same inodes are needed: the original loses power, and comes back from the copy.
                shutil.copytree(self.journal, os.path.join(copy, "journal"))
                before = {path: self.content(path) for path in self.files()}
                self.lose(mode, seed)
                yield self.content(name)
                for path, content in before.items():
                    with open(self.path(path), "r+b") as file:
                        file.write(content)
                        file.truncate()
                for entry in os.listdir(os.path.join(copy, "journal")):
                    shutil.copy(os.path.join(copy, "journal", entry), self.journal)

    def files(self):
        return [os.path.relpath(os.path.join(folder, name), self.data) for folder, _, names in os.walk(self.data) for name in names]

    def lose(self, mode, seed):
        return power_loss.lose_power(self.data, self.journal, mode, seed)


def expect(what, condition, *shown):
    global faults
    faults += not condition
    print(f"{'ok' if condition else 'not ok'} - {what}", flush=True)
    if not condition:
        print("#", *(repr(one)[:300] for one in shown), flush=True)


def letters(content):
    """The first letter of each sector."""
    return "".join(chr(content[at]) if content[at] else "0" for at in range(0, len(content), SECTOR))


# ------------------------------------------------------------------------------------------------ journal
def test_synced_and_unsynced():
    for sync in "fsync", "fdatasync":
        with Place() as place:
            place.run(("pwrite", RELATION, 0, "a", 4 * PAGE), (sync, RELATION))
            expect(f"after {sync} the journal is empty", place.journal_bytes() == 0)
            expect(f"what {sync} has seen is never lost", set(place.after_losses()) == {b"a" * 4 * PAGE})
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", PAGE), ("fsync", RELATION), ("pwrite", RELATION, 0, "b", PAGE), ("pwrite", RELATION, 0, "c", PAGE))
        seen = [letters(content) for content in place.after_losses()]
        expect("what nobody synced is in some seed lost", "a" * 16 in seen, seen)
        expect("... and kept", "c" * 16 in seen, seen)
        expect("... and torn", any(len(set(one)) > 1 for one in seen), seen)
        expect("... and a version in between is on the disk", any("b" in one for one in seen), seen)
        expect("mode lose takes all back", set(place.after_losses(mode="lose")) == {b"a" * PAGE})
        expect("mode keep takes nothing", set(place.after_losses(mode="keep")) == {b"c" * PAGE})
        out = place.lose("torn", 1)
        expect("power_loss counts", (out["files"], out["writes"], out["sectors"], out["torn_pages"]) == (1, 2, 16, 1), out)
        expect("... and empties the journal", not os.listdir(place.journal))


def write_during_sync(delay):
    with Place() as place:
        place.set_rules(f"fsync * delay {delay}")
        place.run(("pwrite", RELATION, 0, "a", PAGE))
        sync = place.start(("fsync", RELATION))
        while place.fired() == (0, 0):
            pass
        place.run(("pwrite", RELATION, 0, "b", PAGE))
        if sync.poll() is not None:
            return False
        sync.communicate()
        seen = {letters(content) for content in place.after_losses()}
        expect("a sync covers what was written before it began, and nothing else", "a" * 16 in seen and all(set(one) <= {"a", "b"} for one in seen), seen)
        return True


def test_who_syncs():
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", PAGE))
        place.run(("fsync", RELATION))
        expect("a sync by another process counts", set(place.after_losses()) == {b"a" * PAGE})
        place.run(("pwrite", RELATION, 0, "b", PAGE), ("fsync", RELATION + "@2"))
        expect("so does one through another descriptor", set(place.after_losses()) == {b"b" * PAGE})
    for delay in 300, 3000, 30000:    # the first that is long enough on this machine
        if write_during_sync(delay):
            break
    else:
        expect("a sync is still under way when another process has written", False)
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", 2 * PAGE), ("fsync", RELATION), ("pwrite", RELATION, 0, "b", PAGE),
                  ("open", RELATION + "@sync", os.O_RDWR | os.O_DSYNC), ("pwrite", RELATION + "@sync", PAGE, "c", PAGE))
        seen = {letters(content) for content in place.after_losses()}
        expect("O_DSYNC makes its own writes durable", all(one.endswith("c" * 16) for one in seen), seen)
        expect("... and no others", any("a" in one for one in seen), seen)


def test_lengths():
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", PAGE), ("fsync", RELATION), ("pwrite", RELATION, PAGE, "b", PAGE))
        lengths = [len(content) for content in place.after_losses()]
        expect("a file has grown or not", set(lengths) == {PAGE, 2 * PAGE}, lengths)
        expect("... or has zeroes there", any(b"\0" in content for content in place.after_losses(mode="torn")))
    for call in ("ftruncate", RELATION, PAGE), ("truncate", RELATION, PAGE), ("open", RELATION + "@2", os.O_RDWR | os.O_TRUNC):
        with Place() as place:
            place.run(("pwrite", RELATION, 0, "a", 3 * PAGE), ("fsync", RELATION), call)
            short = len(place.content())
            seen = set(place.after_losses(mode="torn"))
            expect(f"{call[0]}: the file is short or what it was", {len(content) for content in seen} == {short, 3 * PAGE} and short <= PAGE)
            expect(f"{call[0]}: lost altogether it is what it was", set(place.after_losses(mode="lose")) == {b"a" * 3 * PAGE})
            place.run(("fsync", RELATION))
            expect(f"{call[0]}: synced it is short", {len(content) for content in place.after_losses()} == {short})
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", PAGE), ("fsync", RELATION), ("allocate", RELATION, 0, 3 * PAGE))
        expect("an allocation may be lost", {len(content) for content in place.after_losses()} == {PAGE, 3 * PAGE})
    with Place() as place:
        place.set_rules("seed 1", "fallocate base/* count=1 short")
        got = place.run(("pwrite", RELATION, 0, "a", PAGE), ("fsync", RELATION), ("allocate", RELATION, PAGE, 8 * PAGE))
        length = len(place.content())
        expect("a short allocation fails and has added a part", got[-1] == "No space left on device" and PAGE < length < 9 * PAGE, (got, length))
        expect("... which may be lost", {len(content) for content in place.after_losses()} == {PAGE, length})


def test_failed_sync():
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", 2 * PAGE), ("fsync", RELATION), ("pwrite", RELATION, 0, "b", 2 * PAGE))
        place.set_rules("fsync * count=1 error EIO")
        expect("a sync fails as the rule says", place.run(("fsync", RELATION), ("fsync", RELATION)) == ["Input/output error", None])
        seen = {letters(content) for content in place.after_losses()}
        expect("what the failed sync left is lost in spite of a later one", any("a" in one for one in seen), seen)
        place.run(("pwrite", RELATION, 0, "c", PAGE), ("fsync", RELATION))
        seen = {letters(content) for content in place.after_losses()}
        expect("written again and synced it is durable", all(one.startswith("c" * 16) for one in seen), seen)
        expect("... and the rest is as it was", any(one.endswith("a" * 16) for one in seen), seen)


def test_names():
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", PAGE), ("fsync", RELATION), ("pwrite", RELATION, 0, "b", PAGE), ("rename", RELATION, "base/5/2"))
        expect("a file keeps its journal when it is renamed", b"a" * PAGE in set(place.after_losses("base/5/2")))
        place.run(("unlink", "base/5/2"))
        expect("an unlinked file loses it", not os.listdir(place.journal))
        place.run(("pwrite", "base/5/3", 0, "c", PAGE), ("pwrite", "base/5/4", 0, "d", PAGE), ("rename", "base/5/3", "base/5/4"))
        expect("so does one that is replaced", len(os.listdir(place.journal)) == 1)
        place.run(("pwrite", "log/x", 0, "c", PAGE), ("pwrite", "base/5/t3_1", 0, "c", PAGE))
        expect("temporary tables are not noted", len(os.listdir(place.journal)) == 1)


def test_inode_of_another():
    """An inode that was freed behind the shim's back comes back as a new file's."""
    for _ in range(50):
        with Place() as place:
            place.run(("pwrite", RELATION, 0, "a", PAGE), ("fsync", RELATION), ("pwrite", RELATION, 0, "b", PAGE))
            inode = os.stat(place.path()).st_ino
            os.unlink(place.path())
            place.run(("pwrite", RELATION, 0, "e", PAGE))
            if os.stat(place.path()).st_ino == inode:
                return expect("a new file begins with nothing noted", set("".join(map(letters, place.after_losses(mode="torn")))) == {"e", "0"})
    return expect("a new file begins with nothing noted # no inode came back here", True)


def test_many_processes():
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", PAGE), ("fsync", RELATION))
        workers = [place.start(*([("pwrite", RELATION, number * SECTOR, letter, 3 * SECTOR) for letter in "bcd"] * 200)) for number in range(4)]
        for process in workers:
            process.communicate()
        expect("four processes write without a sync: all is taken back", set(place.after_losses(mode="lose")) == {b"a" * PAGE})
        writes = place.lose("keep", 1)["writes"]
        expect("... and every write was noted", writes == 4 * 600, writes)
    chance = random.Random(7)
    for seed in range(4):
        with Place() as place:
            ledgers = [os.path.join(place.top, f"ledger{number}") for number in range(4)]
            workers = [place.start(("count", RELATION, number, ledger)) for number, ledger in enumerate(ledgers)]
            wanted = chance.randrange(200, 600)
            while not all(os.path.exists(ledger) and os.stat(ledger).st_size > wanted for ledger in ledgers):
                pass
            for process in workers:
                process.send_signal(signal.SIGKILL)
            for process in workers:
                process.communicate()
            told = [int(open(ledger, encoding="ascii").read().split("\n")[-2]) for ledger in ledgers]
            contents = list(place.after_losses(seeds=range(seed * 8, seed * 8 + 8)))
            found = [struct.unpack_from("<Q", content, sector * SECTOR)[0] for content in contents for sector in range(4)]
            behind = [(got, told[number % 4]) for number, got in enumerate(found) if not told[number % 4] <= got <= told[number % 4] + 1]
            expect(f"four processes on one page, killed: nothing acknowledged is lost ({sum(told)} acknowledgements)", not behind, behind)


# -------------------------------------------------------------------------------------------------- rules
def test_errors():
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", PAGE))
        for call in (("pwrite", RELATION, 0, "b", PAGE), ("pwrite_plain", RELATION, 0, "b", PAGE), ("pwritev", RELATION, 0, "b", PAGE),
                     ("write", RELATION, "b", PAGE), ("pread", RELATION, 0, PAGE), ("pread_chk", RELATION, 0, PAGE), ("read", RELATION, PAGE),
                     ("fdatasync", RELATION), ("ftruncate", RELATION, 0), ("truncate", RELATION, 0), ("unlink", RELATION),
                     ("rename", RELATION, "x"), ("allocate", RELATION, 0, 2 * PAGE), ("open", RELATION)):
            function = {"pwrite_plain": "pwrite", "pread_chk": "pread", "allocate": "fallocate"}.get(call[0], call[0])
            place.set_rules(f"{function} base/* error ENOSPC")
            opened = [("open", RELATION)] if function != "open" else []
            got = place.run(*opened, call)
            if not isinstance(got[-1], int):
                expect(f"{call[0]}: the error of the rule", got[-1] == "No space left on device", got)
            else:
                expect(f"{call[0]}: fails", got[-1] == -1, got)
            expect(f"{call[0]}: counted, and nothing has happened", place.fired()[1] == 1 and place.content() == b"a" * PAGE)


def test_transfers():
    with Place() as place:
        place.run(("pwrite", RELATION, 0, "a", PAGE), ("fsync", RELATION))
        place.set_rules("seed 3", "writes base/* short")
        got = place.run(("pwrite", RELATION, 0, "b", PAGE), ("write", RELATION, "b", PAGE), ("position", RELATION))
        expect("short: less is written, and the count says so", got[0] < PAGE and letters(place.content()).count("b") == max(got[:2]) // SECTOR, got)
        expect("short: the position is what was written", got[2] == got[1], got)
        place.set_rules("seed 3", "reads base/* short")
        got = place.run(("pread", RELATION, 0, PAGE), ("read", RELATION, PAGE))
        expect("short: less is read", all(one < PAGE for one in got), got)
        place.set_rules("writes base/* lose")
        before = place.content()
        got = place.run(("pwrite", RELATION, 0, "c", PAGE), ("write", RELATION, "c", PAGE), ("position", RELATION))
        expect("lose: success, and nothing is written", got == [PAGE, PAGE, PAGE] and place.content() == before, got)
        place.set_rules("writes base/* torn")
        got = place.run(("pwrite", RELATION, 0, "d", PAGE), ("write", RELATION, "d", PAGE), ("position", RELATION))
        expect("torn: success, and some sectors are written", got == [PAGE] * 3 and 0 < letters(place.content()).count("d") < 16, got)
        place.set_rules("pwrite base/* kill")
        before = place.content()
        expect("kill: the process is dead", place.run(("pwrite", RELATION, 0, "e", PAGE)) == -signal.SIGKILL)
        expect("kill: having written some sectors", 0 < letters(place.content()).count("e") < 16, letters(place.content()))
        place.set_rules("fsync base/* skip-sync")
        expect("skip-sync: success", place.run(("fsync", RELATION)) == [None])
        expect("skip-sync: not durable", set(place.after_losses(mode="lose")) == {b"a" * PAGE})


def test_selection():
    def counts(rule, *calls):
        with Place() as place:
            expect(f"understood: {rule}", place.set_rules(rule))
            place.run(*calls)
            return place.fired()

    pages = [("pwrite", RELATION, block * PAGE, "a", PAGE) for block in range(6)]
    expect("block=", counts("pwrite base/* block=2-3 error EIO", *pages) == (2, 2))
    expect("block= of a later segment", counts("pwrite base/* block=131073 error EIO", ("pwrite", RELATION + ".1", PAGE, "a", PAGE)) == (1, 1))
    expect("skip= and count=", counts("pwrite base/* skip=1 count=3 error EIO", *pages) == (6, 3))
    forks = [("pwrite", name, 0, "a", PAGE) for name in (RELATION, RELATION + "_vm", RELATION + "_fsm", RELATION + "_init", RELATION + "_vm.1")]
    for fork, count in ("main", 1), ("vm", 2), ("fsm", 1), ("init", 1):
        expect(f"fork={fork}", counts(f"pwrite base/* fork={fork} error EIO", *forks) == (count, count))
    expect("alternatives", counts("pwrite pg_wal/*|*_fsm error EIO", *forks) == (1, 1))
    matched, fired = counts("pwrite,fsync base/* p=0.3 delay 0", *([("pwrite", RELATION, 0, "a", 1)] * 300))
    expect("p=", matched == 300 and 60 < fired < 120, fired)
    expect("p= is the same for the same seed", counts("pwrite,fsync base/* p=0.3 delay 0", *([("pwrite", RELATION, 0, "a", 1)] * 300)) == (300, fired))
    for line in ("pwrite base/*", "scribble base/* error EIO", "pwrite base/* error EWHAT", "pwrite base/* p=2 error EIO", "pwrite base/* delay 5-1",
                 "fsync base/* torn", "pwrite base/* error EIO now", "pwrite base/* fork=fms error EIO", "pwrite", "seed x", "open base/* lose"):
        with Place() as place:
            expect(f"not understood: {line}", not place.set_rules("seed 1", line))


def main():
    if sys.argv[1] == "--worker":
        return worker()
    global power_loss
    power_loss = load_power_loss()
    for name, test in list(globals().items()):
        if name.startswith("test_") and (name in sys.argv[2:] or not sys.argv[2:]):
            test()
    return sys.exit(faults > 0)


main()
