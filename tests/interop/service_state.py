# SPDX-License-Identifier: Apache-2.0
"""A second opinion on the service: a consumer in a few lines that shares no code with ours. It asks
for the service's state, and it looks into the shared memory that producers write."""

import os
import socket
import struct

QUERY_SERVICE_STATE = 12
FRAME_MAX = 128 * 1024


class ServiceError(Exception):
    pass


def query(consumer_socket, timeout=10):
    """The decoded TracingServiceState, as {field number: [values]}; see names below."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        s.connect(consumer_socket)
        send(s, field(2, 1) + field(3, field(1, b"ConsumerPort")))
        bound = one(receive(s), 4)
        if not bound or not one(bound, 1):
            raise ServiceError("the service did not bind ConsumerPort")
        service = one(bound, 2) or 0
        call = field(1, service) + field(2, QUERY_SERVICE_STATE) + field(3, b"")
        send(s, field(2, 2) + field(5, call))
        state = b""
        more = True
        while more:
            reply = one(receive(s), 6)
            if not reply or not one(reply, 1):
                raise ServiceError("the service refused QueryServiceState")
            # Parts of a streamed reply concatenate to one message, as protobuf merges them.
            for part in decode(one(reply, 3) or b"").get(1, []):
                state += part
            more = bool(one(reply, 2))
    return decode(state)


def producer_names(state):
    return [_text(p, 2) for p in state.get(1, [])]


def data_source_names(state):
    return [_text(one(source, 1) or b"", 1) for source in state.get(2, [])]


def sessions_started(state):
    return (state.get(4) or [0])[-1]


def own_memory_holds(pid, needle):
    """Whether the process has these bytes in memory of its own, as trace buffers are."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            place, rights, _, _, inode, *name = line.split()
            if not rights.startswith("rw") or inode != "0" or "[stack]" in name:
                continue
            begin, end = (int(a, 16) for a in place.split("-"))
            memory.seek(begin)
            if needle in memory.read(end - begin):
                return True
    return False


def shared_memory_holds(pid, needle):
    """True when a memfd that the process has open holds the bytes needle."""
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        try:
            if not os.readlink(path).startswith("/memfd:"):
                continue
            with open(path, "rb") as memory:
                if needle in memory.read():
                    return True
        except FileNotFoundError:
            continue  # closed since the listing
    return False


def decode(message):
    """{field number: [values]} of a protobuf message: varints as int, the rest as bytes."""
    fields = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            if kind == 2:
                n, at = _varint(message, at)
            elif kind in (1, 5):
                n = 8 if kind == 1 else 4
            else:
                raise ServiceError(f"wire type {kind} in a reply")
            if n > len(message) - at:
                raise ServiceError("a reply is cut short")
            value, at = message[at : at + n], at + n
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(message, at):
    value = shift = 0
    while at < len(message) and shift < 70:
        value |= (message[at] & 0x7F) << shift
        at += 1
        if not message[at - 1] & 0x80:
            return value, at
        shift += 7
    raise ServiceError("a bad varint in a reply")


def _encode_varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return _encode_varint(number << 3) + _encode_varint(value)
    return _encode_varint(number << 3 | 2) + _encode_varint(len(value)) + value


def one(message, number):
    return (decode(message).get(number) or [None])[-1]


def _text(message, number):
    return (one(message, number) or b"").decode(errors="replace")


def send(s, frame):
    s.sendall(struct.pack("<I", len(frame)) + frame)


def _take(s, n):
    taken = b""
    while len(taken) < n:
        more = s.recv(n - len(taken))
        if not more:
            raise ServiceError("the service closed the connection")
        taken += more
    return taken


def receive(s):
    (n,) = struct.unpack("<I", _take(s, 4))
    if n > FRAME_MAX:
        raise ServiceError(f"a frame of {n} bytes")
    return _take(s, n)
