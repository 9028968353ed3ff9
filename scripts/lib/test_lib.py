# SPDX-License-Identifier: Apache-2.0
"""What the stages of scripts/test share: running commands, building, ctest, and their register."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree

from test_report import Report

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
JOBS = 2  # what a contributor's machine and CI are promised to have
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}

report = Report()
stages = {}


class Stage:
    def __init__(self, order, name, title, part, one_core, function):
        self.order, self.name, self.title, self.part = order, name, title, part
        self.one_core, self.run = one_core, function


def stage(order, name, title, long=False, nightly=False, one_core=False):
    """Registers a function as a stage. Stages run by their order; long ones only with --long,
    nightly ones only with --nightly. Those that keep one core busy and follow each other run at the
    same time."""
    def register(function):
        part = "nightly" if nightly else "long" if long else ""
        stages[name] = Stage(order, name, title, part, one_core, function)
        return function
    return register


def run(command, timeout=900, env=None, cwd=ROOT):
    """Runs to the end; returns (status, output). A time-out is a failure like any other."""
    try:
        done = subprocess.run(
            [str(c) for c in command], cwd=cwd, env={**os.environ, **(env or {})}, timeout=timeout,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired as e:
        return -1, f"{(e.output or b'').decode(errors='replace')}\nno end after {timeout} s"
    except OSError as e:
        return -1, str(e)
    return done.returncode, done.stdout.decode(errors="replace")


def without_aslr():
    """Old sanitizer runtimes cannot place their shadow where new kernels randomise widely."""
    command = ["setarch", "-R"]
    return command if run(command + ["true"])[0] == 0 else []


def parallel(work, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(work, items))


def build(preset, *options, target="all"):
    """Configures and builds a preset with warnings as errors: one check."""
    start = time.monotonic()
    status, output = run(["cmake", "--preset", preset, *options])
    if status == 0:
        ninja = ["ninja", "-k", "0", "-C", f"build/{preset}", "-j", JOBS, target]
        status, output = run(ninja, 1800)
        output = re.sub(r"^\[\d+/\d+\] .*\n", "", output, flags=re.M)  # what went well
    return report.check(f"build {preset}", status == 0, output, time.monotonic() - start)


def judge_case(case):
    """Returns (ok, detail) for a test case of ctest's report."""
    output = case.findtext("system-out") or ""
    if case.get("status") != "run":
        failure = case.find("failure")
        why = failure.get("message", "") if failure is not None else ""
        return False, f"{output}\n{case.get('status')} {why}"
    if re.search(r"\[\s*SKIPPED\s*\]", output):
        return False, f"{output}\na skipped test is not a passed one"
    return True, ""


def ctest(preset, *select, prefix=(), suffix="", jobs=JOBS):
    """Runs the selected tests of a built preset, each of them one check."""
    with tempfile.TemporaryDirectory() as scratch:
        junit = pathlib.Path(scratch, "junit.xml")
        status, output = run(
            [*prefix, "ctest", "--test-dir", f"build/{preset}", "--no-tests=error", "-j", jobs,
             "--test-output-size-passed", "1000000", "--test-output-size-failed", "1000000",
             "--output-junit", junit, *select],
            3600, SANITIZERS,
        )
        if not junit.exists() or "No tests were found" in output:
            report.check(f"{preset}: run the tests", False, output)
            return
        cases = ElementTree.parse(junit).getroot().findall("testcase")
    for case in sorted(cases, key=lambda c: c.get("name")):
        ok, detail = judge_case(case)
        report.check(case.get("name") + suffix, ok, detail, float(case.get("time", 0)))
    if status != 0 and all(judge_case(c)[0] for c in cases):
        report.check(f"{preset}: ctest", False, output)


def listed_tests(preset):
    status, output = run(["ctest", "--test-dir", f"build/{preset}", "--show-only=json-v1"])
    return json.loads(output)["tests"] if status == 0 else []


def properties(test):
    return {p["name"]: p["value"] for p in test.get("properties", [])}


def own_sources():
    folders = ("src", "include", "tests", "fuzz", "bench")
    files = [f for folder in folders for f in (ROOT / folder).rglob("*.[ch]")]
    return sorted(str(f.relative_to(ROOT)) for f in files)
