#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether a library shows what it says, and needs no more than it says.

symbols.py NAME BUILD-FOLDER: the functions that the headers of libtracewire-NAME declare, its map
lists and both libraries define are the same, and what those need comes from the C library or from
what NEEDS has.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HEADERS = {"frame": ["frame"], "service": ["service"], "producer": ["producer", "track_event"],
           "consumer": ["consumer"]}
# By name, or the start of it with *. The compiler brings its own for the start and end of a library.
NEEDS = {"frame": ["memcpy", "memset", "memmove"],
         "service": ["*@GLIBC_*", "protobuf_c_*", "pcre2_*", "compress2", "compressBound", "ZSTD_*"],
         "producer": ["*@GLIBC_*"], "consumer": ["*@GLIBC_*"]}
OF_COMPILER = re.compile(r"_ITM_|__gmon_start__|__cxa_finalize|_GLOBAL_OFFSET_TABLE_")
DECLARED = re.compile(r"^(?![ /*#]|static )[^\n(]*\b(tw_\w+)\(", re.M)


def symbols(*args):
    """Of each symbol its name, with its version if it has one."""
    text = subprocess.run(["nm", *args], check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in text.splitlines()]
    return {words[-1] for words in lines if len(words) > 1}


def names(*args):
    return {symbol.split("@")[0] for symbol in symbols(*args)}


def unexplained(name, shared):
    wanted = {s for s in symbols("-D", "-u", shared) if not OF_COMPILER.match(s)}
    patterns = [re.escape(p).replace(r"\*", ".*") for p in NEEDS[name]]
    return {s for s in wanted if not any(re.fullmatch(f"{p}(@.*)?", s) for p in patterns)}


def main():
    name, build = sys.argv[1], Path(sys.argv[2])
    shared, static = (build / f"libtracewire-{name}.{end}" for end in ("so", "a"))
    node, listed = re.fullmatch(
        r"(\w+) \{\s*global:(.*)local:\s*\*;\s*\};\s*",
        (ROOT / f"src/{name}/libtracewire-{name}.map").read_text(encoding="utf-8"), re.S).groups()
    headers = [ROOT / f"include/tracewire/{header}.h" for header in HEADERS[name]]
    declared = {f for h in headers for f in DECLARED.findall(h.read_text(encoding="utf-8"))}
    sets = {
        "the map lists": set(re.findall(r"\w+", listed)),
        "the shared library exports": names("-D", "--defined-only", shared) - {node},
        "the static library defines": names("--defined-only", "--extern-only", static),
    }
    fine = node == f"LIBTRACEWIRE_{name.upper()}_0" and len(declared) > 0
    print(f"{'ok' if fine else 'FAIL':4} {node}: the headers declare {len(declared)} functions")
    for who, found in sets.items():
        fine = fine and found == declared
        differs = ", ".join(sorted(found ^ declared)) or "the same"
        print(f"{'ok' if found == declared else 'FAIL':4} {who} {len(found)}: {differs}")
    odd = unexplained(name, shared)
    print(f"{'FAIL' if odd else 'ok':4} needs nothing it should not: {sorted(odd) or 'so it is'}")
    return 0 if fine and not odd else 1


sys.exit(main())
