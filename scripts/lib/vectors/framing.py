# SPDX-License-Identifier: Apache-2.0
"""Streams: sizes and payloads, in any pieces."""

from vectors.encode import (EMPTY, PAYLOAD_MAX, b, bind, bind_reply, encode, header, invoke,
                            invoke_reply, method, none, peer_identity, request_error, u, wrap)
from vectors.topic import BadFrame, Topic

framing = Topic("frame", "framing.json", "bytes of a stream to frames")

BIND = bind(1, b"ProducerPort")
SYNC = invoke(2, 1, 11)
DONE = invoke_reply(2, True, False, b"")
# Frames of a kind each, with no two lengths the same.
EACH = [BIND, bind_reply(1, True, 1, [method(1, b"Sync")]), invoke(2, 1, 1, b"\x08\x00"), DONE,
        request_error(3, b"unknown request"), peer_identity(4, 5, 6, b"hint", b"machine"), none(7)]


def whole_frames():
    add = framing.stream
    add(1, "TW-FRAME-001", "One frame: a size of four bytes and a payload.", [BIND])
    add(2, "TW-FRAME-001", "Two frames back to back.", [BIND, SYNC])
    add(3, "TW-FRAME-001", "One frame of each kind and one without a member.", EACH)
    add(4, "TW-FRAME-001", "No byte at all: no frame, and none begun.", [])
    add(5, "TW-FRAME-001", "The same frame a hundred times.", [none(7)] * 100)
    add(6, "TW-FRAME-001", "The size is little-endian: 258 is 02 01 00 00.",
        [invoke(1, 1, 4, b"x" * (258 - 13))])
    add(7, "TW-FRAME-001", "A size of 65,536, with a bit in the third byte only.",
        [invoke(1, 1, 4, b"x" * (65536 - 17)), SYNC])
    add(8, "TW-FRAME-001", "A payload that looks like the header of another frame.",
        [(b(100, header(5) + header(6)), none()), BIND])
    add(9, "TW-FRAME-001", "A payload of one frame that holds another frame, whole.",
        [invoke(1, 1, 1, wrap(encode(BIND))), SYNC])
    add(10, "TW-FRAME-001", "The smallest payload that is not empty: two bytes.",
        [(u(2, 0), none()), (b(3), bind()), (b(1), none())])
    add(11, "TW-FRAME-001", "Payloads of 127 and 128 bytes, where lengths grow by a byte.",
        [invoke(1, 1, 4, b"y" * (127 - 12)), invoke(1, 1, 4, b"y" * (128 - 12))])
    for number, size in enumerate((252, 253, 4092, 4093, 16384), 12):
        room = size - 13 if size < 16384 else size - 15
        add(number, "TW-FRAME-001", f"A payload of {size} bytes between two small frames.",
            [BIND, invoke(9, 1, 4, b"z" * room), SYNC])


def parts_of_frames():
    add = framing.stream
    wire = wrap(encode(BIND))
    for number, n in enumerate(range(1, 5), 20):
        add(number, "TW-FRAME-001", f"{n} of the four bytes of a size: more is needed.", [],
            rest=wire[:n])
    add(24, "TW-FRAME-001", "A size and the first byte of the payload.", [], rest=wire[:5])
    add(25, "TW-FRAME-001", "All but the last byte of a frame.", [], rest=wire[:-1])
    add(26, "TW-FRAME-001", "A whole frame and all but the last byte of the next.", [SYNC],
        rest=wire[:-1])
    add(27, "TW-FRAME-001", "A whole frame and one byte of the next one's size.", [SYNC],
        rest=wire[:1])
    add(28, "TW-FRAME-001", "Half a payload whose bytes so far would make a whole frame.", [],
        rest=header(20) + u(2, 5) + b(3))
    add(29, "TW-FRAME-001", "The first half of a payload is malformed; it may be refused only "
        "once it is whole.", [BIND], rest=header(8) + u(2, 1))
    add(30, "TW-FRAME-002", "The largest size, no payload yet: allowed, so more is needed.", [],
        rest=header(PAYLOAD_MAX))
    add(31, "TW-FRAME-002", "The largest size and one byte.", [SYNC],
        rest=header(PAYLOAD_MAX) + b"\x10")
    add(32, "TW-FRAME-002", "The first three bytes of a size that will be too large: nothing is "
        "known before the fourth.", [], rest=b"\xff\xff\xff")


def sizes():
    add = framing.stream
    room = PAYLOAD_MAX - 17
    add(40, "TW-FRAME-002", "The largest payload, 131,068 bytes.",
        [invoke(1, 1, 4, b"a" * room)])
    add(41, "TW-FRAME-002", "The largest payload between small frames.",
        [BIND, invoke(1, 1, 4, b"a" * room), SYNC])
    add(42, "TW-FRAME-002", "One byte less than the largest payload.",
        [invoke(1, 1, 4, b"a" * (room - 1)), SYNC])
    add(43, "TW-FRAME-002", "The largest payload as padding: data_for_testing.",
        [(b(1, b"\0" * (PAYLOAD_MAX - 4)), none()), SYNC])
    add(44, "TW-FRAME-002", "The largest payload twice: a receive buffer starts again.",
        [invoke(1, 1, 4, b"a" * room), invoke(2, 1, 4, b"b" * room)])
    too_large = (
        (PAYLOAD_MAX + 1, "One byte more than the largest size."),
        (PAYLOAD_MAX + 2, "Two bytes more than the largest size."),
        (131072, "128 KiB: the size counts the payload only, so four bytes too many."),
        (1 << 24, "A size with a bit in the fourth byte only: its bytes are read as unsigned."),
        (0x7FFFFFFF, "The largest size of 31 bits."),
        (0x80000000, "A size that would be negative if it were signed."),
        (0xFFFFFFFC, "A size that makes the frame's length wrap to 0 in 32 bits."),
        (0xFFFFFFFF, "The largest size of 32 bits."),
    )
    for number, (size, about) in enumerate(too_large, 50):
        add(number, "TW-FRAME-002", about, [], refused=BadFrame(header(size), "too_large"))
    add(60, "TW-FRAME-002", "A size too large behind a good frame, which is still delivered.",
        [BIND], refused=BadFrame(header(PAYLOAD_MAX + 1), "too_large"))
    add(61, "TW-FRAME-002", "A size too large behind an empty frame.", [(b"", EMPTY)],
        refused=BadFrame(header(0xFFFFFFFF), "too_large"))
    add(62, "TW-FRAME-002", "A size in big-endian order: 18 becomes far too much.", [],
        refused=BadFrame(b"\0\0\0\x12", "too_large"))
    add(63, "TW-FRAME-002", "Text where a frame should be.", [],
        refused=BadFrame(b"GET ", "too_large"), rest=b"/ HTTP/1.1\r\n\r\n")
    add(64, "TW-FRAME-002", "Nothing behind a size too large is looked at.", [SYNC],
        refused=BadFrame(header(PAYLOAD_MAX + 1), "too_large"), rest=wrap(encode(BIND)))


def empty_frames():
    add = framing.stream
    add(70, "TW-FRAME-004", "An empty frame is ignored.", [(b"", EMPTY)])
    add(71, "TW-FRAME-004", "An empty frame between two others.", [BIND, (b"", EMPTY), SYNC])
    add(72, "TW-FRAME-004", "Many empty frames, then one that counts.",
        [(b"", EMPTY)] * 64 + [BIND])
    add(73, "TW-FRAME-004", "An empty frame, then a part of a size: three zero bytes.",
        [(b"", EMPTY)], rest=b"\0\0\0")


def bad_payloads():
    add = framing.stream
    add(80, "TW-FRAME-003", "A payload that is no IPCFrame ends the stream.", [],
        refused=BadFrame(wrap(b"\x12"), "truncated"))
    add(81, "TW-FRAME-003", "A good frame, a bad one, a good one: what follows a bad frame is "
        "not delivered.", [BIND], refused=BadFrame(wrap(u(2, 5) + b"\x1b"), "group"),
        rest=wrap(encode(SYNC)))
    add(82, "TW-FRAME-003", "A payload that goes on behind its message: one more zero byte.",
        [SYNC], refused=BadFrame(wrap(encode(BIND) + b"\0"), "bad_tag"))
    add(83, "TW-FRAME-003", "A field may not borrow bytes of the next frame.", [],
        refused=BadFrame(wrap(b"\x1a\x06\x0a\x04AB"), "truncated"), rest=b"CD" + wrap(u(2, 1)))
    add(84, "TW-FRAME-003", "A frame inside a frame, header and all, is not a payload.", [],
        refused=BadFrame(wrap(b"\0\0\0\0"), "bad_tag"))
    add(85, "TW-ENC-005", "Two members in the third frame of a stream.", [BIND, SYNC],
        refused=BadFrame(wrap(u(2, 3) + b(3) + b(5)), "two_members"))
    add(86, "TW-ENC-002", "A known field of the wrong type in the second frame of a stream.",
        [BIND], refused=BadFrame(wrap(b(2, b"\x07")), "wrong_type"), rest=wrap(encode(SYNC)))


whole_frames()
parts_of_frames()
sizes()
empty_frames()
bad_payloads()
