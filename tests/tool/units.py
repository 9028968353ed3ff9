#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""units.py BUILD_DIR:TRACEWIRE: systemd's files as systemd reads them, and the manual page.

systemd-analyze verifies the units with the command that was built, and has to complain about one
that is spoilt. With systemd-socket-activate the sockets are handed over by systemd's own code.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

BUILD, TRACEWIRE = map(pathlib.Path, sys.argv.pop(1).split(":"))
ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 60  # seconds


def run(*args):
    done = subprocess.run([*map(str, args)], capture_output=True, text=True, timeout=LIMIT,
                          check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout + done.stderr


class Units(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tracewire-units.")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def units(self, change=lambda text: text):
        for file in (ROOT / "packaging/systemd").glob("*.socket"):
            shutil.copy(file, self.folder)
        text = (BUILD / "tracewire.service").read_text()
        text = re.sub(r"ExecStart=\S+", f"ExecStart={TRACEWIRE}", text)
        (self.folder / "tracewire.service").write_text(change(text))
        return sorted(self.folder.iterdir())

    def test_systemd_has_nothing_to_say(self):
        status, said = run("systemd-analyze", "verify", "--man=no", *self.units())
        self.assertEqual((status, said), (0, ""))

    def test_it_says_something_when_there_is(self):
        units = self.units(lambda text: text.replace("ProtectHome=", "ProtectHouse="))
        self.assertIn("ProtectHouse", run("systemd-analyze", "verify", "--man=no", *units)[1])

    def test_the_service_is_shut_in(self):
        status, said = run("systemd-analyze", "security", "--offline=yes", "--threshold=20",
                           *(u for u in self.units() if u.suffix == ".service"))
        self.assertEqual(status, 0, said)  # an exposure of at most 2.0 of 10

    def test_the_users_are_there(self):
        status, said = run("systemd-sysusers", "--dry-run",
                           ROOT / "packaging/systemd/tracewire.sysusers")
        self.assertEqual(status, 0, said)

    def test_systemd_hands_over_the_sockets(self):
        names = ["producer", "consumer"]
        flags = [f"--listen={self.folder / name}" for name in names]
        process = subprocess.Popen(
            ["systemd-socket-activate", *flags, "--fdname=producer:consumer", TRACEWIRE, "serve"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            for _ in names:
                self.assertIn("Listening", process.stderr.readline())
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.folder / "consumer"))
                lines = iter(process.stderr.readline, "")
                self.assertTrue(any("consumers at a socket handed over" in l for l in lines))
        finally:
            process.terminate()
            process.wait(LIMIT)
            process.stderr.close()

    def test_the_manual_is_well_formed(self):
        for page in sorted((ROOT / "docs/man").iterdir()):
            self.assertEqual(run("mandoc", "-Tlint", "-Wwarning", page), (0, ""))
            self.assertEqual(subprocess.run(["man", "--warnings", "-l", page], check=True, text=True,
                                            capture_output=True, timeout=LIMIT).stderr, "")

    def test_the_manual_has_every_flag(self):
        for command, known in ("serve", "limit"), ("trace", "check"), ("record", "query"):
            told = (ROOT / f"docs/man/tracewire-{command}.1").read_text()
            flags = re.findall(r"--([a-z_-]+)", run(TRACEWIRE, command, "--help")[1])
            self.assertIn(known, flags)
            for flag in set(flags) - {"help", "version"}:
                self.assertRegex(told, rf"Fl -{flag}\b")


unittest.main()
