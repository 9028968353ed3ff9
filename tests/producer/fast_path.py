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
# Whatever else the header offers, which must compile without a warning.
REST = """
#include "tracewire/track_event.h"

static struct tw_category category = TW_CATEGORY("net", NULL, NULL), any = TW_CATEGORY_ANY;
static const struct tw_track outer = TW_TRACK("request", 1), inner = TW_TRACK_IN(&outer, "part", 2),
                             process = TW_PROCESS, other = TW_THREAD(7, "worker"),
                             bytes = TW_COUNTER("sent", TW_UNIT_BYTES, NULL),
                             volts = TW_COUNTER_IN(&process, "power", TW_UNIT_NONE, "V");

int program(int early);

int program(int early)
{
    const struct tw_extra list[] = {tw_arg_int(NULL, 1), tw_arg_uint(NULL, 2)};

    TW_EVENT_SCOPE(&category, "outer");
    if (early)
        return 1;
    TW_EVENT_SCOPE(&category, "inner");
    TW_EVENT_BEGIN(&category, "a");
    TW_EVENT_END(&category);
    TW_EVENT_BEGIN_WITH(&category, "a", tw_arg_array("list", list, 2), tw_on(&inner), tw_flow(1));
    TW_EVENT_END_WITH(&category, tw_arg_bool("b", true), tw_on(&inner));
    TW_EVENT_INSTANT_WITH(&any, NULL, tw_in("c"), tw_named("n"), tw_global_flow_end(1));
    TW_EVENT_INSTANT_WITH(&category, "t", tw_at(TW_MONOTONIC, 1), tw_on(&other));
    TW_EVENT_COUNTER(&category, "c", 1);
    TW_EVENT_COUNTER_REAL(&category, "c", 0.5);
    TW_EVENT_COUNTER_WITH(&category, tw_on(&bytes), tw_count(1));
    TW_EVENT_COUNTER_WITH(&category, tw_on(&volts), tw_real(1));
    return 0;
}
"""
COMPILERS = (["gcc", "-std=c11", "-xc"], ["g++", "-std=c++11", "-xc++"],
             ["clang", "-std=c17", "-xc"], ["clang++", "-std=c++17", "-xc++"])


def build(compiler, source, out):
    subprocess.run([*compiler, "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    f"-I{ROOT / 'include'}", "-c", "-o", out, "-"], input=source, text=True,
                   check=True)


def instructions(compiler, folder):
    """Those that are carried out while the category is off, up to the return."""
    out = folder / "program.o"
    build(compiler, SOURCE, out)
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", out], check=True,
                             capture_output=True, text=True).stdout
    body = re.search(r"program.*>:\n((?:.+\n)+)", listing)[1]
    names = re.findall(r"^\s*[0-9a-f]+:\s+(\S+)", body, re.M)
    return [n for n in names[:names.index("ret") + 1] if n not in ("endbr64", "ret")]


def main():
    with tempfile.TemporaryDirectory() as name:
        for compiler in COMPILERS:
            build(compiler, REST, pathlib.Path(name) / "rest.o")
            found = instructions(compiler, pathlib.Path(name))
            print(f"{compiler[0]}: {len(found)} instructions: {' '.join(found)}")
            if len(found) > INSTRUCTIONS_MAX:
                sys.exit(f"fast_path: more than {INSTRUCTIONS_MAX}")
            if not any(n.startswith("j") for n in found):
                sys.exit("fast_path: nothing is decided")


main()
