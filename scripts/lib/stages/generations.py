# SPDX-License-Identifier: Apache-2.0
"""Other generations of Chromium, older and newer than Debian's, from the registry of npm."""

import pathlib
import tarfile
import tempfile
import time

from test_lib import ROOT, build, report, run, stage

# case of chromium.py, package, the browser in it
GENERATIONS = [
    ("chromium92", "chrome-aws-lambda@10.1.0", "bin/chromium"),
    ("chromium111", "@fathyb/carbonyl-linux-amd64@0.0.3-next.ab80a27", "build/carbonyl"),
    ("plain", "@sparticuz/chromium@153.0.0", "bin/chromium"),
]
UNPACK = """
const fs = require('fs'), zlib = require('zlib');
fs.createReadStream(process.argv[1] + '.br').pipe(zlib.createBrotliDecompress())
  .pipe(fs.createWriteStream(process.argv[1], {mode: 0o755}));
"""


def get_browser(package, place, folder):
    """Returns the path of the browser; nothing of the package has run."""
    start = time.monotonic()
    status, output = run(["npm", "pack", "--ignore-scripts", "--silent", package], cwd=folder)
    browser = folder / "package" / place
    if status == 0:
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        if not browser.exists():
            status, output = run(["node", "-e", UNPACK, browser])
    ok = status == 0 and browser.exists()
    return browser if report.check(f"get {package}", ok, output, time.monotonic() - start) else None


@stage(70, "generations", "other generations of Chromium", nightly=True)
def stage_generations():
    if not build("release", "-DTW_TESTS=ON"):
        return
    programs = ROOT / "build/release/bin"
    for case, package, place in GENERATIONS:
        with tempfile.TemporaryDirectory(prefix="tw-npm-") as name:
            browser = get_browser(package, place, pathlib.Path(name))
            if not browser:
                continue
            start = time.monotonic()
            status, output = run(
                [ROOT / "tests/interop/chromium.py", "--tracewire", programs / "tracewire",
                 "--tp", programs / "tw_tp", "--keep", ROOT / "build/release/interop/nightly",
                 "--browser", browser, case], 300)
            report.check(f"{package}: {case}", status == 0, output, time.monotonic() - start)
