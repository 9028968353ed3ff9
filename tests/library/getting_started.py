#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/getting-started.md, in turn, in one shell.

getting_started.py BUILD-FOLDER: the shell's home is empty and its folder looks like one of the
sources, whose build is BUILD-FOLDER. What it takes to build that was run before this test, so those
two commands are only looked at.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from service import LIMIT, ROOT, Service, check, protoc_text

PAGE = ROOT / "docs/getting-started.md"
IN_PLACE_OF = {"cmake --preset release -DTW_TESTS=OFF": "cmake --list-presets",
               "ninja -C build/release": "ninja -C build/release -t query tracewire"}
# What each block prints, or is known by, and how many data sources there are after it.
BLOCKS = [
    (r'"release"(.|\n)*bin/tracewire', 0),
    (r"libtracewire-producer.so", 0),
    (r"ready", 0),
    (r"", 1),
    (r"smallest(.|\n)*Nothing says that something is missing", 1),
    (r"", 1),
    (r"Linking C executable kitchen", 1),
    (r"", 1),
    (r"", 3),
    (r"((kitchen|smallest): (.|\n)*){3}Nothing says", 3),
    (r"", 0),
]
END = "--- the end of a block ---"


class Shell:
    """Runs blocks of commands; what is in the background may say something as well."""

    def __init__(self, folder, env):
        self.process = subprocess.Popen(["bash", "-eu"], cwd=folder, env=env, text=True,
                                        start_new_session=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.timer = threading.Timer(2 * LIMIT, self.kill)
        self.timer.start()

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)

    def run(self, block, pattern):
        """What is said until the block is over and, if its last command is in the background, until
        pattern is found; or there is no more."""
        self.process.stdin.write(f"{block}\necho '{END}'\n")
        self.process.stdin.flush()
        said = ""
        background = block.endswith("&\n")
        while END not in said or (background and not re.search(pattern, said)):
            line = self.process.stdout.readline()
            if not line:
                break
            said += line
        return said.replace(END + "\n", "")

    def close(self):
        self.timer.cancel()
        self.kill()
        self.process.communicate()


def folder_of_sources(home, build):
    """Like that of the sources, but with another build, and for new files."""
    folder = home / "sources"
    (folder / "build").mkdir(parents=True)
    for path in ROOT.iterdir():
        if path.name != "build":
            (folder / path.name).symlink_to(path)
    (folder / "build/release").symlink_to(build)
    return folder


def run_blocks(shell, service):
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    fine = [check(len(blocks) == len(BLOCKS), f"{len(blocks)} blocks of commands")]
    for block, (pattern, n_sources) in zip(blocks, BLOCKS):
        for line, other in IN_PLACE_OF.items():
            block = re.sub(f"^{re.escape(line)}$", other, block, flags=re.M)
        said = shell.run(block, pattern)
        fine.append(check(re.search(pattern, said), block.splitlines()[-1]))
        if not fine[-1]:
            print(said)
            break
        if n_sources:
            service.await_data_sources(n_sources)
    return fine


def main():
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        folder = folder_of_sources(home, Path(sys.argv[1]).resolve())
        service = Service(None, home)  # the page starts it
        service.consumer = home / "tracewire-consumer"
        shell = Shell(folder, {**os.environ, "HOME": name, "XDG_RUNTIME_DIR": name})
        try:
            fine = run_blocks(shell, service)
        finally:
            shell.close()
        if not all(fine):
            return 1
        first, second = (protoc_text(folder / f"{n}.pftrace") for n in ("first", "second"))
    fine += [
        check('name: "turn"' in first, "turns in the first trace"),
        *(check(f'"{name}"' in second, f"{name} in the second")
          for name in ("cook", "order", "number", "oven", "bake", "dishes", "turn")),
        check('"hotter"' not in second, "a category that is slow is off"),
    ]
    return 0 if all(fine) else 1


sys.exit(main())
