#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the installed service can be found, linked and driven by others.

embed.py BUILD-FOLDER: installs into a folder of its own, builds examples/embed_service.c against
it, with CMake and with pkg-config, static and shared, and has protoc read the trace it takes. The
symbols are those of the header.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "examples/embed_service.c"
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(embed LANGUAGES C)
find_package(tracewire-service 0.1 REQUIRED)
find_package(tracewire-frame 0.1 REQUIRED)
foreach(kind static shared)
  add_executable(embed_${kind} embed_service.c)
  target_link_libraries(embed_${kind} PRIVATE tracewire::service-${kind} tracewire::frame-${kind})
endforeach()
"""
SAYS = re.compile(r"the producer is known to the service\n"
                  r"a trace of ([1-9]\d*) packets, all of them the service's own\n")


def run(*command, **env):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=300, env={**os.environ, **env})
    if done.returncode:
        sys.exit(f"FAIL {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(name, program, **env):
    trace = program.with_suffix(".pftrace")
    said = SAYS.fullmatch(run(program, trace, **env))
    packets = run(ROOT / "tests/interop/protoc-check", trace) if said else ""
    fine = bool(said) and trace.stat().st_size > 0
    print(f"{'ok' if fine else 'FAIL':4} {name}: {said[1] if said else 'no'} packets {packets}")
    return fine


def symbols(*args):
    lines = [line.split() for line in run("nm", *args).splitlines()]
    return {words[-1].split("@")[0] for words in lines if len(words) > 1}


def same_symbols(libs):
    header = (ROOT / "include/tracewire/service.h").read_text()
    wanted = set(re.findall(r"^(?![ /*#])[^\n(]*\b(tw_service_\w+)\(", header, re.M))
    shared = symbols("-D", "--defined-only", libs / "libtracewire-service.so")
    static = symbols("--defined-only", "--extern-only", libs / "libtracewire-service.a")
    fine = bool(wanted)
    for who, names in [("shared", shared - {"LIBTRACEWIRE_SERVICE_0"}), ("static", static)]:
        fine = fine and names == wanted
        print(f"{'ok' if names == wanted else 'FAIL':4} {who}: {sorted(names ^ wanted) or 'the same'}")
    return fine


def main():
    with tempfile.TemporaryDirectory() as name:
        prefix, build = Path(name) / "prefix", Path(name) / "build"
        run("cmake", "--install", sys.argv[1], "--prefix", prefix)
        moved = prefix.rename(prefix.with_name("moved"))  # nothing may remember where it was
        project = Path(name) / "project"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(PROJECT)
        (project / SOURCE.name).write_bytes(SOURCE.read_bytes())
        run("cmake", "-S", project, "-B", build, f"-DCMAKE_PREFIX_PATH={moved}")
        run("cmake", "--build", build)
        fine = [check(f"CMake, {kind}", build / f"embed_{kind}") for kind in ("static", "shared")]
        libs = next(moved.rglob("libtracewire-service.a")).parent
        fine.append(same_symbols(libs))
        env = {"PKG_CONFIG_PATH": str(libs / "pkgconfig"), "LD_LIBRARY_PATH": str(libs)}
        for kind, flag in (("shared", ()), ("static", ("--static",))):
            flags = run("pkg-config", *flag, "--cflags", "--libs", "libtracewire-service",
                        "libtracewire-frame", **env).split()
            if kind == "static":
                for shared in libs.glob("*.so*"):
                    shared.unlink()
            run("cc", SOURCE, *flags, "-o", build / "pc")
            fine.append(check(f"pkg-config, {kind}", build / "pc", **env))
    return 0 if all(fine) else 1


sys.exit(main())
