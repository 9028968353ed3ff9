#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The two files of the producer library, as others vendor them, and programs with them.

vendored.py BIN-FOLDER
"""

import sys
import tempfile
from pathlib import Path

from service import ROOT, Service, check, run, running, slices_by_writer

STRICT = ["-O2", "-fPIC", "-Wall", "-Wextra", "-Werror"]
SYNTAX_ONLY = [["gcc", "-std=c11"], ["gcc", "-std=c2x"], ["clang", "-std=c11"],
               ["clang", "-std=c17"]]
CXX = ["-x", "c++", "-std=c++20", "-Wno-missing-field-initializers"]  # as C has them
PROGRAMS = [["gcc", "-std=c11"], ["g++", *CXX], ["clang++", *CXX]]
# Two libraries in one program, each of which brings its own.
BOTH = """
#include <pthread.h>
#include <unistd.h>
int run_a(void), run_b(void);
static void *a(void *p) { (void)run_a(); return p; }
static void *b(void *p) { (void)run_b(); return p; }
int main(void)
{
    pthread_t threads[2];
    pthread_create(&threads[0], 0, a, 0);
    pthread_create(&threads[1], 0, b, 0);
    pause();
}
"""


def traced(programs, bin_folder, folder):
    """Whether one trace has slices of each library of each program."""
    n = len(programs) + 1  # one has two
    with Service(bin_folder / "tracewire", folder) as service, \
            running(programs, service.env) as processes:
        service.await_data_sources(n)
        run(bin_folder / "example_take_trace", service.consumer, folder / "trace")
        alive = all(process.poll() is None for process in processes)
    slices = slices_by_writer(folder / "trace")
    return check(alive and len(slices) == n,
                 f"{', '.join(p.name for p in programs)}: slices {list(slices.values())}")


def build_both(folder, source):
    """A program with two libraries; what they show of the producer library."""
    seen = ""
    for name in "ab":
        run("gcc", *STRICT, f"-Dmain=run_{name}", f"-I{folder}", "-shared", source,
            folder / "library.o", "-o", folder / f"lib{name}.so")
        seen += run("nm", "-D", "--defined-only", folder / f"lib{name}.so")
    (folder / "both.c").write_text(BOTH)
    run("gcc", "-pthread", folder / "both.c", folder / "liba.so", folder / "libb.so",
        f"-Wl,-rpath,{folder}", "-o", folder / "both")
    return check("run_a" in seen and "tw_" not in seen, "libraries that bring theirs do not show it")


def main():
    bin_folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(ROOT / "scripts/amalgamate", "producer", folder)
        library = folder / "tracewire_producer.c"
        run("gcc", "-std=c17", *STRICT, "-c", library, "-o", folder / "library.o")
        for compiler in SYNTAX_ONLY:
            run(*compiler, *STRICT, "-fsyntax-only", library)
        check(True, f"compiled, also with {[' '.join(c) for c in SYNTAX_ONLY]}")
        source = folder / "program.c"
        source.write_text((ROOT / "examples/smallest_producer.c").read_text(encoding="utf-8").replace(
            "tracewire/track_event.h", "tracewire_producer.h"))
        fine = [build_both(folder, source)]
        for compiler in PROGRAMS:
            run(*compiler[:1], *STRICT, *compiler[1:], f"-I{folder}", source, "-x", "none",
                folder / "library.o", "-o", folder / compiler[0])
        programs = [folder / name for name in [*(c[0] for c in PROGRAMS), "both"]]
        fine.append(traced(programs, bin_folder, folder))
    return 0 if all(fine) else 1


sys.exit(main())
