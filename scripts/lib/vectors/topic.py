# SPDX-License-Identifier: Apache-2.0
"""What a description of vectors is made of: a topic collects them and says what each must be."""

import re

from vectors.encode import Wide, encode, wrap

# Fields of frames that have 64 bits, like Wide.
WIDE = {"request_id"}
EVERY_CUT_MAX = 4096  # bytes of a vector up to which each position is a cut
SHORTEN_MIN = 64  # bytes of a run that is written as repetition


class Refused:
    """The verdict "reject" and its reason; and, where it matters what a laxer receiver makes of
    the bytes, the only value they may have."""

    def __init__(self, reason, if_accepted=None):
        self.reason = reason
        self.if_accepted = if_accepted

    def verdict(self):
        out = {"verdict": "reject", "reason": self.reason}
        return out | {"if_accepted": as_json(self.if_accepted)} if self.if_accepted else out


def shorten(data):
    """Bytes as JSON: hex, or segments of hex and repetitions where there are long ones."""
    parts, at = [], 0
    for run in re.finditer(rb"(.{1,16}?)\1{%d,}" % SHORTEN_MIN, data, re.DOTALL):
        unit = run.group(1)
        parts += [data[at : run.start()].hex()] if run.start() > at else []
        parts += [{"repeat": unit.hex(), "times": len(run.group()) // len(unit)}]
        at = run.end()
    if not parts:
        return data.hex()
    return {"segments": parts + ([data[at:].hex()] if at < len(data) else [])}


def as_json(value, name=""):
    """A decoded value as JSON: bytes in hex, numbers of 64 bits as text."""
    if isinstance(value, bytes):
        return shorten(value)
    if isinstance(value, dict):
        return {k: as_json(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [as_json(v, name) for v in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if name in WIDE or isinstance(value, Wide) else value
    return value


def cuts(data):
    n = len(data)
    if n <= EVERY_CUT_MAX:
        return "every"
    return sorted({1, 2, 3, 4, 5, 6, n // 3, n // 2, n - 2, n - 1})


class Topic:
    def __init__(self, prefix, file, about):
        self.prefix, self.file, self.about = prefix, file, about
        self.vectors = []

    def add(self, number, rule, about, kind, data, **more):
        vector = {"id": f"{self.prefix}-{number:04}", "requirement": rule, "about": about,
                  "kind": kind}
        if "message" in more:
            vector["message"] = more.pop("message")
        vector["hex"] = shorten(data)
        vector.update(more)
        self.vectors.append((vector, data))

    def payload(self, number, rule, about, data, says, canonical=False):
        """One payload, and the frame it is or why it is none."""
        if isinstance(says, Refused):
            verdict = says.verdict()
        else:
            verdict = {"verdict": "accept", "frames": [as_json(says)]}
            if canonical:
                verdict["canonical"] = True
        self.add(number, rule, about, "payload", data, split=cuts(data), **verdict)

    def written(self, number, rule, about, frame):
        """A frame as our encoder writes it; one without a member is never written."""
        self.payload(number, rule, about, encode(frame), frame, canonical=frame["kind"] != "none")

    def stream(self, number, rule, about, pieces, rest=b"", refused=None, **more):
        """Frames, each (payload, value) or a value in its canonical form, then bytes that are no
        whole frame: the start of one, or, with refused, (bytes, reason) of a frame that ends the
        stream when that many bytes are there."""
        data, ends, frames = b"", [], []
        for piece in pieces:
            payload, value = (encode(piece), piece) if isinstance(piece, dict) else piece
            data += wrap(payload)
            ends.append(len(data))
            frames.append(as_json(value))
        verdict = {"verdict": "more" if rest else "accept"}
        if refused:
            verdict = {"verdict": "reject", "reason": refused.reason,
                       "closes": len(data) + len(refused.data)}
            data += refused.data
        data += rest
        self.add(number, rule, about, "stream", data, split=cuts(data), **verdict, ends=ends,
                 frames=frames, **more)

    def message(self, number, rule, about, name, data, says, canonical=False):
        """The bytes of a message, and its value or why it is refused."""
        if isinstance(says, Refused):
            verdict = says.verdict()
        else:
            verdict = {"verdict": "accept", "value": as_json(says)}
            if canonical:
                verdict["canonical"] = True
        self.add(number, rule, about, "message", data, message="tw." + name, **verdict)


class BadFrame(Refused):
    """Bytes at which a receiver closes at the latest, and why."""

    def __init__(self, data, reason):
        super().__init__(reason)
        self.data = data
