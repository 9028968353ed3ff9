# SPDX-License-Identifier: Apache-2.0
"""The seeds of fuzz_service_script.c: one script for each thing that the service can do, and the
same with memory that runs out on the way."""

from service_corners import CORNERS, WITHOUT_MEMORY
from service_steps import *  # noqa: F403


def plain():
    yield (BASIC + enable() + emit(n=10) + call(0, "Flush", u(1, 500) + u(2, 3)) + settle() +
           acknowledge() + read() + stop() + read() + bye())
    yield (BASIC + enable() + emit(n=4) + ask(0, "Flush") + wait(6000) + read() + ask(0,
           "DisableTracing") + wait(6000))
    yield (consumer() + producer(more=NOTIFIES) + enable(config=CONFIG + u(3, 2000)) +
           ask(1, "NotifyDataSourceStarted", u(1, 1)) + emit() + wait(2500) +
           ask(1, "NotifyDataSourceStopped", u(1, 1)) + read() + bye())
    yield (consumer() + producer(more=NOTIFIES) + enable(config=CONFIG + u(23, 300)) +
           ask(0, "DisableTracing") + wait(9000) + read())
    # Unfinished chunks that are scraped, with writers that are known and not.
    yield (BASIC + enable() + ask(1, "RegisterTraceWriter", u(1, 1) + u(2, 1)) +
           page(1, 0, chunk(0, [b"open", b"half"]), 1) + page(1, 1, chunk(0, [b"x", b"y"], 2), 1) +
           call(0, "Flush") + settle() + acknowledge() + read() +
           ask(1, "UnregisterTraceWriter", u(1, 1)) + op(CLOSE, 1) + read())
    # Patches: of a chunk that waits for them, in two steps, and of none.
    patch = b(4, u(1, 0) + b(2, b"\x85\x80\x80\0"))
    yield (BASIC + enable() + page(1, 0, chunk(0, [b"patched"], 1, 4)) + ask(1, "CommitData",
           move(0)) + read() + ask(1, "CommitData", b(2, u(1, 1) + u(2, 1) + u(3, 0) + patch + u(5,
           1))) + read() + ask(1, "CommitData", b(2, u(1, 1) + u(2, 1) + u(3, 0) + patch)) + ask(1,
           "CommitData", b(2, u(1, 9) + u(2, 1) + u(3, 7) + patch)) + read())
    # A discarding buffer, and a ring that is written over many times.
    for policy in 1, 2:
        yield (BASIC + enable(config=buffer(8, u(4, policy)) + source()) + emit(n=40, size=900) +
               read() + ask(0, "GetTraceStats") + stop() + read())
    # A packet in pieces.
    yield (BASIC + enable() + page(1, 0, chunk(0, [b"a", b"begin"], 1, 2)) + page(1, 1, chunk(1,
           [b"middle"], 1, 3)) + page(1, 2, chunk(2, [b"end", b"next"], 1, 1)) + ask(1,
           "CommitData", move(0) + move(1) + move(2)) + read() + stop() + read())
    yield (BASIC + enable(config=b(1, b"") + source()) + enable(config=CONFIG) + read() + stop() +
           enable())
    yield (BASIC + producer(2, b"com.q", source=b"other") + enable(config=CONFIG + buffer(more=b(7,
           b"two")) + source(b"other", b(11, b"two")) + source(b"other", u(2, 1))) + emit(1) +
           emit(2, 2) + emit(2, 1, 1) + read() + op(CLOSE, 2) + read() + stop() + read())


def periods():
    yield (consumer() + producer(more=NOTIFIES) + enable(config=CONFIG + u(13, 500) + u(14, 200) +
           b(21, u(1, 300)) + b(20, u(6, 400))) + ask(1, "NotifyDataSourceStarted", u(1, 1)) +
           emit() + wait(3000) + acknowledge() + wait(20000) + read())
    yield (BASIC + enable(config=CONFIG + u(3, 5000) + u(36, 1)) + wait(1000, 0, 10) + wait(20000) +
           read())
    yield BASIC + enable(config=CONFIG + u(3, 5000)) + wait(1000, 20, 3) + read()
    for off in range(1, 11):
        yield (BASIC + enable(config=CONFIG + b(20, u(off, 6 if off == 5 else 1))) + emit() +
               wait(15000) + stop() + read())
    yield (BASIC + enable(config=CONFIG + b(20, b"".join(u(i, 1) for i in range(1, 5))) + u(3,
           3600000)) + wait(0, 4000) + read())


def all_triggers():
    observe = ask(0, "ObserveEvents", u(1, 4) + u(1, 2) + u(1, 1))
    several = (trigger(b"t", u(3, 1000)), trigger(b"now"), trigger(b"never", f64(5,
        0x3FF0000000000000)), trigger(b"half", f64(5, HALF)), trigger(b"once", u(4, 1)),
        trigger(b"mine", b(2, b"com\\..*")), trigger(b"others", b(2, b"org")))
    names = (b"t", b"now", b"never", b"half", b"half", b"half", b"once", b"once", b"mine",
             b"others", b"none", b"t")
    for mode in START_TRACING, STOP_TRACING, CLONE_SNAPSHOT:
        config = CONFIG + triggers(mode, *several)
        yield (BASIC + observe + enable(config=config) + emit() + fire(*names) + wait(2000) +
               read() + wait(3000) + read())
        yield BASIC + observe + enable(config=config) + emit() + wait(0, 70) + read()
        for name in (b"t", b"now", b"once", b"mine"):
            yield (BASIC + observe + enable(config=config) + fire(name) + emit() + fire(name) +
                   wait(2500) + read())
        yield (BASIC + enable(config=config) + producer(2, b"org.q") + fire(b"others", peer=2) +
               fire(b"once", peer=2) + wait(0, 40000) + wait(0, 50000) + fire(b"once") +
               wait(2000) + read())
        # A consumer's config fires them as well.
        yield (consumer() + enable(config=CONFIG + triggers(mode, *several)) + consumer(2) +
               enable(2, b(18, b"now") + b(18, b"t") + b(18, b"none")) + wait(2000) + read())
        yield (BASIC + observe + enable(config=CONFIG + u(8, 1) + triggers(mode, *several),
               kind=FILE) + fire(b"t") + wait(9000))
        for bad in (triggers(mode), triggers(mode, trigger(b"")), triggers(mode, trigger(),
            trigger()), triggers(mode, trigger(), timeout=0), triggers(mode, trigger(b"x", b(2,
            b"("))), triggers(mode, trigger(b"x", u(3, 2**32 - 1))), triggers(mode, trigger(),
            more=u(5, 1))):
            yield consumer() + enable(config=CONFIG + bad) + wait(5000)
        yield consumer() + enable(config=CONFIG + u(12, 1) + config + u(3, 5000)) + wait(9000)
    snapshot = CONFIG + triggers(CLONE_SNAPSHOT, *several) + b(22, b"s")
    clone = b(4, b"s") + b(5, b"t") + b(6, b"com.p") + u(7, 1000) + u(8, 5) + u(9, 1000)
    yield (BASIC + observe + enable(config=snapshot) + emit() + fire(b"t", b"now") + wait(2000) +
           consumer(2) + ask(2, "CloneSession", clone) + acknowledge() + read(2) + read() + stop())
    for lost in (op(CLOSE, 2), enable(2), bye(), op(CLOSE, 1), op(CLOSE, 0)):
        yield (BASIC + enable(config=snapshot) + fire(b"t", b"now") + consumer(2) + ask(2,
               "CloneSession", clone) + lost + acknowledge() + wait(7000) + read(2))
    yield (BASIC + observe + enable(config=snapshot) + fire(*[b"now"] * 70) + wait(100) +
           fire(*[b"t"] * 70) + wait(2000) + read())
    yield BASIC + enable(config=snapshot) + fire(*[b"t"] * 70) + stop() + read()
    yield (BASIC + enable(config=CONFIG + b(17, u(1, 7))) + enable(config=CONFIG + b(17, b"")) +
           enable(config=CONFIG + b(17, u(1, 1) + trigger() + u(5, 1))))
    yield (BASIC + enable(config=CONFIG + triggers(STOP_TRACING, *[trigger(b"%d" % i) for i in
           range(260)])))


def clones():
    begin = BASIC + consumer(2)
    named = CONFIG + b(22, b"name") + u(30, 5)
    for args in (u(1, 1), b(4, b"name"), u(1, 1) + u(3, 1), u(1, 77), b(4, b"nobody"), u(1, 1) +
        u(2, 1), b"", u(1, 2**64 - 1), u(1, 2**64 - 1) + u(3, 1), u(1, 1) + b(5, b"t") + b(6,
        b"p") + u(7, 1000) + u(8, 9) + u(9, 5)):
        yield (begin + enable(config=named) + emit(n=3) + ask(2, "CloneSession", args) +
               acknowledge() + read(2) + ask(2, "GetTraceStats") + read() + ask(2,
               "QueryServiceState") + bye(2) + stop() + read())
    yield (begin + enable(config=named) + emit() + ask(2, "CloneSession", u(1, 1)) + wait(9000) +
           read(2))
    yield begin + enable(config=named) + emit() + ask(2, "CloneSession", u(1, 1)) + stop() + read(2)
    yield begin + enable(config=named) + emit() + ask(2, "CloneSession", u(1, 1)) + bye() + read(2)
    yield (begin + enable(config=named) + emit() + ask(2, "CloneSession", u(1, 1)) + op(CLOSE, 2) +
           acknowledge())
    yield (begin + enable(config=named) + emit() + ask(2, "CloneSession", u(1, 1)) + op(CLOSE, 1) +
           read(2))
    yield (begin + enable(config=named) + ask(2, "CloneSession", u(1, 1)) + ask(2, "CloneSession",
           u(1, 1)) + acknowledge())
    yield (begin + enable(config=named) + ask(2, "CloneSession", u(1, 1)) + enable(2) +
           acknowledge() + read(2))
    yield (begin + enable(config=named) + stop() + ask(2, "CloneSession", u(1, 1), how=DROP) +
           acknowledge(1, 2) + read(2))
    yield (begin + enable(config=named) + ask(0, "CloneSession", u(1, 1)) + enable(2) + ask(2,
           "CloneSession", u(1, 1)))
    yield (consumer(how=OTHER_USER) + producer() + enable(config=named) + consumer(2) + ask(2,
           "CloneSession", u(1, 1)) + acknowledge())
    yield (consumer(how=OTHER_USER) + producer() + enable(config=named) + consumer(2) +
           ask(2, "CloneSession", u(1, 1) + u(3, 1)) + acknowledge() + read(2))
    for which in b(5, b"") + b"", u(5, 1), u(6, 1), u(5, 1) + u(6, 1), u(5, 0) + u(6, 1):
        config = buffer(64, which) + buffer() + source() + source(b"ds", u(2, 1)) + b(22, b"name")
        yield (begin + enable(config=config) + emit(n=3) + emit(1, 2, 3) + ask(2, "CloneSession",
               b(4, b"name")) + acknowledge(1, 1) + acknowledge(1, 2) + read(2) + read() + bye(2) +
               ask(2, "CloneSession", b(4, b"name")) + wait(9000) + read(2))
    yield (begin + enable(config=named + u(24, 1)) + emit(n=9, size=500) + ask(2, "CloneSession",
           u(1, 1)) + acknowledge() + read(2) + read())
    yield (begin + enable(config=named + u(8, 1), kind=FILE) + emit(n=9) + ask(2, "CloneSession",
           u(1, 1)) + acknowledge() + read(2))
    # A clone of a clone, and of what nobody is attached to.
    yield (begin + enable(config=named) + emit() + ask(2, "CloneSession", u(1, 1)) + acknowledge() +
           consumer(3) + ask(3, "CloneSession", u(1, 2)) + acknowledge(1, 2) + read(3))
    yield (begin + enable(config=named) + emit() + ask(0, "Detach", b(1, b"key")) + ask(2,
           "CloneSession", b(4, b"name")) + acknowledge() + read(2) + ask(0, "Attach", b(1,
           b"key")) + read())
    yield begin + enable(config=b"".join(buffer(4) for _ in range(129)) + source())
    yield (begin + b"".join(enable(k, b"".join(buffer(4) for _ in range(100)) + source() + b(22,
           b"n%d" % k)) for k in (0, 2)) + ask(0, "CloneSession", u(1, 1)))


def detached():
    for key in b"", b(1, b""), b(1, b"key"), b(1, b"k" * 1100):
        yield (BASIC + enable() + emit() + ask(0, "Detach", key) + op(CLOSE, 0) + emit(first=1) +
               consumer(2) + ask(2, "Attach", key) + read(2) + stop(2) + bye(2))
    yield (consumer() + ask(0, "Detach", b(1, b"k")) + ask(0, "Attach", b(1, b"none")) + ask(0,
           "Attach"))
    yield (BASIC + consumer(2) + enable() + ask(0, "Detach", b(1, b"k"), how=DROP) + enable(2) +
           ask(2, "Detach", b(1, b"k")) + ask(2, "Attach", b(1, b"k")) + ask(2, "Detach", b(1,
           b"l")) + ask(2, "Attach", b(1, b"k"), how=DROP) + read(2))
    yield (BASIC + enable(config=CONFIG + u(3, 1000)) + ask(0, "Detach", b(1, b"k")) + wait(9000) +
           ask(0, "Attach", b(1, b"k")) + read())
    yield (BASIC + enable(config=CONFIG + u(3, 1000) + u(8, 1), kind=FILE) + ask(0, "Detach", b(1,
           b"k")) + wait(9000) + ask(0, "Attach", b(1, b"k")))
    yield (BASIC + enable() + ask(0, "ObserveEvents", u(1, 1) + u(1, 2) + u(1, 4)) + ask(0,
           "Detach", b(1, b"k")) + consumer(2, OTHER_USER) + ask(2, "Attach", b(1, b"k")) +
           producer(3) + op(SERVICE) + BASIC + enable())
    yield (BASIC + ask(0, "EnableTracing", b(1, CONFIG) + u(2, 1)) + ask(0, "Detach", b(1, b"k")) +
           wait(0, 100) + ask(0, "Attach", b(1, b"k")))


def changes():
    here, there = b(2, b"com.p"), b(2, b"com.q")
    two = BASIC + producer(2, b"com.q")
    yield (two + enable(config=buffer() + source(filters=here)) + emit() +
           ask(0, "ChangeTraceConfig", b(1, buffer() + source(filters=here + there))) + emit(2) +
           ask(0, "ChangeTraceConfig", b(1, buffer() + source())) + read() + stop())
    for config in (CONFIG + u(3, 1), b"", buffer() + source() + source(), b"\x0a\x05"):
        yield two + enable() + ask(0, "ChangeTraceConfig", b(1, config))
    yield (two + ask(0, "ChangeTraceConfig", b(1, CONFIG)) + enable() + stop() + ask(0,
           "ChangeTraceConfig", b(1, CONFIG), how=DROP) + ask(0, "ChangeTraceConfig"))
    for filters in (here, there, b(3, b"com\\.[pq]"), b(3, b"x") + b(3, b".*q"), b(3, b"("), b(4,
        b"host"), b(4, b"nowhere"), here + b(3, b"com.q")):
        yield two + enable(config=buffer() + source(filters=filters)) + emit() + emit(2) + read()


def files():
    for kind in None, NULL, FILE, PIPE, SOCKET, READ_ONLY, DATAGRAMS, UNSEALED, OWN_MEMORY:
        yield (BASIC + enable(config=CONFIG + u(8, 1) + u(9, 500), kind=kind) + emit(n=10,
               size=200) + wait(1200) + emit(n=5, first=10) + stop() + read())
    for kind in FILE, PIPE, SOCKET:
        for more in (u(24, 1), b(47, b(1, b"")), b(47, b(2, u(1, 3))), u(10, 300), u(44, 1), u(44,
            2), u(44, 3), u(45, 2), u(9, 7000), u(9, 1), u(13, 300), u(9, 60000) + u(44, 3), u(24,
            1) + u(10, 2000)):
            yield (BASIC + enable(config=CONFIG + u(8, 1) + u(9, 500) + u(3, 9000) + more,
                   kind=kind) + emit(n=20, size=700) + wait(6000) + acknowledge() + acknowledge(1,
                   2) + op(FAR, 0) + wait(600) + op(FAR, 0) + emit(n=5, first=20) + wait(8000) +
                   read())
        yield (BASIC + enable(config=CONFIG + u(8, 1) + u(9, 200), kind=kind) + emit(n=20,
               size=2000) + wait(900) + op(FAR, 1) + wait(20000) + stop())
        yield (BASIC + enable(config=CONFIG + u(8, 1) + u(9, 200), kind=kind) + emit(n=20,
               size=2000) + wait(0, 60) + stop() + wait(20000))
        yield (BASIC + enable(config=CONFIG + u(8, 1) + u(9, 200), kind=kind) + emit(n=20,
               size=2000) + stop() + op(CLOSE, 0) + wait(900) + op(FAR, 0) + wait(900))
        for fault in range(6):
            for error in range(4):
                yield (BASIC + enable(config=CONFIG + u(8, 1) + u(9, 200), kind=kind) + emit(n=3) +
                       op(FAULT, 1, bytes([fault, error])) + wait(900) + emit(n=3, first=3) +
                       stop() + wait(900))
                yield (BASIC + op(FAULT, 1, bytes([fault, error])) + enable(config=CONFIG + u(8,
                       1) + u(45, 2), kind=kind) + stop())
    for path in b"trace", b"/trace", b"", b"a/b", b"../x", b"/":
        yield BASIC + enable(config=CONFIG + u(8, 1) + b(29, path)) + emit() + stop() + read()
        yield (op(SERVICE, NOWHERE) + BASIC + enable(config=CONFIG + u(8, 1) + b(29, path)) +
               emit() + stop())
    yield (BASIC + enable(config=CONFIG + u(8, 1) + b(29, b"x"), kind=FILE) + enable(config=CONFIG +
           b(29, b"x")) + enable(config=CONFIG, kind=FILE))
    yield BASIC + enable(config=CONFIG + u(24, 1)) + emit(n=30, size=900) + read() + stop() + read()
    yield (BASIC + enable(config=CONFIG + b(47, b(1, b""))) + emit(n=3) + read() + read() + stop() +
           read())


def questions():
    for mask in u(1, 1), u(1, 2), u(1, 4), u(1, 7), b"", u(1, 1) + u(1, 2) + u(1, 4), u(1, 8):
        yield (consumer() + ask(0, "ObserveEvents", mask) + producer(more=NOTIFIES) + enable() +
               ask(1, "NotifyDataSourceStarted", u(1, 1)) + ask(0, "ObserveEvents", mask) +
               producer(2) + stop() + ask(0, "ObserveEvents") + op(CLOSE, 1))
    yield BASIC + ask(0, "ObserveEvents", u(1, 1), how=DROP) + enable() + op(CLOSE, 0)
    yield (BASIC + enable() + ask(0, "ObserveEvents", u(1, 1) + u(1, 2)) + stop() + bye() +
           enable() + stop(0, 1, 2))
    for more in b"", u(1, 1):
        yield (consumer(2, OTHER_USER) + BASIC + enable(config=CONFIG + b(22, b"n") + u(30, 3) +
               u(3, 1000)) + emit() + ask(0, "QueryServiceState", more) + ask(2,
               "QueryServiceState", more) + ask(0, "QueryServiceState", more, how=DROP))
    yield (BASIC + ask(0, "GetTraceStats") + enable() + emit(n=3) + ask(0, "GetTraceStats") + ask(0,
           "GetTraceStats", how=DROP) + stop() + ask(0, "GetTraceStats"))
    yield (BASIC + ask(0, "SaveTraceForBugreport") + ask(0, "SaveTraceForBugreport", how=DROP) +
           ask(0, "QueryCapabilities", how=DROP))
    yield BASIC + b"".join(ask(0, m, how=how) for how in (0, DROP) for m in producerless())
    yield BASIC + enable() + b"".join(ask(0, m, how=DROP) for m in producerless())


def producerless():
    return ("StartTracing", "DisableTracing", "ReadBuffers", "FreeBuffers", "Flush",
        "GetTraceStats", "Detach", "Attach", "EnableTracing", "CloneSession", "ChangeTraceConfig",
        "ObserveEvents")


def rules():
    """Sessions beside sessions."""
    deferred = CONFIG + u(12, 1)
    yield (BASIC + enable(config=deferred) + ask(0, "Flush") + ask(0, "StartTracing") + emit() +
           ask(0, "StartTracing") + read() + stop() + ask(0, "StartTracing"))
    yield BASIC + enable(config=deferred) + stop() + ask(0, "StartTracing") + wait(0, 100)
    yield (consumer() + enable(config=deferred) + producer(more=NOTIFIES) + ask(0, "StartTracing") +
           wait(30000) + ask(1, "NotifyDataSourceStarted", u(1, 1)))
    guarded = CONFIG + u(4, 1) + b(22, b"g")
    yield (BASIC + consumer(2) + enable(config=guarded) + bye() + enable(2, guarded) + wait(0,
           400) + enable(2, guarded) + bye(2) + enable(2, guarded + u(12, 1)))
    for bad in (buffer(63) + u(4, 1), buffer(200000) + u(4, 1), buffer(140000) + u(4, 1) + b(11,
        u(2, 150000)), CONFIG + u(4, 1) + u(3, 2**31)):
        yield BASIC + enable(config=bad)
    for lock in 2, 1:
        yield (consumer(2) + BASIC + enable(config=CONFIG + u(5, 2)) + connect(3) + producer(4,
               how=OTHER_USER) + bye() + enable(config=CONFIG + u(5, lock)) + producer(5))
    semaphore = CONFIG + b(39, b(1, b"s") + u(2, 1))
    yield (BASIC + b"".join(consumer(k) for k in (2, 3)) + b"".join(enable(k, semaphore) for k in
           (0, 2, 3)) + bye(2) + enable(3, semaphore))
    yield (BASIC + enable(config=CONFIG + b(39, b"") * 2) + consumer(2) + enable(2, CONFIG + b(39,
           b"") * 70))
    yield (BASIC + consumer(2) + consumer(3) + enable() + enable(2, CONFIG + u(41, 2)) + enable(3,
           CONFIG + u(41, 1)) + enable(3, CONFIG + u(41, 3)) + enable(0) + read(2) + bye(3) +
           enable())
    yield (BASIC + consumer(2) + enable(config=CONFIG + b(22, b"n")) + enable(2, CONFIG + b(22,
           b"n")) + bye() + enable(2, CONFIG + b(22, b"n")))
    yield BASIC + b"".join(consumer(k) + enable(k) for k in (2, 3, 4, 5, 6, 7))
    yield BASIC + b"".join(enable(0) + ask(0, "Detach", b(1, b"%d" % k)) for k in range(6))
    yield BASIC + b"".join(consumer(k, OTHER_USER) for k in (2, 3)) + b"".join(
        enable(p) + ask(p, "Detach", b(1, b"%d" % k)) for k in range(8) for p in (0, 2, 3))
    for bad in (source(), buffer(0), buffer(2**32 - 1) + buffer(2**32 - 1), buffer() + source(b"ds",
        u(2, 7)), buffer() + source(b"ds", b(11, b"none")), buffer(64, b(7, b"a")) * 2 + source(),
        buffer(64, u(8, 1)) + source(), CONFIG + b(33, b(1, b"x")), CONFIG + b(33, b(2, b"x")),
        CONFIG + u(3, 2**32 - 1), CONFIG + b(6, b(1, b"com.p") + u(2, 256) + u(3, 8)), CONFIG +
        b(35, u(1, 5) + u(2, 9)), CONFIG + b(40, u(1, 2)), CONFIG + u(24, 7), CONFIG + b(22, b"n" *
        1100), CONFIG + u(43, 1), CONFIG + u(16, 1), CONFIG + b(7, u(1, 4)), CONFIG + b(25, b(1,
        b"p")), CONFIG + b(34, b(1, b"p")), CONFIG + b(38, b"bug"), CONFIG + b(38, b"../bug"),
        CONFIG + b(48, b(1, b(1, b"k") + u(2, 5)) + b(1, b(1, b"l") + b(3, b"v"))), CONFIG + b(47,
        b""), CONFIG + b(47, b(2, u(1, 99))), CONFIG + u(24, 1) + b(47, b(2, b"")), CONFIG +
        source(b"ds", b(12, u(1, 4))), CONFIG + source(b"ds", u(7, 500) + u(9, 2)), CONFIG + u(36,
        1) + u(3, 50), CONFIG + b(18, b"x") * 300, buffer() + source(b"x" * 1100), buffer() +
        source(b"n", b"") * 1030, buffer(64, b(7, b"name")) + source(b"ds", b(11, b"name") + u(2,
        1)), CONFIG + u(27, 5) + u(28, 6), buffer() + b(2, b"") + source(b"ds", filters=b(3,
        b"(a*)*b") * 70), CONFIG + u(8, 1) + u(24, 1), buffer(64, b(7, b"")) + source(b"ds", b(11,
        b""))):
        yield BASIC + enable(config=bad) + emit() + read()
    yield (op(CALL, 0, b"") + BASIC + ask(0, "EnableTracing", b"\x0a\x02x") + ask(0,
           "EnableTracing", b(1, b"\x0a\x01\x0b")))


def producers():
    own = u(6, 1)
    for kind in None, OWN_MEMORY, UNSEALED, FILE, NULL, PIPE:
        for hello in own + u(1, 4096), own + u(1, 3000), own:
            yield (consumer() + producer(hello=hello, kind=kind) + enable() + emit() + read() +
                   stop())
    for sizes in (u(1, 8192), u(1, 4096) + u(2, 4096), u(1, 5), u(2, 2**31), u(1, 65536) + u(2,
        2**20)):
        yield (consumer() + producer(hello=sizes) + enable(config=CONFIG + b(6, b(1, b"com.p") +
               u(2, 128) + u(3, 4))) + emit())
        yield (consumer() + producer(hello=sizes) + enable(config=CONFIG + b(6, b(1, b"x")) + b(6,
               b(1, b"com.p"))) + emit())
    yield (connect(1) + ask(1, "RegisterDataSource", descriptor()) + ask(1, "InitializeConnection",
           b(3, b"n" * 1100)))
    yield (connect(1) + ask(1, "InitializeConnection", b(3, b"p") + u(4, 2)) * 2 + ask(1,
           "CommitData", move(0)) + ask(1, "Sync"))
    later = u(7, 9)
    yield (BASIC + ask(1, "RegisterDataSource", descriptor()) + ask(1, "RegisterDataSource",
           descriptor(b"id", later)) + ask(1, "UpdateDataSource", descriptor(b"id", later + u(9,
           1))) + ask(1, "UpdateDataSource", descriptor(b"nobody", later)) + enable(config=CONFIG +
           source(b"id")) + ask(0, "QueryServiceState") + ask(1, "UnregisterDataSource", b(1,
           b"id")) + ask(1, "UnregisterDataSource", b(1, b"ds")) + ask(1, "UnregisterDataSource",
           b(1, b"none")) + wait(9000))
    yield (BASIC + ask(1, "UpdateDataSource") + ask(1, "RegisterDataSource") + ask(1,
           "RegisterDataSource", b(1, b"")) + ask(1, "RegisterDataSource", descriptor(b"n" * 1100)))
    yield BASIC + call(1, "GetAsyncCommand") * 2 + settle() + enable() + stop()
    yield (connect(1) + ask(1, "InitializeConnection", b(3, b"p")) + ask(1, "RegisterDataSource",
           descriptor()) + consumer() + enable() + ask(1, "GetAsyncCommand") + stop() + op(CLOSE,
           1))
    yield (BASIC + enable() + b"".join(ask(1, m, u(1, 99)) for m in ("NotifyDataSourceStarted",
           "NotifyDataSourceStopped", "UnregisterTraceWriter", "RegisterTraceWriter", "Sync")))
    yield (BASIC + enable() + ask(1, "RegisterTraceWriter", u(1, 40000) + u(2, 1)) + ask(1,
           "RegisterTraceWriter", u(1, 5) + u(2, 9)) + ask(1, "CommitData", move(99) + move(0, 9) +
           move(3)))
    yield (BASIC + enable(config=CONFIG + source()) + ask(1, "NotifyDataSourceStopped", u(1, 2)) +
           stop() + stop(0, 1, 2) + read())
    yield (consumer() + producer(more=u(9, 1) + u(2, 1)) + enable() + ask(0, "Flush") + read() +
           stop())
    yield (BASIC + enable() + emit(n=3) + stop() + emit(first=3) + op(CLOSE, 1) + read() + bye() +
           producer() + enable())
    # Memory that is no chunk at all, and a page of each layout.
    layout = b"\x03\0\0\x10" + bytes(4) + b"\0\0\0\0\1\0\xff\xff" + b"\xff" * 20
    for word in b"\xff" * 16, b"\x03\0\0\x60" + bytes(12), layout:
        yield (BASIC + enable() + op(MEMORY, 1, b"\0\0" + word) + ask(1, "CommitData", move(0)) +
               ask(0, "Flush") + acknowledge() + read() + ask(0, "GetTraceStats"))
    yield (BASIC + enable() + b"".join(op(MEMORY, 1, (i * PAGE // 4).to_bytes(2, "little") + (layout
           << 28 | 3).to_bytes(4, "little") + bytes(4) + chunk(i, [b"x"])) + ask(1, "CommitData",
           move(i)) for i, layout in enumerate(range(8))) + read())
    forged = b"\x18\x00", b(900, b"") + u(3, 5), b(10, b"x"), b"\xff", u(8, 1), b(13, b""), b""
    for bytes_ in forged:
        data = (0).to_bytes(4, "little") + b"\1\0\1\0" + varint(len(bytes_), 4) + bytes_
        yield (BASIC + enable() + page(1, 0, data) + ask(1, "CommitData", move(0)) + read() + ask(0,
               "GetTraceStats"))


def remote():
    """Producers on other machines, with and without a relay."""
    machine = u(1, 1) + b(2, b"Linux")
    info = b(1, b(1, b(1, b"Linux") + b(2, b"r") + b(3, b"v") + b(4, b"m")) + u(2, 99) + b(3,
        b"fp") + u(6, 5))
    ping, update = b(2, u(1, 6) + u(2, 1000)) + b(2, u(1, 1) + u(2, 5)), b(2, u(1, 6) + u(2,
        2000)) + b(2, u(1, 1) + u(2, 9))
    relay = connect(3, REMOTE | RELAY) + ask(3, "InitRelay", info)
    sync = b"".join(ask(3, "SyncClock", u(1, 1) + ping) + wait(100) + ask(3, "SyncClock", u(1, 2) +
        update) for _ in range(3))
    everywhere = CONFIG + u(43, 1)
    there = producer(1, b"com.remote", REMOTE)
    yield (consumer() + relay + sync + there + enable(config=everywhere) + emit_inline(n=5) + sync +
           read() + stop() + read())
    yield (consumer() + enable(config=everywhere) + relay + there + sync * 3 + emit_inline() +
           op(CLOSE, 3) + read() + stop())
    yield (relay + ask(3, "InitRelay", info) + ask(3, "InitRelay") + ask(3, "SyncClock", u(1, 2)) +
           ask(3, "SyncClock", u(1, 1)) + ask(3, "SyncClock", u(1, 9)))
    yield (relay + ask(3, "SyncClock", u(1, 1) + b(2, u(1, 6) + u(2, 1)) * 20) + ask(3, "SyncClock",
           u(1, 1), how=DROP))
    yield (connect(3, REMOTE | RELAY) + ask(3, "SyncClock", u(1, 1) + ping) + ask(3, "InitRelay",
           machine))
    yield connect(3, RELAY) + ask(3, "InitRelay", info) + consumer() + ask(0, "QueryServiceState")
    for filters in b(4, b"host"), b(4, b"machine"), b(4, b"m"), b(4, b""):
        yield (consumer() + relay + there + producer(2) + enable(config=buffer() +
               source(filters=filters)) + emit_inline() + read())
    yield consumer() + there + enable() + emit_inline() + read() + ask(0, "QueryServiceState")
    yield (consumer() + there + enable(config=everywhere) + ask(1, "RegisterTraceWriter", u(1, 1) +
           u(2, 1)) + emit_inline(n=2, more=u(5, 1)) + ask(0, "Flush") + acknowledge() +
           emit_inline(first=1) + emit_inline(first=2, flags=4) + emit_inline(first=3, n=1,
           flags=2) + read() + stop() + read())
    yield (consumer() + there + enable(config=everywhere) + ask(1, "CommitData", move(0) + move(1,
           1, b"short") + move(2, 9, chunk(0, [b"x"])) + move(3, 1, bytes(8))))
    yield (consumer() + there + enable(config=everywhere) + emit_inline(more=u(5, 1)) + op(CLOSE,
           1) + read())
    yield BASIC + enable() + emit_inline(n=2) + read()
    yield (consumer() + producer(hello=u(6, 1), how=REMOTE, kind=OWN_MEMORY) +
           enable(config=everywhere))
    long = b(3, b"h" * 300) + b(4, b"n" * 300)
    for who in b(3, b"hint") + u(1, 5) + u(2, 6) + b(4, b"name"), b(4, b"name"), long:
        frame = u(2, 0) + b(8, who)
        stream = len(frame).to_bytes(4, "little") + frame
        yield (op(OPEN, 1 | REMOTE << 4) + op(FOREIGN, 1, stream) + op(BIND, 1) + settle() +
               consumer() + ask(0, "QueryServiceState"))


def bounds():
    """What a user may have, as clients that do not read or say nothing meet it."""
    small = op(SERVICE, SMALL)
    yield small + BASIC + b"".join(connect(k) for k in range(2, 8)) + connect(2, OTHER_USER)
    yield (small + BASIC + consumer(2) + consumer(3) + b"".join(enable(k) for k in (0, 2, 3)) +
           ask(3, "CloneSession", u(1, 1)) + acknowledge())
    yield (small + BASIC + consumer(2) + enable() + ask(0, "Detach", b(1, b"k")) + enable() + ask(2,
           "CloneSession", u(1, 1)) + acknowledge() + read(2))
    yield small + BASIC + producer(2) + producer(3) + enable() + emit(2) + stop()
    yield (small + BASIC + enable(config=CONFIG + u(8, 1), kind=FILE) + consumer(2) + enable(2,
           CONFIG + u(8, 1), kind=PIPE) + consumer(3) + enable(3, CONFIG + u(8, 1), kind=PIPE))
    yield (small + BASIC + enable(config=buffer(1024) + source()) + b"".join(emit(n=8, first=8 * i,
           size=3900) for i in range(6)) + call(0, "ReadBuffers") + op(UP, 0) + wait(100) +
           settle())
    yield (small + BASIC + enable() + b"".join(call(0, "Flush") for _ in range(15)) + settle() +
           wait(9000))
    yield (BASIC + enable() + b"".join(call(0, "Flush") for _ in range(30)) + settle() +
           acknowledge(1, 5) + acknowledge(1, 30) + wait(9000))
    yield (connect(1) + wait(0, 60) + op(OPEN, 2) + wait(0, 60) + connect(3) + op(FOREIGN, 3,
           b"\x10") + wait(0, 60) + settle())
    yield (BASIC + enable() + call(0, "ReadBuffers") + op(UP, 0) + op(UP, 0) + op(DOWN, 0,
           b"\1\0") + op(CLOSE, 0))
    yield (BASIC + enable(config=buffer(512) + source()) + b"".join(emit(n=8, first=8 * i,
           size=3900) for i in range(8)) + read() + ask(0, "GetTraceStats"))
    big = b"".join(emit(n=8, first=8 * i, size=3900) for i in range(8))
    yield (BASIC + enable(config=buffer(512) + source()) + big + call(0, "ReadBuffers") + op(UP,
           0) + op(DOWN, 0, b"\0\1") + emit(n=8, first=90, size=3900) + bye())
    yield (BASIC + enable(config=buffer(512) + source()) + big + call(0, "ReadBuffers") + op(UP,
           0) + op(CLOSE, 1) + op(FAULT, 1) + wait(100) + settle())
    yield (b"".join(connect(1) + ask(1, "InitializeConnection", b(3, b"p") + u(4, 1)) +
           b"".join(call(1, "RegisterDataSource", descriptor(b"d%d" % i)) for i in range(20)) +
           settle() for _ in range(2)) + BASIC)


def in_two_parts():
    """Packets that one reply has no room for, and observers that do not read what they are owed."""
    long = b"".join(page(1, 0, chunk(i, [b"x" * 4000], 1, 0 if i == 99 else 3 if i else 2)[: 4080 if
        i == 0 else 8]) + ask(1, "CommitData", move(0)) for i in range(40))
    yield (BASIC + enable(config=buffer(512) + source()) + long + page(1, 0, chunk(40, [b"end"], 1,
           1)) + ask(1, "CommitData", move(0)) + read() + stop() + read())
    yield (BASIC + enable(config=CONFIG + source() * 20) + call(0, "ObserveEvents", u(1, 1) + u(1,
           2)) + op(UP, 0) + stop() + bye() + enable(config=CONFIG + source() * 20) + op(CLOSE, 1) +
           wait(9000))
    yield (BASIC + ask(0, "ObserveEvents", u(1, 2)) + enable(config=buffer() + source(b"nobody")) +
           ask(0, "ObserveEvents", u(1, 1)) + producer(2, source=b"nobody") + stop(0, 2))
    yield (BASIC + enable(config=CONFIG + u(36, 1) + u(3, 30000)) + b"".join(wait(0, 9, 2) for _ in
           range(5)) + read())
    yield (BASIC + enable(config=CONFIG + u(36, 1) + u(3, 30000) + u(8, 1), kind=FILE) +
           b"".join(wait(0, 9, 2) for _ in range(5)))
    yield (BASIC + enable(config=CONFIG + u(8, 1) + u(9, 200) + u(44, 1), kind=PIPE) +
           b"".join(emit(n=8, first=8 * i, size=1500) + wait(300) for i in range(3)) + (op(FAR) +
           wait(200)) * 6)


WALKS = (plain, periods, all_triggers, clones, detached, changes, files, questions, rules,
    producers, remote, bounds, in_two_parts)
FAULTS_MAX = 63


def without_memory():
    """A walk of each kind in which an allocation fails, one after the other, on the way."""
    walks = (BASIC + op(FAULT, 0) + enable() + emit(n=2) + read() + stop(), BASIC +
        enable(config=CONFIG + b(22, b"n")) + consumer(2) + op(FAULT, 0) + ask(2, "CloneSession",
        b(4, b"n")) + acknowledge() + read(2), BASIC + op(FAULT, 0) + enable(config=CONFIG + u(8,
        1) + u(24, 1), kind=FILE) + emit(n=3) + stop(), BASIC + enable() + emit(n=5) + op(FAULT,
        0) + read() + ask(0, "GetTraceStats") + ask(0, "QueryServiceState"), BASIC + op(FAULT, 0) +
        enable(config=CONFIG + triggers(STOP_TRACING, trigger(b"t", b(2, b".*")))) + fire(b"t") +
        wait(3000) + read(), BASIC + enable(config=CONFIG + triggers(CLONE_SNAPSHOT,
        trigger(b"t"))) + ask(0, "ObserveEvents", u(1, 7)) + op(FAULT, 0) + fire(b"t") +
        wait(3000) + stop(), BASIC + enable() + op(FAULT, 0) + ask(0, "Detach", b(1, b"k")) + ask(0,
        "Attach", b(1, b"k")) + ask(0, "ChangeTraceConfig", b(1, CONFIG)), consumer() + op(FAULT,
        0) + producer(more=NOTIFIES, hello=u(6, 1) + u(1, 4096), kind=OWN_MEMORY) + enable() +
        stop(), consumer() + op(FAULT, 0) + connect(3, REMOTE | RELAY) + producer(1, b"r", REMOTE) +
        enable(config=CONFIG + u(43, 1)) + emit_inline(n=2) + read(), BASIC + enable(config=CONFIG +
        u(24, 1)) + emit(n=5) + op(FAULT, 0) + read() + ask(0, "Flush") + acknowledge() + ask(1,
        "RegisterTraceWriter", u(1, 1) + u(2, 1)))
    for walk in (*walks, *WITHOUT_MEMORY):
        for nth in range(1, FAULTS_MAX + 1):
            yield walk.replace(op(FAULT, 0), op(FAULT, nth), 1)


def service_seeds():
    for walk in (*WALKS, *CORNERS):
        yield from walk()
    yield from without_memory()
