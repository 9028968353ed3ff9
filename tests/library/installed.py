#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the installed libraries can be found, linked and used by others.

installed.py BUILD-FOLDER: installs into a folder of its own, which is then moved, and builds a
program for each library against it, with CMake and with pkg-config, static and shared. The two that
need a service get the installed one.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from service import LIMIT, ROOT, Service, check, protoc_packets, run, running, slices_by_writer

PROGRAMS = {  # the library, what else its program needs, and the source
    "frame": ([], "tests/library/frame_user.c"),
    "service": (["frame"], "examples/embed_service.c"),
    "producer": ([], "examples/smallest_producer.c"),
    "consumer": ([], "examples/take_trace.c"),
}
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
function(user name source)
  foreach(library ${name} ${ARGN})
    find_package(tracewire-${library} 0.1 REQUIRED)
  endforeach()
  foreach(kind static shared)
    add_executable(${name}-${kind} ${source})
    foreach(library ${name} ${ARGN})
      target_link_libraries(${name}-${kind} PRIVATE tracewire::${library}-${kind})
    endforeach()
  endforeach()
endfunction()
"""


def build_with_cmake(prefix, folder, bin_folder):
    project = PROJECT + "".join(f"user({name} {ROOT / source} {' '.join(others)})\n"
                                for name, (others, source) in PROGRAMS.items())
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(project)
    run("cmake", "-G", "Ninja", "-S", folder, "-B", bin_folder, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", bin_folder)


def build_with_pkg_config(libs, bin_folder):
    """Static libraries are found when there are no others before them."""
    env = {**os.environ, "PKG_CONFIG_PATH": str(libs / "pkgconfig")}
    static = bin_folder / "static"
    static.mkdir(parents=True)
    for library in libs.glob("*.a"):
        (static / library.name).symlink_to(library)
    for kind, more, before in (("static", ["--static"], [f"-L{static}"]), ("shared", [], [])):
        for name, (others, source) in PROGRAMS.items():
            modules = [f"libtracewire-{library}" for library in [name, *others]]
            flags = run("pkg-config", *more, "--cflags", "--libs", *modules, env=env).split()
            run("cc", ROOT / source, *before, *flags, "-o", bin_folder / f"{name}-{kind}")


def try_alone(folder, kind, env):
    """What the programs of the frame codec and of the service say or leave behind."""
    trace = folder / f"{kind}.pftrace"
    loads = "libtracewire" in run("ldd", folder / f"producer-{kind}", env=env)
    fine = loads == (kind == "shared")
    fine = run(folder / f"frame-{kind}", env=env) == "bind ConsumerPort\n" and fine
    said = run(folder / f"service-{kind}", trace, env=env)
    return check(fine and "all of them the service's own" in said and protoc_packets(trace) > 0,
                 f"{folder.name}, {kind}: {said.splitlines()[-1]}")


def try_clients(programs, service, env):
    """All producers at a time, and then all consumers: each has a trace of all producers."""
    traces = [folder / f"clients-{kind}.pftrace" for folder, kind in programs]
    producers = [folder / f"producer-{kind}" for folder, kind in programs]
    with running(producers, {**env, **service.env}) as processes:
        service.await_data_sources(len(producers))
        consumers = [subprocess.Popen([folder / f"consumer-{kind}", service.consumer, trace],
                                      env=env, stdout=subprocess.DEVNULL)
                     for (folder, kind), trace in zip(programs, traces)]
        fine = all([consumer.wait(LIMIT) == 0 for consumer in consumers])
        fine = fine and all(process.poll() is None for process in processes)
    slices = [list(slices_by_writer(trace).values()) if fine else [] for trace in traces]
    return check(all(len(writers) == len(producers) for writers in slices), f"slices: {slices}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("cmake", "--install", sys.argv[1], "--prefix", folder / "prefix")
        prefix = (folder / "prefix").rename(folder / "moved")  # nothing may remember where it was
        libs = next(prefix.rglob("libtracewire-frame.a")).parent
        env = {**os.environ, "LD_LIBRARY_PATH": str(libs)}
        build_with_cmake(prefix, folder / "project", folder / "CMake")
        build_with_pkg_config(libs, folder / "pkg-config")
        programs = [(folder / how, kind) for how in ("CMake", "pkg-config")
                    for kind in ("static", "shared")]
        fine = [try_alone(*program, env) for program in programs]
        with Service(prefix / "bin/tracewire", folder) as service:
            fine.append(try_clients(programs, service, env))
    return 0 if all(fine) else 1


sys.exit(main())
