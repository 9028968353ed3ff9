# SPDX-License-Identifier: Apache-2.0
"""The stages of scripts/test; scripts/test itself has set up the machine before."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree as ElementTree

from test_report import Report

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
JOBS = 2  # what a contributor's machine and CI are promised to have
FUZZ_SECONDS = 30
LONG_FUZZ_TOTAL = 300
LONG_INTEROP_RUNS = 3
MAX_LINES = 600  # a C file longer than this holds two concepts
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}
VALGRIND = [
    "valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,possible",
    "--errors-for-leak-kinds=definite,possible", "--error-exitcode=9",
]

report = Report()


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


def ctest(preset, *select, prefix=(), suffix=""):
    """Runs the selected tests of a built preset, each of them one check."""
    with tempfile.TemporaryDirectory() as scratch:
        junit = pathlib.Path(scratch, "junit.xml")
        status, output = run(
            [*prefix, "ctest", "--test-dir", f"build/{preset}", "--no-tests=error", "-j", JOBS,
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


def valgrind_one(test):
    wanted = properties(test)
    env = dict(e.split("=", 1) for e in wanted.get("ENVIRONMENT", []))
    start = time.monotonic()
    status, output = run(
        VALGRIND + test["command"], 600, env, wanted.get("WORKING_DIRECTORY", ROOT)
    )
    report.check(f"{test['name']} (valgrind)", status == 0, output, time.monotonic() - start)


# The stages -------------------------------------------------------------------------------------


def stage_release():
    if build("release", "-DTW_TESTS=ON"):
        ctest("release", "-L", "release")


def stage_clang():
    build("release-clang")


def stage_dev():
    if build("dev"):
        ctest("dev", "-LE", "interop", prefix=without_aslr())


def stage_valgrind():
    """Programs that cmocka made; a script would only show that the interpreter is clean."""
    if not build("release", "-DTW_TESTS=ON"):
        return
    units = [
        t
        for t in listed_tests("release")
        if not {"interop", "script"} & set(properties(t).get("LABELS", [])) and t.get("command")
    ]
    if not units:
        report.check("valgrind: find the unit tests", False, "ctest lists none")
    parallel(valgrind_one, units)


def stage_tsan():
    if build("tsan"):
        ctest("tsan", "-L", "threads", prefix=without_aslr(), suffix=" (tsan)")


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


def stage_fuzz():
    fuzz_all(FUZZ_SECONDS)


def stage_interop():
    if build("release", "-DTW_TESTS=ON"):
        ctest("release", "-L", "interop")


def own_sources():
    folders = ("src", "include", "tests", "fuzz", "bench")
    files = [f for folder in folders for f in (ROOT / folder).rglob("*.[ch]")]
    return sorted(str(f.relative_to(ROOT)) for f in files)


def stage_style():
    sources = own_sources()
    status, output = run(["clang-format", "--dry-run", "-Werror", *sources])
    report.check(f"clang-format, {len(sources)} files", status == 0 and sources, output)

    text = {f: (ROOT / f).read_text(errors="replace") for f in sources}
    bare = [f for f in sources if not text[f].startswith("/* SPDX-License-Identifier: Apache-2.0")]
    report.check("every file names its licence", not bare, "\n".join(bare))

    long = [f for f in sources if text[f].count("\n") > MAX_LINES]
    report.check(f"no file is longer than {MAX_LINES} lines", not long, "\n".join(long))

    marks = [f for f in sources if re.search(r"\b(TODO|FIXME|XXX)\b|[^_a-z]skip\(\)", text[f])]
    report.check("no TODO and no skipped test", not marks, "\n".join(marks))

    tables = [f.read_text() for f in (ROOT / "spec/session").glob("*.tsv")]
    cited = set(re.findall(r"TW-[A-Z]+-\d{3}", "".join([*text.values(), *tables])))
    chapters = "".join(f.read_text() for f in (ROOT / "spec").glob("*.md"))
    rules = set(re.findall(r"^(?:\*\*|\| )(TW-[A-Z]+-\d{3})", chapters, re.M))
    unknown = sorted(cited - rules)
    report.check(f"each of {len(cited)} rules cited is in spec/", cited and not unknown,
                 "\n".join(unknown))

    scripts = [f"scripts/{n}" for n in ("setup", "run", "test", "fuzz")] + [".ci/run"]
    status, output = run(["bash", "-c", 'for f; do bash -n "$f" || exit; done', "-", *scripts])
    report.check("the shell scripts parse", status == 0, output)


def stage_long_fuzz():
    targets = len(fuzz_targets()) or 1
    fuzz_all(max(FUZZ_SECONDS, LONG_FUZZ_TOTAL // targets))


def stage_long_interop():
    if build("release", "-DTW_TESTS=ON"):
        for n in range(LONG_INTEROP_RUNS):
            ctest("release", "-L", "interop", suffix=f" (again, {n + 1})")


def tidy_one(source):
    start = time.monotonic()
    status, output = run(["clang-tidy", "--quiet", "-p", "build/release-clang", source], 600)
    report.check(f"clang-tidy {source}", status == 0, output, time.monotonic() - start)


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


SHORT = {
    "release": ("release build, gcc", stage_release),
    "clang": ("release build, clang", stage_clang),
    "dev": ("every test under ASan and UBSan", stage_dev),
    "valgrind": ("unit tests under valgrind", stage_valgrind),
    "tsan": ("tests with threads under TSan", stage_tsan),
    "fuzz": (f"fuzz targets, {FUZZ_SECONDS} s an engine", stage_fuzz),
    "interop": ("Chromium against our service", stage_interop),
    "style": ("style", stage_style),
}
LONG = {
    "long-fuzz": ("fuzz targets, longer", stage_long_fuzz),
    "long-interop": (f"Chromium, {LONG_INTEROP_RUNS} times more", stage_long_interop),
    "analysis": ("clang-tidy and cppcheck", stage_analysis),
}


def main():
    everything = {**SHORT, **LONG}
    parser = argparse.ArgumentParser(prog="scripts/test")
    parser.add_argument("--long", action="store_true", help="run what takes longer instead")
    parser.add_argument("--list", action="store_true", help="list the stages and stop")
    parser.add_argument("stage", nargs="*", help="only these stages")
    args = parser.parse_args()
    if args.list:
        for name, (title, _) in everything.items():
            print(f"{name:<14}{title}")
        return 0
    unknown = [s for s in args.stage if s not in everything]
    if unknown:
        print(f"test: no stage '{unknown[0]}' (scripts/test --list shows them)", file=sys.stderr)
        return 2
    start = time.monotonic()
    for name in args.stage or (LONG if args.long else SHORT):
        title, stage = everything[name]
        with report.stage(f"{name}: {title}"):
            try:
                stage()
            except Exception:  # a broken stage must not hide what the others say
                report.check(f"stage {name}", False, traceback.format_exc())
    print(f"\n{time.monotonic() - start:.0f} s in all")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
