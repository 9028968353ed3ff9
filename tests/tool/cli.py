#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tracewire command as its users meet it: texts, statuses, files, signals.

cli.py --tracewire PATH: runs every test below, from the top of the source tree.
"""
import argparse
import contextlib
import gzip
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

COMMANDS = ["serve", "record", "produce", "trace", "config", "decode", "demo"]
CAPTURES = pathlib.Path("tests/data/captures")
RELAY = pathlib.Path("tests/interop/relay.py")
LIMIT = 60  # seconds that any single run may take
CONFIG = """
buffers {{ size_kb: 4096 }}
data_sources {{ config {{ name: "track_event" target_buffer: {buffer} }} }}
duration_ms: {duration}
"""
tracewire = None


def run(*args, **kwargs):
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    kwargs.setdefault("text", True)
    kwargs.setdefault("timeout", LIMIT)
    return subprocess.run([tracewire, *map(str, args)], capture_output=True, check=False, **kwargs)


def packets_of(data):
    """The packets of a trace file, which must be whole."""
    packets, at = [], 0
    while at < len(data):
        assert data[at] == 0x0A, f"no packet at {at}"
        at, size, shift = at + 1, 0, 0
        while True:
            octet = data[at]
            at, size, shift = at + 1, size | (octet & 0x7F) << shift, shift + 7
            if octet < 0x80:
                break
        assert size <= len(data) - at, f"the packet at {at} is cut off"
        packets.append(data[at : at + size])
        at += size
    return packets


def judge_trace(path):
    """protoc, which shares no code with us, reads it by our schema."""
    done = subprocess.run(["tests/interop/protoc-check", path], capture_output=True, text=True,
                          check=False, timeout=LIMIT)
    assert done.returncode == 0, done


def field(number, value):
    """A protobuf field: a number, bytes or text of less than 128 bytes."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    value = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(value)]) + value


def frame(request_id, member, body):
    payload = field(2, request_id) + field(member, body)
    return struct.pack("<I", len(payload)) + payload


def reply(request_id, body, more=0):
    return frame(request_id, 6, field(1, 1) + field(2, more) + field(3, body))


BIND_REPLY = frame(1, 4, field(1, 1) + field(2, 1) + b"".join(
    field(3, field(1, number) + field(2, name))
    for number, name in [(1, "EnableTracing"), (3, "ReadBuffers"), (4, "FreeBuffers"),
                                      (5, "Flush")]))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tracewire-cli.")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def refused(self, done, *words):
        """Status 2, nothing on standard output, and one line with these words."""
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        self.one_line(done, *words)

    def one_line(self, done, *words):
        self.assertRegex(done.stderr, r"\Atracewire[^\n]*\n\Z")
        for word in words:
            self.assertIn(str(word), done.stderr)

    def service(self, *flags, within=()):
        """A service that is ready; its consumer socket and its process. within is a command that
        runs the rest of its arguments."""
        producer, consumer = self.folder / "producer", self.folder / "consumer"
        process = subprocess.Popen(
            [*within, tracewire, "serve", "--producer-socket", producer, "--consumer-socket",
             consumer, *flags],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        self.addCleanup(self.discard, process)
        self.assertIn("ready", process.stderr.readline())
        return consumer, process

    @staticmethod
    def discard(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()

    def record(self, consumer, duration, out, *flags, buffer=0):
        config = self.file("config.txtpb", CONFIG.format(duration=duration, buffer=buffer))
        return [tracewire, "record", "--consumer-socket", consumer, "--txt", "-c", config, "-o",
                out, *flags]


class Usage(Case):
    def test_help_is_on_standard_output(self):
        for args in [["--help"], ["-h"], *([c, "--help"] for c in COMMANDS)]:
            done = run(*args)
            self.assertEqual(done.returncode, 0, args)
            self.assertEqual(done.stderr, "")
            self.assertTrue(done.stdout.startswith("Usage: tracewire"), args)
            self.assertIn("tatus", done.stdout)

    def test_help_fits_an_old_terminal(self):
        for args in [["--help"], *([c, "--help"] for c in COMMANDS)]:
            self.assertLessEqual(max(map(len, run(*args).stdout.splitlines())), 80, args)

    def test_help_names_every_command(self):
        text = run("--help").stdout
        for command in COMMANDS:
            self.assertRegex(text, rf"\n  {command} ")

    def test_version_is_one_line(self):
        wanted = re.search(r"project\(tracewire VERSION (\S+)",
                           pathlib.Path("CMakeLists.txt").read_text())[1]
        for args in [["--version"], *([c, "--version"] for c in COMMANDS)]:
            done = run(*args)
            self.assertEqual((done.returncode, done.stdout), (0, f"tracewire {wanted}\n"), args)

    def test_unknown_commands_and_flags_are_one_line_and_status_2(self):
        self.refused(run())
        self.refused(run("tralala"), "tralala")
        self.refused(run("--tralala"), "--tralala")
        for command in COMMANDS:
            self.refused(run(command, "--tralala"), command, "--tralala")
            self.refused(run(command, "--tralala=3"), command, "--tralala")
            self.refused(run(command, "-%"), command, "-%")

    def test_a_flag_without_its_value_is_told(self):
        for args in [["record", "-c"], ["record", "--out"], ["demo", "-o"], ["serve", "--socket-mode"],
                     ["produce", "--rate"]]:
            self.refused(run(*args), args[-1])

    def test_a_strange_argument_still_makes_one_line(self):
        self.refused(run("a\nb\x1b[31m"))
        self.refused(run("decode", "a\nb"), "a?b")
        self.refused(run("record", "-c", "a\nb", "-o", "x"), "a?b")

    def test_serve_wants_limits_that_are_some(self):
        for limit in ["", "sessions", "sessions=", "sessions=0", "sessions=-1", "sessions=4kb",
                      "session=4", "=4", "output=4", "output=0", "output=99999999gb"]:
            self.refused(run("serve", "--limit", limit), f"'{limit}'")

    def test_record_says_what_does_not_fit_together(self):
        config = self.file("c", "")
        for args, word in [
            ([], "what"), (["-t", "5s"], "-o"), (["-t", "5", "-o", "x"], "'5'"),
            (["-t", "5d", "-o", "x"], "5d"), (["-t", "-5s", "-o", "x"], "-5s"),
            (["-t", "99999999999s", "-o", "x"], "99999999999s"), (["-b", "0", "-o", "x"], "'0'"),
            (["-b", "16", "-o", "x"], "16"), (["-c", config, "-t", "5s", "-o", "x"], "-c"),
            (["-c", config, "cat", "-o", "x"], "-c"), (["--txt", "-t", "5s", "-o", "x"], "--txt"),
        ]:
            self.refused(run("record", *args, cwd=self.folder), word)
        self.assertFalse((self.folder / "x").exists())

    def test_record_wants_a_config_that_is_one(self):
        socket_name = self.folder / "none"
        for data, flags, words in [
            (None, [], ["No such file"]), ("", [], ["empty"]), ("", ["--txt"], ["empty"]),
            ("buffers { size_kb: 1 }", [], ["--txt"]), (b"\x0a\xff", [], ["config"]),
            ("buffers {\n  size_kib: 1\n}\n", ["--txt"], [":2:3", "size_kib"]),
            ("#" * 5_000_000, ["--txt"], ["large"]), (b"\x0a\x00" * 70_000, [], ["large"]),
        ]:
            config = self.file("c", data) if data is not None else self.folder / "missing"
            done = run("record", *flags, "-c", config, "-o", self.folder / "x",
                       "--consumer-socket", socket_name)
            self.refused(done, config, *words)
        self.refused(run("record", "-c", self.folder, "-o", "x"), "directory")
        self.assertFalse((self.folder / "x").exists())

    def test_a_config_can_be_checked_alone(self):
        good = self.file("c", 'data_sources { config { name: "x" } }')
        done = run("config", "check", good)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{good}: OK\n", ""))
        done = run("config", "check", "-", stdin=None, input=good.read_text())
        self.assertEqual((done.returncode, done.stdout), (0, "-: OK\n"))
        for data, text in [
            ("buffers {\n  size_kib: 1\n}\n",
             ':2:3: BufferConfig has no field "size_kib"; did you mean "size_kb"?'),
            ("buffers: 3", ":1:10: "), ("buffers {", ":1:10: "), ("", ": the config is empty"),
            ("#" * 5_000_000, ": the config is too large"),
        ]:
            config = self.file("c", data)
            done = run("config", "check", config)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"\A[^\n]*\n\Z")
            self.assertTrue(done.stderr.startswith(f"{config}{text}"), done.stderr)

    def test_config_says_what_it_wants(self):
        for args, word in [([], "check"), (["tralala"], "tralala"), (["check"], "FILE"),
                           (["check", "a", "b"], "one FILE"),
                           (["check", self.folder / "none"], "No such file"),
                           (["check", self.folder], "directory")]:
            self.refused(run("config", *args), word)

    def test_output_that_nobody_gets_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([tracewire, "--help"], stdout=full, stderr=subprocess.PIPE,
                                  check=False, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 1)
        self.one_line(done, "standard output")


class IntoFile(Case):
    """Traces that the service writes itself, from within its sandbox."""

    def traced(self, consumer, more, *flags):
        config = self.file("config", CONFIG.format(duration=200, buffer=0) + more)
        return run("record", "--consumer-socket", consumer, "--txt", "-c", config, *flags)

    def is_trace(self, path):
        done = subprocess.run(["protoc", "--decode=tw.Trace", "-Ispec/proto", "trace.proto"],
                              input=path.read_bytes(), capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"trace_config {", done.stdout)

    def test_the_service_writes_into_the_file_of_the_command(self):
        consumer, _ = self.service()
        out = self.folder / "out"
        done = self.traced(consumer, "write_into_file: true", "-o", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the service wrote the trace", done.stderr)
        self.is_trace(out)

    def test_the_service_writes_into_a_pipe(self):
        consumer, _ = self.service()
        config = self.file("config", CONFIG.format(duration=200, buffer=0) + "write_into_file: true")
        done = run("record", "--consumer-socket", consumer, "--txt", "-c", config, "-o", "-",
                   text=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.is_trace(self.file("out", done.stdout))

    def test_the_service_makes_the_file_where_it_may(self):
        place = self.folder / "place"
        place.mkdir()
        consumer, _ = self.service("--output-dir", place)
        for name, good in [("new", True), ("new", False), ("../new", False)]:
            done = self.traced(consumer, f'write_into_file: true output_path: "{name}"')
            self.assertEqual(done.returncode == 0, good, done.stderr)
        self.is_trace(place / "new")
        self.assertFalse((self.folder / "new").exists())

    def recorder(self, consumer, more, *flags):
        """A `record` that stays, of a session for numbered packets that has a file there."""
        config = self.file("config", '''
            buffers { size_kb: 4096 }
            data_sources { config { name: "tw.seq" } }
            write_into_file: true ''' + more)
        process = subprocess.Popen(
            [tracewire, "record", "--consumer-socket", consumer, "--txt", "-c", config, *flags],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        self.addCleanup(self.discard, process)
        return process

    def produce(self, count, payload):
        done = run("produce", "--socket", self.folder / "producer", "--count", count,
                   "--payload", payload, "--rate", "0", "--stall")
        self.assertEqual(done.returncode, 0, done)

    def count_numbered(self, path):
        """field 900, for_testing, is what the numbered packets have"""
        return sum(b"\xa2\x38" in p for p in packets_of(path.read_bytes()))

    def test_every_packet_comes_where_no_memory_is_shared(self):
        pid = os.getpid()  # an address of its own, where nobody else takes the port
        name = f"127.{1 + pid // 65536 % 128}.{pid // 256 % 256}.{pid % 256}:20000"
        consumer, _ = self.service("--relay-socket", name)
        relay = subprocess.Popen([RELAY, "--listen", self.folder / "relay", "--service", name],
                                 stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.discard, relay)
        self.assertEqual(relay.stdout.readline(), "relaying\n")
        for out, place in ((self.folder / "1", name), (self.folder / "2", self.folder / "relay")):
            recorder = self.recorder(consumer, "trace_all_machines: true", "-o", out)
            done = run("produce", "--socket", place, "--count", 2000, "--payload", 500, "--rate",
                       "0", "--stall")
            self.assertEqual((done.returncode, json.loads(done.stdout)["lost"]), (0, 0), done)
            recorder.send_signal(signal.SIGINT)
            self.assertEqual(recorder.wait(LIMIT), 0)
            self.assertEqual(self.count_numbered(out), 2000)
            judge_trace(out)

    def test_a_killed_recorder_leaves_its_file_beside_the_name(self):
        consumer, _ = self.service()
        out = self.file("out", b"older")
        recorder = self.recorder(consumer, "file_write_period_ms: 100", "-o", out)
        while not sum(p.stat().st_size for p in self.folder.glob("out.*.partial")):
            self.assertIsNone(recorder.poll())
        recorder.kill()
        recorder.wait(LIMIT)
        self.assertEqual(out.read_bytes(), b"older")

    def test_what_a_session_turns_off_is_not_written(self):
        consumer, _ = self.service()
        for lists, events in [('enabled_categories: "tracewire" disabled_categories: "*"', 110),
                              ('disabled_categories: "trace*"', 0)]:
            recorder = self.recorder(consumer, 'data_sources { config { name: "track_event" '
                                     f"track_event_config {{ {lists} }} }} }}", "-o",
                                     self.folder / "unused")
            done = run("produce", "--socket", self.folder / "producer", "--count", 50,
                       "--rate", "0", "--stall")
            self.assertEqual(done.returncode, 0, done)
            self.assertEqual(json.loads(done.stdout)["events"], events)
            recorder.send_signal(signal.SIGINT)
            recorder.communicate(timeout=LIMIT)

    def test_sigterm_writes_what_is_pending(self):
        consumer, process = self.service("--output-dir", self.folder)
        self.recorder(consumer, 'output_path: "file" file_write_period_ms: 3600000')
        self.produce(500, 100)
        out = self.folder / "file"
        self.assertEqual(out.stat().st_size, 0)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(LIMIT), 0)
        self.assertEqual(self.count_numbered(out), 500)
        judge_trace(out)

    def test_what_the_service_wrote_before_it_went_is_kept(self):
        consumer, process = self.service()
        out = self.folder / "out"
        recorder = self.recorder(consumer, "file_write_period_ms: 100", "-o", out)
        self.produce(500, 100)
        written = 0
        while written < 500:
            self.assertIsNone(recorder.poll())
            self.assertFalse(out.exists())
            # there is none yet, or it ends in the middle of a packet
            with contextlib.suppress(AssertionError, IndexError, StopIteration):
                written = self.count_numbered(next(self.folder.glob("out.*.partial")))
        process.kill()
        _, text = recorder.communicate(timeout=LIMIT)
        self.assertEqual(recorder.returncode, 4, text)
        self.assertIn("the session was lost", text)
        self.assertFalse(out.exists())
        part, = self.folder.glob("out.*.partial")
        self.assertIn(f"what came is kept in {part}, {part.stat().st_size} bytes", text)
        self.assertEqual(self.count_numbered(part), 500)
        judge_trace(part)

    def test_a_full_disk_ends_the_session(self):
        """A real one of 64 KiB, in a mount namespace of the service's own."""
        place = self.folder / "place"
        place.mkdir()
        mount = f'mount -t tmpfs -o size=64k tmpfs {place} && exec "$@"'
        consumer, process = self.service(
            "--output-dir", place, within=["unshare", "-Urm", "sh", "-c", mount, "sh"])
        recorder = self.recorder(consumer, 'output_path: "file" file_write_period_ms: 100')
        producer = subprocess.Popen(  # it would wait for another session to write the rest
            [tracewire, "produce", "--socket", self.folder / "producer", "--rate", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.addCleanup(self.discard, producer)
        _, text = recorder.communicate(timeout=LIMIT)
        self.assertEqual(recorder.returncode, 4, text)
        self.assertIn("No space left on device", text)
        self.assertEqual(os.stat(f"/proc/{process.pid}/root/{place}/file").st_size, 64 << 10)
        self.assertIsNone(process.poll())

    def test_the_service_makes_no_file_unasked(self):
        consumer, _ = self.service()
        done = self.traced(consumer, 'write_into_file: true output_path: "new"')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("makes no files", done.stderr)



class Record(Case):
    def test_no_service_is_status_3_and_touches_no_file(self):
        done = run("record", "-t", "1s", "-o", self.folder / "x", "--consumer-socket",
                   self.folder / "none")
        self.assertEqual(done.returncode, 3)
        self.one_line(done, self.folder / "none")
        self.assertFalse((self.folder / "x").exists())

    def test_the_socket_comes_from_the_environment(self):
        done = run("record", "-t", "1s", "-o", self.folder / "x",
                   env={**os.environ, "PERFETTO_CONSUMER_SOCK_NAME": str(self.folder / "env")})
        self.assertEqual(done.returncode, 3)
        self.one_line(done, self.folder / "env")

    def test_a_trace_is_written_and_summed_up(self):
        consumer, _ = self.service()
        out = self.folder / "t.pftrace"
        done = subprocess.run(self.record(consumer, 100, out, "-v"), capture_output=True,
                              check=False, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(done.stdout, "")
        data = out.read_bytes()
        count = len(packets_of(data))
        judge_trace(out)
        self.assertGreater(count, 0)
        self.assertIn("tracewire: tracing started\n", done.stderr)
        self.assertTrue(done.stderr.endswith(
            f"tracewire: wrote {len(data)} bytes, {count} packets to {out}, no losses\n"), done.stderr)
        self.assertNotIn("\r", done.stderr)  # no terminal, no rewritten lines

    def test_standard_input_and_output_do(self):
        consumer, _ = self.service()
        done = run("record", "--consumer-socket", consumer, "--txt", "-c", "-", "-o", "-",
                   input=CONFIG.format(duration=100, buffer=0).encode(), text=False, stdin=None)
        self.assertEqual(done.returncode, 0, done)
        self.assertGreater(len(packets_of(done.stdout)), 0)
        judge_trace(self.file("t.pftrace", done.stdout))

    def test_the_short_form_reaches_the_service(self):
        consumer, _ = self.service()
        done = run("record", "--consumer-socket", consumer, "-t", "100ms", "-b", "2mb", "-o", "-",
                   "cat.one", "cat.two", text=False)
        self.assertEqual(done.returncode, 0, done)
        judge_trace(self.file("t.pftrace", done.stdout))
        configs = [p for p in packets_of(done.stdout) if b"cat.one" in p and b"cat.two" in p]
        self.assertEqual(len(configs), 1)
        self.assertIn(b"track_event", configs[0])
        self.assertIn(b"\x08\x80\x10", configs[0])  # size_kb: 2048

    def stop(self, number):
        consumer, _ = self.service()
        out = self.folder / "t.pftrace"
        process = subprocess.Popen(self.record(consumer, 0, out, "-v"), stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(self.discard, process)
        while "tracing started" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(number)
        self.assertIn("wrote", process.communicate(timeout=LIMIT)[1])
        self.assertEqual(process.returncode, 0)
        self.assertGreater(len(packets_of(out.read_bytes())), 0)
        judge_trace(out)

    def test_sigint_stops_and_saves(self):
        self.stop(signal.SIGINT)

    def test_sigterm_stops_and_saves(self):
        self.stop(signal.SIGTERM)

    def test_a_session_that_the_service_refuses_is_status_4_and_leaves_no_file(self):
        consumer, _ = self.service()
        out = self.folder / "t.pftrace"
        done = subprocess.run(self.record(consumer, 100, out, buffer=7), capture_output=True,
                              check=False, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 4, done)
        self.assertFalse(out.exists())

    def test_a_service_that_goes_away_is_status_4(self):
        consumer, service = self.service()
        process = subprocess.Popen(self.record(consumer, 0, self.folder / "t.pftrace", "-v"),
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.discard, process)
        while "tracing started" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        service.kill()
        text = process.communicate(timeout=LIMIT)[1]
        self.assertIn("lost", text)
        self.assertIn("nothing was recorded", text)
        self.assertEqual(process.returncode, 4)
        self.assertFalse((self.folder / "t.pftrace").exists())

    def test_the_older_file_stays_until_the_new_one_is_whole(self):
        out = self.file("t.pftrace", b"older")
        consumer, service = self.service()
        for duration in [100, 0]:
            process = subprocess.Popen(self.record(consumer, duration, out, "-v"),
                                       stderr=subprocess.PIPE, text=True)
            self.addCleanup(self.discard, process)
            while "tracing started" not in process.stderr.readline():
                self.assertIsNone(process.poll())
            if duration:
                self.assertEqual(out.read_bytes(), b"older")
            else:
                service.kill()
            process.communicate(timeout=LIMIT)
            self.assertEqual(process.returncode, 0 if duration else 4)
            judge_trace(out)  # the whole one, even when the next is lost
        self.assertEqual(list(self.folder.glob("t.pftrace.*")), [])

    def test_a_full_disk_is_told_and_what_came_is_kept(self):
        """A real one of 64 KiB, in a mount namespace of the recorder's own."""
        place = self.folder / "place"
        place.mkdir()
        consumer, _ = self.service()
        config = self.file("config", 'buffers { size_kb: 4096 } '
                           'data_sources { config { name: "tw.seq" } }')
        mount = f"trap : INT; mount -t tmpfs -o size=64k tmpfs {place} && echo old > {place}/t"
        keep = f'cp "$(ls {place}/t.*.partial)" {self.folder}/kept; cp {place}/t {self.folder}/old'
        recorder = subprocess.Popen(
            ["unshare", "-Urm", "sh", "-c", f'{mount} && "$@"; s=$?; {keep}; exit $s',
             "sh", tracewire, "record", "--consumer-socket", consumer, "--txt", "-c", config, "-v",
             "-o", place / "t"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(self.discard, recorder)
        while "tracing" not in recorder.stderr.readline():
            self.assertIsNone(recorder.poll())
        done = run("produce", "--socket", self.folder / "producer", "--count", 500, "--payload",
                   1000, "--rate", "0", "--stall")
        self.assertEqual(done.returncode, 0, done)
        os.killpg(recorder.pid, signal.SIGINT)
        text = recorder.communicate(timeout=LIMIT)[1]
        self.assertIn("No space left on device", text)
        self.assertRegex(text, rf"what came is kept in {place}/t\..{{6}}\.partial, \d+ bytes\n")
        self.assertEqual((self.folder / "old").read_text(), "old\n")
        kept = (self.folder / "kept").read_bytes()
        self.assertGreater(len(kept), 50 << 10)
        self.assertGreater(len(packets_of(kept)), 30)  # to the last byte

    def test_a_peer_that_is_no_service_is_status_4(self):
        name = self.folder / "fake"
        for answer in [b"", b"\xff\xff\xff\xff", b"GET / HTTP/1.0\r\n\r\n", b"\x02\0\0\0\x22\0",
                       b"\x06\0\0\0\x10\1\x22\2\x08\0"]:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(name))
                listener.listen()
                process = subprocess.Popen(self.record(name, 100, self.folder / "t"),
                                           stderr=subprocess.PIPE, text=True)
                self.addCleanup(self.discard, process)
                peer, _ = listener.accept()
                with peer:
                    peer.sendall(answer)
                    if not answer:
                        peer.shutdown(socket.SHUT_RDWR)
                    process.communicate(timeout=LIMIT)
            self.assertEqual(process.returncode, 4, answer)
            name.unlink()

    def with_fake(self, out, *answers):
        """record with a service that answers each request by the next of these bytes, then goes."""
        name = self.folder / "fake"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(name))
            listener.listen()
            process = subprocess.Popen(self.record(name, 100, out), stderr=subprocess.PIPE,
                                       text=True)
            self.addCleanup(self.discard, process)
            peer, _ = listener.accept()
            with peer:
                for answer in answers:
                    peer.recv(4096)
                    peer.sendall(answer)
                with contextlib.suppress(ConnectionResetError):  # it left without reading all
                    peer.recv(4096)
            text = process.communicate(timeout=LIMIT)[1]
        return process.returncode, text

    def test_what_the_service_says_does_not_reach_the_terminal_raw(self):
        error = reply(2, field(1, 1) + field(3, "no\x1b[31m\nway"))
        status, text = self.with_fake(self.folder / "t", BIND_REPLY, error)
        self.assertEqual(status, 4)
        self.assertIn("ended the session: no?[31m?way\n", text)
        self.assertNotIn("wrote", text)

    def test_what_came_before_the_service_went_is_kept(self):
        out = self.folder / "t"
        ended = reply(2, field(1, 1))
        packet = reply(3, field(2, field(1, "whole") + field(2, 1)) + field(2, field(1, "pa")), 1)
        status, text = self.with_fake(out, BIND_REPLY, ended, packet + reply(9, b""))
        self.assertEqual(status, 4)
        self.assertIn("lost", text)
        self.assertFalse(out.exists())
        part, = self.folder.glob("t.*.partial")
        self.assertIn(f"what came is kept in {part}, 7 bytes", text)
        self.assertEqual(packets_of(part.read_bytes()), [b"whole"])

    def test_a_file_that_cannot_be_made_is_status_2(self):
        consumer, _ = self.service()
        done = subprocess.run(self.record(consumer, 100, self.folder / "no" / "t"), text=True,
                              capture_output=True, check=False, timeout=LIMIT)
        self.assertEqual(done.returncode, 2, done)

    def test_a_full_disk_is_status_1(self):
        consumer, _ = self.service()
        done = subprocess.run(self.record(consumer, 100, "/dev/full"), capture_output=True,
                              check=False, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("No space left", done.stderr)

    def test_progress_is_one_rewritten_line_on_a_terminal(self):
        consumer, _ = self.service()
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        process = subprocess.Popen(self.record(consumer, 100, self.folder / "t"), stderr=slave)
        os.close(slave)
        self.addCleanup(self.discard, process)
        shown = b""
        while True:
            try:
                shown += os.read(master, 4096)
            except OSError:  # the other side of the terminal is closed
                break
        self.assertEqual(process.wait(LIMIT), 0)
        self.assertIn(b"\r\x1b[Ktracewire: tracing 0.0 s of 0.1 s, 0 sources, 0.0 MB", shown)
        self.assertEqual(shown.count(b"\n"), 1)
        self.assertIn(b"wrote", shown)


class Produce(Case):
    def test_who_waits_for_a_service_says_so_once(self):
        process = subprocess.Popen([tracewire, "produce", "--socket", self.folder / "none"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.discard, process)
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        text, more = process.communicate(timeout=LIMIT)
        self.assertEqual((process.returncode, more), (0, ""))
        self.assertIn(f"service at {self.folder / 'none'} yet", said)
        self.assertEqual(json.loads(text)["sessions"], 0)


class Trace(Case):
    RIGHT = """
        packet { trusted_uid: 0 trusted_packet_sequence_id: 1 clock_snapshot {} }
        packet { trusted_uid: 0 trusted_packet_sequence_id: 1 trace_config { buffers {} } }
        packet { trusted_uid: 0 trusted_packet_sequence_id: 1 trace_uuid {} }
        packet { trusted_uid: 0 trusted_packet_sequence_id: 1 trace_stats { buffer_stats {} } }
        """

    def recorded(self, name):
        return self.file(name, gzip.decompress((CAPTURES / name / "result.pftrace.gz").read_bytes()))

    def made(self, text):
        """protoc, which shares no code with us, encodes it."""
        done = subprocess.run(["protoc", "--encode=tw.Trace", "-Ispec/proto", "trace.proto"],
                              input=text.encode(), capture_output=True, check=True)
        return self.file("made", done.stdout)

    def json_of(self, path):
        done = run("trace", "--json", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_every_recorded_trace_is_right(self):
        paths = sorted(CAPTURES.glob("*/result.pftrace.gz"))
        self.assertTrue(paths)
        for path in paths:
            name = path.parent.name
            done = run("trace", "--check", self.recorded(name))
            if name == "old30":  # it had none
                self.assertEqual(done.returncode, 1, done)
                self.assertIn("no-uuid", done.stdout)
            elif name == "patch":  # its buffer is small
                self.assertEqual(done.returncode, 5, done)
                self.assertIn("chunks overwritten", done.stdout)
            else:
                self.assertEqual((done.returncode, done.stderr), (0, ""), done)
                self.assertEqual(done.stdout.count("\n"), 1, done)

    def test_what_is_counted_is_there(self):
        path = self.recorded("basic")
        said = self.json_of(path)
        packets = packets_of(path.read_bytes())
        self.assertEqual((said["packets"], said["bytes"]), (len(packets), sum(map(len, packets))))
        self.assertEqual((said["end"], said["end_offset"]), ("whole", path.stat().st_size))
        text = subprocess.run(["protoc", "--decode=tw.Trace", "-Ispec/proto", "trace.proto"],
                              input=path.read_bytes(), capture_output=True, check=True,
                              ).stdout.decode()
        for kind in said["kinds"]:
            self.assertEqual(kind["packets"], len(re.findall(rf"^  {kind['name']}\b", text, re.M)))
        for sequence in said["sequences"]:
            wanted = text.count(f"  trusted_packet_sequence_id: {sequence['id']}\n")
            self.assertEqual(sequence["packets"], wanted)
        self.assertEqual(sum(s["packets"] for s in said["sequences"]), len(packets))
        self.assertIn("upstream_producer", [s["process"] for s in said["sequences"]])
        self.assertFalse(any(said["losses"].values()))

    def test_compressed_packets_count_as_what_is_inside(self):
        said = self.json_of(self.recorded("wif"))
        self.assertEqual(said["packed_packets"], 6)
        self.assertEqual({"trace_config": 1, "trace_uuid": 1},
                         {k["name"]: k["packets"] for k in said["kinds"]
                          if k["name"] in ("trace_config", "trace_uuid", "compressed_packets")})

    def test_the_text_is_aligned_and_fits_an_old_terminal(self):
        lines = run("trace", self.recorded("basic")).stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertRegex("\n".join(lines), r"\n  track_event +1120 +\d+\n")
        self.assertRegex("\n".join(lines), r"\n  BOOTTIME +\d+ +\d+\.\d{6} +\d+\.\d{6} +\d+\.\d{6}\n")
        for title in "packets", "uid":
            head = next(line for line in lines if title in line[20:])
            row = lines[lines.index(head) + 1]
            self.assertRegex(row[: head.index(title) + len(title)], r"\d$")

    def test_check_tells_by_its_status(self):
        told = self.RIGHT + "packet { trusted_uid: 7 trusted_packet_sequence_id: 2 } " \
            "packet { trusted_uid: 7 trusted_packet_sequence_id: 2 previous_packet_dropped: 3 }"
        for text, status, words in [
            (self.RIGHT, 0, "right, and nothing"), (told, 5, "1  gaps in sequences"),
            (told + "packet { trusted_uid: 7 }", 1, "(no-sequence)\n              first: packet 6"),
        ]:
            path = self.made(text)
            done = run("trace", "--check", path)
            self.assertEqual((done.returncode, done.stderr), (status, ""), done)
            self.assertIn(words, done.stdout)
            self.assertLessEqual(max(map(len, done.stdout.splitlines()[:-1]), default=0), 80)
            self.assertEqual(run("trace", path).returncode, 0)
            self.assertEqual(run("trace", "--check", "--json", path).returncode, status)

    def test_a_damaged_file_is_told_with_what_came_before(self):
        whole = self.recorded("startup").read_bytes()
        for data, place, word in [(whole[:-1], None, "cut off"), (whole + b"hello", len(whole), "no packet"),
                                  (b"\x0a\xff\xff\xff\xff\x0f", 0, "limit")]:
            path = self.file("damaged", data)
            for flags in [], ["--check"], ["--json"]:
                done = run("trace", *flags, path)
                self.assertEqual(done.returncode, 1, done)
                self.one_line(done, path, word, "byte" if place is None else f"byte {place}:")
                self.assertTrue(done.stdout)

    def test_standard_input_will_do(self):
        path = self.recorded("startup")
        with open(path, "rb") as data:
            self.assertEqual(run("trace", "-", stdin=data).stdout, run("trace", path).stdout)

    def test_the_file_must_be_there(self):
        self.refused(run("trace"), "FILE")
        self.refused(run("trace", "a", "b"), "one FILE")
        self.refused(run("trace", self.folder / "none"), "No such file")
        self.refused(run("trace", self.folder), "directory")

    def test_names_do_not_reach_the_terminal_raw(self):
        path = self.made("packet { trusted_packet_sequence_id: 2 "
                         'process_descriptor { process_name: "a\\033[31m\\nb" } }')
        self.assertIn("  a?[31m?b\n", run("trace", path).stdout)

    def test_a_strange_path_is_no_reason_to_fail(self):
        path = self.file(os.fsdecode(b"a\xff"), self.recorded("startup").read_bytes())
        done = run("trace", "--json", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(json.loads(done.stdout)["file"].endswith("/a?"))

    def test_the_manual_has_every_member(self):
        told = pathlib.Path("docs/man/tracewire-trace.1").read_text()
        said = self.json_of(self.recorded("basic"))
        self.assertTrue(said["clocks"])
        members = {*said, *said["kinds"][0], *said["sequences"][0], *said["clocks"][0]}
        for member in members:
            self.assertRegex(told, rf"(?m)^\.(It )?Va (.*\b)?{member}\b")
        found = pathlib.Path("src/tool/trace_findings.c").read_text()
        names = re.findall(r'TW_FIND_\w+\] = \{"([a-z-]+)"', found)
        self.assertIn("forged", names)
        for name in names:
            self.assertRegex(told, rf"(?m)^\.It Cm (.* )?{name}\b")


class Decode(Case):
    def line(self, **fields):
        return json.dumps({"t": 0.5, **fields}) + "\n"

    def test_every_recorded_session_can_be_read(self):
        recordings = sorted(CAPTURES.glob("*/*.jsonl.gz"))
        self.assertGreater(len(recordings), 20)
        for path in recordings:
            done = run("decode", path)
            self.assertEqual((done.returncode, done.stderr), (0, ""), path)
            self.assertNotRegex(done.stdout, r"that are no |\(unknown\)|\.\?", path)
            with gzip.open(path) as lines:
                frames = sum(frames_of(json.loads(line)) for line in lines)
            printed = len(re.findall(r"(?m)^\d+\.\d{6} [cs]>[cs] #", done.stdout))
            self.assertGreaterEqual(printed + 1, frames, path)

    def test_methods_messages_and_descriptors_are_named(self):
        text = run("decode", CAPTURES / "basic" / "producer.0.jsonl.gz").stdout
        for wanted in [
            "c>s #1 bind ProducerPort\n", "s>c #1 bind_reply ProducerPort, service id 1\n",
            "  method 4: CommitData\n", "c>s #2 invoke ProducerPort.InitializeConnection\n",
            '  producer_name: "upstream_producer"\n', "  smb_scraping_mode: SMB_SCRAPING_ENABLED\n",
            "s>c #3 reply ProducerPort.GetAsyncCommand has_more\n",
            "    shared_buffer_page_size_kb: 4\n  }\n  descriptors: 1\n",
            "invoke ProducerPort.NotifyDataSourceStarted drop_reply\n",
        ]:
            self.assertIn(wanted, text)
        self.assertEqual(text.count("descriptors:"), 1)

    def test_images_of_the_shared_memory_are_shown(self):
        page = struct.pack("<II", 2 << 28 | 3 | 1 << 2, 0)  # two chunks: complete, being written
        size = (4096 - 8) // 2 & ~3
        whole = struct.pack("<IHH", 7, 3, 2 | 1 << 10) + b"\x05hello\x82\x80\x80\x00ab"
        open_ = struct.pack("<IHH", 8, 4, 3) + b"\x01x\xff\xff\xff\x7f"
        image = page + whole.ljust(size, b"\0") + open_.ljust(size, b"\0")
        image = image.ljust(8192, b"\0")
        (self.folder / "r.smb.0004.bin.gz").write_bytes(gzip.compress(image))
        path = self.file("r.jsonl", self.line(smb=4, size=8192))
        done = run("decode", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, """\
0.500000 shared memory, image 4, 8192 bytes
  page 0: layout 2, 2 chunks
    chunk 0: complete, writer 3, id 7, 2 packets first-continues, sizes 5 2
    chunk 1: being written, writer 4, id 8, 3 packets, sizes 1 268435455(dropped), \
1 do not fit the chunk
  1 of 2 pages of 4096 bytes in use
""")
        self.assertEqual(run("decode", "--no-smb", path).stdout, "")

    def test_an_image_that_is_not_there_is_no_failure(self):
        done = run("decode", self.file("r.jsonl", self.line(smb=0, size=4096)))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("not there", done.stdout)

    def test_damage_is_one_line_that_says_where(self):
        good = self.line(dir="c>s", hex="1200000010011a0e0a0c436f6e73756d6572506f7274", fds=0)
        for bad, word in [
            ("{", "not a line"), ("[]\n", "not a line"), (self.line(dir="c>s", hex="0"), "not a"),
            (self.line(dir="up", hex="00"), "not a line"), (self.line(smb=1, size=0), "size"),
            (self.line(dir="c>s", hex="ffffffff", fds=0), "TW-FRAME-002"),
            (self.line(dir="c>s", hex="01000000ff", fds=0), "TW-ENC-001"),
            (self.line(smb=9, size=1 << 40), "size"),
        ]:
            path = self.file("r.jsonl", good + bad)
            done = run("decode", path)
            self.assertEqual(done.returncode, 1, bad)
            self.one_line(done, f"{path}:2: ", word)
            self.assertIn("bind ConsumerPort", done.stdout)

    def test_damaged_compression_is_told(self):
        whole = (CAPTURES / "basic" / "consumer.0.jsonl.gz").read_bytes()
        path = self.file("r.jsonl.gz", whole[: len(whole) // 2])
        done = run("decode", path)
        self.assertEqual(done.returncode, 1)
        self.one_line(done, path)
        (self.folder / "s.smb.0000.bin.gz").write_bytes(gzip.compress(b"\0" * 100))
        done = run("decode", self.file("s.jsonl", self.line(smb=0, size=4096)))
        self.assertEqual(done.returncode, 1)
        self.one_line(done, "s.jsonl:1: ", "short")

    def test_the_file_must_be_there(self):
        self.refused(run("decode"), "FILE")
        self.refused(run("decode", "a", "b"))
        self.refused(run("decode", self.folder / "none"), "none", "No such file")
        self.refused(run("decode", self.folder), "directory")

    def test_a_service_or_method_of_another_kind_is_shown_as_it_is(self):
        bind = b"\x10\1\x1a\6\x0a\4Room"
        invoke = b"\x10\2\x2a\x08\x08\1\x10\x63\x1a\2hi"
        lines = "".join(
            self.line(dir="c>s", hex=(struct.pack("<I", len(f)) + f).hex(), fds=0)
            for f in (bind, invoke)
        )
        done = run("decode", self.file("r.jsonl", lines))
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(done.stdout, """\
0.500000 c>s #1 bind Room
0.500000 c>s #2 invoke Room.? method 99
  "hi"
""")


class Serve(Case):
    def serve(self, *flags, **kwargs):
        """A service that is ready, on the sockets "producer" and "consumer" of the folder."""
        process = subprocess.Popen(
            [tracewire, "serve", "--producer-socket", self.folder / "producer",
             "--consumer-socket", self.folder / "consumer", *flags],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **kwargs,
        )
        self.addCleanup(self.discard, process)
        self.ready = process.stderr.readline().rstrip()
        self.assertIn("ready", self.ready)
        return process

    def connect(self, name):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(LIMIT)
        client.connect(str(self.folder / name))
        return client

    def sockets(self):
        return sorted(p.name for p in self.folder.iterdir())

    def end(self, process, signo):
        process.send_signal(signo)
        self.assertEqual(process.wait(LIMIT), 0)
        self.assertEqual(self.sockets(), [])

    def test_sigterm_ends_it_with_status_0(self):
        self.end(self.serve(), signal.SIGTERM)

    def test_sigint_ends_it_with_status_0(self):
        self.end(self.serve(), signal.SIGINT)

    def test_sighup_is_nothing_to_a_daemon(self):
        process = self.serve()
        process.send_signal(signal.SIGHUP)
        self.connect("producer")
        self.assertIsNone(process.poll())
        self.end(process, signal.SIGTERM)

    def test_a_log_that_nobody_reads_any_more_is_no_end(self):
        process = self.serve("--limit", "connections=1")
        process.stderr.close()
        for name in ("producer", "consumer", "producer"):
            self.connect(name)  # refused, which is told
        self.assertEqual(self.connect("consumer").recv(1), b"")
        self.assertIsNone(process.poll())
        self.end(process, signal.SIGTERM)

    def test_its_log_has_levels(self):
        process = self.serve("--log-level", "debug", "--limit", "connections=1")
        producer = self.connect("producer")
        self.assertIn("connected as a producer", process.stderr.readline())
        self.connect("consumer")
        self.assertIn("TW-LIM-062", process.stderr.readline())
        producer.sendall(frame(1, 3, field(1, "ProducerPort")))
        producer.sendall(frame(2, 5, field(1, 1) + field(2, 2)))  # before InitializeConnection
        self.assertIn("refused a call of process", line := process.stderr.readline())
        self.assertIn("TW-PROD-001", line)
        self.end(process, signal.SIGTERM)
        self.refused(run("serve", "--log-level", "loud"), "'loud'")

    def test_refused_calls_cannot_fill_its_log(self):
        process = self.serve("--log-level", "debug")
        with self.connect("producer") as producer:
            producer.sendall(frame(1, 3, field(1, "ProducerPort")))
            for n in range(120):
                producer.sendall(frame(n, 5, field(1, 1) + field(2, 2)))
            read = b""
            while field(2, 119) + b"\x32" not in read:  # the last one's reply
                read += producer.recv(65536)
        self.end(process, signal.SIGTERM)
        self.assertIn(len(process.stderr.readlines()), range(60, 100))

    def test_a_peer_cannot_fill_its_log(self):
        process = self.serve("--limit", "connections=1")
        kept = self.connect("producer")
        for _ in range(300):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.folder / "producer"))
                self.assertEqual(client.recv(1), b"")
        kept.close()
        self.end(process, signal.SIGTERM)
        self.assertLess(len(process.stderr.readlines()), 150)

    def handed_over(self, names, variables, sockets=None):
        """A service that is given listening sockets as descriptors 3 and up."""
        listeners = sockets or [socket.socket(socket.AF_UNIX) for _ in names]
        for name, listener in zip(names, listeners):
            self.addCleanup(listener.close)
            if not sockets:
                listener.bind(str(self.folder / name))
                listener.listen()
        high = [os.dup(listener.fileno()) for listener in listeners]
        assignments = " ".join(variables)
        moves = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(high))
        process = subprocess.Popen(
            ["/bin/bash", "-c", f'{assignments} exec "$0" serve {moves}', tracewire],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, pass_fds=high)
        for fd in high:
            os.close(fd)
        self.addCleanup(self.discard, process)
        return process

    def test_sockets_are_taken_from_systemd(self):
        names = ["consumer", "producer"]
        for fd_names in ["consumer:producer", "tw-consumer.socket:tw-producer.socket"]:
            process = self.handed_over(names, ["LISTEN_FDS=2", "LISTEN_PID=$$",
                                               f"LISTEN_FDNAMES={fd_names}"])
            self.assertIn("producers at a socket handed over", process.stderr.readline())
            self.connect("producer")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(LIMIT), 0)
            self.assertEqual(self.sockets(), ["consumer", "producer"])  # not ours to remove
            for name in names:
                (self.folder / name).unlink()

    def test_sockets_are_taken_from_init(self):
        process = self.handed_over(["producer", "consumer"], [
            "ANDROID_SOCKET_traced_producer=3", "ANDROID_SOCKET_traced_consumer=4"])
        self.assertIn("ready", process.stderr.readline())
        self.connect("consumer")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(LIMIT), 0)

    def test_sockets_for_somebody_else_are_left_alone(self):
        process = self.handed_over(["producer", "consumer"], [
            "LISTEN_FDS=2", "LISTEN_PID=1", "LISTEN_FDNAMES=producer:consumer",
            f"PERFETTO_PRODUCER_SOCK_NAME={self.folder}/p",
            f"PERFETTO_CONSUMER_SOCK_NAME={self.folder}/c"])
        self.assertIn(f"producers at {self.folder}/p", process.stderr.readline())

    def test_sockets_that_cannot_be_used_are_refused(self):
        both = ["LISTEN_FDS=2", "LISTEN_PID=$$"]
        for variables, sockets, word in [
            ([*both, "LISTEN_FDNAMES=producer:other"], None, "neither"),
            (both, None, "neither"),
            ([*both, "LISTEN_FDNAMES=producer:producer"], None, "same port"),
            (["LISTEN_FDS=1", "LISTEN_PID=$$", "LISTEN_FDNAMES=producer"], None, "only one"),
            (["ANDROID_SOCKET_traced_producer=3"], None, "only one"),
            (["ANDROID_SOCKET_traced_producer=99", "ANDROID_SOCKET_traced_consumer=4"], None,
             "listens"),
            ([*both, "LISTEN_FDNAMES=producer:consumer"], socket.socketpair(), "listens"),
        ]:
            process = self.handed_over(["producer", "consumer"], variables, sockets)
            self.assertEqual(process.wait(LIMIT), 2, variables)
            self.assertIn(word, process.stderr.read(), variables)
            for name in self.sockets():
                (self.folder / name).unlink()

    def test_a_stale_socket_is_replaced(self):
        crashed = self.serve()
        crashed.kill()
        crashed.wait()
        self.assertEqual(self.sockets(), ["consumer", "producer"])
        self.end(self.serve(), signal.SIGTERM)

    def test_a_live_socket_is_left_alone(self):
        first = self.serve()
        second = run("serve", "--producer-socket", self.folder / "producer",
                     "--consumer-socket", self.folder / "other")
        self.assertEqual(second.returncode, 1, second)
        self.one_line(second, self.folder / "producer", "in use")
        self.assertEqual(self.sockets(), ["consumer", "producer"])
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(str(self.folder / "producer"))
        self.end(first, signal.SIGTERM)

    def test_what_is_no_socket_is_left_alone(self):
        kept = self.file("producer", "not yours")
        done = run("serve", "--producer-socket", kept, "--consumer-socket", self.folder / "c")
        self.assertEqual(done.returncode, 1, done)
        self.one_line(done, kept)
        self.assertEqual(kept.read_text(), "not yours")
        self.assertEqual(self.sockets(), ["producer"])

    def test_the_sockets_get_the_rights_asked_for(self):
        process = self.serve("--socket-mode", "640", "--socket-group", str(os.getgid()))
        for name in ("producer", "consumer"):
            status = (self.folder / name).stat()
            self.assertEqual((status.st_mode & 0o777, status.st_gid), (0o640, os.getgid()))
        self.end(process, signal.SIGTERM)

    def test_a_user_over_a_limit_is_refused_and_told_of(self):
        process = self.serve("--limit", "connections=1", "--limit", "output=1mb")
        self.connect("consumer")
        self.assertEqual(self.connect("consumer").recv(1), b"")
        line = process.stderr.readline()
        self.assertIn(f"user {os.getuid()}", line)
        self.assertIn("TW-LIM-062", line)
        self.end(process, signal.SIGTERM)

    def test_consumers_without_rights_are_warned_of(self):
        # REQ("TW-NET-049")
        name = f"@tracewire-open-{os.getpid()}"
        for flag, warned in [("--producer-socket", False), ("--consumer-socket", True)]:
            process = subprocess.Popen(
                [tracewire, "serve", "--producer-socket", self.folder / "producer",
                 "--consumer-socket", self.folder / "consumer", flag, name],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            self.addCleanup(self.discard, process)
            line = process.stderr.readline()
            self.assertEqual(f"whoever reaches {name}" in line, warned, line)
            self.end(process, signal.SIGTERM)

    def test_only_the_group_may_consume_unless_it_is_said(self):
        for flags, wanted in [([], (0o666, 0o660)), (["--consumer-mode", "600"], (0o666, 0o600))]:
            process = self.serve(*flags)
            modes = [(self.folder / name).stat().st_mode & 0o777 for name in ("producer", "consumer")]
            self.assertEqual(tuple(modes), wanted)
            self.end(process, signal.SIGTERM)

    def test_the_sandbox_is_on_unless_it_says_why_not(self):
        process = self.serve()
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        sandbox = re.search(r"sandbox (.*)$", self.ready)[1]
        if not sandbox.startswith("off (a build"):
            self.assertEqual(sandbox, "on")
            self.assertIn("Seccomp:\t2\n", status)
            self.assertIn("NoNewPrivs:\t1\n", status)
            self.assertIn(" 0 ", re.search("Max core file size.*", pathlib.Path(
                f"/proc/{process.pid}/limits").read_text())[0])
        self.end(process, signal.SIGTERM)

    def test_the_sandbox_may_be_off_and_may_be_required(self):
        process = self.serve("--sandbox", "off")
        self.assertTrue(self.ready.endswith("sandbox off"), self.ready)
        self.assertIn("Seccomp:\t0\n", pathlib.Path(f"/proc/{process.pid}/status").read_text())
        self.end(process, signal.SIGTERM)
        self.refused(run("serve", "--sandbox", "maybe"), "'maybe'")

    def test_bad_rights_are_refused(self):
        self.refused(run("serve", "--socket-mode", "rw"), "rw")
        self.refused(run("serve", "--socket-mode", "1777"), "1777")
        self.refused(run("serve", "--socket-group", "no such group"), "no such group")

    def test_what_cannot_be_the_name_of_a_producer_is_refused(self):
        self.refused(run("produce", "--name", "n" * 5000), "--name")

    def test_what_cannot_be_a_socket_is_refused(self):
        for name in ["x" * 200, "@"]:
            self.refused(run("serve", "--producer-socket", name), name)
            self.refused(run("record", "-t", "1s", "-o", "x", "--consumer-socket", name), name)
            self.refused(run("produce", "--socket", name), name)

    def test_the_service_manager_is_told(self):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind("\0tracewire-cli-%d" % os.getpid())
        manager.settimeout(LIMIT)
        env = {**os.environ, "NOTIFY_SOCKET": "@tracewire-cli-%d" % os.getpid()}
        process = self.serve(env=env)
        self.assertEqual(manager.recv(100), b"READY=1")
        self.end(process, signal.SIGTERM)
        self.assertEqual(manager.recv(100), b"STOPPING=1")


def frames_of(event):
    """Frames that begin and end in one recorded message: a lower bound of what is printed."""
    data, n = bytes.fromhex(event.get("hex", "")), 0
    while len(data) >= 4:
        size = int.from_bytes(data[:4], "little")
        if size > 131068 or size > len(data) - 4:
            break
        data, n = data[4 + size :], n + 1
    return n if not data else 0


class Demo(Case):
    def test_everything_that_was_written_arrives(self):
        out = self.folder / "demo.pftrace"
        done = run("demo", "-t", "1s", "-o", out, env={**os.environ, "TMPDIR": str(self.folder)})
        self.assertEqual(done.returncode, 0, done)
        arrived = dict(re.findall(r"(?m)^(track events|test packets) +(\d+) of \2 written",
                                  done.stdout))
        self.assertEqual(set(arrived), {"track events", "test packets"}, done.stdout)
        self.assertGreater(int(arrived["track events"]), 100)
        self.assertGreater(int(arrived["test packets"]), 100)
        self.assertRegex(done.stdout, r"lost +0 by the producer, 0 gaps\n\Z")
        packets = packets_of(out.read_bytes())
        judge_trace(out)
        checked = run("trace", "--check", out)
        self.assertEqual(checked.returncode, 0, checked)
        self.assertIn(f"{len(packets)} packets", done.stdout)
        # field 900, for_testing, is what the numbered packets have
        numbered = sum(b"\xa2\x38" in p for p in packets)
        self.assertGreaterEqual(numbered, int(arrived["test packets"]))
        self.assertEqual([p.name for p in self.folder.iterdir()], ["demo.pftrace"])

    def test_an_interrupted_demo_leaves_nothing_behind(self):
        out = self.folder / "demo.pftrace"
        process = subprocess.Popen(
            [tracewire, "demo", "-t", "60s", "-o", out], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )
        self.addCleanup(self.discard, process)
        self.assertIn("tracing for", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 0)
        self.assertIn("track events", text)
        judge_trace(out)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["demo.pftrace"])

    def test_a_demo_that_fails_leaves_nothing_behind(self):
        done = run("demo", "-t", "1s", "-o", self.folder / "no" / "x",
                   env={**os.environ, "TMPDIR": str(self.folder)})
        self.refused(done, self.folder / "no" / "x")
        self.assertEqual(list(self.folder.iterdir()), [])
        done = run("demo", env={**os.environ, "TMPDIR": str(self.folder / "no")})
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.one_line(done, self.folder / "no")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracewire", required=True)
    options, rest = parser.parse_known_args()
    tracewire = os.path.abspath(options.tracewire)
    unittest.main(argv=["cli.py", *rest])
