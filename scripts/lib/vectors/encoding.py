# SPDX-License-Identifier: Apache-2.0
"""The acceptance relation of frames: each class of input on which decoders disagree, at each level
of the message."""

from vectors.encode import (FIXED32, FIXED64, GROUP_END, GROUP_START, LEN, VARINT, b, bind,
                            bind_reply, f32, f64, invoke, invoke_reply, method, none,
                            peer_identity, request_error, tag, u, varint)
from vectors.topic import Refused, Topic

encoding = Topic("enc", "encoding-frame.json", "which payloads are frames: the acceptance relation")

FIELD_MAX = 2**29 - 1
U64 = 2**64 - 1
# The same bytes in the frame itself, in a member of it and in a method of a bind reply, and what
# the frame is when a decoder skips them.
LEVELS = (
    ("the frame", lambda data: u(2, 7) + data, none(7)),
    ("a member", lambda data: u(2, 7) + b(5, u(2, 3) + data), invoke(7, 0, 3)),
    ("a method", lambda data: b(4, b(3, u(1, 3) + data)), bind_reply(methods=[method(3)])),
)


def at_levels(number, rule, about, data, reason=None):
    """Three vectors: the bytes at each level, refused with the reason or skipped."""
    for offset, (place, put, value) in enumerate(LEVELS):
        encoding.payload(number + offset, rule, about.format(place), put(data),
                         Refused(reason) if reason else value)


def truncated():
    cut = (
        (b"\x50", "A tag is the last byte of {}."),
        (b"\xd0", "Half a tag at the end of {}."),
        (b"\x50\x80", "A varint without its end in {}."),
        (b"\x50" + b"\x80" * 9, "Nine bytes of a varint of ten in {}."),
        (b"\x52", "A length is missing at the end of {}."),
        (b"\x52\x81", "Half a length at the end of {}."),
        (b"\x52\x01", "One byte is missing at the end of {}."),
        (b"\x52\x05abcd", "Four bytes of five at the end of {}."),
        (b"\x55abc", "Three bytes of a fixed32 at the end of {}."),
        (b"\x55", "A fixed32 without a byte at the end of {}."),
        (b"\x51abcdefg", "Seven bytes of a fixed64 at the end of {}."),
        (b"\x52\x80\x80\x80\x80\x08", "A length of 2^31 in {}."),
        (b"\x52\xff\xff\xff\xff\x0f", "A length of 2^32 - 1 in {}."),
        (b"\x52\xff\xff\xff\xff\x7f", "A length of 2^35 - 1, the most of five bytes, in {}."),
    )
    for i, (data, about) in enumerate(cut):
        at_levels(1 + 3 * i, "TW-ENC-001", about, data, "truncated")
    add = encoding.payload
    add(43, "TW-ENC-001", "A member cut short by the end of the frame.",
        u(2, 1) + tag(3, LEN) + varint(14) + b(1, b"ProducerPor"), Refused("truncated"))
    add(44, "TW-ENC-001", "A name longer than its member, with bytes of the frame behind it.",
        tag(3, LEN) + varint(4) + b"\x0a\x04AB" + u(2, 1), Refused("truncated"))
    add(45, "TW-ENC-001", "A method longer than its bind reply.",
        tag(4, LEN) + varint(2) + b"\x1a\x02" + u(2, 1), Refused("truncated"))
    add(46, "TW-ENC-001", "request_id without a value.", tag(2, VARINT), Refused("truncated"))
    add(47, "TW-ENC-001", "Arguments cut short.", b(5, u(2, 4) + b"\x1a\x05abcd"),
        Refused("truncated"))
    add(48, "TW-ENC-001", "A reply's message cut short.", b(6, u(1, 1) + b"\x1a\x01"),
        Refused("truncated"))
    add(49, "TW-ENC-001", "Padding cut short.", b"\x0a\x03ab", Refused("truncated"))


def varints():
    full = b"\xff" * 9
    at_levels(60, "TW-ENC-001", "A varint of ten bytes with a bit beyond the 64th in {}.",
              b"\x50" + full + b"\x02", "bad_varint")
    at_levels(63, "TW-ENC-001", "A varint of eleven bytes in {}.",
              b"\x50" + b"\x80" * 10 + b"\x00", "bad_varint")
    at_levels(66, "TW-ENC-001", "A varint of ten bytes, the last one says that more follow, in {}.",
              b"\x50" + b"\x80" * 9 + b"\x81\x00", "bad_varint")
    add = encoding.payload
    add(69, "TW-ENC-001", "request_id of 65 bits.", b"\x10" + full + b"\x03",
        Refused("bad_varint"))
    add(70, "TW-ENC-001", "request_id of ten bytes, the last one 7f.", b"\x10" + full + b"\x7f",
        Refused("bad_varint"))
    add(71, "TW-ENC-001", "method_id of eleven bytes.", b(5, b"\x10" + b"\x81" * 10 + b"\x00"),
        Refused("bad_varint"))
    at_levels(72, "TW-ENC-003", "An unknown varint of ten bytes, all 64 bits set, in {}.",
              b"\x50" + full + b"\x01")
    at_levels(75, "TW-ENC-003", "An unknown varint of ten bytes that is 0 in {}.",
              b"\x50" + varint(0, 10))
    for number, size in enumerate(range(2, 11), 78):
        add(number, "TW-ENC-003", f"request_id 7 in {size} bytes.", u(2, 7, size), none(7))
    add(87, "TW-ENC-003", "request_id 2^64 - 1 in its ten bytes.", u(2, U64), none(U64))
    add(88, "TW-ENC-003", "service_id and method_id in five and ten bytes.",
        b(5, u(1, 1, 5) + u(2, 4, 10)), invoke(0, 1, 4))
    add(89, "TW-ENC-003", "A boolean in ten bytes, true.", b(5, u(4, 1, 10)),
        invoke(drop_reply=True))
    add(90, "TW-ENC-003", "A boolean in two bytes, false.", b(6, u(1, 0, 2)), invoke_reply())
    add(91, "TW-ENC-003", "A method's id in five bytes.", b(4, b(3, u(1, 9, 5))),
        bind_reply(methods=[method(9)]))


def lengths():
    add = encoding.payload
    for number, size in enumerate(range(2, 6), 100):
        add(number, "TW-ENC-009", f"The length of a member in {size} bytes.",
            u(2, 1) + b(3, b(1, b"Port"), size), bind(1, b"Port"))
    add(104, "TW-ENC-009", "The length of a name in five bytes.", b(3, b(1, b"Port", 5)),
        bind(0, b"Port"))
    add(105, "TW-ENC-009", "Lengths of four bytes everywhere, as the original writes them.",
        u(2, 1) + b(4, u(1, 1) + u(2, 1) + b(3, u(1, 1) + b(2, b"Sync", 4), 4), 4),
        bind_reply(1, True, 1, [method(1, b"Sync")]))
    add(106, "TW-ENC-009", "A length of zero in five bytes.", b(3, b"", 5), bind())
    for number, size in enumerate(range(2, 6), 107):
        add(number, "TW-ENC-009", f"The tag of request_id in {size} bytes.",
            tag(2, VARINT, size) + varint(7), none(7))
    add(111, "TW-ENC-009", "The tag of a member in five bytes.",
        tag(3, LEN, 5) + varint(3) + b(1, b"P"), bind(0, b"P"))
    add(112, "TW-ENC-009", "The tag inside a member in five bytes.",
        b(5, tag(2, VARINT, 5) + varint(4)), invoke(0, 0, 4))
    at_levels(113, "TW-ENC-009", "An unknown field with a tag and a length of five bytes in {}.",
              tag(10, LEN, 5) + varint(2, 5) + b"ab")
    at_levels(116, "TW-ENC-009", "A tag of six bytes in {}.", tag(10, VARINT, 6) + b"\x01",
              "long_tag")
    at_levels(119, "TW-ENC-009", "A tag of ten bytes in {}.", tag(10, VARINT, 10) + b"\x01",
              "long_tag")
    at_levels(122, "TW-ENC-009", "A length of six bytes in {}.",
              tag(10, LEN) + varint(1, 6) + b"a", "long_tag")
    at_levels(125, "TW-ENC-009", "A length of ten bytes in {}.",
              tag(10, LEN) + varint(1, 10) + b"a", "long_tag")
    add(128, "TW-ENC-009", "The length of a member in six bytes.", b(3, b(1, b"P"), 6),
        Refused("long_tag"))
    add(129, "TW-ENC-009", "The tag of request_id in six bytes.",
        tag(2, VARINT, 6) + varint(7), Refused("long_tag"))
    add(130, "TW-ENC-001", "A tag of 33 bits would be request_id in its low 32 bits.",
        varint(1 << 32 | 2 << 3) + varint(7), Refused("bad_tag"))
    add(131, "TW-ENC-009", "The length of arguments in six bytes.",
        b(5, u(2, 1) + b(3, b"x", 6)), Refused("long_tag"))


def numbers():
    at_levels(140, "TW-ENC-001", "Field number 0, a varint, in {}.", tag(0, VARINT) + b"\x01",
              "bad_tag")
    at_levels(143, "TW-ENC-001", "Field number 0, empty bytes, in {}.", tag(0, LEN) + b"\0",
              "bad_tag")
    at_levels(146, "TW-ENC-001", "Field number 0 with a tag of five bytes in {}.",
              tag(0, VARINT, 5) + b"\x01", "bad_tag")
    at_levels(149, "TW-ENC-006", "The largest field number, 2^29 - 1, in {}.", u(FIELD_MAX, 1))
    at_levels(152, "TW-ENC-006", "Field number 65,536, beyond 16 bits, in {}.", u(65536, 1))
    for number, wanted in enumerate((9, 10, 15, 16, 2047, 2048, 19000, 2**28), 155):
        encoding.payload(number, "TW-ENC-006", f"An unknown field with number {wanted}.",
                         u(2, 1) + b(wanted, b"?") + b(3, b(1, b"P")), bind(1, b"P"))


    at_levels(163, "TW-ENC-001", "Field number 2^29, the first that is too large, in {}.",
              u(2**29, 1), "bad_tag")
    at_levels(166, "TW-ENC-001", "The largest tag of five bytes, 35 bits, in {}.",
              b"\xfa\xff\xff\xff\x7f\0", "bad_tag")


def groups():
    at_levels(170, "TW-ENC-001", "The start of a group, field 10, in {}.", tag(10, GROUP_START),
              "group")
    at_levels(173, "TW-ENC-001", "The end of a group, field 10, in {}.", tag(10, GROUP_END),
              "group")
    at_levels(176, "TW-ENC-001", "A whole group, which nobody emits, in {}.",
              tag(10, GROUP_START) + u(1, 1) + tag(10, GROUP_END), "group")
    at_levels(179, "TW-ENC-001", "Wire type 6 in {}.", tag(10, 6) + b"\0", "bad_wire_type")
    at_levels(182, "TW-ENC-001", "Wire type 7 in {}.", tag(10, 7) + b"\0", "bad_wire_type")
    add = encoding.payload
    add(185, "TW-ENC-001", "A member as a group.", tag(3, GROUP_START) + tag(3, GROUP_END),
        Refused("group"))
    add(186, "TW-ENC-001", "request_id with wire type 7.", tag(2, 7) + b"\x01",
        Refused("bad_wire_type"))
    add(187, "TW-ENC-001", "A group behind a member.", b(3, b(1, b"P")) + tag(10, GROUP_START),
        Refused("group"))
    add(188, "TW-ENC-001", "A group a hundred levels deep.",
        tag(10, GROUP_START) * 100 + tag(10, GROUP_END) * 100, Refused("group"))


def put(number, wire_type, size=4):
    """A field with the number, of any wire type, that is whole."""
    body = {VARINT: b"\x01", FIXED64: b"\0" * 8, FIXED32: b"\0" * 4, LEN: b"\x01\x41"}
    return tag(number, wire_type) + body[wire_type]


def wrong_types():
    places = (
        ("data_for_testing", 1, LEN, lambda f: f),
        ("request_id", 2, VARINT, lambda f: f),
        ("msg_bind_service", 3, LEN, lambda f: f),
        ("msg_bind_service_reply", 4, LEN, lambda f: f),
        ("msg_invoke_method", 5, LEN, lambda f: f),
        ("msg_invoke_method_reply", 6, LEN, lambda f: f),
        ("msg_request_error", 7, LEN, lambda f: f),
        ("set_peer_identity", 8, LEN, lambda f: f),
        ("a bind's service_name", 1, LEN, lambda f: b(3, f)),
        ("a bind reply's success", 1, VARINT, lambda f: b(4, f)),
        ("a bind reply's service_id", 2, VARINT, lambda f: b(4, f)),
        ("a bind reply's methods", 3, LEN, lambda f: b(4, f)),
        ("a method's id", 1, VARINT, lambda f: b(4, b(3, f))),
        ("a method's name", 2, LEN, lambda f: b(4, b(3, f))),
        ("a call's service_id", 1, VARINT, lambda f: b(5, f)),
        ("a call's method_id", 2, VARINT, lambda f: b(5, f)),
        ("a call's args_proto", 3, LEN, lambda f: b(5, f)),
        ("a call's drop_reply", 4, VARINT, lambda f: b(5, f)),
        ("a reply's success", 1, VARINT, lambda f: b(6, f)),
        ("a reply's has_more", 2, VARINT, lambda f: b(6, f)),
        ("a reply's reply_proto", 3, LEN, lambda f: b(6, f)),
        ("an error's text", 1, LEN, lambda f: b(7, f)),
        ("an identity's pid", 1, VARINT, lambda f: b(8, f)),
        ("an identity's uid", 2, VARINT, lambda f: b(8, f)),
        ("an identity's machine_id_hint", 3, LEN, lambda f: b(8, f)),
        ("an identity's machine_name", 4, LEN, lambda f: b(8, f)),
    )
    words = {VARINT: "a varint", FIXED64: "a fixed64", LEN: "bytes", FIXED32: "a fixed32"}
    number = 200
    for name, field, right, where in places:
        for wire_type, word in words.items():
            if wire_type == right:
                continue
            encoding.payload(number, "TW-ENC-002", f"{name} as {word}.".capitalize(),
                             where(put(field, wire_type)), Refused("wrong_type"))
            number += 1
    add = encoding.payload
    add(280, "TW-ENC-002", "request_id as a packed list of one.", b(2, b"\x07"),
        Refused("wrong_type"))
    add(281, "TW-ENC-002", "The right request_id first, then one as fixed64.",
        u(2, 7) + f64(2, 7), Refused("wrong_type"))
    add(282, "TW-ENC-002", "A number that is known in another message is not known here: field 4 "
        "of a reply.", b(6, b(4, b"x") + u(1, 1)), invoke_reply(0, True))
    add(283, "TW-ENC-002", "Field 2 of a bind is unknown, so any type will do.",
        b(3, f32(2, 1) + b(1, b"P")), bind(0, b"P"))


def repeated():
    add = encoding.payload
    add(300, "TW-ENC-004", "request_id twice: the last one counts.", u(2, 7) + u(2, 8), none(8))
    add(301, "TW-ENC-004", "request_id before and behind the member.",
        u(2, 7) + b(3, b(1, b"P")) + u(2, 0), bind(0, b"P"))
    add(302, "TW-ENC-004", "A name twice.", b(3, b(1, b"ConsumerPort") + b(1, b"ProducerPort")),
        bind(0, b"ProducerPort"))
    add(303, "TW-ENC-004", "A name, then an empty one.", b(3, b(1, b"ProducerPort") + b(1)),
        bind())
    add(304, "TW-ENC-004", "Every field of a call twice.",
        b(5, u(1, 9) + u(2, 9) + b(3, b"old") + u(4, 1) + u(1, 1) + u(2, 4) + b(3, b"new") +
          u(4, 0)), invoke(0, 1, 4, b"new", False))
    add(305, "TW-ENC-004", "Every field of a reply twice.",
        b(6, u(1, 1) + u(2, 1) + b(3, b"old") + u(1, 0) + u(2, 0) + b(3)),
        invoke_reply(reply=b""))
    add(306, "TW-ENC-004", "A bind reply's scalars twice, its methods in one list.",
        b(4, u(1, 1) + u(2, 1) + b(3, u(1, 1)) + u(1, 0) + u(2, 2) + b(3, u(1, 2))),
        bind_reply(0, False, 2, [method(1), method(2)]))
    add(307, "TW-ENC-004", "A method's fields twice.",
        b(4, b(3, u(1, 1) + b(2, b"A") + u(1, 2) + b(2, b"B"))),
        bind_reply(methods=[method(2, b"B")]))
    add(308, "TW-ENC-004", "An error's text twice.", b(7, b(1, b"A") + b(1, b"B")),
        request_error(0, b"B"))
    add(309, "TW-ENC-004", "An identity's fields twice.",
        b(8, u(1, 1) + u(2, 1) + b(3, b"A") + b(4, b"A") + u(1, 2) + u(2, 2) + b(3, b"B") +
          b(4, b"B")), peer_identity(0, 2, 2, b"B", b"B"))
    add(310, "TW-ENC-004", "request_id a thousand times.",
        b"".join(u(2, i) for i in range(1000)), none(999))


def members():
    add = encoding.payload
    for number, field in enumerate(range(3, 9), 320):
        add(number, "TW-ENC-005", f"Member {field} twice.", b(field) + b(field),
            Refused("two_members"))
    pairs = [(i, j) for i in range(3, 9) for j in range(3, 9) if i != j]
    for number, (first, second) in enumerate(pairs, 326):
        add(number, "TW-ENC-005", f"Members {first} and {second}.", b(first) + b(second),
            Refused("two_members"))
    add(356, "TW-ENC-005", "A bind and a call: decoders disagree which one it is.",
        u(2, 7) + b(3, b(1, b"ProducerPort")) + b(5, u(1, 1) + u(2, 1)), Refused("two_members"))
    add(357, "TW-ENC-005", "A bind and an empty one: decoders merge or replace.",
        u(2, 7) + b(3, b(1, b"ProducerPort")) + b(3), Refused("two_members"))
    add(358, "TW-ENC-005", "Two members with request_id and padding between them.",
        b(5, u(2, 1)) + u(2, 7) + b(1, b"pad") + b(6), Refused("two_members"))
    add(359, "TW-ENC-005", "A member and an unknown one: the unknown one is skipped.",
        b(3, b(1, b"P")) + b(9, b(1, b"P")), bind(0, b"P"))
    add(360, "TW-ENC-006", "An unknown member alone: a frame without a member.",
        u(2, 7) + b(9, b"\x08\x01"), none(7))


def unknown():
    whole = (
        (u(10, 5), "An unknown varint in {} is skipped."),
        (f64(10, 2**63), "An unknown fixed64 in {} is skipped."),
        (f32(10, 7), "An unknown fixed32 in {} is skipped."),
        (b(10, b"abc"), "Unknown bytes in {} are skipped."),
        (b(10), "Unknown empty bytes in {} are skipped."),
        (b(10, b"\x03\x1b\xff\xff"), "Unknown bytes in {} are not looked into: groups there."),
        (b(10, b"\x0a\x05a"), "Unknown bytes in {} are not looked into: truncated there."),
        (b(10, b"\0\0\0"), "Unknown bytes in {} may hold NUL."),
        (u(10, 1) + f64(11, 1) + b(12, b"x") + f32(13, 1), "Unknown fields of all types in {}."),
        (u(10, 1) * 500, "Five hundred unknown fields in {}."),
    )
    for i, (data, about) in enumerate(whole):
        at_levels(370 + 3 * i, "TW-ENC-006", about, data)
    add = encoding.payload
    add(400, "TW-ENC-006", "Padding is ignored.", b(1, b"padding") + u(2, 7), none(7))
    add(401, "TW-ENC-006", "Padding may be there many times and hold anything.",
        b(1, b"\xff\0\x1b") + u(2, 7) + b(1) + b(1, b"x" * 300), none(7))
    add(402, "TW-ENC-006", "Unknown fields around and inside a bind.",
        b(15, b"?") + u(2, 7) + b(3, u(20, 1) + b(1, b"ProducerPort") + f32(21, 0)) + u(30, 2),
        bind(7, b"ProducerPort"))


def strings():
    places = (
        ("a bind's service_name", lambda s: b(3, b(1, s)), lambda s: bind(0, s)),
        ("a method's name", lambda s: b(4, b(3, b(2, s))),
         lambda s: bind_reply(methods=[method(0, s)])),
        ("an error's text", lambda s: b(7, b(1, s)), lambda s: request_error(0, s)),
        ("an identity's machine_id_hint", lambda s: b(8, b(3, s)),
         lambda s: peer_identity(hint=s)),
        ("an identity's machine_name", lambda s: b(8, b(4, s)), lambda s: peer_identity(name=s)),
    )
    texts = ((b"\0", "alone"), (b"\0Port", "at the start"), (b"Producer\0Port", "in the middle"),
             (b"Port\0", "at the end"))
    number = 420
    for place, where, value in places:
        for text, word in texts:
            encoding.payload(number, "TW-ENC-008", f"A NUL byte {word} of {place}.", where(text),
                             Refused("nul", value(text)))
            number += 1
    add = encoding.payload
    add(440, "TW-ENC-008", "A name that would be ProducerPort if it ended at its NUL byte.",
        u(2, 7) + b(3, b(1, b"ProducerPort\0Evil")),
        Refused("nul", bind(7, b"ProducerPort\0Evil")))
    add(441, "TW-ENC-008", "A name with NUL, then a good one: the bad one is there all the same.",
        b(3, b(1, b"\0") + b(1, b"ProducerPort")), Refused("nul"))
    add(442, "TW-ENC-008", "Arguments may hold NUL: they are bytes.", b(5, b(3, b"\0a\0")),
        invoke(args=b"\0a\0"))
    add(443, "TW-ENC-008", "A reply's message may hold NUL.", b(6, b(3, b"\0")),
        invoke_reply(reply=b"\0"))
    add(444, "TW-ENC-008", "Padding may hold NUL.", b(1, b"\0\0"), none())
    add(445, "TW-ENC-008", "The second of three methods has NUL in its name.",
        b(4, b(3, b(2, b"A")) + b(3, b(2, b"B\0")) + b(3, b(2, b"C"))), Refused("nul"))
    for number, (text, word) in enumerate((
            (b"\xff", "a byte that is never in UTF-8"), (b"\x80", "a continuation byte alone"),
            (b"\xc3", "half a sequence"), (b"\xed\xa0\x80", "a surrogate"),
            (b"\xf4\x90\x80\x80", "a code point too large"), (b"\xc0\xae", "an over-long dot")),
            446):
        add(number, "TW-ENC-010", f"A name is bytes: {word} is kept.", b(3, b(1, text)),
            bind(0, text))
    add(452, "TW-ENC-010", "Control characters and quotes in an error.",
        b(7, b(1, b"\x01\t\r\n\"\\\x7f")), request_error(0, b"\x01\t\r\n\"\\\x7f"))


def nothing():
    add = encoding.payload
    add(460, "TW-FRAME-004", "An empty payload.", b"", {"kind": "empty"})
    add(461, "TW-ENC-001", "One zero byte.", b"\0", Refused("bad_tag"))
    add(462, "TW-ENC-001", "All bytes zero.", b"\0" * 32, Refused("bad_tag"))
    add(463, "TW-ENC-001", "All bits set.", b"\xff" * 32, Refused("long_tag"))
    add(464, "TW-ENC-007", "An empty frame but for its request_id.", u(2, 5), none(5))


truncated()
varints()
lengths()
numbers()
groups()
wrong_types()
repeated()
members()
unknown()
strings()
nothing()
