#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Chromium, which nobody here wrote, traced through our service and our consumer; upstream's trace
processor judges the file. See --help for the cases."""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing

import devtools
import heavy
import neighbour
import second_machine
import service_state

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BROWSER = "/usr/lib/chromium/chromium-headless-shell"
BROWSER_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
    "--enable-features=EnablePerfettoSystemTracing", "--remote-debugging-port=0",
]
COUNT = 40  # as in page.html
SLICE_NS = 3_000_000  # as in page.html
ONE_PROCESS = ["--single-process", "--no-zygote"]
PRODUCERS = 3  # browser, at least one helper, renderer; headless shell makes four connections
NEW_SOURCE, OLD_SOURCE = "track_event", "org.chromium.trace_event"
READY_SECONDS = 30
HEAVY_SHM_KB = 128
HEAVY_BUFFER_KB = 256
HEAVY_MARKS = 20_000
LATE_SECONDS = 3  # how long the browser knocks before a late service opens

CONFIG = """\
buffers {{ size_kb: 8192 fill_policy: RING_BUFFER }}
data_sources {{
  config {{
    name: "track_event"
    target_buffer: 0
    track_event_config {{ disabled_categories: "*" enabled_categories: "blink.user_timing" }}
  }}
}}
data_sources {{
  config {{
    name: "org.chromium.trace_event"
    chrome_config {{ trace_config: '{{"included_categories": ["blink.user_timing"]}}' }}
  }}
}}
duration_ms: {duration_ms}
{more}"""

# What a producer with emulated memory has written comes with a flush at the latest.
REMOTE = "flush_period_ms: 300\ntrace_all_machines: true\n"

EVENTS = """\
select slice.name, slice.dur, coalesce(thread.name, 'no thread')
from slice
left join thread_track on slice.track_id = thread_track.id
left join thread on thread_track.utid = thread.utid
where slice.name glob '{letter}[0-9]*' order by slice.ts"""

LOSSES = """\
select name, severity, value from stats
where value > 0 and severity in ('error', 'data_loss')"""


class Look(typing.NamedTuple):
    """How a generation of Chromium shows the page's answer."""
    marks_on: str
    slices_on: str
    rounding_ns: int = 0


NOW = Look("CrRendererMain", "CrRendererMain")
IN_ONE = Look("Chrome_InProcRendererThread", "Chrome_InProcRendererThread")
CHROMIUM_111 = Look("CrRendererMain", "no thread")  # every measure has a track of its own
CHROMIUM_92 = Look("Chrome_InProcRendererThread", "no thread", 1000)  # counts microseconds


class Failure(Exception):
    """Nothing further can be judged in this case."""


class Verdict:
    def __init__(self):
        self.failed = 0

    def check(self, what, ok, detail=""):
        print(f"{'ok    ' if ok else 'FAILED'} {what}", flush=True)
        if not ok:
            self.failed += 1
            print(f"       {detail}", flush=True)


def wait_for(what, condition, seconds=READY_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"no {what} within {seconds} s")
        time.sleep(0.05)


class Service:
    def __init__(self, options, folder, more=(), address=None):
        self.producer_socket = address or str(folder / "producer.sock")
        self.producers = 1 if address else PRODUCERS
        self.shares_memory = not (more or address)
        self.consumer_socket = str(folder / "consumer.sock")
        self.log = open(folder / "service.log", "ab")
        self.process = None
        self.command = [
            options.tracewire, "serve", "--producer-socket", self.producer_socket,
            "--consumer-socket", self.consumer_socket, *more,
        ]

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        wait_for("service that answers", lambda: self.state() is not None)

    def state(self):
        if self.process.poll() is not None:
            raise Failure(f"the service ended with status {self.process.returncode}")
        try:
            return service_state.query(self.consumer_socket)
        except OSError:
            return None

    def has_browser(self):
        names = service_state.data_source_names(self.state())
        return names.count(NEW_SOURCE) >= self.producers or OLD_SOURCE in names

    def stop(self, verdict):
        self.process.terminate()
        status = self.process.wait(10)
        verdict.check("SIGTERM ends the service with status 0", status == 0, f"status {status}")
        left = [s for s in (self.producer_socket, self.consumer_socket) if os.path.exists(s)]
        verdict.check("the service unlinks its sockets", not left, " ".join(left))

    def discard(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Browser:
    def __init__(self, command, service, folder, wrapped):
        self.log = open(folder / "browser.log", "ab")
        self.wrapped = wrapped
        profile = folder / "profile"
        profile.mkdir(exist_ok=True)  # Chromium 92 does not make it
        self.process = subprocess.Popen(
            [*command, *BROWSER_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            env={**os.environ, "PERFETTO_PRODUCER_SOCK_NAME": service.producer_socket},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True,
        )
        self.page = devtools.Page(profile)
        ready = "document.readyState == 'complete' && typeof knownAnswer == 'function'"
        self.page.open((HERE / "page.html").as_uri(), ready)

    def group(self):
        """Processes of the browser's session that still run."""
        alive = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
                if session == str(self.process.pid) and state not in "ZX":
                    alive.append(int(stat.parent.name))
        return alive

    def stop(self, verdict):
        self.page.close()
        os.kill(second_machine.child_of(self.process.pid) if self.wrapped else self.process.pid,
                signal.SIGTERM)
        self.process.wait(20)
        with contextlib.suppress(Failure):
            wait_for("end of the browser's processes", lambda: not self.group(), 10)
        left = self.group()
        verdict.check("the browser leaves no process", not left, str(left))

    def discard(self):
        for pid in {self.process.pid, *self.group()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


def light_config(service, duration_ms):
    more = "" if service.shares_memory else REMOTE
    return CONFIG.format(duration_ms=duration_ms, more=more)


def start_record(options, service, folder, name, text):
    config = folder / f"{name}.txtpb"
    config.write_text(text)
    with open(folder / f"{name}.log", "ab") as log:
        return subprocess.Popen(
            [options.tracewire, "record", "-c", config, "--txt", "-o", folder / f"{name}.pftrace"],
            env={**os.environ, "PERFETTO_CONSUMER_SOCK_NAME": service.consumer_socket},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )


def renderer_is_traced(browser, service, label):
    """Marks appear in the memory once the renderer has started its data source; no message on the
    consumer's side says so."""
    if not browser.page.evaluate(f"warmUp('{label}')"):
        raise Failure("the page did not answer")
    look = service_state.shared_memory_holds
    if not service.shares_memory:
        look = service_state.own_memory_holds
    return look(service.process.pid, f"warm-up-{label}".encode())


def record_answer(options, verdict, service, browser, folder, name, duration_ms=None, look=NOW,
                  compression=None, beside=None):
    """Records the page's known answer; SIGINT ends the session unless a duration does. beside: what
    else is in it."""
    wait_for("browser at the service", service.has_browser)
    text = light_config(service, duration_ms or 120_000)
    if compression:
        text += f"compression_type: COMPRESSION_TYPE_{compression}\n"
    if beside:
        text += neighbour.CONFIG
    recorder = start_record(options, service, folder, name, text)
    try:
        wait_for("started session", lambda: service_state.sessions_started(service.state()) > 0)
        wait_for("traced renderer", lambda: renderer_is_traced(browser, service, name))
        verdict.check("the page gives its answer", browser.page.evaluate("knownAnswer()") == COUNT)
        if beside:
            beside.finish(verdict)
        if duration_ms is None:
            recorder.send_signal(signal.SIGINT)
        status = recorder.wait(40)
        verdict.check("record ends with status 0", status == 0, f"status {status}")
    finally:
        if recorder.poll() is None:
            recorder.kill()
            recorder.wait()
    judge(options, verdict, folder / f"{name}.pftrace", look)
    judge_coat(verdict, folder / f"{name}.pftrace", compression)


def ask(options, trace, sql):
    """The rows that the trace processor answers, without the column names."""
    done = subprocess.run(
        [options.tp, trace, sql], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        check=False, text=True,
    )
    if done.returncode != 0:
        raise Failure(f"trace processor: status {done.returncode}: {done.stderr.strip()}")
    return [line.split("|") for line in done.stdout.splitlines()[1:] if line != "--"]


def judge_events(options, verdict, trace, letter, what, duration, thread, rounding=0):
    rows = ask(options, trace, EVENTS.format(letter=letter))
    names = [row[0] for row in rows]
    wanted = [f"{letter}{n}" for n in range(COUNT)]
    verdict.check(
        f"{len(names)} of {COUNT} {what}, each once and in order", names == wanted, " ".join(names)
    )
    wrong = [row for row in rows if abs(int(row[1]) - duration) > rounding]
    verdict.check(f"every one of the {what} takes {duration} ns", rows and not wrong, str(wrong))
    strayed = [row for row in rows if row[2] != thread]
    verdict.check(f"all {what} are on {thread}", rows and not strayed, str(strayed))


def judge(options, verdict, trace, look):
    warm_ups = ask(options, trace, "select distinct name from slice where name glob 'warm-up-*'")
    verdict.check(
        "no event of another session", warm_ups == [[f"warm-up-{trace.stem}"]], str(warm_ups)
    )
    judge_events(options, verdict, trace, "m", "marks", 0, look.marks_on)
    judge_events(options, verdict, trace, "d", "slices", SLICE_NS, look.slices_on, look.rounding_ns)
    losses = ask(options, trace, LOSSES)
    verdict.check("no statistic tells of an error or lost data", not losses, str(losses))


def judge_coat(verdict, trace, compression):
    """Whether the packets are to be seen in the file; protoc then reads them."""
    if compression:
        hidden = b"warm-up-" not in trace.read_bytes()
        verdict.check(f"the packets are compressed ({compression})", hidden)
        return
    checked = subprocess.run(
        [HERE / "protoc-check", trace], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        check=False, text=True,
    )
    verdict.check("protoc reads the trace", checked.returncode == 0, checked.stderr.strip())


# The cases ---------------------------------------------------------------------------------------


def case_plain(options, verdict, folder, stack):
    """The service first, then the browser; our own producer writes into the same buffer."""
    service = start_service(options, folder, stack)
    browser = start_browser(options, service, folder, stack)
    wait_for("browser at the service", service.has_browser)
    ours = start_neighbour(options, service, stack, "--stall", "--rate", "0")
    record_answer(options, verdict, service, browser, folder, "plain", beside=ours)
    ours.judge(verdict, folder / "plain.pftrace", loses=False)
    ours.judge_all(verdict, folder / "plain.pftrace")
    browser.stop(verdict)
    service.stop(verdict)


def case_tcp(options, verdict, folder, stack):
    """Over TCP without a relay. Only the browser's process connects there, so the page is in it."""
    service = start_service(options, folder, stack, address=f"{own_address()}:{free_port()}")
    browser = start_browser(options, service, folder, stack, flags=ONE_PROCESS)
    record_answer(options, verdict, service, browser, folder, "tcp", look=IN_ONE)
    browser.stop(verdict)
    service.stop(verdict)


def case_111(options, verdict, folder, stack):
    """Chromium 111 of --browser, with trace writers of its own instead of the client library's."""
    older(options, verdict, folder, stack, CHROMIUM_111)


def case_92(options, verdict, folder, stack):
    """Chromium 92 of --browser; its renderer registers no data source, so it runs in the browser's
    process."""
    older(options, verdict, folder, stack, CHROMIUM_92, ONE_PROCESS)


def older(options, verdict, folder, stack, look, flags=()):
    """These do not all end when asked to, so nobody asks."""
    service = start_service(options, folder, stack)
    browser = start_browser(options, service, folder, stack, flags=flags)
    record_answer(options, verdict, service, browser, folder, "older", look=look)
    browser.discard()
    service.stop(verdict)


def case_late(options, verdict, folder, stack):
    """The browser first; the service opens some seconds later and the browser finds it."""
    service = Service(options, folder)
    stack.callback(service.discard)
    browser = start_browser(options, service, folder, stack)
    time.sleep(LATE_SECONDS)
    service.start()
    record_answer(options, verdict, service, browser, folder, "late", duration_ms=15_000)
    service.stop(verdict)
    browser.stop(verdict)


def case_restart(options, verdict, folder, stack):
    """The service ends and comes back while the browser lives; both times it records all."""
    service = start_service(options, folder, stack)
    browser = start_browser(options, service, folder, stack)
    record_answer(options, verdict, service, browser, folder, "before")
    service.stop(verdict)
    service.start()
    record_answer(options, verdict, service, browser, folder, "after")
    browser.stop(verdict)
    service.stop(verdict)


def case_again(options, verdict, folder, stack):
    """Two sessions one after the other; nothing of the first may turn up in the second, which is
    compressed."""
    service = start_service(options, folder, stack)
    browser = start_browser(options, service, folder, stack)
    record_answer(options, verdict, service, browser, folder, "first")
    record_answer(options, verdict, service, browser, folder, "second", compression="DEFLATE")
    browser.stop(verdict)
    service.stop(verdict)


def case_heavy(options, verdict, folder, stack):
    """All categories through little memory, and our own producer there, too: much is lost, and all
    of that is told."""
    service = start_service(options, folder, stack)
    browser = start_browser(options, service, folder, stack)
    wait_for("browser at the service", service.has_browser)
    ours = start_neighbour(options, service, stack, "--rate", "5000")  # through the storm
    wait_for("our producer there",
             lambda: neighbour.NAME in service_state.producer_names(service.state()))
    names = service_state.producer_names(service.state())
    text = heavy.config(names, HEAVY_SHM_KB, HEAVY_BUFFER_KB) + neighbour.CONFIG
    recorder = start_record(options, service, folder, "heavy", text)
    stack.callback(recorder.kill)
    wait_for("traced renderer", lambda: renderer_is_traced(browser, service, "heavy"))
    last = browser.page.evaluate(f"storm({HEAVY_MARKS})")
    ours.finish(verdict)
    recorder.send_signal(signal.SIGINT)
    status = recorder.wait(40)
    verdict.check("record ends with status 0", status == 0, f"status {status}")
    judge_losses(options, verdict, folder / "heavy.pftrace", last)
    ours.judge(verdict, folder / "heavy.pftrace", loses=True)
    browser.stop(verdict)
    service.stop(verdict)


def judge_losses(options, verdict, trace, last):
    losses = heavy.Losses(trace)
    print(f"       {len(losses.marks)} marks there, {losses.lost} lost; told: {dict(losses.told)}")
    verdict.check("the marks are of one sequence", len(losses.sequences) == 1)
    verdict.check("marks were lost", losses.lost > 0)
    verdict.check("every gap between marks is told", not losses.unexplained,
                  str(losses.unexplained))
    verdict.check("the last mark, after the storm, is there", losses.marks[-1:] == [last],
                  f"{losses.marks[-3:]} {last}")
    for row, field, bit in (
            ("traced_buf_chunks_overwritten", heavy.CHUNKS_OVERWRITTEN, heavy.OVERWRITE),
            ("traced_buf_trace_writer_packet_loss", heavy.WRITER_LOSS, heavy.WRITER_ABORT)):
        told, counted = losses.told[bit], losses.counted(field)
        rows = ask(options, trace, f"select value from stats where name = '{row}' and idx = 0")
        verdict.check(f"{row} is {counted} for the trace processor too",
                      rows == [[str(counted)]], f"{rows}")
        verdict.check(f"{told} packets tell of that", bool(told) == bool(counted) and
                      told <= counted, f"{told} {counted}")


def case_relay(options, verdict, folder, stack):
    """A second machine: a network and a time of its own, a relay there, the browser behind it."""
    machine = second_machine.Machine(stack)
    address = f"{machine.host_address}:{free_port()}"
    service = start_service(options, folder, stack, ["--relay-socket", address])
    service.producer_socket = machine.start_relay(address, folder)
    browser = start_browser(options, service, folder, stack, machine.in_its_time)
    begin = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    record_answer(options, verdict, service, browser, folder, "relay")
    end = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    judge_machine(options, verdict, folder / "relay.pftrace", begin, end)
    browser.stop(verdict)
    machine.stop_relay()
    service.producer_socket = str(folder / "producer.sock")
    service.stop(verdict)


def judge_machine(options, verdict, trace, begin, end):
    """The marks are another machine's, and when they were set by the clock of this one."""
    machines = ask(options, trace, "select raw_id from machine where raw_id is not null "
                   "and raw_id != 0")
    verdict.check("the trace has one other machine", len(machines) == 1, str(machines))
    (first, last), = ask(options, trace, "select min(ts), max(ts) from slice where name glob "
                         "'m[0-9]*'")
    verdict.check("its events are in the time of this machine",
                  begin <= int(first) <= int(last) <= end, f"{begin} {first} {last} {end}")


CASES = {"plain": case_plain, "late": case_late, "restart": case_restart, "again": case_again,
         "relay": case_relay, "tcp": case_tcp, "heavy": case_heavy,
         "chromium111": case_111, "chromium92": case_92}


def own_address():
    """Nobody else's: on 127.0.0.1 a port that was free may be taken before it is listened to."""
    pid = os.getpid()
    return f"127.{1 + pid // 65536 % 128}.{pid // 256 % 256}.{pid % 256}"


def free_port():
    """One that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_service(options, folder, stack, more=(), address=None):
    service = Service(options, folder, more, address)
    stack.callback(service.discard)
    service.start()
    return service


def start_browser(options, service, folder, stack, wrapper=(), flags=()):
    browser = Browser([*wrapper, options.browser, *flags], service, folder, bool(wrapper))
    stack.callback(browser.discard)
    return browser


def start_neighbour(options, service, stack, *flags):
    ours = neighbour.Neighbour(options, service, *flags)
    stack.callback(ours.discard)
    return ours


def keep_evidence(folder, keep):
    """What a failed case leaves for a person to look at, and the ends of its logs at once."""
    for log in sorted(folder.glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-25:]
        print(f"--- {log.name}", *lines, sep="\n")
    shutil.rmtree(keep, ignore_errors=True)
    keep.mkdir(parents=True)
    for file in [*folder.glob("*.log"), *folder.glob("*.pftrace"), *folder.glob("*.txtpb")]:
        shutil.copy(file, keep)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name}: {case.__doc__}" for name, case in CASES.items()),
    )
    parser.add_argument("--tracewire", required=True, help="the command under test")
    parser.add_argument("--tp", required=True, help="tw_tp, the door to the trace processor")
    parser.add_argument("--keep", required=True, type=pathlib.Path, help="for failures' evidence")
    parser.add_argument("--browser", default=BROWSER, help="another generation of Chromium")
    parser.add_argument("case", choices=CASES)
    options = parser.parse_args()

    verdict = Verdict()
    # Not below the build folder: the path of a Unix socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="tw-interop-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        try:
            with contextlib.ExitStack() as stack:
                CASES[options.case](options, verdict, folder, stack)
        except (Failure, devtools.DevToolsError, service_state.ServiceError, OSError,
                second_machine.Unavailable,
                subprocess.SubprocessError) as e:
            verdict.check(f"case {options.case} runs to its end", False, f"{e!r}")
        if verdict.failed:
            keep_evidence(folder, options.keep)
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    sys.exit(main())
