# SPDX-License-Identifier: Apache-2.0
"""Speed: ratios within one run, and instructions against bench/baseline."""

import re
import time

from test_lib import ROOT, build, report, run, stage


def ratio_programs():
    """Those that compare two things in one run; they judge the ratio themselves."""
    return sorted(f.stem for f in (ROOT / "bench").glob("bench_*.c") if f.stem != "bench_count")


@stage(66, "bench", "speed ratios and instruction counts", long=True)
def stage_bench():
    if not build("release", "-DTW_TESTS=ON"):
        return
    for name in ratio_programs():
        start = time.monotonic()
        status, output = run([f"build/release/bin/{name}"], 300)
        held = sum(line.startswith("ok ") for line in output.splitlines())
        report.check(f"{name}: {held} ratios hold", status == 0 and held, output,
                     time.monotonic() - start)
    start = time.monotonic()
    status, output = run(["scripts/bench", "--check"], 900)
    print(output, end="")
    judged = re.search(r"^\d+ workloads, \d+ off the baseline", output, re.M)
    verdict = re.search(r"^not judged, another .*", output, re.M)
    name = "instruction counts" + (f": {verdict[0]}" if verdict else "")
    report.check(name, status == 0 and (judged or verdict), output, time.monotonic() - start)
