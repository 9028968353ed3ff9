# SPDX-License-Identifier: Apache-2.0
"""What the tests of libraries and examples share: a service, and how traces are looked at."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/interop"))
import service_state  # noqa: E402, a consumer that shares no code with ours
LIMIT = 60  # seconds for one step


def run(*command, env=None, **more):
    """What it says; the test is over when it fails."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          timeout=LIMIT, env=env, **more)
    if done.returncode:
        sys.exit(f"FAIL {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(fine, text):
    print(f"{'ok' if fine else 'FAIL':4} {text}")
    return fine


class Service:
    """`tracewire serve` with sockets in folder, while it is entered."""

    def __init__(self, tracewire, folder):
        self.producer, self.consumer = folder / "producer.sock", folder / "consumer.sock"
        self.env = {"PERFETTO_PRODUCER_SOCK_NAME": str(self.producer),
                    "PERFETTO_CONSUMER_SOCK_NAME": str(self.consumer)}
        self.command = [tracewire, "serve"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env={**os.environ, **self.env}, text=True,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if "ready" not in self.process.stderr.readline():
            sys.exit("FAIL the service does not start")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=LIMIT)

    def await_data_sources(self, n):
        """Until the service knows so many."""
        end = time.monotonic() + LIMIT
        while len(service_state.data_source_names(service_state.query(str(self.consumer)))) < n:
            if time.monotonic() > end:
                sys.exit(f"FAIL there are no {n} data sources")
            time.sleep(0.01)


@contextlib.contextmanager
def running(programs, env):
    """Programs that go on for ever, until it is left."""
    processes = [subprocess.Popen([program], env={**os.environ, **env}) for program in programs]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def protoc_text(trace):
    with open(trace, "rb") as file:
        return run("protoc", "--decode", "tw.Trace", "-I", ROOT / "spec/proto", "trace.proto",
                   stdin=file)


def protoc_packets(trace, having=""):
    """How many packets protoc, which shares no code with us, finds with this text in them."""
    return sum(having in packet for packet in re.split(r"^packet {", protoc_text(trace), flags=re.M)[1:])


def slices_by_writer(trace):
    """Of each writer, the slices that begin."""
    slices = {}
    for packet in re.split(r"^packet {", protoc_text(trace), flags=re.M)[1:]:
        if "TYPE_SLICE_BEGIN" in packet:
            writer = re.search(r"trusted_packet_sequence_id: (\d+)", packet)[1]
            slices[writer] = slices.get(writer, 0) + 1
    return slices
