#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The two files of the producer library, as others vendor them, and programs with them.

vendored.py BIN-FOLDER
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from service import ROOT, Service, check, protoc_text, run

STRICT = ["-O2", "-fPIC", "-Wall", "-Wextra", "-Werror"]
COMPILERS = [["gcc", "-std=c17"], ["clang", "-std=c11"]]
SYNTAX_ONLY = [["gcc", "-std=c11"], ["gcc", "-std=c2x"], ["clang", "-std=c17"]]
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


def slices_by_writer(trace):
    """Of each writer, the slices that begin."""
    slices = {}
    for packet in re.split(r"^packet {", protoc_text(trace), flags=re.M)[1:]:
        if "TYPE_SLICE_BEGIN" in packet:
            writer = re.search(r"trusted_packet_sequence_id: (\d+)", packet)[1]
            slices[writer] = slices.get(writer, 0) + 1
    return slices


def traced(program, n_sources, service, take_trace, name):
    with subprocess.Popen([program], env={**os.environ, **service.env}) as process:
        service.await_data_sources(n_sources)
        run(take_trace, service.consumer, program.with_suffix(".pftrace"))
        alive = process.poll() is None
        process.kill()
    slices = slices_by_writer(program.with_suffix(".pftrace"))
    return check(alive and len(slices) == n_sources, f"{name}: slices {list(slices.values())}")


def build_both(folder, source):
    """A program with two libraries; what they show of the producer library."""
    seen = ""
    for name in "ab":
        run("gcc", *STRICT, f"-Dmain=run_{name}", f"-I{folder}", "-shared", source,
            folder / "gcc-std=c17.o", "-o", folder / f"lib{name}.so")
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
        for compiler in COMPILERS:
            run(*compiler, *STRICT, "-c", folder / "tracewire_producer.c", "-o",
                folder / f"{''.join(compiler)}.o")
        for compiler in SYNTAX_ONLY:
            run(*compiler, *STRICT, "-fsyntax-only", folder / "tracewire_producer.c")
        check(True, f"compiled: {[' '.join(c) for c in COMPILERS + SYNTAX_ONLY]}")
        source = folder / "program.c"
        source.write_text((ROOT / "examples/smallest_producer.c").read_text(encoding="utf-8").replace(
            "tracewire/track_event.h", "tracewire_producer.h"))
        fine = [build_both(folder, source)]
        with Service(bin_folder / "tracewire", folder) as service:
            for compiler in PROGRAMS:
                program = folder / compiler[0]
                run(compiler[0], *STRICT, *compiler[1:], f"-I{folder}", source, "-x", "none",
                    folder / "clang-std=c11.o", "-o", program)
                fine.append(traced(program, 1, service, bin_folder / "example_take_trace",
                                   " ".join(compiler)))
            fine.append(traced(folder / "both", 2, service, bin_folder / "example_take_trace",
                               "two libraries in one program"))
    return 0 if all(fine) else 1


sys.exit(main())
