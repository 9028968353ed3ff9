#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the rules of shared memory forbid is seen: by the compiler, or by scripts/shared-memory.
test_shared_memory.py GENERATED COMPILER"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GENERATED, COMPILER = sys.argv[1:3]
HEAD = """#include <string.h>
#include "smb/smb.h"
int f(struct tw_smb_chunk *c, char *to);
int f(struct tw_smb_chunk *c, char *to)
{
    (void)c;
    (void)to;
"""

FORBIDDEN_BY_THE_COMPILER = {
    "dereference": "return *c->payload == 0;",
    "subscript": "return c->payload[1] == 0;",
    "arithmetic": "return c->payload + 1 == c->header;",
    "copy": "memcpy(to, c->payload, 4); return 0;",
    "as bytes": "const char *p = c->payload; return *p;",
    "as volatile bytes": "volatile char *p = c->payload; return *p;",
    "cast to bytes": "return *(char *)c->payload;",
}
FORBIDDEN_BY_THE_SCRIPT = {
    "cast to volatile bytes": "return *(volatile char *)c->payload;",
    "by way of void": "volatile void *v = c->payload; volatile char *p = v; return *p;",
    "by way of a number": "return *(char *)(uintptr_t)c->payload;",
    "as its owner": "return *tw_shared_own(c->payload);",
    "abort": "return c->idx < 3 ? 0 : (__builtin_trap(), 1);",
}
ALLOWED = {
    "copied": "tw_shared_copy(to, c->payload, 4); return to[0];",
    "loaded": "return (int)tw_shared_load32(tw_shared_at(c->header, 4));",
    "asked for": "return c->payload && c->payload != c->header;",
}


def compiles(path):
    command = [COMPILER, "-std=c17", "-D_GNU_SOURCE", "-Werror", "-Wall", "-Wextra", "-Wcast-qual",
               "-fsyntax-only", f"-I{ROOT}/src", f"-I{ROOT}/include", path]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def script_passes(path):
    done = subprocess.run([ROOT / "scripts/shared-memory", GENERATED, path],
                          stdout=subprocess.PIPE, text=True)
    if "1 files, " not in done.stdout:
        sys.exit(f"the script did not work: {done.stdout}")
    return done.returncode == 0


def main():
    wrong = 0
    cases = [(FORBIDDEN_BY_THE_COMPILER, False, None), (FORBIDDEN_BY_THE_SCRIPT, True, False),
             (ALLOWED, True, True)]
    with tempfile.TemporaryDirectory() as folder:
        for bodies, compiled, passed in cases:
            for name, body in bodies.items():
                path = pathlib.Path(folder) / "case.c"
                path.write_text(f"{HEAD}    {body}\n}}\n")
                ok = compiles(path) == compiled and (passed is None or script_passes(path) == passed)
                print(f"{'ok' if ok else 'WRONG':<6}{name}")
                wrong += not ok
    sys.exit(1 if wrong else 0)


main()
