# SPDX-License-Identifier: Apache-2.0
"""Static analysis of src/: what each analyser finds is a failure, unless a line of its file
scripts/lib/TOOL-suppressions.txt names the place, the check and the reason. A line of these that
nothing matches any more is a failure too."""

import fnmatch
import json
import pathlib
import re
import shlex
import time

from test_lib import JOBS, ROOT, build, parallel, report, run, stage

# Beyond what clang does anyway.
CLANG_CHECKERS = (
    "optin.portability,optin.performance,security,nullability,valist,alpha.core.BoolAssignment,alpha.core.CastSize,"
    "alpha.core.Conversion,alpha.core.IdenticalExpr,alpha.core.PointerArithm,alpha.core.SizeofPtr,"
    "alpha.security.ArrayBoundV2,alpha.security.MallocOverflow,alpha.security.ReturnPtrRange,"
    "alpha.security.taint,alpha.unix.Stream,alpha.unix.cstring"
)
# It wants memcpy_s(), which Debian's C library does not have.
CLANG_NOT = "security.insecureAPI.DeprecatedOrUnsafeBufferHandling"
FINDING = re.compile(r"^(?:.*/)?(src/\S+?|include/\S+?):\d+:\d+: (?:warning|error|style|performance|"
                     r"portability|information): .*\[(?:-W(?:error=)?)?([^\]]+)\]$", re.M)
MAX_COMPLEXITY = 10  # McCabe's, a switch counts as one
MAX_LINES = 60       # of a function


def suppressions(tool):
    """[(pattern of a place, check)]: the columns are place, check and reason, between them tabs."""
    lines = (ROOT / f"scripts/lib/{tool}-suppressions.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    bad = [row for row in rows if len(row) != 3 or len(row[2]) < 10]
    report.check(f"{tool}: {len(rows)} suppressions, each with a reason", not bad, str(bad))
    return [(row[0], row[1]) for row in rows if len(row) == 3]


def judge(tool, what, found, detail, start):
    """found: a set of (place, check)."""
    allowed = suppressions(tool)

    def covers(line, finding):
        return fnmatch.fnmatch(finding[0], line[0]) and line[1] == finding[1]

    new = sorted(f for f in found if not any(covers(a, f) for a in allowed))
    stale = [a for a in allowed if not any(covers(a, f) for f in found)]
    lines = [f"{place}: {check}" for place, check in new]
    lines += [f"{place}: {check}: suppressed, but not found any more" for place, check in stale]
    report.check(f"{tool}: {what}", not lines, "\n".join([detail, *lines]), time.monotonic() - start)


def compile_commands(preset):
    """How each file of src/ is compiled, without its output: [(file, command, folder)]."""
    found = []
    for entry in json.loads((ROOT / f"build/{preset}/compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.is_relative_to(ROOT / "src"):
            command = shlex.split(re.sub(r" -(MD|M[TF] \S+|o \S+)(?= )", "", entry["command"]))
            found.append((str(file.relative_to(ROOT)), command, entry["directory"]))
    return found


def analyse(tool, preset, *options):
    """Runs a compiler's analyser over src/ as the preset compiles it."""
    start, outputs = time.monotonic(), {}

    def one(entry):
        file, command, folder = entry
        status, output = run([*command, *options, "-o", "/dev/null", "-Wno-error"], 900, cwd=folder)
        outputs[file] = output if status == 0 else f"{output}\n{file}:0:0: error: failed [run]"

    commands = compile_commands(preset)
    parallel(one, commands)
    text = "\n".join(o for _, o in sorted(outputs.items()) if o)
    judge(tool, f"{len(commands)} files", set(FINDING.findall(text)), text, start)
    report.check(f"{tool}: finds the files", len(commands) > 50, f"{len(commands)} files")


@stage(57, "complexity", "length and complexity of the functions")
def stage_complexity():
    start = time.monotonic()
    files = sorted(str(f.relative_to(ROOT)) for f in (ROOT / "src").rglob("*.c"))
    status, output = run(["pmccabe", *files])
    rows = re.findall(r"^(\d+)\t\d+\t\d+\t\d+\t(\d+)\t(\S+?)\(\d+\): (\w+)$", output, re.M)
    found = {(f"{file} {name}", f"{kind} {figure}")
             for points, lines, file, name in rows
             for kind, figure, limit in (("complexity", int(points), MAX_COMPLEXITY),
                                         ("lines", int(lines), MAX_LINES)) if figure > limit}
    report.check("pmccabe", status == 0 and len(rows) > 500, output)
    for place, what in sorted(found):
        print(f"      {what:<14}{place}")
    judge("pmccabe", f"{len(rows)} functions, {len(found)} over the line", found, "", start)


@stage(62, "gcc-analyzer", "gcc -fanalyzer", long=True)
def stage_gcc_analyzer():
    if build("release", "-DTW_TESTS=ON"):
        analyse("gcc", "release", "-fanalyzer")


@stage(63, "clang-analyzer", "the clang static analyzer", long=True)
def stage_clang_analyzer():
    if build("release-clang"):
        analyse("clang", "release-clang", "--analyze", "-Xclang", "-analyzer-output=text",
                "-Xclang", f"-analyzer-checker={CLANG_CHECKERS}",
                "-Xclang", f"-analyzer-disable-checker={CLANG_NOT}")


@stage(64, "cppcheck", "cppcheck", long=True)
def stage_cppcheck():
    # Without these macros it cannot parse; the other system headers only cost it time.
    queue_h = next(pathlib.Path("/usr/include").glob("**/sys/queue.h"), "sys/queue.h")
    start = time.monotonic()
    status, output = run(
        ["cppcheck", "--quiet", "-j", JOBS, "--std=c11",
         "--enable=warning,style,performance,portability", "--error-exitcode=0",
         f"--include={queue_h}", "-D_GNU_SOURCE", "-Isrc", "-Iinclude", "src"],
        1200,
    )
    judge("cppcheck", "src", set(FINDING.findall(output)), output, start)
    report.check("cppcheck: runs", status == 0, output)


def tidy_one(source):
    start = time.monotonic()
    status, output = run(["clang-tidy", "--quiet", "-p", "build/release-clang", source], 600)
    report.check(f"clang-tidy {source}", status == 0, output, time.monotonic() - start)


@stage(65, "clang-tidy", "clang-tidy", long=True)
def stage_clang_tidy():
    if build("release-clang"):
        parallel(tidy_one, [file for file, _, _ in compile_commands("release-clang")])
