# SPDX-License-Identifier: Apache-2.0
"""Fuzzing for a fixed time, however many targets there are."""

import re
import time

from test_lib import JOBS, build, parallel, report, run, stage, without_aslr

PRESETS = {"libfuzzer": "fuzz", "afl": "afl"}
SECONDS = 60  # of the clock for all targets together, canaries and start-up not counted
LONG_SECONDS = 200
LEAST_SECONDS = 3  # of one target


def fuzz_one(engine, target, seconds):
    start = time.monotonic()
    status, output = run(
        [*without_aslr(), "scripts/fuzz", "--no-build", "--engine", engine, "--time", seconds,
         target],
        seconds + 240,
    )
    summary = re.findall(rf"^{target} .*?(\d+ runs) +(\d+/s) +(\d+ edges)", output, re.M)
    name = f"fuzz {target}, {engine}: {', '.join(summary[-1]) if summary else 'no result'}"
    report.check(name, status == 0, output, time.monotonic() - start)


def canaries(engine):
    start = time.monotonic()
    status, output = run(
        [*without_aslr(), "scripts/fuzz", "--no-build", "--engine", engine, "--canaries"], 600)
    caught = len(re.findall(r"^canary .* caught$", output, re.M))
    report.check(f"fuzz canaries, {engine}: {caught} caught", status == 0 and caught, output,
                 time.monotonic() - start)


def fuzz_targets():
    return run(["scripts/fuzz", "--list"])[1].split()


def documented(targets):
    """Each target has its row in the table of what must hold."""
    with open("docs/fuzzing.md") as f:
        rows = re.findall(r"^\| ([a-z_, ]+) \|", f.read(), re.M)
    missing = set(targets) - {name for row in rows for name in row.split(", ")}
    report.check("fuzz: docs/fuzzing.md tells of every target", not missing, ", ".join(missing))


def fuzz_all(seconds, engines):
    engines = [e for e in engines if build(PRESETS[e], target="fuzzers")]
    targets = fuzz_targets()
    if not targets:
        report.check("fuzz: find the targets", False, "fuzz/ holds no fuzz_*.c")
        return
    documented(targets)
    each = max(LEAST_SECONDS, seconds * JOBS // (len(targets) * max(1, len(engines))))
    parallel(lambda job: job[0](*job[1:]),
             [*((canaries, e) for e in engines),
              *((fuzz_one, e, t, each) for t in targets for e in engines)])


@stage(40, "fuzz", f"every target with libFuzzer, {SECONDS} s in all")
def stage_fuzz():
    fuzz_all(SECONDS, ["libfuzzer"])


@stage(60, "long-fuzz", f"every target with both engines, {LONG_SECONDS} s in all", long=True)
def stage_long_fuzz():
    fuzz_all(LONG_SECONDS, list(PRESETS))


@stage(41, "coverage", "what the corpus reaches, of the clients with their tests")
def stage_coverage():
    if not build("coverage", target="fuzzers"):
        return
    start = time.monotonic()
    status, output = run(["scripts/coverage", "--list"], 600)
    shown = re.findall(r"^((?:service |clients )?(?:lines|branches)|legal cells|illegal cells) .*? (\S+ %)", output, re.M)
    report.check(f"coverage: {', '.join(' '.join(s) for s in shown)}", status == 0 and shown, output,
                 time.monotonic() - start)
