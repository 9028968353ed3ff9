#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tracewire record with what users of Perfetto's command know.

record.py --tracewire PATH: runs every test below, from the top of the source tree.
"""
import argparse
import contextlib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
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
    @contextlib.contextmanager
    def asked(self, *flags):
        """What the command asks a service for that answers nothing: the TraceConfig, the process
        and its connection."""
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
                yield inside(receive_frame(peer), 5, 3, 1), process, peer
            process.communicate(timeout=LIMIT)
        name.unlink()

    def config_of(self, *flags):
        """By numbers and without its uuid."""
        with self.asked(*flags) as (config, _, _):
            return decode_raw(b"".join(raw for n, _, raw in fields(config) if n not in (27, 28)))

    def test_who_stops_a_session_says_why_to_flush(self):
        # REQ("TW-TRACE-081")
        with self.asked("-t", "0") as (_, process, peer):
            process.send_signal(signal.SIGINT)
            call = inside(receive_frame(peer), 5)
            self.assertEqual({n: v for n, v, _ in fields(call)}[2], 5)  # Flush
            self.assertEqual({n: v for n, v, _ in fields(inside(call, 3))}[2], 0x22)

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
            (["--attach", "k", "--query"], "--attach and --query exclude each other"),
            (["--attach", "k", "-o", "x"], "-o and --attach exclude each other"),
            (["--attach", "k", "-t", "1s"], "-t and --attach exclude each other"),
            (["--detach", "k", "--attach", "k"], "--detach and --attach exclude each other"),
            (["--detach", "k", "-d", "-s", "1mb", "-o", "x"], "-d and --detach exclude"),
            (["--detach", "k", "-t", "1s", "-o", "x"], "--detach goes with -s"),
            (["--detach", "k"], "what? -c FILE"), (["--clone", "1"], "where to? -o FILE"),
            (["--stop", "-t", "1s"], "--stop goes with --attach only"),
            (["--stop", "--clone", "1"], "--stop and --clone exclude each other"),
            (["--clone", "1", "--clone-by-name", "x"], "--clone and --clone-by-name exclude"),
            (["--clone", "x", "-o", "x"], "'x' is not the ID of a session"),
            (["--clone", "1", "-c", config], "-c and --clone exclude each other"),
            (["--clone-for-bugreport", "-t", "1s"], "goes with --clone or --clone-by-name only"),
            (["-d", "-D", "-t", "1s"], "-d and -D exclude each other"),
            (["-D", "--notify-fd", "1", "-t", "1s"], "-D and --notify-fd exclude each other"),
            (["-d", "-t", "1s", "-o", "-"], "-o - does not go with the background"),
            (["--notify-fd", "99", "-t", "1s", "-o", "x"], "'99' is no open descriptor"),
            (["--notify-fd", "x", "-t", "1s", "-o", "x"], "'x' is no open descriptor"),
            (["-t", "1s"], "where to? -o FILE"), ([], "what? -c FILE"),
            (["-t", "1s", "-o", "x", "--add-attribute", "=x"], "--add-attribute '=x'"),
            (["-t", "1s", "-s", "x", "-o", "x"], "'x' is not a size"),
            (["-c", triggers, "--txt", "-o", "x"], "activate_triggers"),
            (["-c", named, "--txt", "-o", "x"], "-o and the config's output_path exclude"),
        ]:
            self.refused(run("record", *flags, cwd=self.folder), both)
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"c", "t", "n"})
        done = run("record", "--is_detached", "k", "--query")  # 2 would mean that there is none
        self.assertEqual(done.returncode, 1, done)

    def test_what_only_android_has_is_refused_with_a_reason(self):
        for flags in [["--upload"], ["--dropbox", "perfetto"], ["--alert-id", "1"],
                      ["--config-id=1"], ["--config-uid", "1"], ["--subscription-id", "1"],
                      ["--reset-guardrails"], ["--save-all-for-bugreport"], ["--txt-lossy"]]:
            done = run("record", *flags, "-t", "1s", "-o", "x", cwd=self.folder)
            self.refused(done, flags[0].split("=")[0] + ": ")
            self.assertNotIn("unknown", done.stderr)

    def test_the_same_flag_may_not_be_given_without_end(self):
        self.refused(run("record", *["-a", "x"] * 65, "-o", "x"), "more than 64")


REFUSED = 'data_sources { config { name: "x" target_buffer: 7 } }'


class Session(Case):
    """Sessions of a real service, with a producer of numbered packets."""

    CONFIG = """buffers { size_kb: 4096 } data_sources { config { name: "tw.seq" } }
                unique_session_name: "mine" bugreport_score: 7 """

    def setUp(self):
        super().setUp()
        self.consumer, self.process = self.service()

    def flags(self, *flags, more=None):
        config = [] if more is None else ["--txt", "-c", self.file("c", self.CONFIG + more)]
        return ["record", "--consumer-socket", self.consumer, *config, *flags]

    def ok(self, *flags, more=None):
        done = run(*self.flags(*flags, more=more))
        self.assertEqual(done.returncode, 0, done)
        return done

    def produce(self, count=500):
        done = run("produce", "--socket", self.folder / "producer", "--count", count, "--payload",
                   "100", "--rate", "0", "--stall")
        self.assertEqual(done.returncode, 0, done)

    def count(self, path):
        judge_trace(path)
        return sum(b"\xa2\x38" in p for p in packets_of(path.read_bytes()))

    def is_detached(self, key):
        done = run(*self.flags("--is_detached", key))
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        return done.returncode

    def wait_until(self, check):
        while not check():
            self.assertIsNone(self.process.poll())

    def sessions(self):
        return run(*self.flags("--query")).stdout.partition("SESSIONS")[2]


class Detached(Session):
    def test_a_session_goes_on_by_itself_until_it_is_stopped(self):
        out = self.folder / "out"
        self.assertEqual(self.is_detached("key"), 2)
        done = self.ok("--detach", "key", "-o", out, more="write_into_file: true")
        self.assertIn("detached", done.stderr)
        self.assertTrue(out.exists())
        for _ in range(2):  # to look does not take it away
            self.assertEqual(self.is_detached("key"), 0)
        self.assertEqual(self.is_detached("other"), 2)
        self.produce()
        done = self.ok("--attach", "key", "--stop")
        self.assertIn("the service wrote the trace", done.stderr)
        self.assertEqual(self.count(out), 500)
        self.assertEqual(self.is_detached("key"), 2)
        done = run(*self.flags("--attach", "key"))
        self.assertEqual(done.returncode, 4, done)
        self.one_line(done, "no detached session of that key")

    def test_who_attaches_waits_for_the_end(self):
        out = self.folder / "out"
        self.ok("--detach", "key", "-o", out, more="write_into_file: true duration_ms: 1000")
        self.ok("--attach", "key")
        self.assertGreater(len(packets_of(out.read_bytes())), 0)
        self.ok("--detach", "key", "-o", out, more="write_into_file: true")
        attached = subprocess.Popen([cli.tracewire, *self.flags("--attach", "key")], text=True,
                                    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(self.discard, attached)
        self.assertIn("until SIGINT", attached.stderr.readline())
        attached.send_signal(signal.SIGINT)
        self.assertIn("wrote the trace", attached.communicate(timeout=LIMIT)[1])
        self.assertEqual(attached.returncode, 0)

    def test_a_key_is_one_session_s(self):
        self.ok("--detach", "key", "-o", self.folder / "a", more="write_into_file: true")
        done = run(*self.flags("--detach", "key", "-s", "1mb", "-o", self.folder / "b"))
        self.assertEqual(done.returncode, 4, done)
        self.assertFalse((self.folder / "b").exists())

    def test_no_answer_is_1_to_who_asks_for_a_key(self):
        done = run("record", "--is_detached", "k", "--consumer-socket", self.folder / "none")
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(run("record", "--is_detached", "k", "--consumer-socket", "@").returncode, 1)


class Clones(Session):
    def test_a_session_is_copied_and_goes_on(self):
        for more, written in [("", False), ("write_into_file: true", True)]:
            recorder = subprocess.Popen(
                [cli.tracewire, *self.flags("-v", "-o", self.folder / "whole", more=more)],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.addCleanup(self.discard, recorder)
            while "tracing started" not in recorder.stderr.readline():
                self.assertIsNone(recorder.poll())
            self.produce()
            number = re.search(r"(?m)^(\d+) .* mine$", self.sessions())[1]
            copies = [["--clone", number], ["--clone-by-name", "mine", "--clone-for-bugreport"],
                      ["--save-for-bugreport"]]
            for i, how in enumerate(copies):
                out = self.folder / f"copy{written}{i}"
                done = self.ok(*how, "-o", out)
                self.assertEqual("the service wrote" in done.stderr, written, done)
                self.assertEqual(self.count(out), 500)
            recorder.send_signal(signal.SIGINT)
            recorder.communicate(timeout=LIMIT)
            self.assertEqual(self.count(self.folder / "whole"), 500)

    def test_what_cannot_be_copied_is_status_4_and_no_file(self):
        for how in (["--clone", "77"], ["--clone-by-name", "x\x1by"], ["--save-for-bugreport"]):
            done = run(*self.flags(*how, "-o", self.folder / "out"))
            self.assertEqual(done.returncode, 4, done)
            self.assertRegex(done.stderr, r"\Atracewire: cloning the session: [^\n\x1b]+\n")
            self.assertEqual(list(self.folder.glob("out*")), [])

    def test_a_file_is_not_replaced_when_it_is_said(self):
        kept = self.file("out", "kept")
        done = run(*self.flags("--no-clobber", "-t", "100ms", "-o", kept))
        self.refused(done, kept, "File exists")
        self.assertEqual(kept.read_text(), "kept")
        self.ok("--no-clobber", "-t", "100ms", "-o", self.folder / "new")
        judge_trace(self.folder / "new")


class Background(Session):
    def background(self, *flags, more=""):
        """The process that goes on; it is ended with the test."""
        done = self.ok(*flags, more=more)
        self.assertEqual(done.stderr, "")
        pid = int(done.stdout)
        self.addCleanup(lambda: self.gone(pid) or os.kill(pid, signal.SIGKILL))
        return pid

    @staticmethod
    def gone(pid):
        """Nobody here is its parent: a zombie is as gone as can be."""
        try:
            return " Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return True

    def test_it_goes_on_until_sigterm(self):
        for flag in "-d", "-D":
            out = self.folder / flag
            pid = self.background(flag, "-o", out)
            self.assertEqual(os.getsid(pid), pid)
            self.assertIn("mine", self.sessions())
            self.produce()
            os.kill(pid, signal.SIGTERM)
            self.wait_until(lambda: self.gone(pid))
            self.assertEqual(self.count(out), 500)

    def test_what_goes_wrong_at_once_is_told(self):
        for flag in "-d", "-D":
            done = run("record", flag, "-t", "1s", "-o", self.folder / "x", "--consumer-socket",
                       self.folder / "none")
            self.assertEqual(done.returncode, 3, done)
            self.assertIn("cannot reach a service", done.stderr)
            done = run(*self.flags(flag, "-t", "1s", "-o", self.folder / "no" / "x"))
            self.assertEqual(done.returncode, 2, done)
        done = run(*self.flags("-D", "-o", self.folder / "x", more=REFUSED))
        self.assertEqual(done.returncode, 4, done)

    def test_a_descriptor_is_told(self):
        for more, byte in [("duration_ms: 100", b"\0"), (REFUSED, b"\4")]:
            ours, theirs = os.pipe()
            done = run(*self.flags("--notify-fd", theirs, "-o", self.folder / "x", more=more),
                       pass_fds=[theirs])
            self.assertEqual(done.returncode, byte[0], done)
            os.close(theirs)
            self.assertEqual(os.read(ours, 10), byte)
            os.close(ours)


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
