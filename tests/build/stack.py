#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stack.py BUILD_DIR: the stack of src/wire and src/frame.

gcc writes down who calls whom and what each function takes. Without optimisation, so that nothing
is inlined away, there must be no cycle; with -O2 the largest chain of calls must stay within a
bound. What is called through a pointer, and what is not ours, is not in the sum: protobuf-c, which
recurses once for each level of a message, is kept to 64 levels by the pre-scan (TW-LIM-050).
"""

import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = ("src/wire/", "src/frame/")
STACK_MAX = 4096  # bytes: the levels of the pre-scan take 3 KiB

NODE = re.compile(
    r'^node: \{ title: "([^"]+)" label: "[^"]*?(?:\\n(\d+) bytes \(([\w,]+)\)[^"]*)?"', re.M
)
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.M)

CANARY = """
int odd(int n);
int even(int n);
int even(int n) { return n == 0 || odd(n - 1); }
int odd(int n) { return n != 0 && even(n - 1); }
"""


def graph_of(jobs, optimise):
    """Callees by caller, and bytes by function, of all jobs: (source, flags)."""
    callees, size = {}, {}
    with tempfile.TemporaryDirectory() as out:
        for i, (source, flags) in enumerate(jobs):
            base = f"{out}/{i}"
            # What a function puts into the red zone would not be counted.
            subprocess.run(["gcc", *flags, optimise, "-w", "-mno-red-zone", "-fcallgraph-info=su",
                            "-c", source, "-o", f"{base}.o"], check=True)
            text = pathlib.Path(f"{base}.ci").read_text()
            for name, stack, kind in NODE.findall(text):
                if stack:
                    size[name] = int(stack)
                    if kind == "dynamic":
                        sys.exit(f"stack: {name} takes as much as it is told to")
            for caller, callee in EDGE.findall(text):
                callees.setdefault(caller, set()).add(callee)
    return callees, size


def find_cycle(callees):
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name):] + [name]
        if name in done:
            return None
        path.append(name)
        for callee in sorted(callees.get(name, ())):
            cycle = visit(callee)
            if cycle:
                return cycle
        done.add(path.pop())
        return None

    return next(filter(None, map(visit, sorted(callees))), None)


def largest_chain(callees, size):
    best = {}

    def chain(name):
        if name not in best:
            inner = max(map(chain, callees.get(name, ())), default=(0, []))
            best[name] = (inner[0] + size.get(name, 0), [name, *inner[1]])
        return best[name]

    return max(map(chain, sorted(size)))


def jobs_of(build):
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"]).resolve()
        if str(source).startswith(tuple(f"{ROOT}/{layer}" for layer in LAYERS)):
            words = shlex.split(entry["command"])
            flags = [w for w in words if w.startswith(("-I", "-D", "-std"))]
            for at, word in enumerate(words):
                if word == "-isystem":
                    flags += words[at:at + 2]
            yield str(source), flags


def main():
    with tempfile.NamedTemporaryFile("w", suffix=".c") as canary:
        canary.write(CANARY)
        canary.flush()
        if not find_cycle(graph_of([(canary.name, [])], "-O0")[0]):
            sys.exit("stack: the canary recurses, and that was not seen")
    jobs = list(jobs_of(sys.argv[1]))
    if not jobs:
        sys.exit("stack: no sources")
    cycle = find_cycle(graph_of(jobs, "-O0")[0])
    if cycle:
        sys.exit("stack: recursion: " + " -> ".join(cycle))
    total, chain = largest_chain(*graph_of(jobs, "-O2"))
    print(f"stack: {len(jobs)} files, no recursion; {total} bytes in " + " -> ".join(chain))
    if total > STACK_MAX:
        sys.exit(f"stack: more than {STACK_MAX} bytes")


main()
