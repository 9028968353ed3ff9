#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether libtracewire-frame shows what it says, and no more.

symbols.py SHARED STATIC TEST-API: the functions that the header declares, the map lists, both
libraries define and test-api names are the same.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER = ROOT / "include/tracewire/frame.h"
MAP = ROOT / "src/frame/libtracewire-frame.map"
NODE = "LIBTRACEWIRE_FRAME_0"


def symbols(*args):
    """Of each symbol its name, without a version."""
    text = subprocess.run(["nm", *args], check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in text.splitlines()]
    return {words[-1].split("@")[0] for words in lines if len(words) > 1}


def main():
    shared, static, test_api = sys.argv[1:]
    node, listed = re.fullmatch(r"(\w+) \{\s*global:(.*)local:\s*\*;\s*\};\s*",
                                MAP.read_text(encoding="utf-8"), re.S).groups()
    sets = {
        "the header declares": set(re.findall(r"^(?![ /*#])[^\n(]*\b(tw_\w+)\(",
                                              HEADER.read_text(encoding="utf-8"), re.M)),
        "the map lists": set(re.findall(r"\w+", listed)),
        "the shared library exports": symbols("-D", "--defined-only", shared) - {NODE},
        "the static library defines": symbols("--defined-only", "--extern-only", static),
        "test-api names": {name for name in symbols("-u", test_api) if name.startswith("tw_")},
    }
    wanted = sets["the header declares"]
    fine = node == NODE and len(wanted) > 0
    for who, names in sets.items():
        fine = fine and names == wanted
        differs = ", ".join(sorted(names ^ wanted)) or "the same"
        print(f"{'ok' if names == wanted else 'FAIL':4} {who} {len(names)}: {differs}")
    wants = symbols("-D", "-u", shared) - {"memcpy", "memset", "memmove"}
    wants = {name for name in wants if not name.startswith(("_ITM_", "__gmon", "__cxa_finalize"))}
    print(f"{'FAIL' if wants else 'ok':4} the shared library needs: {sorted(wants) or 'nothing'}")
    return 0 if fine and not wants else 1


sys.exit(main())
