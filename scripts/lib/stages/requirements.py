# SPDX-License-Identifier: Apache-2.0
"""Every rule of spec/ is kept by code and shown by a test."""

from test_lib import report, run, stage


@stage(54, "requirements", "each rule of spec/ in code and tests")
def stage_requirements():
    status, output = run(["scripts/requirements", "--check"])
    report.check(f"scripts/requirements: {output.strip().splitlines()[-1]}", status == 0, output)
