# SPDX-License-Identifier: Apache-2.0
"""The words in which vectors are described: an encoder of the protobuf wire format that can also
write what no encoder should, and the frames of the protocol as values."""

VARINT, FIXED64, LEN, GROUP_START, GROUP_END, FIXED32 = range(6)

PAYLOAD_MAX = 131068


def varint(value, size=1):
    """A varint of at least size bytes: a larger size pads it."""
    out = bytearray()
    value &= (1 << 64) - 1
    while value >= 0x80 or len(out) + 1 < size:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number, wire_type, size=1):
    return varint(number << 3 | wire_type, size)


def u(number, value, size=1):
    """A varint field; negative values as in two's complement of 64 bits."""
    return tag(number, VARINT) + varint(value, size)


def b(number, data=b"", size=1):
    """A field of bytes, a string or a message; size is that of its length."""
    return tag(number, LEN) + varint(len(data), size) + data


def f32(number, value):
    return tag(number, FIXED32) + value.to_bytes(4, "little")


def f64(number, value):
    return tag(number, FIXED64) + value.to_bytes(8, "little")


def header(size):
    return size.to_bytes(4, "little")


def wrap(payload):
    """A payload as a frame of a stream."""
    return header(len(payload)) + payload


# Frames as values: what a decoder says. Whatever is not given was absent.


def none(request_id=0):
    return {"kind": "none", "request_id": request_id}


def bind(request_id=0, name=b""):
    return {"kind": "bind", "request_id": request_id, "service_name": name}


def method(number=0, name=b""):
    return {"id": number, "name": name}


def bind_reply(request_id=0, success=False, service_id=0, methods=()):
    return {"kind": "bind_reply", "request_id": request_id, "success": success,
            "service_id": service_id, "methods": list(methods)}


def invoke(request_id=0, service_id=0, method_id=0, args=b"", drop_reply=False):
    return {"kind": "invoke", "request_id": request_id, "service_id": service_id,
            "method_id": method_id, "args": args, "drop_reply": drop_reply}


def invoke_reply(request_id=0, success=False, has_more=False, reply=None):
    return {"kind": "invoke_reply", "request_id": request_id, "success": success,
            "has_more": has_more, "reply": reply}


def request_error(request_id=0, error=b""):
    return {"kind": "request_error", "request_id": request_id, "error": error}


def peer_identity(request_id=0, pid=0, uid=0, hint=b"", name=b""):
    return {"kind": "peer_identity", "request_id": request_id, "pid": pid, "uid": uid,
            "machine_id_hint": hint, "machine_name": name}


EMPTY = {"kind": "empty"}


def member(frame):
    """The number of the frame's member and its bytes, every scalar written, in order."""
    kind = frame["kind"]
    if kind == "bind":
        return 3, b(1, frame["service_name"])
    if kind == "bind_reply":
        methods = (b(3, u(1, m["id"]) + b(2, m["name"])) for m in frame["methods"])
        return 4, u(1, frame["success"]) + u(2, frame["service_id"]) + b"".join(methods)
    if kind == "invoke":
        return 5, (u(1, frame["service_id"]) + u(2, frame["method_id"]) + b(3, frame["args"]) +
                   u(4, frame["drop_reply"]))
    if kind == "invoke_reply":
        reply = b"" if frame["reply"] is None else b(3, frame["reply"])
        return 6, u(1, frame["success"]) + u(2, frame["has_more"]) + reply
    if kind == "request_error":
        return 7, b(1, frame["error"])
    return 8, (u(1, frame["pid"]) + u(2, frame["uid"]) + b(3, frame["machine_id_hint"]) +
               b(4, frame["machine_name"]))


def encode(frame):
    """The canonical payload of a frame."""
    if frame["kind"] == "empty":
        return b""
    start = u(2, frame["request_id"])
    return start if frame["kind"] == "none" else start + b(*member(frame))


# Messages.


class Wide(int):
    """A number of a 64-bit field: text in a vector, where numbers hold 53 bits."""


def packed(number, values):
    return b(number, b"".join(varint(v) for v in values))


def zigzag(number, value):
    """A field of type sint32 or sint64."""
    return u(number, 2 * value if value >= 0 else -2 * value - 1)
