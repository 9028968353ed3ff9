# SPDX-License-Identifier: Apache-2.0
"""A second machine for a test: a network namespace with a wire to this one, and clocks that are
AHEAD seconds ahead of ours. It needs root; without, the test fails and says so."""

import os
import pathlib
import subprocess

AHEAD = 5000
HERE = pathlib.Path(__file__).resolve().parent


class Unavailable(Exception):
    """This environment gives no second machine."""


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")


def child_of(pid):
    """The one child of a process."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


class Machine:
    # A wrapper, and what it wraps is its child: the clocks of a process never change.
    in_its_time = ["unshare", "--time", "--boottime", str(AHEAD), "--monotonic", str(AHEAD),
                   "--fork", "--kill-child"]

    def __init__(self, stack):
        number = os.getpid() % 250
        self.name = f"tw-{os.getpid()}"
        self.host_address = f"10.213.{number}.1"
        here, there = f"twh{os.getpid()}", f"twn{os.getpid()}"
        self.relay = None
        run("ip", "netns", "add", self.name)
        stack.callback(run, "ip", "netns", "del", self.name)
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
        stack.callback(subprocess.run, ["ip", "link", "del", here], stderr=subprocess.DEVNULL,
                       check=False)
        run("ip", "addr", "add", f"{self.host_address}/30", "dev", here)
        run("ip", "link", "set", here, "up")
        run("ip", "-n", self.name, "addr", "add", f"10.213.{number}.2/30", "dev", there)
        run("ip", "-n", self.name, "link", "set", there, "up")
        stack.callback(self.stop_relay)

    def start_relay(self, service, folder):
        """The path where producers of the machine find it."""
        path = str(folder / "relay.sock")
        with open(folder / "relay.log", "ab") as log:
            self.relay = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *self.in_its_time, HERE / "relay.py",
                 "--listen", path, "--service", service, "--hint", "second machine"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        if self.relay.stdout.readline() != "relaying\n":
            raise Unavailable("the relay did not start")
        return path

    def stop_relay(self):
        if self.relay and self.relay.poll() is None:
            self.relay.kill()
            self.relay.wait()
            self.relay.stdout.close()
