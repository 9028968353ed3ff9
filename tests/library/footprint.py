#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the frame codec costs where it is embedded: code and stack, and what it asks of others.

footprint.py AMALGAM-FOLDER: with gcc -Os, x86-64. The stack is that of the deepest chain of calls,
return addresses included; a cycle in the calls, a call through a pointer or a frame of variable
size fails, as then nobody could tell.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

TEXT_MAX = 8 * 1024  # bytes, constants included
STACK_MAX = 512  # bytes
WRITABLE = {".data", ".bss", ".tdata", ".tbss"}
MAY_NEED = {"memcpy", "memmove", "memset"}
# Without the red zone, as what a function puts there is not counted.
FLAGS = ["-std=c11", "-ffreestanding", "-Os", "-fno-stack-protector", "-mno-red-zone",
         "-fcallgraph-info=su"]
NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "[^"]*?\\n(\d+) bytes \(([\w,]+)\)', re.M)
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.M)


def output_of(*command):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True,
                          text=True).stdout


def deepest(graph, own, chain):
    """The stack below chain's last function, itself included, and the calls that need it."""
    name = chain[-1]
    if name in chain[:-1]:
        sys.exit(f"FAIL recursion: {' > '.join(chain)}")
    below = [deepest(graph, own, [*chain, callee]) for callee in sorted(graph.get(name, ()))]
    size, path = max(below, default=(0, []))
    return own.get(name, 0) + size, [name, *path]


def stack_of(text):
    own = {name: int(size) for name, size, _ in NODE.findall(text)}
    if any(kind != "static" for _, _, kind in NODE.findall(text)):
        sys.exit("FAIL a stack frame of variable size")
    graph = {}
    for caller, callee in EDGE.findall(text):
        if callee == "__indirect_call":
            sys.exit(f"FAIL {caller} calls through a pointer")
        graph.setdefault(caller, set()).add(callee)
    return max(deepest(graph, own, [name]) for name in own)


def check(fine, text):
    print(f"{'ok' if fine else 'FAIL':4} {text}")
    return fine


def main():
    source = Path(sys.argv[1]) / "tw_frame.c"
    with tempfile.TemporaryDirectory() as name:
        obj = Path(name) / "tw_frame.o"
        output_of("gcc", *FLAGS, "-c", source, "-o", obj)
        text, data = map(int, output_of("size", obj).splitlines()[1].split()[:2])
        stack, path = stack_of(obj.with_suffix(".ci").read_text(encoding="utf-8"))
        wanted = {line.split()[-1] for line in output_of("nm", "-u", obj).splitlines()}
        wanted.discard("_GLOBAL_OFFSET_TABLE_")
        sections = re.findall(r"^ +\d+ (\S+) +([0-9a-f]+)", output_of("objdump", "-h", obj), re.M)
        variables = sum(int(size, 16) for section, size in sections if section in WRITABLE)
    names = " > ".join(part.split(":")[-1] for part in path)
    fine = [
        check(text + data <= TEXT_MAX, f"text: {text} bytes, constants with addresses: {data}, "
                                       f"at most {TEXT_MAX} together"),
        check(stack <= STACK_MAX, f"stack: {stack} bytes, at most {STACK_MAX}: {names}"),
        check(variables == 0, f"variables: {variables} bytes"),
        check(wanted <= MAY_NEED, f"needs: {', '.join(sorted(wanted)) or 'nothing'}"),
    ]
    return 0 if all(fine) else 1


sys.exit(main())
