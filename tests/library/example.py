#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The example against our service, and one that is odd.  example.py TRACEWIRE EXAMPLE"""

import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

LIMIT = 30  # seconds


EMPTY = bytes(4)
# success; the service is 1 and has a method, 7, of this name
BOUND = b"\x22\x1b\x08\x01\x10\x01\x1a\x15\x08\x07\x12\x11QueryCapabilities"
ANSWER = b"\x32\x04\x08\x01\x1a\x00"  # success; no bytes


def frame(request_id, rest):
    payload = b"\x10" + bytes([request_id]) + rest
    return len(payload).to_bytes(4, "little") + payload


def ask_odd(example, path, bind_reply, answer):
    """What the example makes of a service that says this to a bind and to a call."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            with listener.accept()[0] as client:
                for said in (bind_reply, answer):
                    client.recv(4096)
                    client.sendall(said)
                client.recv(4096)

        threading.Thread(target=serve, daemon=True).start()
        done = subprocess.run([example, path], capture_output=True, check=False, timeout=LIMIT)
    path.unlink()
    return done.returncode


def main():
    tracewire, example = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        producer, consumer = Path(name) / "producer", Path(name) / "consumer"
        missing = subprocess.run([example, consumer], capture_output=True, check=False,
                                 timeout=LIMIT)
        odd = [
            ask_odd(example, Path(name) / "odd", said, answer)
            for said, answer in [
                (EMPTY + frame(1, BOUND), EMPTY + EMPTY + frame(2, ANSWER)),  # TW-FRAME-004
                (frame(3, BOUND), frame(2, ANSWER)),  # nobody has asked that
                (frame(1, BOUND), frame(1, ANSWER)),
            ]
        ]
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
        odd == [0, 1, 1],
    ]
    return 0 if all(fine) else 1


sys.exit(main())
