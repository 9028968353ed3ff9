#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the installed library can be found and used by others.

consumer.py BUILD-FOLDER: installs it into a folder of its own and builds consumer/ against it,
with CMake and with pkg-config, static and shared.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAYS = "bind ConsumerPort\n"


def run(*command, **env):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=300, env={**os.environ, **env})
    if done.returncode:
        sys.exit(f"FAIL {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(name, output):
    print(f"{'ok' if output == SAYS else 'FAIL':4} {name}: {output.strip()}")
    return output == SAYS


def main():
    with tempfile.TemporaryDirectory() as name:
        prefix, build = Path(name) / "prefix", Path(name) / "build"
        run("cmake", "--install", sys.argv[1], "--prefix", prefix)
        moved = prefix.rename(prefix.with_name("moved"))  # nothing may remember where it was
        run("cmake", "-S", HERE / "consumer", "-B", build, f"-DCMAKE_PREFIX_PATH={moved}")
        run("cmake", "--build", build)
        libs = next(moved.rglob("libtracewire-frame.a")).parent
        fine = [check(f"CMake, {kind}", run(build / f"consumer_{kind}"))
                for kind in ("static", "shared")]
        env = {"PKG_CONFIG_PATH": str(libs / "pkgconfig"), "LD_LIBRARY_PATH": str(libs)}
        flags = run("pkg-config", "--cflags", "--libs", "libtracewire-frame", **env).split()
        for kind in ("shared", "static"):
            if kind == "static":
                for shared in libs.glob("*.so*"):
                    shared.unlink()
            run("cc", HERE / "consumer/consumer.c", *flags, "-o", build / "pc")
            fine.append(check(f"pkg-config, {kind}", run(build / "pc", **env)))
    return 0 if all(fine) else 1


sys.exit(main())
