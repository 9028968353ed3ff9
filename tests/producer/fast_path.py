#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an event costs whose category is off: the instructions of the check, as compilers of C and
of C++ make them. More than four are a failure, and so is a warning about the header."""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
INSTRUCTIONS_MAX = 4
SOURCE = """
#include "tracewire/track_event.h"

extern struct tw_category categories[];
struct tw_category categories[] = {
    TW_CATEGORY("net", "Connections", NULL),
    TW_CATEGORY("disk", NULL, "slow"),
};

void program(void);

void program(void)
{
    TW_EVENT_INSTANT(&categories[1], "write");
}
"""
COMPILERS = (["gcc", "-std=c17", "-xc"], ["g++", "-std=c++17", "-xc++"],
             ["clang", "-std=c17", "-xc"], ["clang++", "-std=c++17", "-xc++"])


def instructions(compiler, folder):
    """Those that are carried out while the category is off, up to the return."""
    out = folder / "program.o"
    subprocess.run([*compiler, "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    f"-I{ROOT / 'include'}", "-c", "-o", out, "-"], input=SOURCE, text=True,
                   check=True)
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", out], check=True,
                             capture_output=True, text=True).stdout
    body = re.search(r"program.*>:\n((?:.+\n)+)", listing)[1]
    names = re.findall(r"^\s*[0-9a-f]+:\s+(\S+)", body, re.M)
    return [n for n in names[:names.index("ret") + 1] if n not in ("endbr64", "ret")]


def main():
    with tempfile.TemporaryDirectory() as name:
        for compiler in COMPILERS:
            found = instructions(compiler, pathlib.Path(name))
            print(f"{compiler[0]}: {len(found)} instructions: {' '.join(found)}")
            if len(found) > INSTRUCTIONS_MAX:
                sys.exit(f"fast_path: more than {INSTRUCTIONS_MAX}")
            if not any(n.startswith("j") for n in found):
                sys.exit("fast_path: nothing is decided")


main()
