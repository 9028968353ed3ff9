#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether each public header can be included alone, and twice, in C and in C++."""

import subprocess
import sys
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent.parent.parent / "include"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
LANGUAGES = [("gcc", "c", "c11"), ("clang", "c", "c17"), ("clang", "c", "c2x"),
             ("g++", "c++", "c++11"), ("clang++", "c++", "c++20")]


def compile_alone(header, compiler, language, standard):
    """What the compiler has against it."""
    name = header.relative_to(INCLUDE)
    return subprocess.run(
        [compiler, "-x", language, f"-std={standard}", *WARNINGS, f"-I{INCLUDE}", "-fsyntax-only",
         "-"],
        input=f'#include "{name}"\n#include <{name}>\nint main(void) {{ return 0; }}\n',
        capture_output=True, text=True, check=False, timeout=60).stderr


def main():
    headers = sorted(INCLUDE.glob("tracewire/*.h"))
    fine = len(headers) > 0
    for header in headers:
        for language in LANGUAGES:
            said = compile_alone(header, *language)
            fine = fine and not said
            print(f"{'FAIL' if said else 'ok':4} {header.name}, {' '.join(language)}\n{said}", end="")
    return 0 if fine else 1


sys.exit(main())
