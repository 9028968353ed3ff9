# SPDX-License-Identifier: Apache-2.0
"""Runs the stages of scripts/test, one after the other; scripts/test has set up the machine."""

import argparse
import importlib
import itertools
import pathlib
import sys
import time
import traceback

from test_lib import parallel, report, stages


def load_stages():
    """Every file in stages/ registers its own; returns them in the order they run."""
    for file in sorted(pathlib.Path(__file__).parent.glob("stages/*.py")):
        importlib.import_module(f"stages.{file.stem}")
    return sorted(stages.values(), key=lambda s: (s.order, s.name))


def one_by_one(work, items):
    for item in items:
        work(item)


def run_stage(stage):
    with report.stage(f"{stage.name}: {stage.title}"):
        try:
            stage.run()
        except Exception:  # a broken stage must not hide what the others say
            report.check(f"stage {stage.name}", False, traceback.format_exc())


def main():
    everything = load_stages()
    parser = argparse.ArgumentParser(prog="scripts/test")
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--long", dest="part", action="store_const", const="long", default="",
                       help="run what takes longer instead")
    parts.add_argument("--nightly", dest="part", action="store_const", const="nightly",
                       help="run what is for every now and then instead")
    parser.add_argument("--list", action="store_true", help="list the stages and stop")
    parser.add_argument("stage", nargs="*", help="only these stages")
    args = parser.parse_args()
    if args.list:
        for stage in everything:
            print(f"{stage.name:<17}{stage.title}")
        return 0
    unknown = [s for s in args.stage if s not in stages]
    if unknown:
        print(f"test: no stage '{unknown[0]}' (scripts/test --list shows them)", file=sys.stderr)
        return 2
    start = time.monotonic()
    wanted = [stages[s] for s in args.stage] or [s for s in everything if s.part == args.part]
    for one_core, group in itertools.groupby(wanted, lambda stage: stage.one_core):
        (parallel if one_core else one_by_one)(run_stage, list(group))
    print(f"\n{time.monotonic() - start:.0f} s in all")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
