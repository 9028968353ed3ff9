# SPDX-License-Identifier: Apache-2.0
"""The packets that the service itself writes into a trace, each with what it says."""

from vectors.consumer_port import TRACE_CONFIG, TRACE_CONFIG_VALUE
from vectors.encode import Wide, b, u
from vectors.topic import Topic

service_packets = Topic("packet", "service-packets.json", "packets that the service writes")

UID, TIMESTAMP, SEQUENCE = 3, 8, 10  # of what is beside the member
MARKER = bytes.fromhex("82477a76b28d42ba81dc33326d5779a0")


def packet(number, rule, about, field, name, data, value, timed=False):
    """One of the service with one member, and a timestamp if timed."""
    parts = [(UID, u(UID, 1000), "trusted_uid", 1000), (field, data, name, value),
             (SEQUENCE, u(SEQUENCE, 1), "trusted_packet_sequence_id", 1)]
    if timed:
        parts.append((TIMESTAMP, u(TIMESTAMP, 2**40), "timestamp", Wide(2**40)))
    parts.sort(key=lambda part: part[0])
    service_packets.message(number, rule, about, "TracePacket", b"".join(p[1] for p in parts),
                            {key: said for _, _, key, said in parts}, canonical=True)


def event(number, rule, about, field, name, data, value):
    packet(number, rule, about, 69, "service_event", b(69, data), {name: value}, timed=True)


def always():
    packet(1, "TW-TRACE-022", "Two clocks at one moment.", 6, "clock_snapshot",
           b(6, b(1, u(1, 6) + u(2, 2**40)) + b(1, u(1, 3) + u(2, 2**40 - 5)) + u(2, 6)),
           {"clocks": [{"clock_id": 6, "timestamp": Wide(2**40)},
                       {"clock_id": 3, "timestamp": Wide(2**40 - 5)}],
            "primary_trace_clock": 6})
    packet(2, "TW-TRACE-022", "A marker by which a reader finds its way again.", 36,
           "synchronization_marker", b(36, MARKER), MARKER)
    packet(3, "TW-TRACE-022", "The config of the session.", 33, "trace_config",
           b(33, TRACE_CONFIG), TRACE_CONFIG_VALUE)
    packet(4, "TW-TRACE-022", "What the trace is known by.", 89, "trace_uuid",
           b(89, u(1, -2) + u(2, 3)), {"msb": Wide(-2), "lsb": Wide(3)})
    packet(5, "TW-TRACE-022", "The machine.", 45, "system_info",
           b(45, b(1, b(1, b"Linux") + b(3, b"6.1")) + b(4, b"v58.2") + u(6, 4096) + u(7, -60) +
             u(8, 2) + u(16, 2**33)),
           {"utsname": {"sysname": b"Linux", "release": b"6.1"},
            "tracing_service_version": b"v58.2", "page_size": 4096, "timezone_off_mins": -60,
            "num_cpus": 2, "system_ram_bytes": Wide(2**33)})


def triggers():
    trigger = b(1, b"go") + b(2, b"com.example") + u(3, 1000) + u(4, 2**32)
    value = {"trigger_name": b"go", "producer_name": b"com.example",
             "trusted_producer_uid": 1000, "stop_delay_ms": Wide(2**32)}
    packet(10, "TW-TRIG-009", "A trigger that was received.", 46, "trigger", b(46, trigger),
           value, timed=True)
    packet(11, "TW-CONS-057", "The trigger that a clone was made for.", 113,
           "clone_snapshot_trigger", b(113, trigger), value, timed=True)


def provenance():
    def sequence(number, producer):
        return b(1, u(1, number) + u(2, producer))

    packet(20, "TW-TRACE-042", "Three sequences of two producers, and an empty buffer.", 124,
           "trace_provenance",
           b(124, b(2, sequence(2, 1) + sequence(3, 65535)) + b(2) + b(2, sequence(4, 1))),
           {"buffers": [{"sequences": [{"id": 2, "producer_id": 1},
                                       {"id": 3, "producer_id": 65535}]},
                        {}, {"sequences": [{"id": 4, "producer_id": 1}]}]}, timed=True)
    packet(21, "TW-TRACE-042", "The provenance of no buffers.", 124, "trace_provenance",
           b(124), {}, timed=True)


def events():
    sources = b(1, b(1, b"com.example") + b(2, b"slow")) + b(1, b(1, b"other") + b(2, b""))
    value = {"data_source": [{"producer_name": b"com.example", "data_source_name": b"slow"},
                             {"producer_name": b"other", "data_source_name": b""}]}
    simple = {1: "all_data_sources_started", 2: "tracing_started", 3: "all_data_sources_flushed",
              4: "read_tracing_buffers_completed", 5: "tracing_disabled", 9: "flush_started",
              10: "clone_started"}
    for field, name in simple.items():
        event(30 + field, "TW-TRACE-022", f"The event {name}.", field, name, u(field, 1), True)
    event(37, "TW-TRACE-043", "Two data sources that have not started.", 7,
          "slow_starting_data_sources", b(7, sources), value)
    event(38, "TW-TRACE-044", "Two data sources whose flush was not answered.", 8,
          "last_flush_slow_data_sources", b(8, sources), value)
    event(41, "TW-CONS-057", "A buffer was copied.", 11, "buffer_cloned", u(11, 127), 127)
    event(42, "TW-TRACE-044", "A flush was not answered by a producer that has gone.", 8,
          "last_flush_slow_data_sources", b(8), {})


def concurrent():
    for number, (state, about) in enumerate(((1, "ended"), (2, "was configured"), (3, "started"),
                                             (4, "waits for its data sources"),
                                             (5, "is a clone"))):
        packet(50 + number, "TW-TRACE-046", f"Another session {about}.", 134,
               "concurrent_session_event",
               b(134, u(1, state) + b(2, b"name") + u(3, 2**32) + u(4, 1000) + u(5, 7)),
               {"state": state, "session_name": b"name", "session_id": Wide(2**32),
                "consumer_uid": 1000, "num_data_sources": 7}, timed=True)


always()
triggers()
provenance()
events()
concurrent()
