# test/upstream/sources.py — PostgreSQL's tests and what they need besides the server: the source, the psql whose output
# they expect, the libraries that they load.
#
# Why:    nothing of PostgreSQL is kept here; it comes with apt-get source, once, into a cache.
# SPDX-License-Identifier: PostgreSQL
import pathlib
import re
import shutil
import tempfile

from server import CACHE, die, run


def fetch_source(server, log):
    """apt-get source into the cache; a mirror may lack the very minor release, then the newest it has."""
    major = server.number.split(".")[0]
    have = sorted(CACHE.glob(f"src/postgresql-{major}-*/src/test/regress/parallel_schedule"))
    if have:
        return have[-1].parents[3]
    etc = CACHE / "apt"
    for sub in ("parts", "lists/partial", "cache/archives/partial"):
        (etc / sub).mkdir(parents=True, exist_ok=True)
    sources = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]
    for file in (f for f in sources if f.is_file()):
        text = file.read_text()
        if file.suffix == ".sources":
            (etc / "parts" / file.name).write_text(re.sub(r"(?m)^Types:.*", "Types: deb-src", text))
        elif file.suffix == ".list":
            lines = [re.sub(r"^deb ", "deb-src ", ln) for ln in text.splitlines() if ln.startswith("deb ")]
            (etc / "parts" / file.name).write_text("\n".join(lines) + "\n")
    opts = ["-q", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={etc}/parts",
            "-o", f"Dir::State::lists={etc}/lists", "-o", f"Dir::Cache={etc}/cache", "-o", "APT::Sandbox::User="]
    (CACHE / "src").mkdir(exist_ok=True)
    out = run(["apt-get", *opts, "update"]).stdout
    shown = run(["apt-cache", *opts, "showsrc", f"postgresql-{major}"]).stdout
    versions = sorted(set(re.findall(r"(?m)^Version: (\S+)", shown)),
                      key=lambda v: [int(n) for n in re.findall(r"\d+", v)], reverse=True)
    for version in versions:
        result = run(["apt-get", *opts, "source", f"postgresql-{major}={version}"], cwd=CACHE / "src")
        out += result.stdout
        if result.returncode == 0:
            break
    log.write_text(out)
    have = sorted(CACHE.glob(f"src/postgresql-{major}-*/src/test/regress/parallel_schedule"))
    if not have:
        die(f"could not fetch PostgreSQL's source with apt-get: {log}")
    return have[-1].parents[3]


def matching_psql(server, source):
    """The expected outputs belong to the psql of their own minor release."""
    version = re.search(r"(?m)^PACKAGE_VERSION='(.*)'", (source / "configure").read_text()).group(1)
    if version == server.number:
        return server.bindir
    client, major = CACHE / f"client-{version}", version.split(".")[0]
    binary = client / f"usr/lib/postgresql/{major}/bin/psql"
    if not binary.exists():
        with tempfile.TemporaryDirectory() as tmp:
            run(["apt-get", "-q", "download", f"postgresql-client-{major}={version}-*"], cwd=tmp)
            for deb in pathlib.Path(tmp).glob("*.deb"):
                run(["dpkg", "-x", deb, client])
    if not binary.exists():
        print(f"== no psql {version}: COPY tests may differ from the expected output (and are judged by the control)")
        return server.bindir
    only = CACHE / f"psql-{version}"
    only.mkdir(exist_ok=True)
    link = only / "psql"
    if not link.exists():
        link.symlink_to(binary)
    return only


def build_libraries(server, source, log):
    """regress.so and the contrib/spi modules that the core tests load."""
    libs = CACHE / f"lib-{server.number}"
    if (libs / "regress.so").exists() and (libs / "refint.so").exists():
        return libs
    libs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        work = pathlib.Path(tmp)
        shutil.copytree(source / "contrib/spi", work / "spi")
        (work / "regress").mkdir()
        shutil.copy(source / "src/test/regress/regress.c", work / "regress")
        (work / "regress/Makefile").write_text(
            "MODULES = regress\nPGXS := $(shell $(PG_CONFIG) --pgxs)\ninclude $(PGXS)\n")
        text = ""
        for part in ("spi", "regress"):
            text += run(["make", "-s", "-C", work / part, "USE_PGXS=1", f"PG_CONFIG={server.pg_config}",
                         "with_llvm=no"]).stdout
        log.write_text(text)
        for so in work.glob("*/*.so"):
            shutil.copy(so, libs)
    if not (libs / "regress.so").exists():
        die(f"regress.so does not compile: {log}")
    return libs


def build_module(server, directory, log):
    """A module of src/test/modules, installed into the server under test."""
    with tempfile.TemporaryDirectory() as tmp:
        work = pathlib.Path(tmp) / directory.name
        shutil.copytree(directory, work)
        result = run(["make", "-s", "-C", work, "USE_PGXS=1", f"PG_CONFIG={server.pg_config}", "with_llvm=no", "install"])
    log.write_text(result.stdout)
    if result.returncode:
        die(f"{directory.name} cannot be built or installed: {log}")
