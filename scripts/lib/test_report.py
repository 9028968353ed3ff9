# SPDX-License-Identifier: Apache-2.0
"""Counts checks and prints them: one line a check, details only for what failed."""

import threading
import time

WIDTH = 78
DETAIL_LINES = 60


class Report:
    def __init__(self):
        self.passed = 0
        self.failures = []
        self._lock = threading.Lock()

    def stage(self, title):
        return _Stage(title)

    def check(self, name, ok, detail="", seconds=None):
        """One check, passed or failed. There is no third way: what did not run has failed."""
        with self._lock:
            if ok:
                self.passed += 1
            else:
                self.failures.append(name)
            _print_check(name, ok, seconds)
            if not ok:
                _print_detail(detail)
        return ok

    def finish(self):
        """Prints the closing line and returns the exit status."""
        print()
        for name in self.failures:
            print(f"failed: {name}")
        print(f"{self.passed} passed, {len(self.failures)} failed", flush=True)
        # A run that checked nothing has shown nothing.
        return 1 if self.failures or not self.passed else 0


class _Stage:
    def __init__(self, title):
        self.title = title

    def __enter__(self):
        self.start = time.monotonic()
        print(f"\n== {self.title}", flush=True)

    def __exit__(self, *_):
        name = self.title.partition(":")[0]
        print(f"   {name}: {time.monotonic() - self.start:.0f} s", flush=True)


def _print_check(name, ok, seconds):
    took = "" if seconds is None else f"{seconds:.1f} s"
    room = WIDTH - 10 - len(took)
    shown = name if len(name) <= room else name[: room - 3] + "..."
    print(f"   {'ok    ' if ok else 'FAILED'} {shown:<{room}}{took}".rstrip(), flush=True)


def _print_detail(detail):
    lines = detail.rstrip().splitlines()
    if len(lines) > DETAIL_LINES:
        print(f"      | ({len(lines) - DETAIL_LINES} lines before these)")
        lines = lines[-DETAIL_LINES:]
    for line in lines:
        print(f"      | {line[:400]}")
    print(end="", flush=True)
