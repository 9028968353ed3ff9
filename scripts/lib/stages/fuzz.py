# SPDX-License-Identifier: Apache-2.0
"""Fuzzing for a fixed time."""

import re
import time

from test_lib import build, parallel, report, run, stage, without_aslr

FUZZ_SECONDS = 30
LONG_FUZZ_TOTAL = 300


def fuzz_one(job):
    engine, target, seconds = job
    start = time.monotonic()
    status, output = run(
        [*without_aslr(), "scripts/fuzz", "--no-build", "--engine", engine, "--time", seconds,
         target],
        seconds + 240,
    )
    summary = re.findall(rf"^{target} .*?(\d+ runs) +(\d+ edges)", output, re.M)
    name = f"fuzz {target}, {engine}: {', '.join(summary[-1]) if summary else 'no result'}"
    report.check(name, status == 0, output, time.monotonic() - start)


def fuzz_targets():
    return run(["scripts/fuzz", "--list"])[1].split()


def fuzz_all(seconds_each):
    presets = {"libfuzzer": "fuzz", "afl": "afl"}
    engines = [e for e, preset in presets.items() if build(preset, target="fuzzers")]
    targets = fuzz_targets()
    if not targets:
        report.check("fuzz: find the targets", False, "fuzz/ holds no fuzz_*.c")
    parallel(fuzz_one, [(e, t, seconds_each) for e in engines for t in targets])


@stage(40, "fuzz", f"fuzz targets, {FUZZ_SECONDS} s an engine")
def stage_fuzz():
    fuzz_all(FUZZ_SECONDS)


@stage(60, "long-fuzz", "fuzz targets, longer", long=True)
def stage_long_fuzz():
    targets = len(fuzz_targets()) or 1
    fuzz_all(max(FUZZ_SECONDS, LONG_FUZZ_TOTAL // targets))
