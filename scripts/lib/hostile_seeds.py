# SPDX-License-Identifier: Apache-2.0
"""Scripts for fuzz_hostile_service.c and fuzz_hostile_answers.c: what a service can do to a producer
and to a consumer, a seed for each."""

from vectors.encode import b, u

(WORK, COMMAND, REPLY, FOREIGN, SERVICE, HANG_UP, MEMORY, CHANGES, TIME, OPEN, SOURCE, WRITER,
 PACKET, EVENT, FAULT) = range(15)
GOOD, SMALL, NO_MEMORY, MEMORIES = 0, 1, 2, 17
LAST = 32
BATCHING, DEADLINE, MEDDLES, LATER, EARLY = 8, 16, 32, 64, 128
MUTE, DEAF, NO_BIND, FEW, PATCH, EMULATION, ADOPTED = 1, 2, 4, 8, 16, 32, 64
SUCCESS, MORE, BODY, WITH_FD = 16, 32, 64, 128
DROP, STALL, STALL_THEN_DROP = 64, 128, 192
FLUSH = 128
NEST, UNNEST, NUMBER, BYTES = 0, 64, 128, 192
METHODS = 11
FAILING = 14  # calls that can fail, besides allocations


def op(what, arg=0, body=b""):
    return bytes([what, arg]) + len(body).to_bytes(2, "little") + body


def work(rounds=3):
    return op(WORK, rounds) * 2


def command(number, fields=b"", memory=NO_MEMORY, more=0):
    return op(COMMAND, memory | more, b(number, fields)) + work()


def share(kind=GOOD, page_kb=4):
    return command(3, u(1, page_kb), kind)


def config(name=b"a", policy=0, more=b""):
    return b(1, name) + u(2, 1) + u(9, policy) + more


def start(instance=1, name=b"a", **more):
    args = u(1, instance) + b(2, config(name, **more))
    return command(6, args) + command(1, args)


def stop(instance=1):
    return command(2, u(1, instance))


def flush(instance=1, request=1):
    return command(5, u(1, instance) + u(2, request))


def clear(instance=1):
    return command(7, u(1, instance))


def packet(slot=0, fields=bytes([NUMBER, NEST, BYTES, UNNEST])):
    return op(PACKET, slot, fields)


def writer(slot=0, instance=1, policy=DROP):
    return op(WRITER, slot | instance << 2 | policy)


def open_anew(how=0):
    return op(OPEN, how) + work()


def change(what, at=0, value=0):
    """The most significant byte of value comes first, and then from the least on."""
    return bytes([what, at, value >> 24]) + value.to_bytes(4, "little")[:3]


UP = work() + share()
RUNNING = UP + start()
WRITING = RUNNING + writer() + packet()
EVENTS = UP + start(2, b"track_event") + work()
ALL_EVENTS = b"".join(op(EVENT, kind << 1) for kind in range(6))
END = work() + stop() + work()


def ordinary():
    for layout in range(6):
        for how in 0, BATCHING, LATER, MEDDLES:
            yield open_anew(layout | how) + WRITING + packet() * 3 + flush() + op(TIME, 5) + END
    yield WRITING + clear() + op(WRITER, 0) + END
    yield EVENTS + ALL_EVENTS + op(EVENT, 1) + clear(2) + ALL_EVENTS + flush(2) + stop(2)
    yield EVENTS + ALL_EVENTS + op(HANG_UP) + work() + ALL_EVENTS + op(TIME, 10) + EVENTS
    yield op(SERVICE, PATCH) + WRITING + packet(0, bytes([NEST] * 3 + [BYTES + 6, UNNEST] * 3)) + END
    yield WRITING + packet(0, bytes([NEST] * 12)) + packet(0, bytes([NEST, BYTES + 7] * 4)) + END
    yield open_anew(LATER) + WRITING + END + op(SOURCE, 192 | 1) + work()


def early():
    for how in 0, PATCH, EMULATION, ADOPTED, MUTE, NO_BIND:
        for name in b"a", b"b":
            for more in b"", b(99, b""), b(99, b"1"):
                begun = op(OPEN, EARLY) + op(SERVICE, how) + writer(0, 0) + packet() * 3
                for kind in GOOD, NO_MEMORY:
                    yield begun + work() + share(kind) + start(1, name, more=more) + packet() + (
                        writer(1) + packet(1) + flush() + op(TIME, 60) + END)
                yield begun + work() + op(TIME, 60) + packet() + work() + op(HANG_UP) + packet()
    for nth in range(1, 40):
        yield op(FAULT, nth) + op(OPEN, EARLY) + writer(0, 0) + packet() + work() + op(FAULT, nth) + (
            share() + start() + packet() + END)


def sources():
    yield RUNNING + op(SOURCE, 128) + work() + op(SOURCE, 0, b(7, b"x")) + work()
    yield RUNNING + op(SOURCE, 64, b(7, b"x")) + op(SOURCE, 64 | 1) + op(SOURCE, 128 | 2) + work()
    yield UP + op(SOURCE, 128) + op(SOURCE, 64) + op(SOURCE, 0) * 2 + op(HANG_UP) + op(TIME, 9) + UP


def commands():
    for kind in range(MEMORIES):
        yield work() + share(kind) + op(TIME, 10) + RUNNING
    for page_kb in 0, 1, 2, 8, 16, 32, 60, 64, 65, 1 << 40:
        yield work() + share(GOOD, page_kb) + start() + writer() + packet() + END
    yield UP + share() + start() + start() + stop() + stop(9) + start(1) + clear(9) + flush(9)
    yield work() + start() + share() + command(1, u(1, 5) + b(2, config()))
    yield RUNNING + start(3, b"unknown") + start(4, b"") + op(COMMAND, 0, b"\xff") + work()
    yield RUNNING + command(4, b"") + command(9, b"") + op(COMMAND, LAST, b"") + work()
    yield RUNNING + command(6, b"\x0a\xff") + command(5, b(1, b"\x01\x01\xff")) + work()
    yield UP + b"".join(op(COMMAND, NO_MEMORY, b(1, u(1, i) + b(2, config()))) for i in range(90))
    for policy in range(4):
        yield work() + share(SMALL) + start(policy=policy) + writer(0, 1, 0) + writer(1, 1, 0) + (
            packet(0, bytes([BYTES + 7])) + packet(1)) * 3 + END


def answers():
    for how in MUTE, DEAF, NO_BIND, FEW, EMULATION:
        yield op(SERVICE, how) + open_anew() + RUNNING + op(SERVICE) + op(TIME, 20) + RUNNING
    for how in 0, SUCCESS, SUCCESS | BODY, SUCCESS | MORE, MORE, SUCCESS | BODY | MORE | WITH_FD:
        mute = op(SERVICE, MUTE | PATCH)
        yield WRITING + b"".join(op(REPLY, method | how) for method in range(METHODS)) + work()
        for method in range(METHODS):
            yield WRITING + op(REPLY, method | how, u(3, 1)) + work() + mute + op(TIME, 9) + work()
    yield open_anew(DEADLINE) + WRITING + op(SERVICE, DEAF) + (packet() + op(PACKET, FLUSH) + work()
        ) * 60 + op(TIME, 11) + work() + op(SERVICE) + op(TIME, 40) + RUNNING
    yield WRITING + op(HANG_UP) + packet() + work() + op(TIME, 1) + WRITING + op(TIME, 255) + END
    for rounds in range(6):
        yield op(WORK, 0) * rounds + op(HANG_UP) + op(TIME, 2) + work() + op(TIME, 4) + RUNNING


def emulated():
    up = op(SERVICE, EMULATION | PATCH) + open_anew() + share(NO_MEMORY)
    for page_kb in 0, 4, 32:
        yield op(SERVICE, EMULATION) + open_anew(2) + share(NO_MEMORY, page_kb) + start() + (
            writer() + packet(0, bytes([NEST, BYTES + 7, BYTES + 7, UNNEST])) * 3) + flush() + END
    yield up + start() + writer() + packet() * 9 + op(SERVICE, EMULATION | DEAF) + (
        packet(0, bytes([BYTES + 7] * 4)) + work()) * 60 + op(SERVICE, EMULATION) + work() * 3 + END
    yield up + start(2, b"track_event") + work() + ALL_EVENTS + flush(2) + op(HANG_UP) + op(TIME, 9) + UP
    yield up + share() + start() + writer() + packet() + op(COMMAND, GOOD, b(3, u(1, 4))) + END


def foreign():
    for data in b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\4\0\0\0\xff\xff\xff\xff", b"\2\0\0\0\x10\1":
        for kind in 0, NO_MEMORY, 64, 128, 64 | 14:
            yield WRITING + op(FOREIGN, kind, data) + work() + op(TIME, 9) + RUNNING


def memory():
    words = 0, 0x10000000, 0x10000001, 0x10000002, 0x10000003, 0x50000000, 0x5FFFFFFF, 0x60000000, (
        0x7FFFFFFF), 0xFFFFFFFF, 0x80000000
    for word in words:
        data = word.to_bytes(4, "little")
        yield WRITING + op(MEMORY, 0, b"\0\0" + data + data) + packet(0, bytes([BYTES + 7])) + END
        for what in 1, 2, 4:
            for quiet in 0, 1, 2, 3, 5, 8:
                list_ = bytes(quiet) + change(what, 0, word) + change(what, 1, word)
                yield RUNNING + writer() + op(CHANGES, 0, list_) + packet() * 2 + op(PACKET, FLUSH) + END
                yield op(SERVICE, PATCH) + open_anew(5) + RUNNING + writer() + packet(0, bytes([NEST])) + (
                    op(CHANGES, 0, list_) + packet(0, bytes([NEST, BYTES + 7, UNNEST]))) * 2 + END
    for quiet in range(12):  # the last of many chunks is looked for, and its page has but one
        yield open_anew(5) + share(SMALL) + start() + writer() + (packet() + op(PACKET, FLUSH)) * 3 + (
            op(CHANGES, 0, bytes(quiet) + change(1, 0, 0x10000000)) + packet(0, bytes([BYTES + 3])) + END)
    for policy in DROP, STALL, STALL_THEN_DROP:
        yield work() + share(SMALL) + start() + writer(0, 1, policy) + (
            packet(0, bytes([BYTES + 5])) * 3 + work()) * 2 + op(MEMORY, 0, bytes(6)) + packet() + END


def faults():
    for nth in range(1, 64):
        yield op(FAULT, nth) + open_anew() + WRITING + op(FAULT, nth // 2 + 1) + WRITING
        yield work() + op(FAULT, nth) + share() + start() + writer() + packet() + op(FAULT, nth) + (
            EVENTS + ALL_EVENTS + op(SOURCE, 128) + op(SOURCE, 0) + END)
    for call in range(FAILING):
        for nth in range(1, 8):
            for error in 0, 1, 9:
                yield op(FAULT, nth, bytes([call, error])) + open_anew() + WRITING + op(TIME, 20) + UP
                yield work() + op(FAULT, nth, bytes([call, error])) + share() + start() + END


def hostile_service_seeds():
    for make in ordinary, early, sources, commands, answers, emulated, foreign, memory, faults:
        yield from make()


# ---- fuzz_hostile_answers.c ----

(CALL, BIND, ANSWER, BYTES_AS_THEY_ARE, DISPATCH, SLICES, END_IT, FAIL, ANEW) = range(9)
N_CALLS, READ, WITH_FILE, FREES, CALLS = 16, 15, 32, 64, 128
GOOD_BIND = 1


def bound(how=GOOD_BIND, reacts=0):
    return op(ANEW, reacts) + op(DISPATCH) * 2 + op(BIND, how) + op(DISPATCH)


def made(which, how=0, body=b"x"):
    return op(CALL, which | how, body) + op(DISPATCH)


def answered(body=b"", how=SUCCESS | BODY, which=0):
    return op(ANSWER, which | how, body) + op(DISPATCH)


def slices(*texts, last=True):
    return b"".join(b(2, b(1, text) + (u(2, 1) if last else b"")) for text in texts)


def hostile_answers_seeds():
    bodies = (b"", b"\0", b"\xff", b(3, b"error"), u(3, 1), slices(b"p", b"q"), slices(b"p", last=False),
              b(2, u(1, 1)), b(2, b"\xff"), b(1, u(1, 1) + b(2, b"no")))
    for which in range(N_CALLS):
        for how in 0, WITH_FILE, FREES, CALLS:
            yield bound() + made(which, how) + answered()
            yield bound() + made(which, how) + op(END_IT) + op(DISPATCH) * 2
        for body in bodies:
            yield bound() + made(which) + answered(body, SUCCESS | BODY | MORE) + answered(body)
        for how in 0, MORE, SUCCESS, BODY:
            yield bound() + made(which) + answered(b"x", how) + answered(b"y", how)
        yield bound() + made(which, FREES) + answered(bodies[5], SUCCESS | BODY | MORE) + answered()
        yield made(which) + bound(3) + made(which) + answered() + answered(which=3)
    for how in 0, 1, 2, 3, 4, 5:
        for reacts in 0, FREES, CALLS:
            yield bound(how, reacts) + op(BIND, how) + made(READ) + op(DISPATCH) + answered()
    for data in b"\0\0\0\0", b"\xff\xff\xff\xff", b"\4\0\0\0\xff\xff\xff\xff", b"\2\0\0\0\x10\1":
        yield bound() + made(READ) + op(BYTES_AS_THEY_ARE, 0, data) + op(DISPATCH) * 2 + made(0)
    yield bound() + b"".join(op(CALL, i % N_CALLS, b"k") for i in range(64)) + op(DISPATCH) + answered()
    yield bound() + made(READ) + op(SLICES, 3) + answered(slices(b"end")) + answered()
    yield bound() + made(READ) + op(SLICES, 3) + answered()
    yield bound() + made(READ) + op(SLICES, 255) * 3 + op(DISPATCH)
    for nth in range(1, 12):
        yield op(FAIL, nth) + bound() + made(READ) + op(FAIL, nth) + answered(slices(b"p", last=False))
        yield bound() + op(FAIL, nth) + made(nth) + made(READ) + answered()
