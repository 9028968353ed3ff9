# SPDX-License-Identifier: Apache-2.0
"""The tests, plain and under what finds more."""

import time

from test_lib import (
    ROOT, build, ctest, listed_tests, parallel, properties, report, run, stage, without_aslr,
)

VALGRIND = [
    "valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,possible",
    "--errors-for-leak-kinds=definite,possible", "--error-exitcode=9",
]


@stage(20, "dev", "every test under ASan and UBSan")
def stage_dev():
    if build("dev"):
        ctest("dev", "-LE", "interop|exhaustive", prefix=without_aslr())


def valgrind_one(test):
    wanted = properties(test)
    env = dict(e.split("=", 1) for e in wanted.get("ENVIRONMENT", []))
    start = time.monotonic()
    status, output = run(
        VALGRIND + test["command"], 600, env, wanted.get("WORKING_DIRECTORY", ROOT)
    )
    report.check(f"{test['name']} (valgrind)", status == 0, output, time.monotonic() - start)


@stage(59, "valgrind", "unit tests under valgrind", long=True)
def stage_valgrind():
    """Programs that cmocka made; a script would only show that the interpreter is clean. Those
    whose worth is their many cases (label many) run whole under MSan, which sees as much. What asks
    of the kernel what valgrind 3.19 does not know (label kernel: seccomp, Landlock, openat2, a full
    table of descriptors) cannot be run by it."""
    if not build("release", "-DTW_TESTS=ON"):
        return
    apart = {"interop", "script", "exhaustive", "many", "kernel"}
    units = [
        t
        for t in listed_tests("release")
        if not apart & set(properties(t).get("LABELS", [])) and t.get("command")
    ]
    if not units:
        report.check("valgrind: find the unit tests", False, "ctest lists none")
    parallel(valgrind_one, units)


@stage(22, "tsan", "tests with threads under TSan")
def stage_tsan():
    if build("tsan", target="threads"):
        ctest("tsan", "-L", "threads", prefix=without_aslr(), suffix=" (tsan)")


# What is not C is the same in every build: dev and release run it.
NOT_HERE = "interop|exhaustive|script|release"


@stage(23, "msan", "every test in C under MSan, dependencies too")
def stage_msan():
    if build("msan"):
        ctest("msan", "-LE", NOT_HERE, prefix=without_aslr(), suffix=" (msan)")


@stage(62, "m32", "the corpus on 32 bits", long=True)
def stage_m32():
    if build("m32", target="fuzzers"):
        ctest("m32", "-L", "corpus", prefix=without_aslr(), suffix=" (32-bit)")


@stage(63, "long-m32", "every test in C on 32 bits, plain and under ASan and UBSan", long=True)
def stage_long_m32():
    # What m32 makes of the corpus is known by the stage of that name.
    for preset, suffix, without in (("m32", " (32-bit)", f"{NOT_HERE}|corpus"),
                                    ("m32-asan", " (32-bit, ASan)", NOT_HERE)):
        if build(preset):
            ctest(preset, "-LE", without, prefix=without_aslr(), suffix=suffix)


@stage(150, "exhaustive", "the bounded-exhaustive tests, whole, under ASan with UBSan",
       long=True, one_core=True)
def stage_exhaustive():
    if build("dev"):
        ctest("dev", "-L", "exhaustive", prefix=without_aslr(), jobs=1)


@stage(152, "exhaustive-msan", "the bounded-exhaustive tests, whole, under MSan", nightly=True)
def stage_exhaustive_msan():
    if build("msan"):
        ctest("msan", "-L", "exhaustive", prefix=without_aslr(), suffix=" (msan)", jobs=1)


@stage(68, "long-loss", "every policy, number of writers and size of memory under TSan", long=True)
def stage_long_loss():
    """Under ASan they are among the exhaustive ones."""
    if build("tsan", target="threads"):
        ctest("tsan", "-L", "loss", prefix=without_aslr(), suffix=" (tsan)")
