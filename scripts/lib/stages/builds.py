# SPDX-License-Identifier: Apache-2.0
"""The release builds."""

from test_lib import build, ctest, stage


@stage(10, "release", "release build, gcc")
def stage_release():
    if build("release", "-DTW_TESTS=ON"):
        ctest("release", "-L", "release|corpus")


# The stages msan and fuzz are clang's, too, and say what it thinks of the sources.
@stage(61, "clang", "release build, clang", long=True)
def stage_clang():
    build("release-clang")
