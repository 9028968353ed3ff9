#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The example against our service.  example.py TRACEWIRE EXAMPLE"""

import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 30  # seconds


def main():
    tracewire, example = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        producer, consumer = Path(name) / "producer", Path(name) / "consumer"
        missing = subprocess.run([example, consumer], capture_output=True, check=False,
                                 timeout=LIMIT)
        with subprocess.Popen(
            [tracewire, "serve", "--producer-socket", producer, "--consumer-socket", consumer],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as service:
            ready = "ready" in service.stderr.readline()
            done = subprocess.run([example, consumer], capture_output=True, text=True, check=False,
                                  timeout=LIMIT)
            other = subprocess.run([example, producer], capture_output=True, check=False,
                                   timeout=LIMIT)
            service.terminate()
    print(done.stdout + done.stderr, end="")
    fine = [
        ready,
        done.returncode == 0,
        "answer, a QueryCapabilitiesResponse" in done.stdout,
        missing.returncode == 1,  # nobody listens there
        other.returncode == 1,  # no ConsumerPort behind the producers' socket
    ]
    return 0 if all(fine) else 1


sys.exit(main())
