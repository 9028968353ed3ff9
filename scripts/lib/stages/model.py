# SPDX-License-Identifier: Apache-2.0
"""spec/model: SPIN looks for a run of two clients and a host that breaks a rule of the session."""

import pathlib
import re
import shutil
import tempfile
import time

from test_lib import ROOT, parallel, report, run, stage

MODEL = ROOT / "spec/model/session.pml"
SMALL = {"IDS": 3, "IDS_1": 2, "ROOM": 2, "MORE": 1}
LARGE = {"IDS": 3, "IDS_1": 3, "ROOM": 2, "MORE": 1}

# Rows of the tables, and with what they let somebody break a rule: SPIN has to see each of them.
SPOILT = [
    ("host", "bound end -", "ignore bound", "the host goes on after the end"),
    ("host", "bound answer unwanted", "send_last bound", "a request is answered twice"),
    ("host", "bound answer last", "send_more bound", "the last reply does not end a request"),
    ("host", "bound answer more_unary", "send_more bound", "a unary call is answered in parts"),
    ("host", "bound invoke known", "ignore bound", "a call is never answered"),
    ("client", "binding call *", "send_call binding", "a call goes out before the bind reply"),
    ("client", "bound end -", "ignore bound", "outstanding requests are not refused"),
    ("client", "bound invoke_reply last", "report_more bound", "a request never ends"),
    ("client", "bound invoke_reply dropped", "close closed", "a refusal that is due ends it all"),
    ("client", "bound invoke_reply dropped", "report_reply bound", "an unwanted reply is told"),
    ("client", "closed * *", "report_reply closed", "something is reported after the end"),
]


def spoil(text, row, cell):
    """The table with another action and next state in that row."""
    found = re.compile("^" + re.escape("\t".join(row.split())) + "\t[^\t]+\t[^\t]+\t", re.M)
    spoilt, n = found.subn("\t".join([*row.split(), *cell.split(), ""]), text)
    if n != 1:
        raise ValueError(f"no row '{row}'")
    return spoilt


def write_tables(folder, side=None, row=None, cell=None):
    tables = ""
    spare = 100
    for name in ("host", "client"):
        text = (ROOT / f"spec/session/{name}.tsv").read_text()
        tsv = folder / f"{name}.tsv"
        tsv.write_text(spoil(text, row, cell) if name == side else text)
        status, output = run(["awk", "-v", f"side={name}", "-v", "form=promela", "-f",
                              ROOT / "cmake/session_table.awk", tsv])
        if status:
            raise ValueError(output)
        tables += output
        for action in sorted({r.split("\t")[3] for r in text.splitlines() if r[0] != "#"}):
            if f"#define {name}_do_{action} " not in output:  # the spoilt row was its only one
                tables += f"#define {name}_do_{action} {spare}\n"
                spare += 1
    (folder / "tables.pml").write_text(tables)


def explore(folder, bounds, level):
    """Returns (errors, what SPIN said); errors is None when it did not get to the end."""
    shutil.copy(MODEL, folder)
    steps = [
        ["spin", "-a", *[f"-D{k}={v}" for k, v in bounds.items()], MODEL.name],
        ["gcc", level, "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=4000", "-o", "pan", "pan.c"],
        ["./pan", "-m1000000", "-n"],
    ]
    for step in steps:
        status, output = run(step, 1200, cwd=folder)
        if status:
            return None, output
    errors = re.search(r"errors: (\d+)", output)
    done = errors and "max search depth too small" not in output
    return int(errors[1]) if done or errors and int(errors[1]) else None, output


def figures(output):
    states = re.search(r"(\d+) states, stored", output)
    depth = re.search(r"depth reached (\d+)", output)
    return f"{int(states[1]):,} states, depth {depth[1]}" if states and depth else "no figures"


def check(bounds, title, wants_error=False, spoilt=(None, None, None)):
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        write_tables(folder, *spoilt)
        errors, output = explore(folder, bounds, "-O0" if wants_error else "-O1")
    ok = errors is not None and (errors > 0) == wants_error
    report.check(f"{title} ({figures(output)})", ok, output, time.monotonic() - start)


@stage(50, "model", "the state tables under SPIN, and tables that were spoilt")
def stage_model():
    parallel(lambda arguments: check(SMALL, *arguments),
             [("no rule is broken",),
              *((f"seen: {why}", True, spoilt) for *spoilt, why in SPOILT)])


@stage(151, "model-large", "the state tables under SPIN, with more requests", long=True,
       one_core=True)
def stage_model_large():
    check(LARGE, "no rule is broken")
