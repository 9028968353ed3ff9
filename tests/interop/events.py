#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What upstream's trace processor makes of our track events: tw_write_events writes every kind
through our service, and the slices, counters, flows, tracks, arguments and threads that are found
must be those, exactly."""

import argparse
import pathlib
import signal
import subprocess
import sys
import tempfile

CONFIG = """
buffers { size_kb: 1024 }
data_sources { config {
  name: "track_event"
  track_event_config { disabled_categories: "secret" %s }
} }
"""
# Timestamps as deltas, in units of their own, and as they are.
CLOCKS = ["", "timestamp_unit_multiplier: 1000", "disable_incremental_timestamps: true"]
SECONDS = 30

# What is asked, and the rows that must come; {pid}, {worker} and {then} are the writer's.
ROWS = {
    "select s.name, category from slice s join thread_track t on s.track_id = t.id"
    " join thread using (utid) where thread.name = 'tw-main' and s.name != 'arguments'"
    " order by s.ts, s.id": [
        "outer|net", "inner|net", "moment|net,disk", "scope|net", "made here|net",
        "late|found out", "asks|net", "gives|net"],
    "select s.name, tid from slice s join thread_track t on s.track_id = t.id"
    " join thread using (utid) where thread.name = 'tw-worker' order by s.ts, s.id": [
        "answers|{worker}", "takes|{worker}"],
    "select count(*) from slice": ["17"],  # all that are named here
    "select count(*) from slice where dur < 0": ["0"],
    "select count(*), sum(tid in (7, {pid}, {worker})) from thread_track"
    " join thread using (utid)": ["3|3"],
    "select s.name, t.name, p.name, s.ts - {then}, s.dur from slice s join track t"
    " on s.track_id = t.id left join track p on t.parent_id = p.id"
    " where s.name in ('whole', 'piece', 'other') order by s.ts": [
        "whole|request|[NULL]|1000|4000", "piece|part|request|2000|1500",
        "other|request|[NULL]|2500|3000"],
    "select count(distinct track_id) from slice where name in ('whole', 'other')": ["2"],
    "select s.name, s.ts - {then}, pid from slice s join process_track t on s.track_id = t.id"
    " join process using (upid) where s.name = 'of all'": ["of all|6000|{pid}"],
    "select s.name, s.ts - {then}, tid, thread.name from slice s join thread_track t"
    " on s.track_id = t.id join thread using (utid) where s.name = 'of another'": [
        "of another|7000|7|absent"],
    "select t.name, c.value, t.unit from counter c join counter_track t on c.track_id = t.id"
    " order by t.name, c.ts": [
        "plain|1|[NULL]", "plain|-2|[NULL]", "power|1.5|V", "real|0.125|[NULL]",
        "sent|4096|bytes"],
    "select t.name, c.ts - {then} from counter c join counter_track t on c.track_id = t.id"
    " where t.name in ('sent', 'power') order by 1": ["power|9000", "sent|8000"],
    "select o.name, i.name from flow join slice o on slice_out = o.id join slice i"
    " on slice_in = i.id order by 1": ["asks|answers", "gives|takes"],
    "select a.key, a.display_value, count(*) from slice s join args a using (arg_set_id)"
    " where s.name = 'arguments' group by 1, 2 order by 1": [
        "debug.bool|false|2", "debug.dict.list[0]|1|2", "debug.dict.list[1]|two|2",
        "debug.dict.yes|true|2", "debug.double|-0.375|2", "debug.int|-9223372036854775808|2",
        "debug.pointer|0xabc|2", "debug.str|a text|2", "debug.uint|9223372036854775807|2"],
    "select pid, name from process where name = 'tw_write_events'": ["{pid}|tw_write_events"],
    "select name, is_main_thread from thread where name like 'tw-%' order by 1": [
        "tw-main|1", "tw-worker|0"],
    "select name, value from stats where value > 0 and severity in ('error', 'data_loss')": [],
}
# In a coarse unit what comes within a tick is at one moment, where readers nest instants, too.
DEPTHS = {
    "select s.name, depth from slice s join thread_track t on s.track_id = t.id"
    " join thread using (utid) where thread.name = 'tw-main' and s.name != 'arguments'"
    " order by s.ts, s.id": [
        "outer|0", "inner|1", "moment|2", "scope|1", "made here|2", "late|1", "asks|0", "gives|0"],
}


def ask(tp, trace, queries):
    """The rows of each query, without the line of names."""
    done = subprocess.run([tp, trace, *queries], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"events: the trace processor says:\n{done.stdout}{done.stderr}")
    return [rows.splitlines()[1:] for rows in done.stdout.split("--\n")[:-1]]


def compare(tp, trace, names, rows):
    queries = {query.format(**names): [row.format(**names) for row in found]
               for query, found in rows.items()}
    good = True
    for (query, wanted), found in zip(queries.items(), ask(tp, trace, queries), strict=True):
        if wanted != found:
            good = False
            print(f"{query}\n  wanted {wanted}\n  found  {found}")
    return good


def write(options, folder, clock):
    """A trace of what the writer wrote, and who it was."""
    consumer, producer, trace = folder / "consumer", folder / "producer", folder / "trace"
    config = folder / "config"
    config.write_text(CONFIG % clock, encoding="utf-8")
    with subprocess.Popen([options.tracewire, "serve", "--producer-socket", producer,
                           "--consumer-socket", consumer], stderr=subprocess.PIPE,
                          text=True) as service:
        service.stderr.readline()  # it is ready
        with subprocess.Popen([options.tracewire, "record", "--consumer-socket", consumer, "--txt",
                               "-c", config, "-o", trace], stderr=subprocess.DEVNULL) as record:
            try:
                said = subprocess.run([options.writer, producer], check=True, text=True,
                                      stdout=subprocess.PIPE, timeout=SECONDS).stdout.split()
            finally:
                record.send_signal(signal.SIGINT)
                record.wait(SECONDS)
        service.terminate()
    return trace, dict(zip(("pid", "worker", "then"), said, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--tracewire", "--tp", "--writer"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    good = True
    for clock in CLOCKS:
        with tempfile.TemporaryDirectory() as name:
            trace, names = write(options, pathlib.Path(name), clock)
            rows = ROWS if "unit" in clock else {**ROWS, **DEPTHS}
            good = compare(options.tp, trace, names, rows) and good
    sys.exit(0 if good else "events: the trace is not what was written")


main()
