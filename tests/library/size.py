#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the producer library costs whoever links it.

size.py SHARED-LIBRARY: the text of the optimised library, stripped, as size(1) counts it, and the
libraries that it loads.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

TEXT_MAX = 100 * 1024  # bytes
# The C library, which has the threads too, and its loader, which has thread-local variables.
MAY_LOAD = re.compile(r"libc\.so\.6|ld-linux.*\.so\.\d")


def output_of(*command):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True,
                          text=True).stdout


def check(fine, text):
    print(f"{'ok' if fine else 'FAIL':4} {text}")
    return fine


def main():
    library = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        stripped = Path(name) / "stripped.so"
        output_of("strip", "-o", stripped, library)
        text, data, bss = map(int, output_of("size", stripped).splitlines()[1].split()[:3])
        on_disk = stripped.stat().st_size
    loads = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output_of("readelf", "-d", library)))
    fine = [
        check(text <= TEXT_MAX, f"text: {text} bytes, at most {TEXT_MAX}; data {data}, zeros {bss}, "
                                f"a file of {on_disk}"),
        check(all(map(MAY_LOAD.fullmatch, loads)), f"loads {', '.join(sorted(loads))}"),
    ]
    return 0 if all(fine) else 1


sys.exit(main())
