#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/make-vectors --check and check_vectors.py on copies of the tree in which something is
wrong: each fault is found, and the sound copy passes both. test_vector_checks.py ROOT"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()
VECTORS = "spec/vectors/encoding-frame.json"
CHECKS = ("scripts/make-vectors", "tests/vectors/check_vectors.py")
# What is done to a copy (file, pattern, replacement), and which of the checks must find it.
FAULTS = {
    "a verdict": (VECTORS, r'"verdict": "reject",\n  "reason": "nul"', '"verdict": "accept"', CHECKS),
    "a reason": (VECTORS, '"reason": "group"', '"reason": "nul"', CHECKS),
    "a value": (VECTORS, '"request_id": "7"', '"request_id": "8"', CHECKS),
    "a byte": (VECTORS, '"hex": "10', '"hex": "12', CHECKS[:1]),
    "an id twice": (VECTORS, '"id": "enc-0002"', '"id": "enc-0001"', CHECKS),
    "an unknown field": (VECTORS, '"about": "', '"extra": 1, "about": "', CHECKS),
    "an end": ("spec/vectors/framing.json", r'"ends": \[22\]', '"ends": [21]', CHECKS),
    "where it closes": ("spec/vectors/framing.json", '"closes": 4', '"closes": 5', CHECKS),
    "a vector that is gone": ("spec/vectors/ids.tsv", r"\A", "enc-9999\t0\n", CHECKS[:1]),
    "an id with other bytes": ("scripts/lib/vectors/examples.py", r'bind\(1, b"ProducerPort"\)',
                               'bind(2, b"ProducerPort")', CHECKS[:1]),
    "an example": ("spec/encoding.md", r"(?m)^    10 01 ", "    10 02 ", CHECKS[1:]),
    "a rule without vectors": ("spec/encoding.md", r"\*\*TW-ENC-001\*\*", "**TW-ENC-" "999**",
                               CHECKS),
}


def copy_to(folder):
    for part in ("spec", "scripts", "tests/vectors"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))


def status(folder, check):
    command = [folder / check] + ["--check"] * check.endswith("make-vectors")
    return subprocess.run(command, capture_output=True, text=True, check=False).returncode


def main():
    wrong = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch, "sound")
        copy_to(folder)
        wrong += [f"{c} fails on a sound tree" for c in CHECKS if status(folder, c)]
        for name, (file, pattern, replacement, checks) in FAULTS.items():
            sound = (folder / file).read_text()
            spoilt, n = re.subn(pattern, replacement, sound, count=1)
            (folder / file).write_text(spoilt)
            wrong += [f"{name}: nothing to spoil"] * (n == 0)
            wrong += [f"{name}: not found by {c}" for c in checks if status(folder, c) == 0]
            (folder / file).write_text(sound)
    print("\n".join(wrong) or f"{len(FAULTS)} faults, each found")
    sys.exit(bool(wrong))


main()
