#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""limits.py BUILD_DIR [LIMITS]: the figures of spec/limits.md are those of the code.

gcc is asked: each file that defines a constant of the table is compiled with a
_Static_assert for each of its rows. Then once more with figures that are wrong by one, all of which
it has to refuse.
"""

import collections
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NO_CONSTANT = {
    "TW-LIM-042": "one page is what the system gives and takes; nothing counts it",
    "TW-LIM-140": "one is how a pool of receive buffers is made; nothing counts it",
    "TW-LIM-179": "one is what remembering the last answer makes of it; nothing counts it",
}
UNITS = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20}
NUMBER = r"(\d{1,3}(?:,\d{3})+|\d+)(?: (KiB|MiB))?"


def number(text):
    found = re.fullmatch(NUMBER, text)
    if not found:
        sys.exit(f"limits: {text!r} is no figure")
    return int(found[1].replace(",", "")) * UNITS[found[2]]


def rows_of(limits):
    """(id, constant, figure) of each row."""
    rows = re.findall(r"^\| (TW-LIM-\d{3}) \| (\w*) ?\| ([^|]+) \|", limits, re.M)
    if not rows or len(rows) != len(re.findall(r"^\| *TW-", limits, re.M)):
        sys.exit("limits: there are rows that cannot be read")
    return rows


def definer(constant, sources):
    """The one file that defines it."""
    define = re.compile(rf"^#define {constant}\b|^(?:enum {{)? *{constant} =", re.M)
    files = [name for name, text in sources.items() if define.search(text)]
    if len(files) != 1:
        sys.exit(f"limits: {constant} is defined in {files or 'no file'}")
    return files[0]


def claims(constant, figure, off):
    """What has to hold, in C, when the figure is off by so much. "B and N a byte" is a macro."""
    base, per_byte = re.fullmatch(r"(.*?)(?: and (.*) a byte)?", figure).groups()
    if not per_byte:
        return f"({constant}) == {number(base) + off}"
    return " && ".join(f"{constant}({n}) == {number(base) + n * (number(per_byte) + off)}"
                       for n in (0, 1, 1000))


def flags_of(build):
    """Of a file that includes what the protobuf compiler made."""
    commands = json.loads((build / "compile_commands.json").read_text())
    words = shlex.split(next(c["command"] for c in commands
                             if c["file"].endswith("src/service/peer.c")))
    return [f for at, word in enumerate(words) for f in words[at:at + 1 + (word == "-isystem")]
            if word.startswith(("-D", "-I", "-std=", "-isystem"))]


def refused(flags, file, rows, off):
    """The rows whose claim does not hold when their figures are off by so much."""
    text = f'#include "{ROOT / file}"\n' + "".join(
        f'_Static_assert({claims(constant, figure, off)}, "{row_id}: not {figure}");\n'
        for row_id, constant, figure in rows)
    done = subprocess.run(["gcc", *flags, "-w", "-fsyntax-only", "-x", "c", "-"], input=text,
                          capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    failed = set(re.findall(r'assertion failed.*"(TW-LIM-\d{3}):', done.stderr))
    if (done.returncode != 0) != bool(failed):
        sys.exit(f"limits: {file} does not compile\n{done.stderr}")
    return failed


def main():
    flags = flags_of(pathlib.Path(sys.argv[1]))
    limits = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ROOT / "spec/limits.md")
    sources = {str(f.relative_to(ROOT)): f.read_text() for folder in ("src", "include")
               for f in sorted((ROOT / folder).rglob("*.[ch]"))}
    by_file = collections.defaultdict(list)
    for row in rows_of(limits.read_text()):
        if row[1]:
            by_file[definer(row[1], sources)].append(row)
        elif row[0] in NO_CONSTANT:
            print(f"limits: {row[0]} is not compared: {NO_CONSTANT[row[0]]}")
        else:
            sys.exit(f"limits: {row[0]} names no constant")
    n_wrong = 0
    for file, rows in by_file.items():
        wrong = refused(flags, file, rows, 0)
        if not wrong and len(refused(flags, file, rows, 1)) != len(rows):
            sys.exit(f"limits: {file}: figures that are wrong by one were not seen")
        for row_id, constant, figure in rows:
            if row_id in wrong:
                print(f"limits: {row_id}: {constant} of {file} is not {figure}")
        n_wrong += len(wrong)
    print(f"limits: {sum(map(len, by_file.values()))} figures in {len(by_file)} files, "
          f"{n_wrong} not those of the code")
    return 1 if n_wrong else 0


sys.exit(main())
