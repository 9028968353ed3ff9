# SPDX-License-Identifier: Apache-2.0
"""The acceptance relation of messages inside of frames: arguments and replies of every shape."""

from vectors.encode import (GROUP_END, GROUP_START, LEN, VARINT, Wide, b, f32, f64, packed, tag, u,
                            varint, zigzag)
from vectors.topic import Refused, Topic

messages = Topic("msg", "encoding-message.json", "which bytes are messages inside of frames")

# The same bytes at three depths of CommitDataRequest, and its value when they are skipped.
DEPTHS = (
    ("CommitData's arguments", lambda data: u(3, 7) + data, {"flush_request_id": Wide(7)}),
    ("a chunk to move", lambda data: b(1, u(1, 3) + data), {"chunks_to_move": [{"page": 3}]}),
    ("a patch", lambda data: b(2, b(4, u(1, 3) + data)),
     {"chunks_to_patch": [{"patches": [{"offset": 3}]}]}),
)
U64 = 2**64 - 1


def at_depths(number, rule, about, data, reason=None):
    for offset, (place, put, value) in enumerate(DEPTHS):
        messages.message(number + offset, rule, about.format(place), "CommitDataRequest",
                         put(data), Refused(reason) if reason else value)


def malformed():
    classes = (
        ("TW-ENC-001", b"\x50", "truncated", "A tag is the last byte of {}."),
        ("TW-ENC-001", b"\x50\x80", "truncated", "A varint without its end in {}."),
        ("TW-ENC-001", b"\x52\x05abcd", "truncated", "Four bytes of five at the end of {}."),
        ("TW-ENC-001", b"\x55abc", "truncated", "Three bytes of a fixed32 at the end of {}."),
        ("TW-ENC-001", b"\x51abcdefg", "truncated", "Seven bytes of a fixed64 at the end of {}."),
        ("TW-ENC-001", b"\x52\xff\xff\xff\xff\x0f", "truncated", "A length of 2^32 - 1 in {}."),
        ("TW-ENC-001", b"\x50" + b"\xff" * 9 + b"\x02", "bad_varint",
         "A varint with a 65th bit in {}."),
        ("TW-ENC-001", b"\x50" + b"\x80" * 10 + b"\0", "bad_varint",
         "A varint of eleven bytes in {}."),
        ("TW-ENC-001", b"\0\0", "bad_tag", "Field number 0 in {}."),
        ("TW-ENC-001", u(2**29, 1), "bad_tag", "Field number 2^29 in {}."),
        ("TW-ENC-001", tag(10, GROUP_START) + tag(10, GROUP_END), "group",
         "An unknown group, well-formed, in {}."),
        ("TW-ENC-001", tag(10, GROUP_END), "group", "The end of a group in {}."),
        ("TW-ENC-001", tag(10, 6), "bad_wire_type", "Wire type 6 in {}."),
        ("TW-ENC-001", tag(10, 7), "bad_wire_type", "Wire type 7 in {}."),
        ("TW-ENC-009", tag(10, VARINT, 6) + b"\1", "long_tag", "A tag of six bytes in {}."),
        ("TW-ENC-009", tag(10, LEN) + varint(1, 6) + b"a", "long_tag",
         "A length of six bytes in {}."),
    )
    for i, (rule, data, reason, about) in enumerate(classes):
        at_depths(1 + 3 * i, rule, about, data, reason)
    tolerated = (
        ("TW-ENC-006", u(10, 5), "An unknown varint in {}."),
        ("TW-ENC-006", f64(10, U64) + f32(11, 1), "Unknown fixed numbers in {}."),
        ("TW-ENC-006", b(10, b"\x1b\xff\0"), "Unknown bytes, not looked into, in {}."),
        ("TW-ENC-006", u(2**29 - 1, 1), "The largest field number in {}."),
        ("TW-ENC-003", u(10, 5, 10), "An unknown varint of ten bytes in {}."),
        ("TW-ENC-003", tag(10, LEN, 5) + varint(1, 5) + b"a",
         "A tag and a length of five bytes in {}."),
    )
    for i, (rule, data, about) in enumerate(tolerated):
        at_depths(60 + 3 * i, rule, about, data)


def wrong_types():
    cases = (
        ("CommitDataRequest", f64(3, 1), "flush_request_id as fixed64."),
        ("CommitDataRequest", b(3, b"\1"), "flush_request_id, which is not repeated, as a list."),
        ("CommitDataRequest", u(1, 1), "A nested message as a varint."),
        ("CommitDataRequest", b(1, f32(1, 1)), "A chunk's page as fixed32."),
        ("CommitDataRequest", b(1, u(4, 1)), "A chunk's data as a varint."),
        ("CommitDataRequest", b(2, b(4, b(1, b"\1"))), "A patch's offset as bytes."),
        ("CommitDataRequest", b(2, u(4, 1)), "Patches as a varint."),
        ("InitializeConnectionRequest", u(3, 1), "A string as a varint."),
        ("InitializeConnectionRequest", b(6, b"\1"), "A boolean as bytes."),
        ("InitializeConnectionRequest", f32(4, 1), "An enum as fixed32."),
        ("ActivateTriggersRequest", u(1, 1), "A repeated string as a varint."),
        ("FreeBuffersRequest", f32(1, 1), "A repeated number as fixed32."),
        ("GetTraceStatsResponse", b(1, b(18, f64(2, 1))), "A packed number as fixed64."),
        ("CloneSessionRequest", b(1, b"\1"), "A oneof's number as bytes."),
        ("CloneSessionRequest", u(4, 1), "A oneof's string as a varint."),
        ("GetAsyncCommandResponse", u(3, 1), "A oneof's message as a varint."),
        ("EnableTracingRequest", b(1, b(1, b(1, b"\1"))), "size_kb of a buffer as bytes."),
        ("RegisterDataSourceRequest", b(1, b(6, b(1, u(1, 1)))), "A category's name as a varint."),
    )
    for number, (name, data, about) in enumerate(cases, 80):
        messages.message(number, "TW-ENC-011", about, name, data, Refused("wrong_type"))


def nul():
    cases = (
        ("InitializeConnectionRequest", b(3, b"pro\0ducer"), "in a producer's name",
         {"producer_name": b"pro\0ducer"}),
        ("RegisterDataSourceRequest", b(1, b(1, b"\0")), "in a data source's name",
         {"data_source_descriptor": {"name": b"\0"}}),
        ("UnregisterDataSourceRequest", b(1, b"name\0"), "at the end of a name",
         {"data_source_name": b"name\0"}),
        ("ActivateTriggersRequest", b(1, b"a") + b(1, b"b\0c"), "in the second of two strings",
         {"trigger_names": [b"a", b"b\0c"]}),
        ("DetachRequest", b(1, b"key\0"), "in a session's key", {"key": b"key\0"}),
        ("CloneSessionRequest", b(4, b"\0name"), "in a oneof's string",
         {"unique_session_name": b"\0name"}),
        ("EnableTracingRequest", b(1, b(2, b(1, b(1, b"x\0")))), "four messages deep",
         {"trace_config": {"data_sources": [{"config": {"name": b"x\0"}}]}}),
    )
    for number, (name, data, where, value) in enumerate(cases, 100):
        messages.message(number, "TW-ENC-008", f"A NUL byte {where}.", name, data,
                         Refused("nul", value))
    messages.message(107, "TW-ENC-008", "Bytes may hold NUL: the data of a chunk.",
                     "CommitDataRequest", b(1, b(4, b"\0\0")),
                     {"chunks_to_move": [{"data": b"\0\0"}]})
    messages.message(108, "TW-ENC-010", "A name in bytes that are not UTF-8 is kept.",
                     "UnregisterDataSourceRequest", b(1, b"\xff\x80"),
                     {"data_source_name": b"\xff\x80"})


def once():
    start, stop = b(1, u(1, 5)), b(2, u(1, 5))
    cases = (
        ("RegisterDataSourceRequest", b(1, b(1, b"a")) + b(1, u(7, 1)),
         "A nested message in two halves, which decoders merge."),
        ("RegisterDataSourceRequest", b(1, b(1, b"a")) + b(1),
         "A nested message, then an empty one."),
        ("RegisterDataSourceRequest", b(1, b(6) + b(6)), "A message twice, one level down."),
        ("EnableTracingRequest", b(1) + b(1), "Two trace configs."),
        ("GetAsyncCommandResponse", start + stop, "Two commands: start and stop."),
        ("GetAsyncCommandResponse", start + start, "One command twice."),
        ("GetAsyncCommandResponse", b(5) + u(9, 1) + b(5), "Two flushes, a field between them."),
        ("GetAsyncCommandResponse", b(6, b(2) + b(2)), "A command with two configs."),
        ("CloneSessionRequest", u(1, 5) + b(4, b"name"), "A session's id and its name."),
        ("CloneSessionRequest", b(4, b"name") + u(1, 5), "A session's name and its id."),
        ("CloneSessionRequest", u(1, 5) + u(1, 6), "A session's id twice: it is in a oneof."),
    )
    for number, (name, data, about) in enumerate(cases, 110):
        messages.message(number, "TW-ENC-012", about, name, data, Refused("two_members"))
    messages.message(125, "TW-ENC-012", "Repeated messages may be there any number of times.",
                     "CommitDataRequest", b(1) + b(2) + b(1) + b(2, u(2, 1)),
                     {"chunks_to_move": [{}, {}], "chunks_to_patch": [{}, {"writer_id": 1}]})
    messages.message(126, "TW-ENC-012", "A command of a number that nobody knows, and one known.",
                     "GetAsyncCommandResponse", b(4, b"?") + stop,
                     {"stop_data_source": {"instance_id": Wide(5)}})


def last_counts():
    add = messages.message
    add(130, "TW-ENC-004", "A number twice.", "CommitDataRequest", u(3, 1) + u(3, 2),
        {"flush_request_id": Wide(2)})
    add(131, "TW-ENC-004", "A string twice.", "DetachRequest", b(1, b"a") + b(1, b"b"),
        {"key": b"b"})
    add(132, "TW-ENC-004", "A string, then an empty one.", "DetachRequest", b(1, b"a") + b(1),
        {"key": b""})
    add(133, "TW-ENC-004", "Bytes twice, in a nested message.", "CommitDataRequest",
        b(1, b(4, b"old") + b(4, b"new")), {"chunks_to_move": [{"data": b"new"}]})
    add(134, "TW-ENC-004", "An enum and a boolean twice.", "InitializeConnectionRequest",
        u(4, 1) + u(6, 1) + u(4, 2) + u(6, 0),
        {"smb_scraping_mode": 2, "producer_provided_shmem": False})


def lists():
    add = messages.message
    ids = {"buffer_ids": [1, 2, 300]}
    add(140, "TW-ENC-013", "Numbers one by one, as declared.", "FreeBuffersRequest",
        u(1, 1) + u(1, 2) + u(1, 300), ids, canonical=True)
    add(141, "TW-ENC-013", "The same numbers packed.", "FreeBuffersRequest",
        packed(1, [1, 2, 300]), ids)
    add(142, "TW-ENC-013", "Some one by one, some packed: one list, in order.",
        "FreeBuffersRequest", u(1, 1) + packed(1, [2]) + u(1, 300), ids)
    add(143, "TW-ENC-013", "An empty packed list.", "FreeBuffersRequest", packed(1, []), {})
    add(144, "TW-ENC-013", "Packed numbers longer than they need to be.", "FreeBuffersRequest",
        b(1, varint(1, 5) + varint(2, 10) + varint(300, 3)), ids)
    add(145, "TW-ENC-014", "Packed numbers keep their low 32 bits.", "FreeBuffersRequest",
        packed(1, [2**32 + 1, 2**63 + 2, 300]), ids)
    add(146, "TW-ENC-013", "Packed enums.", "ObserveEventsRequest", packed(1, [1, 2]),
        {"events_to_observe": [1, 2]})
    add(147, "TW-ENC-013", "Packed numbers of 64 bits, two messages deep.",
        "GetAsyncCommandResponse", b(5, packed(1, [1, U64])),
        {"flush": {"data_source_ids": [Wide(1), Wide(U64)]}})
    counts = {"trace_stats": {"writer_stats": [
        {"chunk_payload_histogram_counts": [Wide(1), Wide(2)]}]}}
    add(148, "TW-ENC-013", "Numbers declared packed, packed.", "GetTraceStatsResponse",
        b(1, b(18, packed(2, [1, 2]))), counts, canonical=True)
    add(149, "TW-ENC-013", "Numbers declared packed, one by one.", "GetTraceStatsResponse",
        b(1, b(18, u(2, 1) + u(2, 2))), counts)
    add(150, "TW-ENC-013", "Packed negative numbers.", "GetTraceStatsResponse",
        b(1, b(18, packed(3, [-1, 5]))),
        {"trace_stats": {"writer_stats": [
            {"chunk_payload_histogram_sum": [Wide(-1), Wide(5)]}]}})
    add(151, "TW-ENC-011", "The last packed number is cut short.", "FreeBuffersRequest",
        b(1, b"\x01\x80"), Refused("truncated"))
    add(152, "TW-ENC-011", "A packed number of eleven bytes.", "FreeBuffersRequest",
        b(1, b"\x80" * 10 + b"\0"), Refused("bad_varint"))
    add(153, "TW-ENC-011", "A packed number with a 65th bit.", "FreeBuffersRequest",
        b(1, b"\xff" * 9 + b"\x02"), Refused("bad_varint"))
    add(154, "TW-ENC-011", "A packed number is cut short two messages deep.",
        "GetTraceStatsResponse", b(1, b(18, b(3, b"\xff"))), Refused("truncated"))
    add(155, "TW-ENC-013", "Strings are never packed: two bytes of text are one string.",
        "ActivateTriggersRequest", b(1, b"\x01a"), {"trigger_names": [b"\x01a"]})


def widths():
    add = messages.message
    add(160, "TW-ENC-014", "A page number of 2^32 + 3 is 3.", "CommitDataRequest",
        b(1, u(1, 2**32 + 3)), {"chunks_to_move": [{"page": 3}]})
    add(161, "TW-ENC-014", "A boolean of 256 is true.", "InitializeConnectionRequest", u(6, 256),
        {"producer_provided_shmem": True})
    add(162, "TW-ENC-014", "A boolean of 2^63 is true.", "EnableTracingRequest", u(2, 2**63),
        {"attach_notification_only": True})
    add(163, "TW-ENC-014", "An enum of 77, which the schema does not have.",
        "InitializeConnectionRequest", u(4, 77), {"smb_scraping_mode": 77})
    add(164, "TW-ENC-014", "A list of enums with one that the schema does not have.",
        "ObserveEventsRequest", u(1, 1) + u(1, 1000), {"events_to_observe": [1, 1000]})
    add(165, "TW-ENC-014", "A signed number of five bytes: the low 32 bits have the sign.",
        "CloneSessionRequest", u(7, 2**32 - 1), {"clone_trigger_trusted_producer_uid": -1})
    add(166, "TW-ENC-014", "A signed number of ten bytes.", "CloneSessionRequest", u(7, -5),
        {"clone_trigger_trusted_producer_uid": -5}, canonical=True)
    add(167, "TW-ENC-014", "The largest and the smallest signed number of 64 bits.",
        "CloneSessionResponse", u(3, 2**63 - 1) + u(4, -(2**63)),
        {"uuid_msb": Wide(2**63 - 1), "uuid_lsb": Wide(-(2**63))}, canonical=True)
    dummy = (u(1, 2**32 - 1) + u(2, -(2**31)) + u(3, U64) + u(4, -1) + f64(5, U64) +
             f64(6, 2**64 - 2) + f32(7, 2**32 - 1) + f32(8, 2**32 - 2) +
             f64(9, 0x3FF8000000000000) + f32(10, 0xC0200000) + zigzag(11, -(2**63)) +
             zigzag(12, -1) + b(13, b"text") + b(14, b"\0\xff"))
    add(168, "TW-ENC-014", "A field of each type that the schema has, at its limits.",
        "EnableTracingRequest", b(1, b(2, b(1, b(1001, b(6, dummy))))),
        {"trace_config": {"data_sources": [{"config": {"for_testing": {"dummy_fields": {
            "field_uint32": 2**32 - 1, "field_int32": -(2**31), "field_uint64": Wide(U64),
            "field_int64": Wide(-1), "field_fixed64": Wide(U64), "field_sfixed64": Wide(-2),
            "field_fixed32": 2**32 - 1, "field_sfixed32": -2,
            "field_double": "0x3ff8000000000000", "field_float": "0xc0200000",
            "field_sint64": Wide(-(2**63)), "field_sint32": -1, "field_string": b"text",
            "field_bytes": b"\0\xff"}}}}]}}, canonical=True)


def cost():
    add = messages.message
    for number, (name, data, what) in enumerate((
            ("ReadBuffersResponse", b(2) * 60000, "slices"),
            ("CommitDataRequest", b(1) * 60000, "chunks to move"),
            ("CommitDataRequest", b(2, b(4) * 60000), "patches of one chunk"),
            ("EnableTracingRequest", b(1, b(1) * 60000), "buffers"),
            ("QueryServiceStateResponse", b(1, b(1) * 60000), "producers")), 180):
        add(number, "TW-ENC-015", f"60,000 empty {what} in two bytes each, which become a "
            "structure each.", name, data, Refused("too_dear"))
    add(185, "TW-ENC-015", "A thousand empty slices cost no more than any message may.",
        "ReadBuffersResponse", b(2) * 1000, {"slices": [{}] * 1000}, canonical=True)
    add(186, "TW-ENC-015", "A large chunk costs what it weighs.", "CommitDataRequest",
        b(1, b(4, b"\xab" * 100000)), {"chunks_to_move": [{"data": b"\xab" * 100000}]},
        canonical=True)
    add(187, "TW-ENC-015", "Ten thousand numbers, packed.", "FreeBuffersRequest",
        packed(1, [5] * 10000), {"buffer_ids": [5] * 10000})


malformed()
wrong_types()
nul()
once()
last_counts()
lists()
widths()
cost()
