#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/requirements on small trees: it passes a sound one and names every kind of fault.
test_requirements.py SCRIPT"""

import json
import pathlib
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(sys.argv[1]).resolve()


def rule(number):
    return "TW-" + f"TOY-{number:03}"  # in two parts: the real tree has no such rule


def mark(number):
    return f'REQ("{rule(number)}");\n'


REGISTERED = {1: "MUST\tstrict", 2: "SHOULD\t-", 5: "MUST\t-", 6: "MUST\t-",
              3: "SHOULD\tstrict", 4: "SHOULD\tstrict"}


def sound_tree():
    """Rules kept and shown in every way that counts."""
    return {
        "spec/toy.md": f"# Toys\n\n**{rule(1)}** (both, MUST *strict*) A toy\nis round.\n\n"
                       f"**{rule(2)}** (host, SHOULD) It is red.\n\n"
                       f"**{rule(5)}** (user, MUST) It is loved. *untestable:* nobody can tell.\n\n"
                       f"**{rule(6)}** (client, MUST) It bounces.\n",
        "spec/limits.md": f"| id | limit |\n|---|---|\n| {rule(3)} | 3 toys |\n| {rule(4)} | 4 |\n",
        "spec/session/toy.tsv": f"# a cell\tof\t{rule(1)}\nidle\tthrow\t{rule(6)}\n",
        "spec/vectors/toy.json": f'[{{"id": "toy-1", "requirement": "{rule(4)}"}}]\n',
        "spec/model/toy.pml": f"/* {rule(6)} */\n",
        "spec/register.tsv": "".join(f"{rule(n)}\t{level}\tactive\n"
                                     for n, level in REGISTERED.items()),
        "src/toy/toy.c": mark(1) + f'const char *why = "{rule(3)}: too many";\n' + mark(4),
        "src/conform/toy.c": mark(6),
        "tests/toy/test_toy.c": f'{{"{rule(1)}", 1}},\n',
        "tests/tool/cli.py": f'# REQ("{rule(3)}")\n',
        "fuzz/fuzz_toy.c": mark(1),
    }


def git(root, *args):
    subprocess.run(["git", "-c", "user.name=toy", "-c", "user.email=toy@localhost", *args],
                   cwd=root, check=True, capture_output=True)


def run(root, *args):
    return subprocess.run([SCRIPT, "--root", root, *args], capture_output=True, text=True)


def write(root, files):
    for name, text in files.items():
        file = pathlib.Path(root, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def edited(name, old, new):
    def edit(files):
        assert old in files[name], (name, old)
        files[name] = files[name].replace(old, new, 1)
    return edit


def added(name, text):
    def edit(files):
        files[name] = files.get(name, "") + text
    return edit


def both(one, other):
    def edit(files):
        one(files)
        other(files)
    return edit


RED = f"**{rule(2)}** (host, SHOULD) It is red.\n"
RED_ROW = f"{rule(2)}\tSHOULD\t-\tactive\n"
FAULTS = {  # what is done to the sound tree, and what has to be said about it
    "a MUST without code": (edited("src/toy/toy.c", mark(1), ""), f"{rule(1)} has no code"),
    "a mark in a comment": (edited("src/toy/toy.c", mark(1), f"/* {mark(1)} */"),
                            f"{rule(1)} has no code"),
    "a session table's comment": (edited("spec/session/toy.tsv", f"\t{rule(6)}", ""),
                                  f"{rule(6)} has no code"),
    "a MUST without test": (edited("tests/toy/test_toy.c", rule(1), "none"),
                            f"{rule(1)} has no test"),
    "a strict SHOULD without code": (edited("spec/toy.md", "SHOULD) It", "SHOULD *strict*) It"),
                                    f"{rule(2)} has no code and no test"),
    "a limit without test": (edited("tests/tool/cli.py", rule(3), "none"),
                             f"{rule(3)} has no test"),
    "a limit without vector": (edited("spec/vectors/toy.json", rule(4), "none"),
                               f"{rule(4)} has no test"),
    "no conformance case": (edited("src/conform/toy.c", mark(6), ""), f"{rule(6)} has no test"),
    "untestable, but tested": (both(added("src/toy/toy.c", mark(5)),
                                    added("tests/toy/test_toy.c", mark(5))),
                               f"{rule(5)} is called untestable"),
    "unknown in a mark": (added("fuzz/fuzz_toy.c", mark(9)), f"no chapter has {rule(9)}"),
    "unknown in a comment": (added("include/toy.h", f"/* see {rule(9)} */"),
                             f"include/toy.h:1: no chapter has {rule(9)}"),
    "unknown in a vector": (added("spec/vectors/toy.json", rule(9)), f"no chapter has {rule(9)}"),
    "a mistyped mark": (added("src/toy/toy.c", mark(3).replace("00", "")),
                        "src/toy/toy.c:4: no chapter has TW-TOY-3"),
    "defined twice": (added("spec/toy.md", f"\n**{rule(1)}** (both, MAY) Be square.\n"),
                      f"{rule(1)} is defined twice"),
    "a rule without level": (added("spec/toy.md", f"\n**{rule(7)}** (both) Be square.\n"),
                             "spec/toy.md:12: a rule is a paragraph"),
    "a rule inside a paragraph": (edited("spec/toy.md", "is round.", f"is **{rule(7)}** (x, MAY) y"),
                                  "a rule is a paragraph"),
    "disappeared": (edited("spec/toy.md", RED, ""), f"{rule(2)} has disappeared"),
    "gone from the register too": (both(edited("spec/toy.md", RED, ""),
                                        edited("spec/register.tsv", RED_ROW, "")),
                                   f"lost its line of {rule(2)}"),
    "not registered": (added("spec/toy.md", f"\n**{rule(7)}** (both, MAY) Be square.\n"),
                       f"{rule(7)} is not in"),
    "withdrawn, yet there": (edited("spec/register.tsv", RED_ROW, RED_ROW.replace("active", "withdrawn")),
                             f"{rule(2)} was withdrawn"),
    "registered twice": (added("spec/register.tsv", RED_ROW),
                         f"{rule(2)} is there twice"),
    "a torn register": (added("spec/register.tsv", f"{rule(7)}\tOUGHT\t-\tactive\n"), "want an id"),
    "a lowered level": (edited("spec/toy.md", "(client, MUST)", "(client, MAY)"),
                        f"{rule(6)} is MAY - here, and MUST - in"),
    "no longer strict": (edited("spec/toy.md", " *strict*", ""),
                         f"{rule(1)} is MUST - here, and MUST strict in"),
    "another level in the register": (edited("spec/register.tsv", "SHOULD\t-", "MAY\t-"),
                                      f"{rule(2)} is SHOULD - here, and MAY - in"),
    "no rules": (lambda files: files.clear(), "no rule found"),
}


def check_fault(root, edit, said):
    """The sound tree stays in git's history; the faulty one is the work tree."""
    files = sound_tree()
    write(root, files)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "sound")
    for name in files:
        (root / name).unlink()
    edit(files)
    write(root, files)
    done = run(root, "--check")
    return done.returncode == 1 and said in done.stdout, done.stdout + done.stderr


def check_sound(root):
    write(root, sound_tree())
    done = run(root, "--check")
    return done.returncode == 0 and "6 rules, 0 problems" in done.stdout, done.stdout + done.stderr


def check_prints(root):
    """The table, the places of one rule, JSON, and the register that is made of nothing."""
    write(root, sound_tree())
    row = next(r for r in run(root).stdout.splitlines() if r.startswith(rule(1))).split()
    places = run(root, "--rule", rule(1)).stdout
    (root / "spec/register.tsv").unlink()
    new = run(root, "--register").stdout
    return all((
        row == [rule(1), "MUST", "1", "1", "-", "-", "1", "-"],
        max(map(len, run(root).stdout.splitlines())) <= 80,
        "code    src/toy/toy.c:1" in places and "fuzz    fuzz/fuzz_toy.c:1" in places,
        json.loads(run(root, "--json").stdout)[0]["unit"] == ["tests/toy/test_toy.c:1"],
        "6 rules registered" in new and run(root, "--check").returncode == 0,
        run(root, "--rule", rule(9)).returncode == 2,
    )), f"{row}\n{places}\n{new}"


def main():
    checks = {"a sound tree": check_sound, "what it prints": check_prints}
    for name, fault in FAULTS.items():
        checks[name] = lambda root, fault=fault: check_fault(root, *fault)
    failed = 0
    for name, check in checks.items():
        with tempfile.TemporaryDirectory() as scratch:
            ok, output = check(pathlib.Path(scratch))
        print(f"{'ok    ' if ok else 'FAILED'} {name}" + ("" if ok else f"\n{output}"))
        failed += not ok
    return 1 if failed else 0


sys.exit(main())
