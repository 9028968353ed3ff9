#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Debian's own interpreter: that is the one which has python3-jsonschema.
"""check_vectors.py: a second reader of spec/vectors, written from spec/*.md and spec/proto alone.

Decodes every vector with a decoder of its own and compares verdict, reason and value; streams are
fed a byte at a time. Then: each vector fits the schema, each worked example of the specification
is the vector with its name, and each rule of framing and encoding has the vectors that it can have.
"""

import glob
import json
import os
import re
import sys

import jsonschema

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

U64_MAX = 2**64 - 1
KINDS = {3: "bind", 4: "bind_reply", 5: "invoke", 6: "invoke_reply", 7: "request_error",
         8: "peer_identity"}
# Where a vector's name of a frame's field is not that of the schema.
SHORT = {"args_proto": "args", "reply_proto": "reply"}


class Bad(Exception):
    """Refused; its text is the reason."""


# The schema, out of the .proto files.


def parse_schema():
    """{message: {number: (name, type, repeated, oneof)}} with names in full, and the enums."""
    messages, enums = {}, set()
    for path in sorted(glob.glob("spec/proto/*.proto")):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"//.*", "", file.read())
        scope = ["tw"]
        for token in re.finditer(r"(message|enum|oneof)\s+(\w+)\s*\{|(\})|([^{};]+);", text):
            opens, name, closes, line = token.groups()
            if opens:
                scope.append(name if opens != "oneof" else f"<{name}>")
                if opens == "message":
                    messages[".".join(scope)] = {}
                elif opens == "enum":
                    enums.add(".".join(scope))
            elif closes:
                scope.pop()
            else:
                take_line(messages, scope, line.strip())
    for name, fields in messages.items():
        for number, field in fields.items():
            fields[number] = (field[0], resolve(field[1], name, messages, enums), *field[2:])
    return messages


def take_line(messages, scope, line):
    found = re.fullmatch(r"(?:(optional|repeated)\s+)?([\w.]+)\s+(\w+)\s*=\s*(\d+)(\s*\[.*\])?", line)
    oneof = scope[-1] if scope[-1].startswith("<") else None
    owner = ".".join(scope[:-1] if oneof else scope)
    if found and owner in messages:
        label, kind, name, number, _ = found.groups()
        messages[owner][int(number)] = (name, kind, label == "repeated", oneof)


def resolve(kind, scope, messages, enums):
    """A type's full name, looked for from the inside out; enums are numbers of 32 bits."""
    parts = scope.split(".")
    for n in range(len(parts), 0, -1):
        full = ".".join(parts[:n] + [kind])
        if full in messages:
            return full
        if full in enums:
            return "enum"
    return kind


# The wire format.


def read_varint(data, at, most):
    value = 0
    for i in range(most):
        if at + i == len(data):
            raise Bad("truncated")
        value |= (data[at + i] & 0x7F) << (7 * i)
        if data[at + i] < 0x80:
            if value > U64_MAX:
                raise Bad("bad_varint")
            return value, at + i + 1
    raise Bad("bad_varint" if most == 10 else "long_tag")


def read_fields(data):
    """(number, wire type, value) of each field."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at, 5)
        number, wire = tag >> 3, tag & 7
        if not 1 <= number < 2**29:
            raise Bad("bad_tag")
        if wire in (3, 4):
            raise Bad("group")
        if wire in (6, 7):
            raise Bad("bad_wire_type")
        if wire == 0:
            value, at = read_varint(data, at, 10)
        else:
            size = {1: 8, 5: 4}.get(wire)
            if wire == 2:
                size, at = read_varint(data, at, 5)
            if size > len(data) - at:
                raise Bad("truncated")
            value, at = data[at : at + size], at + size
        yield number, wire, value


WIRES = {"double": 1, "float": 5, "fixed64": 1, "sfixed64": 1, "fixed32": 5, "sfixed32": 5,
         "string": 2, "bytes": 2}


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def scalar(kind, value):
    """What a number on the wire is, as a vector writes it."""
    if kind in ("double", "float", "fixed64", "sfixed64", "fixed32", "sfixed32"):
        bits = 8 * len(value)
        value = int.from_bytes(value, "little")
        if kind in ("double", "float"):
            return f"0x{value:0{bits // 4}x}"
        value = signed(value, bits) if kind[0] == "s" else value
        return str(value) if bits == 64 else value
    if kind == "bool":
        return value != 0
    if kind in ("sint32", "sint64"):
        value = value >> 1 ^ -(value & 1)
    if kind in ("uint64", "int64", "sint64"):
        return str(value if kind == "uint64" else signed(value, 64))
    return value & 0xFFFFFFFF if kind == "uint32" else signed(value, 32)


def decode(schema, name, data):
    """A message as {field: value}; bytes stay bytes. The first fault ends it."""
    out, oneofs = {}, set()
    for number, wire, value in read_fields(data):
        if number not in schema[name]:
            continue
        field, kind, repeated, oneof = schema[name][number]
        nested = kind in schema
        right = 2 if nested else WIRES.get(kind, 0)
        if oneof and oneof in oneofs or nested and not repeated and field in out:
            raise Bad("two_members")
        oneofs.add(oneof)
        if repeated and wire == 2 and right == 0:
            at = 0
            while at < len(value):
                number, at = read_varint(value, at, 10)
                out.setdefault(field, []).append(scalar(kind, number))
            continue
        if wire != right:
            raise Bad("wrong_type")
        if kind == "string" and 0 in value:
            raise Bad("nul")
        if nested:
            value = decode(schema, kind, value)
        elif kind not in ("string", "bytes"):
            value = scalar(kind, value)
        if repeated:
            out.setdefault(field, []).append(value)
        else:
            out[field] = value
    return out


def defaults(schema, name, value):
    """Every field of a message of the frame, with its default where it is absent."""
    out = {}
    for number in sorted(schema[name]):
        field, kind, repeated, _ = schema[name][number]
        short = SHORT.get(field, field)
        if repeated:
            out[short] = [defaults(schema, kind, v) for v in value.get(field, [])]
        elif field == "reply_proto":
            out[short] = value.get(field)
        else:
            absent = {"bool": False, "string": b"", "bytes": b""}.get(kind, 0)
            out[short] = value.get(field, absent)
    return out


def decode_frame(schema, payload):
    if not payload:
        return {"kind": "empty"}
    frame = decode(schema, "tw.IPCFrame", payload)
    out = {"kind": "none", "request_id": frame.get("request_id", "0")}
    for number, kind in KINDS.items():
        field, message, _, _ = schema["tw.IPCFrame"][number]
        if field in frame:
            return out | {"kind": kind} | defaults(schema, message, frame[field])
    return out


class Stream:
    """A connection: bytes in, frames out, closed for good by the first fault."""

    def __init__(self, schema):
        self.schema, self.bytes, self.frames, self.reason = schema, b"", [], None

    def receive(self, data):
        self.bytes += data
        try:
            while len(self.bytes) >= 4 and not self.reason:
                size = int.from_bytes(self.bytes[:4], "little")
                if size > 131068:
                    raise Bad("too_large")
                if len(self.bytes) < 4 + size:
                    return
                self.frames.append(decode_frame(self.schema, self.bytes[4 : 4 + size]))
                self.bytes = self.bytes[4 + size :]
        except Bad as bad:
            self.reason = str(bad)


# The vectors.


def expand(value):
    """The hex digits of bytes in a vector."""
    if isinstance(value, str):
        return value
    return "".join(s if isinstance(s, str) else s["repeat"] * s["times"]
                   for s in value["segments"])


def plain(value):
    """A value with all bytes as hex: from a vector or from decoding."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        if "segments" in value:
            return expand(value)
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def outcome(decoder, *args):
    try:
        return {"verdict": "accept", "value": plain(decoder(*args))}
    except Bad as bad:
        return {"verdict": "reject", "reason": str(bad)}


def check_stream(schema, vector, data):
    """Byte by byte when short; frames must come out where `ends` says, a fault by `closes`."""
    stream, seen = Stream(schema), []
    step = 1 if len(data) < 5000 else 1021
    for at in range(0, len(data), step):
        end = min(at + step, len(data))
        stream.receive(data[at:end])
        due = sum(e <= end for e in vector["ends"])
        if len(stream.frames) != due:
            return f"{len(stream.frames)} frames after {end} bytes, not {due}"
        seen += [end] if stream.reason else []
    if plain(stream.frames) != plain(vector["frames"]):
        return f"got {plain(stream.frames)}"
    if stream.reason != vector.get("reason"):
        return f"got {stream.reason}"
    if stream.reason and not 0 <= seen[0] - vector["closes"] < step:
        return f"refused at {seen[0]}"
    if not stream.reason and (vector["verdict"] == "more") != bool(stream.bytes):
        return f"{len(stream.bytes)} bytes are left"
    return None


def check(schema, vector):
    data = bytes.fromhex(expand(vector["hex"]))
    if vector["kind"] == "stream":
        return check_stream(schema, vector, data)
    want = {k: vector[k] for k in ("verdict", "reason") if k in vector}
    if vector["kind"] == "payload":
        got = outcome(decode_frame, schema, data)
        if want["verdict"] == "accept":
            want["value"] = plain(vector["frames"][0])
    else:
        if vector.get("reason") == "too_dear":  # what a message costs is not in its bytes
            return None
        got = outcome(decode, schema, vector["message"], data)
        if want["verdict"] == "accept":
            want["value"] = plain(vector["value"])
    return None if got == want else f"got {got}"


def check_examples(vectors):
    """The hex of each example in encoding.md: pairs of digits, one space between them."""
    with open("spec/encoding.md", encoding="utf-8") as file:
        text = file.read().split("\n## Examples\n")[1]
    known = {v["example"]: expand(v["hex"]) for v in vectors if "example" in v}
    found = re.findall(r"^`([a-z-]+)`\.[^\n]*(?:\n[^\n`]+)*\n\n((?:    .*\n)+)", text, re.M)
    for name, block in found:
        rows = (re.match(r" *((?:[0-9a-f]{2} )*[0-9a-f]{2})", line) for line in block.splitlines())
        digits = "".join(row.group(1).replace(" ", "") for row in rows)
        if known.pop(name, None) != digits:
            yield f"example {name} of encoding.md is another vector"
    if known or not found:
        yield f"encoding.md has no example {', '.join(known)}"


# Rules that are not about bytes, and why.
NOT_IN_BYTES = {
    "TW-FRAME-005": "what a sender does when it cannot go on",
    "TW-FRAME-006": "how much memory waits",
    "TW-ENC-017": "what the verdict `reject` of frames means",
    "TW-ENC-018": "what a sender writes: the canonical ones show it",
}
# Rules that nothing can break, or that say what is accepted.
NEVER_REFUSED = {"TW-FRAME-001", "TW-FRAME-004", "TW-ENC-003", "TW-ENC-004", "TW-ENC-006",
                 "TW-ENC-007", "TW-ENC-010", "TW-ENC-013", "TW-ENC-014", "TW-ENC-016"}


def check_rules(vectors):
    rules = set()
    for chapter in ("framing", "encoding"):
        with open(f"spec/{chapter}.md", encoding="utf-8") as file:
            rules |= set(re.findall(r"^\*\*(TW-\w+-\d+)\*\*", file.read(), re.M))
    for rule in sorted(rules - NOT_IN_BYTES.keys()):
        verdicts = {v["verdict"] for v in vectors if v["requirement"] == rule}
        if rule not in NEVER_REFUSED and "reject" not in verdicts:
            yield f"{rule} has no refused vector"
        if not verdicts:
            yield f"{rule} has no vector"
        if rule in NEVER_REFUSED and "accept" not in verdicts:
            yield f"{rule} has no accepted vector"


def load():
    vectors = []
    for path in sorted(glob.glob("spec/vectors/*.json")):
        if not path.endswith("/schema.json"):
            with open(path, encoding="utf-8") as file:
                vectors += json.load(file)
    return vectors


def main():
    vectors, schema = load(), parse_schema()
    with open("spec/vectors/schema.json", encoding="utf-8") as file:
        form = jsonschema.Draft7Validator(json.load(file))
    faults = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in form.iter_errors(vectors)]
    if len({v["id"] for v in vectors}) != len(vectors):
        faults.append("two vectors have one id")
    for vector in vectors:
        wrong = check(schema, vector)
        if wrong:
            faults.append(f"{vector['id']}: {wrong[:300]}")
    faults += [*check_examples(vectors), *check_rules(vectors)]
    print("\n".join(faults))
    print(f"{len(vectors)} vectors, {sum(v['verdict'] == 'reject' for v in vectors)} of them "
          f"refused; {len(faults)} faults")
    sys.exit(bool(faults) or len(vectors) < 300)


main()
