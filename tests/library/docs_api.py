#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether each public function, macro and type is documented, and the pages about them.

docs_api.py FOLDER VERSION: doxygen writes the pages to FOLDER, as `ninja api-docs` does, and has
nothing against any header. That it says so when a comment is missing is tried.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from service import LIMIT, ROOT, check

INCLUDE = ROOT / "include/tracewire"
PAGES = {"producer": ["tw_producer_open", "Startup tracing"], "track__event": ["TW_EVENT_BEGIN"],
         "consumer": ["tw_consumer_flush_wait", "Trace files"], "service": ["tw_service_run"],
         "frame": ["tw_frame_decode", "wrong_type"], "common": ["TW_E_PROTOCOL"]}


def doxygen(headers, folder, version):
    """What it has against the headers; none are wrong when it succeeds."""
    folder.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "TW_INPUT": str(headers), "TW_OUTPUT": str(folder), "TW_VERSION": version}
    done = subprocess.run(["doxygen", "docs/api/Doxyfile"], cwd=ROOT, env=env, capture_output=True,
                          text=True, check=False, timeout=LIMIT)
    said = done.stdout + done.stderr
    return said or f"status {done.returncode}" if done.returncode else said


def without_comment(name, declaration):
    """What doxygen says of a header without the comment in front of a declaration."""
    text = (INCLUDE / name).read_text(encoding="utf-8")
    before, _, after = text.partition(declaration)
    before = before[:before.rindex("/*")]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text(before + declaration + after, encoding="utf-8")
        return doxygen(folder, Path(folder) / "pages", "0")


def main():
    folder = Path(sys.argv[1])
    said = doxygen(INCLUDE, folder, sys.argv[2])
    fine = [check(not said, f"every public symbol is documented\n{said}".strip())]
    for name, texts in PAGES.items():
        page = folder / f"{name}_8h.html"
        html = page.read_text(encoding="utf-8") if page.exists() else ""
        fine.append(check(html and all(text in html for text in texts), f"the page of {name}"))
    said = without_comment("producer.h", "void tw_producer_stats(")
    fine.append(check(re.search(r"tw_producer_stats\(.* is not documented", said),
                      "a comment that is missing is noticed"))
    return 0 if all(fine) else 1


sys.exit(main())
