# SPDX-License-Identifier: Apache-2.0
"""What scripts for fuzz_service_script.c are made of: operations (fuzz/script.h), and the steps
that most of them take."""

from vectors import consumer_port, producer_port, relay_port
from vectors.encode import b, f64, u, varint

(OPEN, BIND, CALL, FOREIGN, UP, DOWN, SETTLE, CLOSE, TIME, FAULT, MEMORY, FAR, SERVICE) = range(13)
CONSUMER, OTHER_USER, REMOTE, RELAY = 1, 2, 4, 8
DROP, WITH_FD = 1, 2
NULL, FILE, PIPE, SOCKET, READ_ONLY, DATAGRAMS, UNSEALED, OWN_MEMORY = range(8)
SMALL, NOWHERE, BARE = 1, 2, 4
ROOT = CONSUMER | RELAY  # a consumer of the superuser
PLAIN = REMOTE | OTHER_USER  # a producer on a plain TCP socket
PAGE = 4096
START_TRACING, STOP_TRACING, CLONE_SNAPSHOT = 1, 2, 4
HALF = 0x3FE0000000000000  # 0.5 as a double

METHOD = {name: 1 + i for port in (producer_port, consumer_port, relay_port)
          for i, name in enumerate(port.METHODS)}


def op(what, arg=0, body=b""):
    return bytes([what, arg]) + len(body).to_bytes(2, "little") + body


def settle():
    return op(SETTLE)


def call(peer, method, args=b"", how=0, kind=None):
    how |= 0 if kind is None else WITH_FD | kind << 2
    return op(CALL, peer, bytes([METHOD[method], how]) + args)


def ask(*args, **more):
    return call(*args, **more) + settle()


def wait(ms=0, s=0, asleep_s=0):
    s, ms = s + ms // 1000, ms % 1000
    return op(TIME, ms // 100, s.to_bytes(2, "little") + bytes([asleep_s])) + settle()


def connect(peer, how=0):
    return op(OPEN, peer | how << 4) + op(BIND, peer) + settle()


def consumer(peer=0, how=0):
    return connect(peer, how | CONSUMER)


def descriptor(name=b"ds", more=b""):
    return b(1, b(1, name) + more)


NOTIFIES = u(2, 1) + u(3, 1) + u(4, 1)


def producer(peer=1, name=b"com.p", how=0, source=b"ds", more=b"", hello=b"", kind=None):
    return (connect(peer, how) + call(peer, "InitializeConnection", u(2, 65536) + b(3, name) + u(4,
        1) + hello, kind=kind) + call(peer, "GetAsyncCommand") + ask(peer, "RegisterDataSource",
        descriptor(source, more)))


def buffer(kb=64, more=b""):
    return b(1, u(1, kb) + more)


def source(name=b"ds", more=b"", filters=b""):
    return b(2, b(1, b(1, name) + more) + filters)


CONFIG = buffer() + source()


def enable(peer=0, config=CONFIG, how=0, kind=None):
    return ask(peer, "EnableTracing", b(1, config), how, kind)


def packet(text):
    """for_testing.str"""
    return b(900, b(1, text))


def chunk(chunk_id, texts, writer=1, flags=0):
    header = chunk_id.to_bytes(4, "little") + writer.to_bytes(2, "little")
    packets = b"".join(varint(len(p), 4) + p for p in map(packet, texts))
    return header + (len(texts) | flags << 10).to_bytes(2, "little") + packets


def page(peer, at, data, state=3):
    """A page that is one chunk."""
    bitmap = 1 << 28 | state
    return op(MEMORY, peer, (at * PAGE // 4).to_bytes(2, "little") + bitmap.to_bytes(4, "little") +
              bytes(4) + data)


def move(at, target=1, data=None, more=b""):
    return b(1, u(1, at) + u(2, 0) + u(3, target) + (b"" if data is None else b(4, data)) + more)


def emit(peer=1, target=1, first=0, n=1, writer=1, size=20):
    """So many chunks through page 0: what is in them stays there from the first one on."""
    out = b""
    for i in range(first, first + n):
        data = chunk(i, [b"a" * size], writer)
        out += page(peer, 0, data if i == first else data[:8])
        out += ask(peer, "CommitData", move(0, target))
    return out


def emit_inline(peer=1, target=1, first=0, n=1, flags=0, more=b""):
    return b"".join(call(peer, "CommitData", move(5000 + i, target, chunk(i, [b"inline"], 1, flags),
        more)) for i in range(first, first + n)) + settle()


def acknowledge(peer=1, flush=1, how=0):
    return ask(peer, "CommitData", u(3, flush), how)


def read(peer=0):
    return ask(peer, "ReadBuffers")


def stop(peer=0, producer=1, instance=1):
    return ask(peer, "DisableTracing") + ask(producer, "NotifyDataSourceStopped", u(1, instance))


def bye(peer=0):
    return ask(peer, "FreeBuffers")


BASIC = consumer() + producer()


def trigger(name=b"t", more=b""):
    return b(2, b(1, name) + more)


def triggers(mode, *list_, timeout=60000, more=b""):
    return b(17, u(1, mode) + b"".join(list_) + u(3, timeout) + more)


def fire(*names, peer=1):
    return ask(peer, "ActivateTriggers", b"".join(b(1, n) for n in names))
