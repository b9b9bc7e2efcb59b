# tools/demo/packages.py: the package index of this machine, and what can be known about it without a database.
#
# Why:    the demo checks the server's answers against answers computed here, from the same text.
# SPDX-License-Identifier: PostgreSQL
import collections
import os
import re
import subprocess

APT_HELPER = "/usr/lib/apt/apt-helper"
RELATIONS = ("Pre-Depends", "Depends", "Recommends", "Suggests", "Breaks", "Conflicts")


def stanzas(list_file):
    """The entries of one Packages file, whatever it is compressed with, as dictionaries."""
    command = [APT_HELPER, "cat-file", list_file] if os.path.exists(APT_HELPER) else ["cat", list_file]
    entry, field = {}, None
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as process:
        for line in process.stdout:
            line = line.rstrip("\n")
            if not line:
                if entry:
                    yield entry
                entry, field = {}, None
            elif line[0] in " \t":
                if field:
                    entry[field] += "\n" + line[1:]
            else:
                field, _, value = line.partition(":")
                entry[field] = value.strip()
    if entry:
        yield entry


class Index:
    """Packages, sections, maintainers and dependency edges, each with the number it gets as key."""

    def __init__(self, list_files):
        self.packages = []       # (id, name, version, architecture, section, priority, maintainer, kb, bytes, home, text)
        self.edges = []          # (id, kind, group, alternative, target name, constraint, target id or None)
        self.maintainers = {}    # name -> id
        self.sections = collections.Counter()
        self.by_name = {}        # name -> id of the first version seen
        seen, dependencies = set(), []
        for list_file in list_files:
            for entry in stanzas(list_file):
                key = (entry.get("Package"), entry.get("Version"), entry.get("Architecture"))
                if None in key or key in seen:
                    continue
                seen.add(key)
                dependencies.append((self._add_package(key, entry), entry))
        for number, entry in dependencies:
            self._add_edges(number, entry)

    def _add_package(self, key, entry):
        number = len(self.packages) + 1
        maintainer = entry.get("Maintainer", "unknown")
        self.maintainers.setdefault(maintainer, len(self.maintainers) + 1)
        section = entry.get("Section", "none")
        self.sections[section] += 1
        self.by_name.setdefault(key[0], number)
        self.packages.append((number, *key, section, entry.get("Priority", "none"), self.maintainers[maintainer],
                              int(entry.get("Installed-Size", 0)), int(entry.get("Size", 0)),
                              entry.get("Homepage"), entry.get("Description", "").split("\n")[0]))
        return number

    def _add_edges(self, number, entry):
        for kind in RELATIONS:
            groups = [group for group in entry.get(kind, "").split(",") if group.strip()]
            for group_number, group in enumerate(groups, 1):
                for alternative, text in enumerate(group.split("|"), 1):
                    match = re.match(r"\s*([^\s(:]+)(?::\w+)?\s*(?:\(([^)]*)\))?", text)
                    if match:
                        name, constraint = match.groups()
                        self.edges.append((number, kind.lower(), group_number, alternative, name, constraint,
                                           self.by_name.get(name)))

    # ------------------------------------------------------------------------- answers without a database
    def reachable(self, name):
        """Everything that installing a package may pull in: the closure of pre-depends and depends."""
        targets = collections.defaultdict(set)
        for number, kind, _, _, _, _, target in self.edges:
            if kind in ("depends", "pre-depends") and target is not None:
                targets[number].add(target)
        found, todo = set(), [self.by_name[name]]
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                todo.extend(targets[number])
        return len(found)

    def dependents(self, name):
        """How many packages name it in Depends."""
        return len({edge[0] for edge in self.edges if edge[1] == "depends" and edge[4] == name})

    def most_wanted(self):
        """A package that this index has and most others depend on."""
        counts = collections.Counter(edge[4] for edge in self.edges if edge[1] == "depends" and edge[6] is not None)
        return counts.most_common(1)[0][0]

    def largest_sections(self, count):
        return sorted(self.sections.items(), key=lambda item: (-item[1], item[0]))[:count]

    def total(self, column):
        return sum(package[column] for package in self.packages)

    def with_word(self, word):
        """Packages whose description has the word, as the text search configuration `simple` sees it: words
        are runs of letters and digits between blanks or commas (so the demo asks for such words only)."""
        pattern = re.compile(r"(?:^|[\s,(])" + re.escape(word) + r"(?:$|[\s,)])", re.I)
        return sum(1 for package in self.packages if pattern.search(package[10]))
