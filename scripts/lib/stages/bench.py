# SPDX-License-Identifier: Apache-2.0
"""Cost: ratios within one run, instructions against bench/baseline, size, and a soak."""

import pathlib
import re
import tempfile
import time

from test_lib import ROOT, build, report, run, stage


def ratio_programs():
    """Those that compare two things in one run; they judge the ratio themselves."""
    return sorted(f.stem for f in (ROOT / "bench").glob("bench_*.c")
                  if not f.stem.startswith("bench_count"))


SERVE_BYTES_AT_MOST = 500_000  # of what `tracewire serve` needs, stripped


def check_size():
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        stripped = pathlib.Path(scratch, "serve")
        status, output = run(["strip", "-o", stripped, "build/release/bin/serve_alone"])
        size = stripped.stat().st_size if status == 0 else 0
    report.check(f"what serve needs: {size:,} bytes, at most {SERVE_BYTES_AT_MOST:,}",
                 0 < size <= SERVE_BYTES_AT_MOST, output, time.monotonic() - start)


def soak():
    """A long life in a short time (bench/soak.c), which must not take a minute."""
    start = time.monotonic()
    status, output = run(["build/release/bin/soak"], 60)
    print(output, end="")
    report.check("soak: memory and descriptors are as before",
                 status == 0 and output.count("\nok ") == 2, output, time.monotonic() - start)


@stage(66, "bench", "speed ratios, counts, memory, size and a soak", long=True)
def stage_bench():
    if not build("release", "-DTW_TESTS=ON"):
        return
    for name in ratio_programs():
        start = time.monotonic()
        status, output = run([f"build/release/bin/{name}"], 300)
        held = sum(line.startswith("ok ") for line in output.splitlines())
        report.check(f"{name}: {held} ratios hold", status == 0 and held, output,
                     time.monotonic() - start)
    check_size()
    soak()
    start = time.monotonic()
    status, output = run(["scripts/bench", "--check"], 900)
    print(output, end="")
    judged = re.search(r"^\d+ figures, \d+ off the baseline", output, re.M)
    verdict = re.search(r"^not judged, another .*", output, re.M)
    name = "instruction counts" + (f": {verdict[0]}" if verdict else "")
    report.check(name, status == 0 and (judged or verdict), output, time.monotonic() - start)
