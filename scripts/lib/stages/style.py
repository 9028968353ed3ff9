# SPDX-License-Identifier: Apache-2.0
"""What can be told by looking at the text."""

import re

from test_lib import ROOT, own_sources, report, run, stage

MAX_LINES = 600  # a C file longer than this holds two concepts


@stage(55, "style", "style")
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

    scripts = [f"scripts/{n}" for n in ("setup", "run", "test", "fuzz", "lib/debian-source")]
    scripts += [".ci/run", ".clusterfuzzlite/build.sh"]
    status, output = run(["bash", "-c", 'for f; do bash -n "$f" || exit; done', "-", *scripts])
    report.check("the shell scripts parse", status == 0, output)
