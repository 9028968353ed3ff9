#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples of producers and consumers with our service, and what they leave in traces.

examples.py BIN-FOLDER
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from service import LIMIT, ROOT, Service, check, protoc_text, run

CONFIG = """
buffers { size_kb: 4096 }
data_sources { config { name: "track_event"
    track_event_config { enabled_categories: "lines.bytes" } } }
data_sources { config { name: "example.memory" } }
duration_ms: 600
"""
LINES = "one line\nanother one\n"
# SysStats with the kilobytes of MEMINFO_MEM_FREE; our schema does not know it.
MEMORY = re.compile(r"^  7 \{\n    1 \{\n      1: 2\n      2: ([1-9]\d*)\n    \}\n  \}$", re.M)


def record(tracewire, trace, env, when_started):
    """All that the producers of the examples have to say."""
    with subprocess.Popen([tracewire, "record", "-v", "-c", "-", "--txt", "-o", trace], env=env,
                          stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdin.write(CONFIG)
        process.stdin.close()
        while (line := process.stderr.readline()) and "started" not in line:
            continue
        answer = when_started()
        said = process.stderr.read()
        process.wait(LIMIT)
    if process.returncode:
        sys.exit(f"FAIL record\n{line}{said}")
    return answer


def check_all(folder, bin_folder, env, service):
    def start(name):
        return subprocess.Popen([bin_folder / f"example_{name}"], env=env, text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    with start("smallest_producer") as smallest, start("custom_data_source") as memory, \
            start("own_event_loop") as loop:
        service.await_data_sources(3)
        trace = folder / "all.pftrace"
        capitals = record(bin_folder / "tracewire", trace, env,
                          lambda: loop.communicate(LINES, timeout=LIMIT)[0])
        said = run(bin_folder / "example_take_trace", service.consumer, folder / "taken.pftrace")
        alive = smallest.poll() is None and memory.poll() is None
        smallest.kill()
        memory.kill()
    run(bin_folder / "tracewire", "trace", "--check", trace)
    text, taken = protoc_text(trace), protoc_text(folder / "taken.pftrace")
    texts = re.findall(r'string_value: "(.*)"', text)
    sizes = sum(map(int, re.findall(r"uint_value: (\d+)", text)))
    source = (ROOT / "examples/smallest_producer.c").read_text(encoding="utf-8")
    return [
        check(source.count("\n") < 30, "the smallest producer has less than 30 lines"),
        check(alive, "the producers go on for ever"),
        check('name: "turn"' in text and text.count("TYPE_SLICE_BEGIN") > 2, "slices of turns"),
        check(len(MEMORY.findall(text)) >= 2, "free memory, more than once"),
        check(capitals == LINES.upper() and texts == LINES.splitlines(), f"lines: {texts}"),
        check(sizes == len(LINES), f"reads of {sizes} bytes, in a category off by default"),
        check(said == f"{taken.count('packet {')} packets\n" and 'name: "turn"' in taken,
              f"taken: {said.strip()}"),
    ]


def main():
    bin_folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, \
            Service(bin_folder / "tracewire", Path(name)) as service:
        fine = check_all(Path(name), bin_folder, {**os.environ, **service.env}, service)
        missing = subprocess.run([bin_folder / "example_take_trace", Path(name) / "none", "/dev/null"],
                                 capture_output=True, check=False, timeout=LIMIT)
        fine.append(check(missing.returncode == 1, "without a service the consumer says so"))
    return 0 if all(fine) else 1


sys.exit(main())
