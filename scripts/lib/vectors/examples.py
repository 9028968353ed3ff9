# SPDX-License-Identifier: Apache-2.0
"""The worked examples of encoding.md, by their names there, and frames as recorded services and
clients have sent them."""

from vectors.encode import (b, bind, bind_reply, encode, invoke, invoke_reply, method,
                            request_error, u, wrap)
from vectors.topic import Topic

examples = Topic("example", "examples.json", "the worked examples of encoding.md")
recorded = Topic("recorded", "recorded.json", "frames as the original writes them")

SYNC = invoke(2, 1, 11)


def example(number, name, rule, about, piece):
    examples.stream(number, rule, about, [piece], example=name)


def worked():
    two = [method(4, b"CommitData"), method(11, b"Sync")]
    packet = b(2, b(1, b"\x40\x96\x2a") + u(2, 1))
    example(1, "bind", "TW-FRAME-001", "Request 1 asks for ProducerPort.",
            bind(1, b"ProducerPort"))
    example(2, "bind-reply", "TW-FRAME-003", "The answer of a service with two methods.",
            bind_reply(1, True, 1, two))
    example(3, "bind-reply-unknown", "TW-ENC-007", "No such service, as the original says it.",
            (u(2, 1) + b(4), bind_reply(1)))
    example(4, "invoke", "TW-FRAME-003", "A call of Sync.", SYNC)
    example(5, "invoke-reply", "TW-FRAME-003", "Its only reply.",
            invoke_reply(2, True, False, b""))
    example(6, "invoke-reply-more", "TW-FRAME-003", "One of several replies of ReadBuffers.",
            invoke_reply(3, True, True, packet))
    example(7, "invoke-refused", "TW-ENC-007", "A refusal, as the original writes it.",
            (u(2, 2) + b(6, u(2, 0)), invoke_reply(2)))
    example(8, "drop-reply", "TW-FRAME-003", "A call of CommitData that wants no answer.",
            invoke(4, 1, 4, b(1, u(1, 0) + u(2, 2) + u(3, 1)), True))
    example(9, "padded-length", "TW-ENC-003", "The length of the member in four bytes.",
            (u(2, 2) + b(6, u(1, 1) + u(2, 0) + b(3), 4), invoke_reply(2, True, False, b"")))
    example(10, "padded-varint", "TW-ENC-003", "The request_id in three bytes.",
            (u(2, 2, 3) + encode(SYNC)[2:], SYNC))
    example(11, "request-error", "TW-FRAME-003", "The answer to a frame that was no request.",
            request_error(5, b"unknown request"))
    example(12, "setup-tracing", "TW-FRAME-003", "The command that brings the shared memory.",
            invoke_reply(6, True, True, b(3, u(1, 4))))


def as_the_original(frame):
    """The canonical payload with the lengths of nested messages in four bytes."""
    start = u(2, frame["request_id"])
    if frame["kind"] == "bind":
        return start + b(3, b(1, frame["service_name"]), 4)
    if frame["kind"] == "bind_reply":
        methods = (b(3, u(1, m["id"]) + b(2, m["name"]), 4) for m in frame["methods"])
        return start + b(4, u(1, frame["success"]) + u(2, frame["service_id"]) +
                         b"".join(methods), 4)
    if frame["kind"] == "invoke":
        return start + b(5, u(1, frame["service_id"]) + u(2, frame["method_id"]) +
                         b(3, frame["args"]) + u(4, frame["drop_reply"]), 4)
    return start + b(6, u(1, frame["success"]) + u(2, frame["has_more"]) + b(3, frame["reply"]), 4)


def padded():
    """The start of a recorded session with v30.0, which writes all sizes of messages so."""
    config = b(1, b"track_event") + u(2, 1)
    frames = (
        ("A bind.", bind(1, b"ProducerPort")),
        ("Its reply.", bind_reply(1, True, 1, [method(1, b"InitializeConnection"),
                                               method(2, b"RegisterDataSource")])),
        ("InitializeConnection.", invoke(2, 1, 1, u(1, 0) + u(2, 0) + b(3, b"peer") + u(4, 1))),
        ("Its reply.", invoke_reply(2, True, False, u(1, 0) + u(2, 1))),
        ("RegisterDataSource.", invoke(4, 1, 2, b(1, b(1, b"peer.seq", 1) + u(2, 1), 4))),
        ("A command: SetupTracing.", invoke_reply(3, True, True, b(3, u(1, 4), 4))),
        ("A command: SetupDataSource.", invoke_reply(3, True, True,
                                                     b(6, u(1, 1) + b(2, config, 4), 4))),
        ("A call without answer.", invoke(7, 1, 8, u(1, 1), True)),
    )
    for number, (about, frame) in enumerate(frames, 1):
        recorded.payload(number, "TW-ENC-003", f"Sizes in four bytes. {about}",
                         as_the_original(frame), frame)
    recorded.stream(20, "TW-ENC-003", "The same frames, one after the other.",
                    [(as_the_original(f), f) for _, f in frames])
    recorded.stream(21, "TW-FRAME-001", "The last of them lacks its last byte.",
                    [(as_the_original(f), f) for _, f in frames],
                    rest=wrap(as_the_original(frames[0][1]))[:-1])


worked()
padded()
