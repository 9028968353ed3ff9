#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tracewire record with what users of Perfetto's command know.

record.py --tracewire PATH: runs every test below, from the top of the source tree.
"""
import argparse
import os
import re
import socket
import struct
import subprocess
import sys
import unittest

import cli
from cli import BIND_REPLY, LIMIT, Case, judge_trace, packets_of, run

# What v58.2 sends for the same command line, without what only its own statistics want.
PROBES = """
  2 { 1 { 1: "linux.process_stats" } }
  2 { 1 { 1: "linux.system_info" } }
"""
SHORT_FORMS = [
    (["-t", "300ms", "-b", "4mb", "sched", "freq", "sched/sched_switch"], """
  1 { 1: 4096 }
  2 { 1 { 1: "linux.ftrace"
          100 { 1: "sched/sched_switch" 2: "sched" 2: "freq" 13: 1 } } }""" + PROBES + """
  2 { 1 { 1: "track_event" 113 { 1: "*" 2: "sched" 2: "freq" } } }
  3: 300 13: 30000"""),
    (["-t", "2m", "-s", "1mb", "disk", "gfx", "hyp", "-a", "app", "-a", "other"], """
  1 { 1: 32768 }
  2 { 1 { 1: "linux.sys_stats" 104 { 10: 1000 } } }
  2 { 1 { 1: "android.surfaceflinger.frametimeline" } }
  2 { 1 { 1: "linux.ftrace" 100 { 2: "disk" 2: "gfx" 3: "app" 3: "other" 13: 1 } } }
  2 { 1 { 1: "linux.ftrace" 100 { 1: "hyp/*" 25: "hyp" } } }""" + PROBES + """
  2 { 1 { 1: "track_event" 113 { 1: "*" 2: "disk" 2: "gfx" } } }
  3: 120000 8: 1 10: 1048576 13: 30000"""),
    (["-b", "1gb"], "1 { 1: 1048576 }" + PROBES + """
  2 { 1 { 1: "track_event" 113 { 2: "*" } } }
  3: 10000 13: 30000"""),
    (["-t", "0", "power/cpu_idle"], """
  1 { 1: 32768 }
  2 { 1 { 1: "linux.ftrace" 100 { 1: "power/cpu_idle" 13: 1 } } }""" + PROBES + """
  3: 0 13: 30000"""),
    (["-c", ":test"], """
  1 { 1: 32768 }
  2 { 1 { 1: "linux.ftrace"
          100 { 1: "sched/sched_switch" 1: "power/cpu_idle" 1: "power/cpu_frequency"
                1: "power/gpu_frequency" 13: 1 } } }""" + PROBES + """
  3: 2000 13: 30000"""),
    (["-t", "1s", "sched/x", "--add-attribute", "key", "--add-attribute", "a=b=c"], """
  1 { 1: 32768 }
  2 { 1 { 1: "linux.ftrace" 100 { 1: "sched/x" 13: 1 } } }""" + PROBES + """
  3: 1000 13: 30000 48 { 1 { 1: "key" 3: "" } } 48 { 1 { 1: "a" 3: "b=c" } }"""),
]


def words(text):
    return text.split()


def receive_frame(peer):
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack("<I", data[:4])[0]:
        more = peer.recv(1 << 17)
        assert more, "no frame"
        data += more
    return data[4:]


def varint(data, at):
    value = shift = 0
    while True:
        octet, at, shift = data[at], at + 1, shift + 7
        value |= (octet & 0x7F) << (shift - 7)
        if octet < 0x80:
            return value, at


def fields(data):
    """The fields of a message: number, value, and their bytes as they are."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        yield tag >> 3, value, data[begin:at]


def inside(data, *path):
    for number in path:
        data = next(value for n, value, _ in fields(data) if n == number)
    return data


def decode_raw(data):
    return subprocess.run(["protoc", "--decode_raw"], input=data, capture_output=True, check=True,
                          timeout=LIMIT).stdout.decode()


class Options(Case):
    def config_of(self, *flags):
        """What the command asks the service for: the TraceConfig, by numbers."""
        name = self.folder / "fake"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(name))
            listener.listen()
            process = subprocess.Popen(
                [cli.tracewire, "record", "--consumer-socket", name, "-o", self.folder / "x",
                 *flags], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.addCleanup(self.discard, process)
            peer, _ = listener.accept()
            with peer:
                receive_frame(peer)
                peer.sendall(BIND_REPLY)
                config = inside(receive_frame(peer), 5, 3, 1)
            process.communicate(timeout=LIMIT)
        name.unlink()
        return decode_raw(b"".join(raw for n, _, raw in fields(config) if n not in (27, 28)))

    def test_the_short_form_asks_for_what_v58_2_asks_for(self):
        # REQ("TW-TRACE-080")
        for flags, wanted in SHORT_FORMS:
            self.assertEqual(words(self.config_of(*flags)), words(wanted), flags)

    def test_what_makes_no_sense_together_is_one_error(self):
        config = self.file("c", 'data_sources { config { name: "x" } }')
        triggers = self.file("t", 'activate_triggers: "x"')
        named = self.file("n", 'write_into_file: true output_path: "x"')
        for flags, both in [
            (["-c", config, "-t", "1s"], "-c and -t exclude each other"),
            (["-c", config, "-s", "1mb"], "-c and -s exclude each other"),
            (["-c", config, "-a", "x"], "-c and -a exclude each other"),
            (["-c", config, "sched"], "-c and CATEGORY exclude each other"),
            (["--txt", "sched"], "--txt and CATEGORY exclude each other"),
            (["--txt"], "--txt is about the file of -c"),
            (["--query", "--query-raw"], "--query and --query-raw exclude each other"),
            (["--query", "-o", "x"], "-o and --query exclude each other"),
            (["--query-raw", "--long"], "--long and --query-raw exclude each other"),
            (["--long", "-t", "1s"], "--long goes with --query only"),
            (["-t", "1s"], "where to? -o FILE"), ([], "what? -c FILE"),
            (["-t", "1s", "-o", "x", "--add-attribute", "=x"], "--add-attribute '=x'"),
            (["-t", "1s", "-s", "x", "-o", "x"], "'x' is not a size"),
            (["-c", triggers, "--txt", "-o", "x"], "activate_triggers"),
            (["-c", named, "--txt", "-o", "x"], "-o and the config's output_path exclude"),
        ]:
            self.refused(run("record", *flags, cwd=self.folder), both)
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"c", "t", "n"})

    def test_what_only_android_has_is_refused_with_a_reason(self):
        for flags in [["--upload"], ["--dropbox", "perfetto"], ["--alert-id", "1"],
                      ["--config-id=1"], ["--config-uid", "1"], ["--subscription-id", "1"],
                      ["--reset-guardrails"], ["--save-all-for-bugreport"], ["--txt-lossy"]]:
            done = run("record", *flags, "-t", "1s", "-o", "x", cwd=self.folder)
            self.refused(done, flags[0].split("=")[0] + ": ")
            self.assertNotIn("unknown", done.stderr)

    def test_the_same_flag_may_not_be_given_without_end(self):
        self.refused(run("record", *["-a", "x"] * 65, "-o", "x"), "more than 64")


class Query(Case):
    def test_the_state_of_a_service(self):
        consumer, _ = self.service()
        producer = subprocess.Popen(
            [cli.tracewire, "produce", "--socket", self.folder / "producer", "--name", "a\x1bb"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.discard, producer)
        flags = ["record", "--consumer-socket", consumer]
        while "track_event" not in (text := run(*flags, "--query").stdout):
            self.assertIsNone(producer.poll())
        self.assertRegex(text, r"(?m)^service tracewire .*, 0 sessions, 0 started$")
        self.assertRegex(text, rf"(?m)^\d+ +{producer.pid} +{os.getuid()} +a\?b ")
        self.assertRegex(text, r"(?m)^track_event  +\d+ +a\?b +tracewire")
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        raw = run(*flags, "--query-raw", text=False)
        self.assertEqual((raw.returncode, raw.stderr), (0, b""))
        done = subprocess.run(["protoc", "--decode=tw.TracingServiceState", "-Ispec/proto",
                               "service_state.proto"], input=raw.stdout, capture_output=True,
                              check=True, timeout=LIMIT)
        self.assertIn(b'name: "a\\033b"', done.stdout)

    def test_long_lines_are_cut_unless_asked_for(self):
        consumer, _ = self.service()
        recorder = subprocess.Popen(
            self.record(consumer, 0, self.folder / "x", "-v"), stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.discard, recorder)
        self.assertIn("tracing", recorder.stderr.readline())
        text = run("record", "--consumer-socket", consumer, "--query").stdout
        self.assertRegex(text, rf"(?m)^\d+ +{os.getuid()} +STARTED +1 +4096 +0.0 +0 +\d\d:\d\d:")

    def test_no_service_is_status_3(self):
        done = run("record", "--query", "--consumer-socket", self.folder / "none")
        self.assertEqual((done.returncode, done.stdout), (3, ""))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracewire", required=True)
    options, rest = parser.parse_known_args()
    cli.tracewire = os.path.abspath(options.tracewire)
    unittest.main(argv=["record.py", *rest])
