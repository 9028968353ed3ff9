# SPDX-License-Identifier: Apache-2.0
"""A real browser against our service."""

from test_lib import build, ctest, stage

LONG_INTEROP_RUNS = 1


@stage(50, "interop", "Chromium against our service")
def stage_interop():
    if build("release", "-DTW_TESTS=ON"):
        ctest("release", "-L", "interop", "-LE", "long")


@stage(61, "long-interop", f"Chromium, {LONG_INTEROP_RUNS} times more", long=True)
def stage_long_interop():
    if build("release", "-DTW_TESTS=ON"):
        for n in range(LONG_INTEROP_RUNS):
            ctest("release", "-L", "interop", suffix=f" (again, {n + 1})")
