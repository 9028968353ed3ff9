# SPDX-License-Identifier: Apache-2.0
"""Static analysis."""

import pathlib
import re
import time

from test_lib import JOBS, build, own_sources, parallel, report, run, stage


def tidy_one(source):
    start = time.monotonic()
    status, output = run(["clang-tidy", "--quiet", "-p", "build/release-clang", source], 600)
    report.check(f"clang-tidy {source}", status == 0, output, time.monotonic() - start)


@stage(62, "analysis", "clang-tidy and cppcheck", long=True)
def stage_analysis():
    if build("release-clang"):
        parallel(tidy_one, [f for f in own_sources() if re.match(r"src/.*\.c$", f)])
    # Without these macros it cannot parse; the other system headers only cost it time.
    queue_h = next(pathlib.Path("/usr/include").glob("**/sys/queue.h"), "sys/queue.h")
    start = time.monotonic()
    status, output = run(
        ["cppcheck", "--quiet", "-j", JOBS, "--std=c11", "--enable=warning,performance,portability",
         "--error-exitcode=1", "--suppressions-list=scripts/lib/cppcheck-suppressions.txt",
         f"--include={queue_h}", "-D_GNU_SOURCE", "-Isrc", "-Iinclude", "src"],
        1200,
    )
    report.check("cppcheck src", status == 0, output, time.monotonic() - start)
