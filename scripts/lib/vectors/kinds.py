# SPDX-License-Identifier: Apache-2.0
"""The six kinds of frames: every field, its limits, what an encoder writes, what may be absent."""

from vectors.encode import (b, bind, bind_reply, encode, invoke, invoke_reply, method, none,
                            peer_identity, request_error, u, varint)
from vectors.topic import Topic

kinds = Topic("kind", "kinds.json", "every kind of frame, its fields and their defaults")

U32, U64 = 2**32 - 1, 2**64 - 1
PRODUCER = [b"InitializeConnection", b"RegisterDataSource", b"UnregisterDataSource",
            b"CommitData", b"GetAsyncCommand", b"RegisterTraceWriter", b"UnregisterTraceWriter",
            b"NotifyDataSourceStarted", b"NotifyDataSourceStopped", b"ActivateTriggers", b"Sync",
            b"UpdateDataSource"]
ALL_BYTES = bytes(range(256))


def request_ids():
    add = kinds.written
    ids = (0, 1, 127, 128, 16383, 16384, 2**31 - 1, 2**31, U32, 2**32, 2**53 + 1, 2**63 - 1,
           2**63, U64)
    for number, request_id in enumerate(ids, 1):
        add(number, "TW-FRAME-003", f"A frame without a member, request_id {request_id}.",
            none(request_id))
    for number, request_id in enumerate((0, 127, 128, U64), 20):
        add(number, "TW-FRAME-003", f"A call with request_id {request_id}.",
            invoke(request_id, 1, 1))


def binds():
    add = kinds.written
    add(30, "TW-FRAME-003", "A bind of the port of producers.", bind(1, b"ProducerPort"))
    add(31, "TW-FRAME-003", "A bind of the port of consumers.", bind(1, b"ConsumerPort"))
    add(32, "TW-FRAME-003", "A bind of a service without a name.", bind(1, b""))
    add(33, "TW-FRAME-003", "A name of 127 bytes.", bind(1, b"n" * 127))
    add(34, "TW-FRAME-003", "A name of 128 bytes.", bind(1, b"n" * 128))
    add(35, "TW-ENC-010", "A name is any bytes but NUL; these are not UTF-8.",
        bind(1, ALL_BYTES[1:]))
    add(36, "TW-ENC-010", "A name in UTF-8.", bind(1, "Prödücer".encode()))
    add(37, "TW-ENC-010", "An over-long UTF-8 sequence, which spells NUL, is kept as bytes.",
        bind(1, b"Producer\xc0\x80Port"))
    kinds.payload(38, "TW-ENC-007", "A bind without any field: no name.", u(2, 1) + b(3), bind(1))
    kinds.payload(39, "TW-ENC-007", "A bind without request_id: it is 0.",
                  b(3, b(1, b"ProducerPort")), bind(0, b"ProducerPort"))
    add(40, "TW-FRAME-003", "A name of 20,000 bytes: the codec has no opinion about names.",
        bind(1, b"name" * 5000))


def bind_replies():
    add = kinds.written
    whole = [method(i, name) for i, name in enumerate(PRODUCER, 1)]
    add(50, "TW-FRAME-003", "A bind reply with the methods of the producer port.",
        bind_reply(1, True, 1, whole))
    add(51, "TW-FRAME-003", "A bind reply that says no.", bind_reply(1, False, 0))
    add(52, "TW-FRAME-003", "A service without methods.", bind_reply(1, True, 1))
    add(53, "TW-FRAME-003", "One method without a name, one with number 0.",
        bind_reply(1, True, 7, [method(1, b""), method(0, b"Zero")]))
    add(54, "TW-FRAME-003", "The largest service_id and method id.",
        bind_reply(1, True, U32, [method(U32, b"Last")]))
    add(55, "TW-FRAME-003", "Two methods of one name and two of one id: the codec keeps all.",
        bind_reply(1, True, 1, [method(1, b"A"), method(2, b"A"), method(2, b"B")]))
    add(56, "TW-FRAME-003", "A thousand methods.",
        bind_reply(1, True, 1, [method(i, b"M") for i in range(1000)]))
    payload = kinds.payload
    payload(57, "TW-ENC-007", "An empty bind reply, as the original says no.", b(4), bind_reply())
    payload(58, "TW-ENC-007", "A bind reply without success: it is false.",
            u(2, 1) + b(4, u(2, 1)), bind_reply(1, False, 1))
    payload(59, "TW-ENC-007", "A method without fields.", b(4, u(1, 1) + b(3)),
            bind_reply(0, True, 0, [method()]))
    payload(60, "TW-ENC-006", "Fields in another order: methods first, name before id.",
            b(4, b(3, b(2, b"Sync") + u(1, 11)) + u(2, 1) + u(1, 1)) + u(2, 9),
            bind_reply(9, True, 1, [method(11, b"Sync")]))
    payload(61, "TW-ENC-006", "Methods between other fields and unknown ones stay in order.",
            b(4, b(3, u(1, 1)) + u(1, 1) + b(9, b"?") + b(3, u(1, 2)) + u(2, 5) + b(3, u(1, 3))),
            bind_reply(0, True, 5, [method(1), method(2), method(3)]))


def invokes():
    add = kinds.written
    for number, name in enumerate(PRODUCER, 1):
        add(69 + number, "TW-FRAME-003", f"A call of {name.decode()} without arguments.",
            invoke(number + 1, 1, number))
    add(82, "TW-FRAME-003", "A call that wants no reply.", invoke(7, 1, 8, b"\x08\x01", True))
    add(83, "TW-FRAME-003", "The largest numbers of service and method.", invoke(1, U32, U32))
    add(84, "TW-FRAME-003", "Numbers 0 of service and method.", invoke(1, 0, 0))
    add(85, "TW-FRAME-003", "Arguments are any bytes, NUL too; the codec does not look inside.",
        invoke(1, 1, 4, ALL_BYTES))
    add(86, "TW-FRAME-003", "Arguments that are no message at all are the method's matter.",
        invoke(1, 1, 4, b"\xff\xff\xff"))
    add(87, "TW-FRAME-003", "Arguments of 100,000 bytes.", invoke(1, 1, 4, b"\0" * 100000))
    payload = kinds.payload
    payload(88, "TW-ENC-007", "A call without any field.", u(2, 3) + b(5), invoke(3))
    payload(89, "TW-ENC-007", "A call with nothing but a method.", b(5, u(2, 11)),
            invoke(0, 0, 11))
    payload(90, "TW-ENC-006", "A call with its fields backwards, request_id last.",
            b(5, u(4, 1) + b(3, b"x") + u(2, 2) + u(1, 1)) + u(2, 4), invoke(4, 1, 2, b"x", True))


def invoke_replies():
    add = kinds.written
    add(100, "TW-FRAME-003", "A reply with an empty message.", invoke_reply(2, True, False, b""))
    add(101, "TW-FRAME-003", "A reply with a message.",
        invoke_reply(2, True, False, u(1, 0) + u(2, 1)))
    add(102, "TW-FRAME-003", "A reply that has more to follow.",
        invoke_reply(2, True, True, b"\x12\x00"))
    add(103, "TW-FRAME-003", "A refusal: no success, no message.", invoke_reply(2))
    add(104, "TW-FRAME-003", "Success without a message, which is not an empty message.",
        invoke_reply(2, True, True))
    add(105, "TW-FRAME-003", "A refusal with a message: the codec passes both on.",
        invoke_reply(2, False, False, b"why"))
    add(106, "TW-FRAME-003", "A reply of 120,000 bytes.",
        invoke_reply(2, True, True, b"\xaa" * 120000))
    payload = kinds.payload
    payload(107, "TW-ENC-007", "has_more false and no success: how the original refuses.",
            u(2, 2) + b(6, u(2, 0)), invoke_reply(2))
    payload(108, "TW-ENC-007", "success false alone, as the original says it.",
            u(2, 2) + b(6, u(1, 0)), invoke_reply(2))
    payload(109, "TW-ENC-007", "A reply without any field.", u(2, 2) + b(6), invoke_reply(2))
    payload(110, "TW-ENC-007", "A message alone: success is absent, so false.",
            u(2, 2) + b(6, b(3)), invoke_reply(2, reply=b""))


def errors_and_identities():
    add, payload = kinds.written, kinds.payload
    add(120, "TW-FRAME-003", "The answer to what is no request.",
        request_error(9, b"unknown request"))
    add(121, "TW-FRAME-003", "An error without words.", request_error(9, b""))
    add(122, "TW-ENC-010", "An error in bytes that are not UTF-8.", request_error(0, b"\xff\xfe"))
    payload(123, "TW-ENC-007", "An error without its text.", b(7), request_error())
    add(130, "TW-FRAME-003", "Who speaks: all four fields.",
        peer_identity(0, 1234, 1000, b"0123-4567", b"phone"))
    add(131, "TW-FRAME-003", "Negative numbers take ten bytes.", peer_identity(0, -1, -2))
    add(132, "TW-FRAME-003", "The smallest and the largest number of 32 bits with a sign.",
        peer_identity(0, -(2**31), 2**31 - 1))
    payload(133, "TW-ENC-007", "An identity without fields.", b(8), peer_identity())
    payload(134, "TW-ENC-014", "A negative pid in five bytes, as 32 bits: the low half counts.",
            b(8, b"\x08" + varint(2**32 - 1)), peer_identity(0, -1))


def narrow():
    """Fields narrower than the varint that fills them."""
    add = kinds.payload
    add(140, "TW-ENC-014", "method_id 2^32 + 5 is 5.", b(5, u(2, 2**32 + 5)), invoke(0, 0, 5))
    add(141, "TW-ENC-014", "service_id 2^64 - 1 is 2^32 - 1.", b(5, u(1, U64)), invoke(0, U32))
    add(142, "TW-ENC-014", "A bind reply's service_id 2^63 is 0.", b(4, u(2, 2**63)),
        bind_reply(0, False, 0))
    add(143, "TW-ENC-014", "A method's id 2^32 is 0.", b(4, b(3, u(1, 2**32))),
        bind_reply(0, False, 0, [method(0)]))
    add(144, "TW-ENC-014", "drop_reply 2 is true.", b(5, u(4, 2)), invoke(drop_reply=True))
    add(145, "TW-ENC-014", "success 2^32 is true: a boolean looks at all 64 bits.",
        b(6, u(1, 2**32)), invoke_reply(0, True))
    add(146, "TW-ENC-014", "has_more 2^63 is true.", b(6, u(2, 2**63)),
        invoke_reply(0, False, True))
    add(147, "TW-ENC-014", "A bind's success of 2^64 - 1 is true.", b(4, u(1, U64)),
        bind_reply(0, True))
    add(148, "TW-ENC-014", "pid 2^32 + 7 is 7.", b(8, u(1, 2**32 + 7)), peer_identity(0, 7))
    add(149, "TW-ENC-014", "uid 2^31 is -2^31: the low half has the sign.",
        b(8, u(2, 2**31)), peer_identity(0, 0, -(2**31)))


request_ids()
binds()
bind_replies()
invokes()
invoke_replies()
errors_and_identities()
narrow()
assert encode(bind(1, b"ProducerPort")).hex() == "10011a0e0a0c50726f6475636572506f7274"
