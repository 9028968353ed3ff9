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

from service import ROOT, Service, check, protoc_packets, run

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


def build_with_pkg_config(libs, bin_folder, kind):
    """Static ones are found when there are no others."""
    env = {**os.environ, "PKG_CONFIG_PATH": str(libs / "pkgconfig")}
    bin_folder.mkdir(exist_ok=True)
    for shared in libs.glob("*.so*") if kind == "static" else ():
        shared.unlink()
    for name, (others, source) in PROGRAMS.items():
        flags = run("pkg-config", *(["--static"] if kind == "static" else []), "--cflags", "--libs",
                    *[f"libtracewire-{library}" for library in [name, *others]], env=env).split()
        run("cc", ROOT / source, *flags, "-o", bin_folder / f"{name}-{kind}")


def try_out(folder, kind, service, env):
    """The four programs: what they say or leave behind."""
    trace = folder / f"{kind}.pftrace"
    fine = run(folder / f"frame-{kind}", env=env) == "bind ConsumerPort\n"
    said = run(folder / f"service-{kind}", trace, env=env)
    fine = fine and "all of them the service's own" in said and protoc_packets(trace) > 0
    with subprocess.Popen([folder / f"producer-{kind}"], env={**env, **service.env}) as producer:
        service.await_data_sources(1)
        said = run(folder / f"consumer-{kind}", service.consumer, trace, env=env)
        fine = fine and producer.poll() is None
        producer.kill()
    slices = protoc_packets(trace, "type: TYPE_SLICE_BEGIN")
    return check(fine and slices > 0, f"{folder.name}, {kind}: {slices} slices of {said.strip()}")


def main():
    with tempfile.TemporaryDirectory() as name:
        prefix = Path(name) / "prefix"
        run("cmake", "--install", sys.argv[1], "--prefix", prefix)
        prefix = prefix.rename(prefix.with_name("moved"))  # nothing may remember where it was
        libs = next(prefix.rglob("libtracewire-frame.a")).parent
        env = {**os.environ, "LD_LIBRARY_PATH": str(libs)}
        with Service(prefix / "bin/tracewire", Path(name)) as service:
            build_with_cmake(prefix, Path(name) / "project", Path(name) / "CMake")
            fine = [try_out(Path(name) / "CMake", kind, service, env)
                    for kind in ("static", "shared")]
            for kind in ("shared", "static"):
                build_with_pkg_config(libs, Path(name) / "pkg-config", kind)
                fine.append(try_out(Path(name) / "pkg-config", kind, service, env))
    return 0 if all(fine) else 1


sys.exit(main())
