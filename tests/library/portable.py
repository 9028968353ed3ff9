#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The two vendored files under other languages, compilers, pointer sizes and byte orders.

portable.py AMALGAM-FOLDER: compiles them without any header but the compiler's own, links them with
selfcheck.c and runs that over the vectors of spec/vectors, on a big-endian machine under qemu-user.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent.parent / "spec/vectors"
WARNINGS = ["-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
MACHINES = {  # how to compile for it and to run that, and what the self-check must say of it
    "64 bits": (["gcc"], [], "little-endian, pointers of 64"),
    "32 bits": (["gcc", "-m32"], [], "little-endian, pointers of 32"),
    "big-endian": (["s390x-linux-gnu-gcc", "-static"], ["qemu-s390x"],
                   "big-endian, pointers of 64"),
}
VARIANTS = [  # language and compiler, the options for it, machine
    ("C11, gcc", ["-std=c11"], "64 bits"),
    ("C23, gcc", ["-std=c2x"], "64 bits"),
    ("C11, clang", ["clang", "-std=c11"], "64 bits"),
    ("C23, clang", ["clang", "-std=c2x"], "64 bits"),
    ("C++17, g++", ["g++", "-x", "c++", "-std=c++17"], "64 bits"),
    ("C++17, clang++", ["clang++", "-x", "c++", "-std=c++17"], "64 bits"),
    ("C11, gcc", ["-std=c11"], "32 bits"),
    ("C11, gcc", ["-std=c11"], "big-endian"),
]


def bytes_of(value):
    """Hex, or segments of it of which some are repeated (spec/vectors/README.md)."""
    if isinstance(value, str):
        return bytes.fromhex(value)
    return b"".join(
        bytes.fromhex(part) if isinstance(part, str)
        else bytes.fromhex(part["repeat"]) * part["times"] for part in value["segments"])


def vectors():
    """The vectors of frames as selfcheck.c reads them: a line, and the bytes it announces."""
    out = b""
    for path in sorted(VECTORS.glob("*.json")):
        if path.name == "schema.json":
            continue
        for vector in json.loads(path.read_text(encoding="utf-8")):
            if vector["kind"] == "message":
                continue
            data = bytes_of(vector["hex"])
            reason = {"accept": "fine", "more": "more"}.get(vector["verdict"]) or vector["reason"]
            canonical = int(vector.get("canonical", False))
            out += f"{vector['id']} {vector['kind']} {canonical} {reason} {len(data)}\n".encode()
            out += data
    return out


def run(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=300)
    return done.returncode, done.stdout + done.stderr


def own_headers(compiler):
    return run([compiler[0], "-print-file-name=include"])[1].strip()


def check(name, steps, says=""):
    for step in steps:
        status, output = run(step)
        if status:
            break
    fine = status == 0 and says in output
    print(f"{'ok' if fine else 'FAIL':4} {name}: {output.strip() or 'compiled'}")
    return fine


def check_machine(amalgam, folder, machine):
    """The self-check is compiled once, and linked with the codec in each language."""
    compiler, runner, says = MACHINES[machine]
    main_object, codec, program = (folder / name for name in ("main.o", "codec.o", "selfcheck"))
    fine = check(f"the self-check, {machine}", [
        [*compiler, "-std=c11", *WARNINGS, f"-I{amalgam}", "-c", HERE / "selfcheck.c", "-o",
         main_object]])
    for name, options, _ in (variant for variant in VARIANTS if variant[2] == machine):
        language = options if not options[0].startswith("-") else [*compiler, *options]
        steps = [
            [*language, *WARNINGS, "-ffreestanding", "-nostdinc", "-isystem",
             own_headers(language), "-c", amalgam / "tw_frame.c", "-o", codec],
            [*compiler, main_object, codec, "-o", program],
            [*runner, program, folder / "vectors"],
        ]
        fine = check(f"{name}, {machine}", steps, says) and fine
    return fine


def main():
    amalgam = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "vectors").write_bytes(vectors())
        results = [check_machine(amalgam, folder, machine) for machine in MACHINES]
    return 0 if all(results) else 1


sys.exit(main())
