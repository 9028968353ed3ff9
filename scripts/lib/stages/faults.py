# SPDX-License-Identifier: Apache-2.0
"""What the system may refuse, refused: the tests of the service in the build dev do it for a
sample (tests/faults/run.c), here for one six times as large."""

import re
import time

from test_lib import build, listed_tests, parallel, properties, report, run, stage, without_aslr

MILLISECONDS = 600  # of a processor, for one test of the service


def refuse(test):
    wanted = properties(test)
    env = dict(e.split("=", 1) for e in wanted["ENVIRONMENT"])
    start = time.monotonic()
    status, output = run([*without_aslr(), *test["command"]], 1200,
                         {**env, "TW_FAULTS_MS": str(MILLISECONDS)}, wanted["WORKING_DIRECTORY"])
    cases = [int(n) for n in re.findall(r" (\d+) cases, ", output)]
    report.check(f"{test['name']}: {sum(cases)} cases of {len(cases)} tests",
                 status == 0 and cases, output, time.monotonic() - start)


@stage(67, "long-faults", "every call of the service that can fail", long=True)
def stage_long_faults():
    if build("dev"):
        parallel(refuse, [t for t in listed_tests("dev")
                          if "faults" in properties(t).get("LABELS", [])])
