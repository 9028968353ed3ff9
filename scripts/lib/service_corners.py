# SPDX-License-Identifier: Apache-2.0
"""Seeds of fuzz_service_script.c for the corners of the service: what is at a limit, what meets
something else at the wrong moment, what a field says that nobody writes."""

from service_steps import *  # noqa: F403

STATS = CONFIG + buffer(4) * 127  # whose stats have some kilobytes
FILE_CONFIG = CONFIG + u(8, 1) + u(9, 200)


def raw(peer, method, args, first=1 << 20, n=1, id_=0):
    """The same request n times without replies, in one piece and not by the client."""
    out = b""
    for i in range(n):
        frame = u(2, first + i) + b(5, u(1, 1) + u(2, METHOD[method]) + b(3, args(i)) + u(4, 1))
        out += len(frame).to_bytes(4, "little") + frame
    return op(FOREIGN, peer, out)


def forged():
    """Packets that say what only the service may say, or that are no messages."""
    reserved = [varint(n << 3 | 2) + b"\0" for n in (3, 10, 33, 35, 36, 50, 69, 79, 98, 107, 124,
        125, 133)]
    wrong = [b"\xff\xff\xff\xff\x7f", b"\xff\xff\xff\xff\xff\x01", b"\x08" + b"\xff" * 9 + b"\x02",
             b"\x08" + b"\xff" * 9 + b"\x01", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b", b"\x00",
             b"\x0d1234", b"\x0912345678", b"\x0a\x05x", b"\x08"]
    for lot in reserved, wrong:
        data = (0).to_bytes(4, "little") + b"\1\0" + len(lot).to_bytes(2, "little")
        yield (BASIC + enable() + page(1, 0, data + b"".join(varint(len(p), 4) + p for p in lot)) +
               ask(1, "CommitData", move(0)) + read() + ask(0, "GetTraceStats"))
    patch = b(4, u(1, 0) + b(2, b"\x85\x80\x80\0"))
    good = b(2, u(1, 1) + u(2, 1) + u(3, 0) + patch)
    yield (BASIC + enable() + page(1, 0, chunk(0, [b"patched"], 1, 4)) + ask(1, "CommitData",
           move(0)) + ask(1, "CommitData", b(2, u(1, 1) + u(2, 70000) + u(3, 0) + patch) + good) +
           ask(1, "CommitData", move(3, 9) + good) + ask(1, "CommitData", b(2, u(1, 1) + u(2, 1) +
           u(3, 0) + b(4, u(1, 0) + b(2, b"123")))))
    yield (BASIC + enable() + page(1, 0, chunk(0, [b"patched"], 1, 4)) + ask(1, "CommitData",
           move(0)) + ask(1, "CommitData", b(2, u(1, 1) + u(2, 1) + u(3, 0) + patch * 1030)))


def users():
    """Clones for root and of the best score, and as many sessions as there may be."""
    begin = consumer() + consumer(2, OTHER_USER) + connect(3, ROOT) + connect(4, ROOT) + producer()
    full = begin + b"".join(enable(p) + ask(p, "Detach", b(1, b"%d" % k)) for k in range(5)
        for p in (0, 2, 3))
    yield full + ask(4, "CloneSession", u(1, 1)) + acknowledge(1, 99) + read(4) + enable(4)
    yield full + ask(4, "QueryServiceState") + ask(4, "CloneSession", u(1, 16)) + enable(4)
    yield (consumer() + consumer(2) + connect(3, ROOT) + connect(4, ROOT) + connect(5, ROOT) +
           producer() + enable(0, CONFIG + u(30, 5)) + enable(2, CONFIG + u(30, 9)) + enable(3,
           CONFIG + u(30, 3)) + enable(5) + ask(4, "CloneSession", u(1, 2**64 - 1)) +
           acknowledge(1, 9) + read(4))
    named = CONFIG + b(22, b"n")
    yield (consumer() + consumer(2) + connect(3, ROOT) + connect(4, ROOT) + producer() + enable() +
           enable(2, named) + ask(3, "CloneSession", b(4, b"n")) + acknowledge(1, 1) + ask(4,
           "CloneSession", b(4, b"n")) + acknowledge(1, 2) + read(4) + bye() + enable(0, named) +
           bye(2) + enable(0, named) + ask(0, "CloneSession", b(4, b"m")))
    yield (consumer() + consumer(2) + producer() + enable(config=named + u(30, 2) + b(20, u(4,
           1))) + ask(2, "CloneSession", b(4, b"n") + b(5, b"")) + acknowledge() + read(2))
    for nth in 1, 2, 3:
        yield (BASIC + op(FAULT, nth, bytes([7, 0])) + enable(config=named) + consumer(2) + ask(2,
               "CloneSession", b(4, b"n")) + acknowledge() + read(2))
        for fault in 7, 9:
            yield (BASIC + enable(config=named + buffer(64, u(6, 1)) + buffer(64, u(5, 1))) +
                   consumer(2) + op(FAULT, nth, bytes([fault, 0])) + ask(2, "CloneSession", b(4,
                   b"n")) + acknowledge() + read(2))
    for peer, how in (5, PLAIN), (7, REMOTE):
        yield consumer() + producer(peer, b"r", how) + enable(config=CONFIG + u(43, 0)) + read()
        yield (consumer() + producer(peer, b"r", how) + enable(config=buffer() +
               source(filters=b(4, b"x")) + u(43, 0)) + ask(0, "QueryServiceState") + bye() +
               enable(config=CONFIG + u(43, 1)) + emit_inline(peer) + read() + op(CLOSE, peer))
    who = b(3, b"A6PiQh") + u(1, 5) + u(2, 6) + b(4, b"name")  # its hash ends in 32 zeros
    frame = u(2, 0) + b(8, who)
    yield (op(OPEN, 1 | PLAIN << 4) + op(FOREIGN, 1, len(frame).to_bytes(4, "little") + frame) +
           op(BIND, 1) + settle() + call(1, "InitializeConnection", b(3, b"r")) + call(1,
           "GetAsyncCommand") + ask(1, "RegisterDataSource", descriptor()) + consumer() + ask(0,
           "QueryServiceState") + enable(config=buffer() + source(filters=b(4, b"name"))) +
           emit_inline() + read())


def rules_of_sessions():
    def semaphore(name, most):
        return b(39, (b(1, name) if name else b"") + u(2, most))

    three = BASIC + consumer(2) + consumer(3) + consumer(4)
    yield (three + enable(config=CONFIG + semaphore(b"s", 5)) + enable(2, CONFIG + semaphore(b"t",
           0)) + enable(3, CONFIG + semaphore(b"", 5)) + enable(4, CONFIG + semaphore(b"s", 0)) +
           stop() + enable(4, CONFIG + semaphore(b"s", 0) + semaphore(b"", 9)))
    guarded = [CONFIG + u(4, 1) + b(22, b"g%d" % i) for i in range(3)]
    yield (three + enable(config=guarded[0] + b(11, u(2, 5))) + enable(2, guarded[1] + b(11, u(2,
           2**31))) + enable(3, guarded[2] + u(3, 86400001)) + enable(4, CONFIG + u(4, 0)))
    yield (BASIC + enable(config=CONFIG + u(4, 1)) + b"".join(op(TIME, 0, b"\0\0\0") for _ in
           range(3)) + bye() + enable(config=CONFIG + u(4, 1)))
    for name, index in (b"b", 1), (b"b", 0), (b"a", 1), (b"", 1), (b"c", 0):
        yield (BASIC + enable(config=buffer(64, b(7, b"a")) + buffer() + buffer(64, b(7, b"b")) +
               source(b"ds", b(11, name) + u(2, 2 * index))) + emit(1, 3) + read())
    for bad in (buffer(64, b(7, b"")) * 2 + source(), buffer(64, b(7, b"a")) + buffer(64, b(7,
        b"b")) + source(), CONFIG + b(38, b"n" * 1100), CONFIG + b(38, b"ok.trace"), CONFIG + b(6,
        u(2, 4)) + b(6, b(1, b"com.p") + u(2, 128)), CONFIG + u(8, 0) + u(10, 0), CONFIG + u(23,
        0) + u(14, 0), CONFIG + u(13, 0) + b(21, u(1, 0)) + b(20, u(5, 0) + u(6, 0)), CONFIG +
        u(36, 0) + u(4, 0) + u(43, 0), CONFIG + triggers(STOP_TRACING, trigger(), timeout=2**32 -
        1), CONFIG + triggers(STOP_TRACING, b(2, b""), trigger(b"n" * 1100)), CONFIG +
        triggers(STOP_TRACING, b(2, b""), trigger(b"x"), b(2, b"")), CONFIG +
        triggers(STOP_TRACING, b(2, b""), trigger(b"")), CONFIG + b(47, b(1, b"")), CONFIG + b(47,
        b(2, u(1, 5)))):
        yield BASIC + enable(config=bad) + ask(0, "Flush") + wait(900) + stop() + read()
    yield (BASIC + enable(config=buffer() + source(b"n" * 20) + b"", how=DROP) + enable(config=b"",
           how=DROP) + enable() + ask(0, "ChangeTraceConfig", u(2, 1)) + ask(0,
           "QueryServiceState", u(1, 0)) + ask(1, "UpdateDataSource", descriptor(more=u(7, 0))))
    yield (BASIC + enable(config=CONFIG + u(3, 5000)) + ask(0, "ChangeTraceConfig", b(1, CONFIG +
           u(3, 5001))) + bye() + enable(config=FILE_CONFIG + u(10, 0), kind=FILE) + stop())
    yield (consumer() + producer(more=u(7, 5)) + enable() + ask(1, "UpdateDataSource",
           descriptor(more=u(7, 5) + b(6, b"x" * 60000))) + enable())
    # Ids of buffers come round; one that is in use is passed over.
    yield (BASIC + consumer(2) + enable() + (enable(2, buffer(4) * 128 + source(b"none")) +
           bye(2)) * 16 + enable(2) + read(2))


def triggers_again():
    once = trigger(b"t", u(3, 1000))
    yield (BASIC + enable(config=CONFIG + u(12, 1) + triggers(STOP_TRACING, once)) + fire(b"t") +
           ask(0, "StartTracing") + emit() + wait(5000) + read())
    yield (BASIC + enable(config=CONFIG + u(36, 1) + triggers(STOP_TRACING, trigger(b"t", u(3,
           25000)))) + wait(3000) + fire(b"t") + wait(0, 70) + read())
    yield (BASIC + enable(config=CONFIG + triggers(START_TRACING, b(2, b(2, b"")), trigger(b"t"),
           timeout=9000)) + fire(b"") + emit() + read() + fire(b"t") + fire(b"") + read())
    many = ask(1, "ActivateTriggers", b(1, b"") * 128)
    yield (BASIC + enable(config=CONFIG + triggers(STOP_TRACING, b(2, b(2, b"") + u(3, 9000)),
           trigger(b"t", u(3, 9000)), trigger(b"u"))) + fire(b"t") + many * 33 + fire(*[b""] * 22) +
           fire(b"u") +
           fire(*[b"t"] * 20) + ask(1, "ActivateTriggers", b(1, b"") * 1030))
    yield (op(SERVICE, BARE) + BASIC + enable(config=CONFIG + triggers(STOP_TRACING, trigger(b"t",
           f64(5, HALF)))) + fire(*[b"t"] * 5) + op(FAULT, 1, bytes([7, 0])) + fire(b"t"))
    # Two names of the same hash.
    first, second = b"8yn0iYCKYHlIj4-BwPqk", b"GReLUrM4wMqfg9yzV3KQ"
    yield (BASIC + enable(config=CONFIG + triggers(START_TRACING, trigger(first))) + fire(second) +
           fire(first) + read() + enable(config=CONFIG + triggers(START_TRACING, trigger(first),
           trigger(second))))
    yield (BASIC + enable(config=CONFIG + triggers(START_TRACING, trigger(first),
           trigger(second))) + fire(second) + read())
    yield (op(SERVICE, SMALL) + consumer() + producer(more=u(7, 5) + b(6, b"x" * 9000)) + ask(1,
           "RegisterDataSource", descriptor(b"more", b(6, b"x" * 9000))) + enable() + ask(1,
           "RegisterTraceWriter", u(1, 9000) + u(2, 1)) + ask(1, "UpdateDataSource",
           descriptor(more=u(7, 5) + b(6, b"x" * 20000))))
    yield (op(SERVICE, BARE | SMALL) + BASIC + b"".join(connect(k) for k in range(2, 8)))
    yield (BASIC + enable(config=CONFIG + triggers(CLONE_SNAPSHOT, trigger(b"t", u(3, 2000)))) +
           ask(0, "ObserveEvents", u(1, 4)) + fire(b"t") + ask(0, "Detach", b(1, b"k")) +
           wait(3000))


def files_that_end():
    """What writes into a file while its session ends for another reason."""
    slow = consumer() + producer(more=NOTIFIES)
    for kind in FILE, PIPE, SOCKET:
        begin = slow + enable(config=FILE_CONFIG, kind=kind) + emit(n=20, size=2000)
        yield begin + wait(900) + ask(0, "DisableTracing") + op(FAR, 1) + wait(500) + wait(6000)
        yield begin + wait(900) + ask(0, "DisableTracing") + op(FAR, 0) + wait(300) + wait(6000)
        yield (begin + wait(900) + ask(0, "DisableTracing") + (op(FAR, 0) + wait(100)) * 16 +
               wait(6000))
        yield begin + ask(0, "DisableTracing") + wait(3000) + ask(1, "NotifyDataSourceStopped",
            u(1, 1)) + ask(0, "EnableTracing", u(2, 1)) + wait(900)
        yield begin + wait(300) + op(FAR, 1) + consumer(2) + enable(2, CONFIG + u(41, 1)) + read(2)
        yield begin + wait(300) + op(CLOSE, 0) + wait(900)
        yield begin + ask(0, "DisableTracing") + op(CLOSE, 0) + wait(900)
        flushed = slow + enable(config=FILE_CONFIG + u(44, 3) + u(45, 1), kind=kind) + emit(n=5)
        yield flushed + wait(300) + ask(0, "DisableTracing") + acknowledge(1, 9) + wait(6000)
        yield flushed + wait(300) + op(FAULT, 1) + wait(300) + acknowledge(1, 9) + wait(900)
        yield (BASIC + enable(config=FILE_CONFIG + u(10, 9000), kind=kind) + emit(n=20, size=900) +
               (wait(300) + op(FAR, 0)) * 6 + wait(900))
    for path in b"/dev/x", b"/devil", b"/dev//x", b"/dev", b"x":
        yield BASIC + enable(config=CONFIG + u(8, 1) + b(29, path)) + emit() + stop()
    for fault in 4, 6, 9, 11:
        for error in range(4):
            for nth in 1, 2, 3:
                yield (BASIC + op(FAULT, nth, bytes([fault, error])) + enable(config=FILE_CONFIG,
                       kind=PIPE) + emit() + stop())


def not_read():
    """Consumers that do not read what they asked for."""
    producers = producer() + producer(2, b"q", more=u(9, 1)) + ask(2, "RegisterDataSource",
        descriptor(b"other" * 9))
    # What a query stops at depends on how long the names are.
    for n in range(460, 540, 4):
        begin = (consumer() + consumer(3) + enable(config=STATS) + enable(3) + producer(1, b"n" * n,
                 source=b"s" * n) + producer(2, b"m" * n, source=b"t" * n) + ask(2,
                 "RegisterDataSource", descriptor(b"u" * n)))
        yield (begin + call(0, "GetTraceStats") * 9 + call(0, "QueryServiceState") * 50 + op(UP,
               0) * 2 + call(0, "QueryCapabilities") + op(UP, 0) + settle())
    for n in 10, 12, 20, 30, 40:
        asked = (consumer() + producers + enable(config=STATS + source() * 40 + source(b"other" *
            9)) + call(0, "GetTraceStats") * n + call(0, "ObserveEvents", u(1, 1) + u(1, 2)) +
            op(UP, 0) * (n + 2))
        yield asked + settle() + stop()
        yield asked + op(CLOSE, 2) + ask(0, "DisableTracing") + settle()
        yield asked + call(0, "DisableTracing") + op(UP, 0) + op(DOWN, 0) + op(UP, 0) + op(DOWN,
            0) + op(UP, 0) + settle()
        yield asked + op(FAULT, 1) + op(CLOSE, 1) + op(DOWN, 0) + settle()
    yield (consumer() + ask(0, "ObserveEvents", u(1, 1)) + producer() + enable(config=CONFIG +
           source() * 70) + ask(0, "Detach", b(1, b"k")) + op(CLOSE, 1))
    half = op(FOREIGN, 0, b"\x10\0\0\0\1")
    yield BASIC + half + wait(0, 60) + settle() + op(OPEN, 0 | CONSUMER << 4)
    yield BASIC + op(FAULT, 1) + half + wait(0, 60)
    yield op(SERVICE, SMALL) + BASIC + op(OPEN, 3) + half + wait(8000)


def files_of_clones():
    """Clones of sessions that write into a file, which go into another one."""
    named = CONFIG + b(22, b"n") + u(8, 1) + u(9, 500)
    begin = BASIC + consumer(2)
    for kind in FILE, PIPE, SOCKET, NULL, READ_ONLY, DATAGRAMS, None:
        for more in b"", u(24, 1), u(10, 9000), buffer(64, u(5, 1)), buffer(64, u(6, 1)):
            cloned = begin + enable(config=named + more, kind=FILE) + emit(n=9, size=900) + wait(
                1200) + emit(n=5, first=9) + ask(2, "CloneSession", b(4, b"n"), 0, kind)
            yield (cloned + acknowledge(1, 1) + acknowledge(1, 2) + wait(900) + op(FAR) +
                   wait(900) + read(2) + bye(2) + stop())
            yield cloned + op(CLOSE, 2) + acknowledge(1, 9) + wait(900) + stop()
        yield (begin + enable(config=named, kind=PIPE) + emit(n=20, size=900) + wait(900) + ask(2,
               "CloneSession", b(4, b"n"), 0, kind) + acknowledge(1, 9) + op(FAR, 1) + wait(20000))
        yield (begin + enable(config=CONFIG + b(22, b"n")) + emit() + ask(2, "CloneSession", b(4,
               b"n"), 0, kind) + acknowledge(1, 9) + read(2))
    for fault in 0, 3, 4, 6, 9:
        for nth in 1, 2, 3, 4:
            yield (begin + enable(config=named, kind=FILE) + emit(n=9, size=900) + wait(1200) +
                   op(FAULT, nth, bytes([fault, nth])) + ask(2, "CloneSession", b(4, b"n"), 0,
                   FILE) + acknowledge(1, 9) + wait(900) + stop())
    for nth in range(1, 30):
        yield (begin + enable(config=named, kind=FILE) + emit(n=9, size=900) + wait(1200) +
               op(FAULT, nth) + ask(2, "CloneSession", b(4, b"n"), 0, FILE) + acknowledge(1, 9) +
               wait(900) + stop())
    unknown = u(6000, 1), b(6000, b"x"), b(6000, b"y"), b(6000, b"xx"), b"", u(6001, 1)
    for one in unknown:
        for two in unknown:
            yield (BASIC + enable(config=CONFIG + one) + ask(0, "ChangeTraceConfig", b(1, CONFIG +
                   two)))


def told_of():
    """What a trace tells of the service: who was slow, what was lost, which other sessions ran."""
    slow = consumer() + producer(more=NOTIFIES)
    many = enable(config=CONFIG + source() * 40 + u(3, 3000))
    yield slow + many + wait(2000) + read() + wait(30000) + read()
    yield slow + many + wait(0, 60) + read()
    yield slow + many + wait(3100) + op(CLOSE, 1) + wait(9000) + read()
    other = producer(2, b"com.q", more=NOTIFIES)
    yield slow + other + many + wait(3100) + acknowledge(2, 1) + wait(9000) + read()
    yield slow + many + wait(3100) + other + wait(9000) + read()
    yield (slow + enable(config=CONFIG + b(20, u(4, 1)) + u(3, 3000)) + wait(0, 60) + read())
    yield slow + many + wait(0, 20) + consumer(2) + ask(2, "CloneSession", u(1, 1)) + acknowledge(
        1, 9) + wait(9000) + read(2) + read()
    yield slow + enable() + ask(0, "Flush", u(1, 100)) * 20 + wait(9000) + read()
    yield consumer() + enable() + ask(0, "Flush") * 40 + read()
    aware = CONFIG + b(20, u(10, 1)) + b(22, b"aware")
    three = BASIC + consumer(2) + consumer(3, OTHER_USER) + connect(4, ROOT)
    yield (three + enable(2, CONFIG + b(22, b"n")) + enable(config=aware) + enable(3, CONFIG) +
           bye(2) + read() + ask(4, "CloneSession", u(1, 2)) + acknowledge(1, 9) + read(4) +
           stop(3, 1, 3) + read() + stop() + bye(3) + read())
    yield (three + enable(config=aware) + (enable(2) + bye(2)) * 20 + read() + ask(0, "Detach",
           b(1, b"k")) + enable(2) + bye(2))
    for nth in range(1, 12):
        yield (three + enable(config=aware) + op(FAULT, nth) + enable(2, CONFIG + b(22, b"n")) +
               ask(4, "CloneSession", u(1, 1)) + acknowledge(1, 9) + read(4) + read())


def machines():
    ping = b(2, u(1, 6) + u(2, 1000)) + b(2, u(1, 1) + u(2, 5))
    info = b(1, b(1, b(1, b"Linux")))

    def relay(peer, n=2):
        return (connect(peer, REMOTE | RELAY) + ask(peer, "InitRelay", info) + ask(peer,
                "SyncClock", u(1, 1) + ping) * n)

    two = consumer() + relay(5, 0) + relay(3) + relay(4) + relay(7) + producer(1, b"r", REMOTE)
    for more in (b(20, u(1, 1)), b(20, u(3, 1)), b(20, b""), b(20, u(1, 1) + u(3, 1)), b(20, u(1, 0)
        + u(3, 0)), b""):
        yield (two + enable(config=CONFIG + u(43, 1) + more) + emit_inline() + read() + relay(6) +
               read() + op(CLOSE, 3) + read())
    yield consumer() + relay(3) + relay(4, 1) + enable() + read() + relay(4) + read()
    large = b(1, b(1, b(1, b"L" * 17000)))
    yield (connect(3, REMOTE | RELAY) + ask(3, "InitRelay", large) + ask(3, "InitRelay", info) +
           ask(3, "SyncClock", u(1, 1) + b(2, b"") * 17) + ask(3, "SyncClock", u(1, 1) + b(2, b"")))
    yield (connect(3, REMOTE | RELAY) + op(FAULT, 1) + ask(3, "SyncClock", u(1, 1) + ping) + ask(3,
           "SyncClock", u(1, 1) + ping))


def producers_apart():
    """What one producer does while another one has a part in the session, and itself has none."""
    other = producer(2, b"com.q", source=b"other", more=u(9, 1))
    yield (BASIC + other + consumer(3) + enable() + enable(3, buffer() + source(b"other")) + ask(1,
           "RegisterTraceWriter", u(1, 1) + u(2, 1)) + ask(2, "RegisterTraceWriter", u(1, 1) +
           u(2, 2)) + ask(0, "Flush", u(1, 900)) + stop() + ask(3, "Flush", u(1, 900)) + stop(3, 2,
           2) + read())
    yield (BASIC + producer(2, b"com.q") + enable() + emit() + call(0, "Flush") + settle() +
           acknowledge(1) + acknowledge(2) + read())
    for hello, how in (u(4, 0), 0), (b"", 0), (b"", REMOTE), (u(4, 0), REMOTE):
        yield (consumer() + producer(more=u(9, 1), hello=hello, how=how) + enable(config=CONFIG +
               u(43, 1)) + ask(0, "Flush") + wait(6000) + read())
    clears = u(4, 1)
    yield (consumer() + consumer(3) + producer(more=clears) + ask(1, "RegisterDataSource",
           descriptor(b"not")) + producer(2, source=b"not") + enable(config=CONFIG +
           source(b"not") + b(21, u(1, 300))) + enable(3, CONFIG + b(21, u(1, 500))) + wait(3000) +
           op(CLOSE, 1) + wait(900))
    yield (op(SERVICE, SMALL) + consumer() + producer(1, hello=u(6, 1) + u(1, 4096),
           kind=OWN_MEMORY) + producer(2, hello=u(6, 1) + u(1, 4096), kind=OWN_MEMORY) + enable() +
           emit(2))
    yield (connect(1) + ask(1, "InitializeConnection", b(3, b"p")) + raw(1, "RegisterDataSource",
           lambda i: descriptor(b"%d" % i), n=260) + consumer() + enable(config=buffer() +
           source(b"3")))
    # More writers than a small buffer keeps apart, with a byte each.
    def tiny(writer):
        return b(1, u(3, 1) + b(4, bytes(4) + writer.to_bytes(2, "little") + b"\1\0\0"))

    yield (consumer() + producer(1, b"r", REMOTE) + enable(config=CONFIG + u(43, 1)) +
           ask(1, "CommitData", b"".join(map(tiny, range(1, 1100)))) + read() + ask(1, "CommitData",
           b"".join(map(tiny, range(1100, 1110)))) + ask(1, "CommitData", tiny(1)) + read())
    yield (BASIC + op(FAULT, 1, bytes([8, 0])) + enable() + read() + op(SERVICE, 0, bytes([1, 8,
           0])) + BASIC + ask(0, "QueryServiceState"))
    for nth in range(1, 9):
        yield op(SERVICE, 0, bytes([nth])) + consumer()
    for fault in 6, 7, 9, 10, 11, 12:
        yield op(SERVICE, 0, bytes([1, fault, 0])) + consumer()
        for nth in 1, 2, 3, 4:
            yield (BASIC + op(FAULT, nth, bytes([fault, 0])) + enable() + emit() + read() +
                   producer(2) + consumer(3) + ask(3, "CloneSession", u(1, 1)) + acknowledge())
    # A packet larger than a reply, and nobody reads.
    pieces = b"".join(page(1, 0, chunk(i, [b"x" * 4000], 1, 3 if i else 2)[: None if i == 0 else
        8]) + ask(1, "CommitData", move(0)) for i in range(40))
    yield (BASIC + enable(config=buffer(512) + source()) + pieces + page(1, 0, chunk(40, [b"end"],
           1, 1)) + ask(1, "CommitData", move(0)) + call(0, "GetTraceStats") + call(0,
           "ReadBuffers") + call(0, "QueryCapabilities") + op(UP, 0) * 3 + wait(100) + read())


CORNERS = (forged, users, rules_of_sessions, triggers_again, files_that_end, not_read,
    files_of_clones, told_of, machines, producers_apart)

# Walks in which one allocation after the other fails, from where op(FAULT, 0) is on.
WITHOUT_MEMORY = (
    BASIC + enable() + op(FAULT, 0) + ask(0, "Flush"),
    BASIC + enable(config=STATS) + emit() + op(FAULT, 0) + read(),
    op(FAULT, 0) + BASIC,
    BASIC + consumer(2) + enable(config=buffer(64, u(5, 1)) + buffer(64, u(6, 1)) + source() + b(22,
        b"n")) + op(FAULT, 0) + ask(2, "CloneSession", b(4, b"n") + b(5, b"t") + b(6, b"p")) +
        acknowledge(1, 1) + acknowledge(1, 2) + read(2),
    BASIC + enable(config=CONFIG + u(13, 200) + b(21, u(1, 300))) + op(FAULT, 0) + wait(900) +
        ask(0, "Flush") + acknowledge(1, 9) + stop(),
    BASIC + enable(config=CONFIG + triggers(STOP_TRACING, trigger(b"t", u(3, 900)))) + op(FAULT,
        0) + fire(b"t") + wait(3000) + read(),
    BASIC + enable(config=STATS) + emit() + op(FAULT, 0) + ask(0, "GetTraceStats") + read(),
    BASIC + enable(config=CONFIG + u(8, 1) + u(9, 200), kind=PIPE) + emit(n=9, size=900) + op(FAULT,
        0) + wait(900) + op(FAR) + wait(900) + stop() + wait(900),
    consumer() + connect(3, REMOTE | RELAY) + op(FAULT, 0) + ask(3, "InitRelay", b(1, b(1, b(1,
        b"Linux")))) + ask(3, "SyncClock", u(1, 1) + b(2, u(1, 6) + u(2, 9))) * 2 + enable() +
        read(),
    BASIC + enable(config=CONFIG + source(b"other")) + op(FAULT, 0) + ask(1, "RegisterDataSource",
        descriptor(b"other", u(7, 5))) + ask(1, "UpdateDataSource", descriptor(b"other", u(7, 5) +
        u(9, 1))) + ask(1,
        "RegisterTraceWriter", u(1, 99) + u(2, 1)) + ask(0, "QueryServiceState"),
    consumer() + op(FAULT, 0) + producer(hello=u(6, 1) + u(1, 4096), kind=OWN_MEMORY) + enable(),
    BASIC + enable(config=CONFIG + b(47, b(2, u(1, 3)))) + emit(n=3) + op(FAULT, 0) + read() +
        stop() + read(),
    BASIC + enable(config=CONFIG + b(47, b(1, b""))) + emit(n=3) + op(FAULT, 0) + read(),
    BASIC + enable(config=buffer(256) + source()) + b"".join(emit(n=1, first=i, size=3900) for i in
        range(20)) + call(0, "ReadBuffers") + op(FAULT, 0) + op(UP, 0) + ask(1, "Sync") + settle(),
)
