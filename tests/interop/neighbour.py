# SPDX-License-Identifier: Apache-2.0
"""Our own producer in a session with others: each packet that it numbered is in the trace, or the
trace tells that some are missing there."""

import json
import subprocess

import service_state as wire

COUNT, THREADS, PAYLOAD = 5000, 2, 100
NAME = "neighbour"
CONFIG = """\
data_sources { config { name: "tw.seq" } }
"""
PREVIOUS_PACKET_DROPPED, SEQUENCE, FOR_TESTING = 42, 10, 900  # fields of TracePacket
NUMBER = 3  # of TestEvent


class Neighbour:
    """Writes as soon as there is a session, and ends."""

    def __init__(self, options, service, *flags):
        self.options = options
        self.process = subprocess.Popen(
            [options.tracewire, "produce", "--socket", service.producer_socket, "--name", NAME,
             "--count", str(COUNT), "--threads", str(THREADS), "--payload", str(PAYLOAD),
             *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.said = {}

    def finish(self, verdict):
        out, _ = self.process.communicate(timeout=30)
        self.said = json.loads(out)
        verdict.check("our producer ends with status 0", self.process.returncode == 0, out)
        verdict.check("it counts every packet as written or lost",
                      self.said["packets"] + self.said["lost"] >= COUNT * THREADS, out)

    def judge(self, verdict, trace, loses):
        numbers = Numbers(trace)
        print(f"       ours: {self.said['packets']} packets written, {self.said['lost']} packets "
              f"and events lost; {numbers.there} packets there, {numbers.gaps} gaps told")
        verdict.check("what is missing of ours is told, and nothing came twice",
                      not numbers.unexplained, str(numbers.unexplained[:5]))
        if loses:
            verdict.check("some of ours is missing", 0 < numbers.there < COUNT * THREADS)
        else:
            verdict.check("every packet of ours is there", numbers.there == COUNT * THREADS)
            verdict.check("our producer has lost nothing", self.said["lost"] == 0)

    def judge_all(self, verdict, trace):
        """Not where Chromium writes all categories: it ends two slices of one track at one moment,
        in packets that are the same."""
        checked = subprocess.run([self.options.tracewire, "trace", "--check", trace],
                                 stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                                 check=False, text=True)
        verdict.check("the whole trace keeps the rules and misses nothing",
                      checked.returncode == 0, checked.stdout + checked.stderr)

    def discard(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Numbers:
    """The numbered packets of a trace, each thread's a sequence in which they grow by one."""

    def __init__(self, trace):
        self.there = self.gaps = 0
        self.unexplained = []  # where two do not follow each other, and nothing tells why
        self.last = {}
        dropped = {}  # by sequence, since its last number
        for packet in wire.decode(trace.read_bytes()).get(1, []):
            packet = wire.decode(packet)
            sequence = packet.get(SEQUENCE, [0])[-1]
            dropped[sequence] = dropped.get(sequence, 0) | packet.get(
                PREVIOUS_PACKET_DROPPED, [0])[-1]
            if FOR_TESTING in packet:
                number = wire.decode(packet[FOR_TESTING][-1]).get(NUMBER, [0])[-1]
                self._add(sequence, number, dropped.pop(sequence))

    def _add(self, sequence, number, told):
        last = self.last.get(sequence, -1)
        self.there += 1
        self.gaps += number > last + 1
        if number <= last or (number > last + 1 and not told):
            self.unexplained.append((sequence, last, number))
        self.last[sequence] = number
