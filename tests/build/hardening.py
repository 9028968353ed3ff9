#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether a linked program has the hardening that cmake/compile.cmake asks for.
hardening.py PROGRAM [--fortify]"""

import subprocess
import sys


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], check=True, capture_output=True, text=True).stdout


def main():
    program, fortify = sys.argv[1], "--fortify" in sys.argv[2:]
    dynamic = readelf("-d", program)
    segments = readelf("-l", program)
    symbols = readelf("--dyn-syms", program)
    stack = next(line for line in segments.splitlines() if "GNU_STACK" in line)
    checks = {
        "position-independent": "DYN (Position-Independent" in readelf("-h", program),
        "relocations read-only": "GNU_RELRO" in segments,
        "all symbols bound at start": "BIND_NOW" in dynamic,
        "stack not executable": " RW " in stack and "RWE" not in stack,
        "no segment writable and executable": "RWE" not in segments,
        "stack protector": "__stack_chk_fail" in symbols,
        "shadow stack": "SHSTK" in readelf("-n", program),
    }
    if fortify:
        checks["checked libc calls"] = "_chk@GLIBC" in symbols.replace("__stack_chk_fail@", "")
    for name, ok in checks.items():
        print(f"{'ok    ' if ok else 'FAILED'} {name}")
    return 0 if all(checks.values()) else 1


sys.exit(main())
