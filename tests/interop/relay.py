#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""relay.py --listen PATH --service HOST:PORT [--hint HINT] [--name NAME]: a relay, written for the
tests from spec/relay.md, because no package has upstream's.

It speaks for a second machine: every producer that connects to PATH gets a connection of its own to
the service, with SetPeerIdentity in front, and one more connection tells of the machine and its
clocks. It says "relaying" when that is done, and ends when the service closes that connection."""

import argparse
import os
import selectors
import socket
import struct
import sys
import time

import service_state as wire

BOOT_ID = "/proc/sys/kernel/random/boot_id"
CLOCKS = {6: time.CLOCK_BOOTTIME, 1: time.CLOCK_REALTIME, 3: time.CLOCK_MONOTONIC,
          5: time.CLOCK_MONOTONIC_RAW}  # by BuiltinClock
PING, UPDATE = 1, 2
CHUNK = 64 * 1024


def identity(options, pid, uid):
    said = (wire.field(1, pid) + wire.field(2, uid) + wire.field(3, options.hint.encode())
            + wire.field(4, options.name.encode()))
    return wire.field(2, 0) + wire.field(8, said)


def dial(options):
    host, _, port = options.service.rpartition(":")
    s = socket.create_connection((host, int(port)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Port:
    """The connection for the machine itself."""

    def __init__(self, options):
        self.socket = dial(options)
        self.last_id = 1
        wire.send(self.socket, identity(options, os.getpid(), os.geteuid()))
        wire.send(self.socket, wire.field(2, 1) + wire.field(3, wire.field(1, b"RelayPort")))
        reply = wire.one(wire.receive(self.socket), 4)
        if not wire.one(reply, 1):
            sys.exit("relay: the service offers no RelayPort here")
        self.service_id = wire.one(reply, 2)
        methods = [wire.decode(m) for m in wire.decode(reply)[3]]
        self.methods = {m[2][-1].decode(): m[1][-1] for m in methods}

    def call(self, method, request):
        self.last_id += 1
        invoke = (wire.field(1, self.service_id) + wire.field(2, self.methods[method])
                  + wire.field(3, request))
        wire.send(self.socket, wire.field(2, self.last_id) + wire.field(5, invoke))
        if not wire.one(wire.one(wire.receive(self.socket), 6), 1):
            sys.exit(f"relay: {method} was refused")


def system_info(options):
    uts = os.uname()
    name = b"".join(wire.field(n, text.encode()) for n, text in
                    ((1, uts.sysname), (2, uts.version), (3, uts.release), (4, uts.machine)))
    return wire.field(1, name) + wire.field(4, b"relay.py") + wire.field(17, options.name.encode())


def clocks(phase):
    read = b"".join(wire.field(2, wire.field(1, number) + wire.field(2, time.clock_gettime_ns(c)))
                    for number, c in CLOCKS.items())
    return wire.field(1, phase) + read


def accept(options, listener, selector):
    """Joins a producer with a connection to the service."""
    producer, _ = listener.accept()
    peer = producer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    pid, uid, _ = struct.unpack("iII", peer)
    service = dial(options)
    wire.send(service, identity(options, pid, uid))
    selector.register(producer, selectors.EVENT_READ, service)
    selector.register(service, selectors.EVENT_READ, producer)


def pump(key, selector):
    """One direction; the end of either is the end of both."""
    try:
        data = key.fileobj.recv(CHUNK)
        key.data.sendall(data)
    except OSError:
        data = b""
    if not data:
        for s in (key.fileobj, key.data):
            selector.unregister(s)
            s.close()
        return False
    return True


def run(options):
    selector = selectors.DefaultSelector()
    listener = socket.socket(socket.AF_UNIX)
    port = Port(options)
    port.call("InitRelay", wire.field(1, system_info(options)))
    port.call("SyncClock", clocks(PING))
    port.call("SyncClock", clocks(UPDATE))
    listener.bind(options.listen)
    listener.listen()
    selector.register(listener, selectors.EVENT_READ, None)
    selector.register(port.socket, selectors.EVENT_READ, None)
    print("relaying", flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is port.socket:
                return
            if key.fileobj is listener:
                accept(options, listener, selector)
            elif not pump(key, selector):
                break  # what else was ready may be gone


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--hint")
    parser.add_argument("--name", default="second")
    options = parser.parse_args()
    if options.hint is None:
        with open(BOOT_ID) as file:
            options.hint = file.read().strip()
    run(options)


if __name__ == "__main__":
    main()
