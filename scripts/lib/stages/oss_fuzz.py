# SPDX-License-Identifier: Apache-2.0
"""The build for ClusterFuzzLite and OSS-Fuzz, as their machines would call it."""

import pathlib
import tempfile
import time
import zipfile

from test_lib import ROOT, parallel, report, run, stage, without_aslr

COMMON = "-O1 -fno-omit-frame-pointer -gline-tables-only -fsanitize=fuzzer-no-link "
# Two of those that they ask for: one as everywhere, and one for which libraries are built, too.
SANITIZERS = {
    "address": "-fsanitize=address -fsanitize-address-use-after-scope",
    "memory": "-fsanitize=memory -fsanitize-memory-track-origins",
}


def run_one(program):
    """A program with its seeds, alone in a folder as on the machine that fuzzes."""
    seeds = program.with_name(program.name + "_seed_corpus")
    with zipfile.ZipFile(f"{seeds}.zip") as archive:
        archive.extractall(seeds)
    status, output = run([*without_aslr(), program, "-runs=0", f"-artifact_prefix={seeds}/", seeds], 120)
    return status == 0, output


def check_sanitizer(sanitizer):
    with tempfile.TemporaryDirectory() as scratch:
        build_and_run(sanitizer, pathlib.Path(scratch))


def build_and_run(sanitizer, scratch):
    for name in ("src", "out", "work"):
        (scratch / name).mkdir()
    (scratch / "src/tracewire").symlink_to(ROOT)
    env = {"CC": "clang", "CXX": "clang++", "CFLAGS": COMMON + SANITIZERS[sanitizer],
           "CXXFLAGS": COMMON + SANITIZERS[sanitizer], "SANITIZER": sanitizer,
           "LIB_FUZZING_ENGINE": "-fsanitize=fuzzer", "SRC": str(scratch / "src"),
           "OUT": str(scratch / "out"), "WORK": str(scratch / "work")}
    start = time.monotonic()
    status, output = run([ROOT / ".clusterfuzzlite/build.sh"], 1800, env)
    programs = [p for p in (scratch / "out").glob("fuzz_*") if not p.suffix]
    report.check(f"build.sh, {sanitizer}: {len(programs)} targets", status == 0 and programs, output,
                 time.monotonic() - start)
    failures = [output for ok, output in map(run_one, sorted(programs)) if not ok]
    report.check(f"build.sh, {sanitizer}: they run their seeds", programs and not failures,
                 "\n".join(failures))


@stage(65, "oss-fuzz", "the build of ClusterFuzzLite and OSS-Fuzz", long=True)
def stage_oss_fuzz():
    parallel(check_sanitizer, SANITIZERS)
