# SPDX-License-Identifier: Apache-2.0
"""The messages of the consumer port: each empty, each with what it says."""

from vectors.encode import Wide, b, f64, packed, u
from vectors.producer_port import CONFIG, CONFIG_VALUE, DESCRIPTOR, DESCRIPTOR_VALUE
from vectors.topic import Refused, Topic

consumer_port = Topic("consumer", "consumer-port.json", "messages of the consumer port")

METHODS = ("EnableTracing", "DisableTracing", "ReadBuffers", "FreeBuffers", "Flush",
           "StartTracing", "ChangeTraceConfig", "Detach", "Attach", "GetTraceStats",
           "ObserveEvents", "QueryServiceState", "QueryCapabilities", "SaveTraceForBugreport",
           "CloneSession")
U32, U64 = 2**32 - 1, 2**64 - 1

BUFFER = u(1, 1024) + u(4, 1) + u(5, 1) + u(6, 0) + b(7, b"main") + u(8, 0)
SOURCE = b(1, CONFIG) + b(2, b"com.example") + b(3, b"com\\..*") + b(4, b"host")
TRIGGERS = (u(1, 2) + b(2, b(1, b"jank") + b(2, b".*") + u(3, 100) + u(4, 5) +
                        f64(5, 0x3FE0000000000000)) + u(3, 60000) + u(5, 1))
TRACE_CONFIG = (b(1, BUFFER) * 2 + b(2, SOURCE) + u(3, 10000) + u(8, 1) + u(9, 2500) +
                u(10, 2**33) + u(12, 1) + u(13, 5000) + u(14, 1000) + b(17, TRIGGERS) +
                b(18, b"boot") + b(20, u(1, 1) + u(5, 6)) + b(21, u(1, 5000)) + b(22, b"name") +
                u(23, 3000) + u(24, 1) + u(27, -1) + u(28, 1) + b(29, b"/tmp/trace") + u(30, -7) +
                u(44, 1) + b(47, b(2, u(1, 3))) +
                b(48, b(1, b(1, b"k") + u(2, -1)) + b(1, b(3, b"v"))))
BUFFER_VALUE = {"size_kb": 1024, "fill_policy": 1, "transfer_on_clone": True,
                "clear_before_clone": False, "name": b"main", "experimental_mode": 0}
SOURCE_VALUE = {"config": CONFIG_VALUE, "producer_name_filter": [b"com.example"],
                "producer_name_regex_filter": [b"com\\..*"], "machine_name_filter": [b"host"]}
TRIGGERS_VALUE = {
    "trigger_mode": 2,
    "triggers": [{"name": b"jank", "producer_name_regex": b".*", "stop_delay_ms": 100,
                  "max_per_24_h": 5, "skip_probability": "0x3fe0000000000000"}],
    "trigger_timeout_ms": 60000, "use_clone_snapshot_if_available": True}
TRACE_CONFIG_VALUE = {
    "buffers": [BUFFER_VALUE] * 2, "data_sources": [SOURCE_VALUE], "duration_ms": 10000,
    "write_into_file": True, "file_write_period_ms": 2500, "max_file_size_bytes": Wide(2**33),
    "deferred_start": True, "flush_period_ms": 5000, "flush_timeout_ms": 1000,
    "trigger_config": TRIGGERS_VALUE, "activate_triggers": [b"boot"],
    "builtin_data_sources": {"disable_clock_snapshotting": True, "primary_trace_clock": 6},
    "incremental_state_config": {"clear_period_ms": 5000}, "unique_session_name": b"name",
    "data_source_stop_timeout_ms": 3000, "compression_type": 1, "trace_uuid_msb": Wide(-1),
    "trace_uuid_lsb": Wide(1), "output_path": b"/tmp/trace", "bugreport_score": -7,
    "write_flush_mode": 1, "compression": {"zstd": {"level": 3}},
    "trace_attributes": {"attribute": [{"key": b"k", "long_value": Wide(-1)},
                                       {"string_value": b"v"}]}}


def empty_ones():
    for number, name in enumerate(METHODS):
        consumer_port.message(1 + 2 * number, "TW-ENC-016", f"No arguments of {name}: all absent.",
                              f"{name}Request", b"", {}, canonical=True)
        consumer_port.message(2 + 2 * number, "TW-ENC-016", f"An empty reply of {name}.",
                              f"{name}Response", b"", {}, canonical=True)


def whole(number, about, name, data, value):
    consumer_port.message(number, "TW-ENC-011", about, name, data, value, canonical=True)


def sessions():
    whole(40, "A session with a long config.", "EnableTracingRequest",
          b(1, TRACE_CONFIG) + u(2, 0),
          {"trace_config": TRACE_CONFIG_VALUE, "attach_notification_only": False})
    whole(41, "The smallest config: one buffer, one data source.", "EnableTracingRequest",
          b(1, b(1, u(1, 64)) + b(2, b(1, b(1, b"track_event")))),
          {"trace_config": {"buffers": [{"size_kb": 64}],
                            "data_sources": [{"config": {"name": b"track_event"}}]}})
    whole(42, "An empty config.", "EnableTracingRequest", b(1), {"trace_config": {}})
    whole(43, "Tracing has ended, with an error.", "EnableTracingResponse",
          u(1, 1) + b(3, b"no buffer"), {"disabled": True, "error": b"no buffer"})
    whole(44, "Another filter for a running session.", "ChangeTraceConfigRequest",
          b(1, b(2, b(2, b"com.other"))),
          {"trace_config": {"data_sources": [{"producer_name_filter": [b"com.other"]}]}})
    whole(45, "A session is left under a key.", "DetachRequest", b(1, b"key"), {"key": b"key"})
    whole(46, "A session is taken back.", "AttachRequest", b(1, b"key"), {"key": b"key"})
    whole(47, "Its config comes back.", "AttachResponse", b(1, TRACE_CONFIG),
          {"trace_config": TRACE_CONFIG_VALUE})
    whole(48, "A flush with a time limit.", "FlushRequest", u(1, 5000) + u(2, U64),
          {"timeout_ms": 5000, "flags": Wide(U64)})
    consumer_port.message(49, "TW-ENC-001", "A config cut short in its last data source.",
                          "EnableTracingRequest", b(1, b(2, b(1, CONFIG[:-1]))),
                          Refused("truncated"))
    consumer_port.message(50, "TW-ENC-012", "An attribute with a number and a string.",
                          "EnableTracingRequest",
                          b(1, b(48, b(1, b(1, b"k") + u(2, 1) + b(3, b"v")))),
                          Refused("two_members"))
    consumer_port.message(51, "TW-ENC-006", "Fields of configs that are not known here: ftrace.",
                          "EnableTracingRequest",
                          b(1, b(2, b(1, b(1, b"linux.ftrace") + b(100, b(1, b"sched"))))),
                          {"trace_config": {"data_sources": [
                              {"config": {"name": b"linux.ftrace"}}]}})


def reading():
    name = "ReadBuffersResponse"
    whole(60, "A packet in one slice.", name, b(2, b(1, b"\x40\x96\x2a") + u(2, 1)),
          {"slices": [{"data": b"\x40\x96\x2a", "last_slice_for_packet": True}]})
    whole(61, "A packet in three slices, and the start of another.", name,
          b(2, b(1, b"a") + u(2, 0)) + b(2, b(1, b"b") + u(2, 0)) + b(2, b(1, b"c") + u(2, 1)) +
          b(2, b(1, b"d") + u(2, 0)),
          {"slices": [{"data": b"a", "last_slice_for_packet": False},
                      {"data": b"b", "last_slice_for_packet": False},
                      {"data": b"c", "last_slice_for_packet": True},
                      {"data": b"d", "last_slice_for_packet": False}]})
    whole(62, "An empty packet.", name, b(2, b(1) + u(2, 1)),
          {"slices": [{"data": b"", "last_slice_for_packet": True}]})
    whole(63, "A slice without fields.", name, b(2), {"slices": [{}]})
    whole(64, "A slice of 100,000 bytes.", name, b(2, b(1, b"p" * 100000) + u(2, 0)),
          {"slices": [{"data": b"p" * 100000, "last_slice_for_packet": False}]})
    consumer_port.message(65, "TW-ENC-003", "Slices with sizes in four bytes.", name,
                          b(2, b(1, b"a") + u(2, 1), 4) * 2,
                          {"slices": [{"data": b"a", "last_slice_for_packet": True}] * 2})
    consumer_port.message(66, "TW-ENC-006", "Field 1, of very old services, is not known.", name,
                          b(1, b"?") + b(2, b(1, b"a")), {"slices": [{"data": b"a"}]})
    consumer_port.message(67, "TW-ENC-001", "The data of the last slice is cut short.", name,
                          b(2, b(1, b"a")) + b(2, b"\x0a\x02b"), Refused("truncated"))
    consumer_port.message(68, "TW-ENC-011", "last_slice_for_packet as bytes.", name,
                          b(2, b(1, b"a") + b(2, b"\x01")), Refused("wrong_type"))
    whole(69, "Some buffers are freed.", "FreeBuffersRequest", u(1, 0) + u(1, U32),
          {"buffer_ids": [0, U32]})


def asking():
    stats = b"".join(u(i, i * i) for i in range(1, 21))
    names = ("bytes_written", "chunks_written", "chunks_overwritten", "write_wrap_count",
             "patches_succeeded", "patches_failed", "readaheads_succeeded", "readaheads_failed",
             "abi_violations", "chunks_rewritten", "chunks_committed_out_of_order", "buffer_size",
             "bytes_overwritten", "bytes_read", "padding_bytes_written", "padding_bytes_cleared",
             "chunks_read", "chunks_discarded", "trace_writer_packet_loss", "chunks_relocated")
    writer = u(1, 3) + packed(2, [1, 0, 2]) + packed(3, [-1, 0, 2**40]) + u(4, 1)
    whole(70, "Statistics of a buffer and a writer.", "GetTraceStatsResponse",
          b(1, b(1, stats) + u(2, 1) + u(3, 2) + u(15, 1) + u(17, 8) + u(17, -1) + b(18, writer)),
          {"trace_stats": {
              "buffer_stats": [{n: Wide(i * i) for i, n in enumerate(names, 1)}],
              "producers_connected": 1, "producers_seen": Wide(2), "final_flush_outcome": 1,
              "chunk_payload_histogram_def": [Wide(8), Wide(-1)],
              "writer_stats": [{
                  "sequence_id": Wide(3),
                  "chunk_payload_histogram_counts": [Wide(1), Wide(0), Wide(2)],
                  "chunk_payload_histogram_sum": [Wide(-1), Wide(0), Wide(2**40)],
                  "buffer": 1}]}})
    whole(71, "Two kinds of events are asked for.", "ObserveEventsRequest", u(1, 1) + u(1, 2),
          {"events_to_observe": [1, 2]})
    hit = u(1, -1) + b(2, b"jank") + b(3, b"app") + u(4, 1000) + u(5, 2**50) + u(6, 10)
    whole(72, "Events of each kind.", "ObserveEventsResponse",
          b(1, b(1, b(1, b"app") + b(2, b"track_event") + u(3, 2)) + u(2, 1) + b(3, hit)),
          {"events": {
              "instance_state_changes": [{"producer_name": b"app",
                                          "data_source_name": b"track_event", "state": 2}],
              "all_data_sources_started": True,
              "clone_trigger_hit": {
                  "tracing_session_id": Wide(-1), "trigger_name": b"jank",
                  "producer_name": b"app", "producer_uid": 1000, "boot_time_ns": Wide(2**50),
                  "trigger_delay_ms": Wide(10)}}})
    whole(73, "Only the sessions are wanted.", "QueryServiceStateRequest", u(1, 1),
          {"sessions_only": True})
    producer = u(1, 1) + b(2, b"app") + u(3, 1000) + b(4, b"v58.2") + u(5, 4242) + u(6, 0)
    session = u(1, 1) + u(2, 1000) + b(3, b"STARTED") + u(5, 1024) + u(5, 64) + u(8, 2**60)
    whole(74, "The state of a service.", "QueryServiceStateResponse",
          b(1, b(1, producer) + b(2, b(1, DESCRIPTOR) + u(2, 1)) + u(3, 1) + u(4, 1) +
            b(5, b"Perfetto v58.2") + b(6, session) + u(7, 1)),
          {"service_state": {
              "producers": [{"id": 1, "name": b"app", "uid": 1000, "sdk_version": b"v58.2",
                             "pid": 4242, "frozen": False}],
              "data_sources": [{"ds_descriptor": DESCRIPTOR_VALUE, "producer_id": 1}],
              "num_sessions": 1, "num_sessions_started": 1,
              "tracing_service_version": b"Perfetto v58.2",
              "tracing_sessions": [{"id": Wide(1), "consumer_uid": 1000, "state": b"STARTED",
                                    "buffer_size_kb": [1024, 64],
                                    "start_realtime_ns": Wide(2**60)}],
              "supports_tracing_sessions": True}})
    whole(75, "What a service can do.", "QueryCapabilitiesResponse",
          b(1, u(1, 1) + u(2, 1) + u(2, 2) + u(2, 4) + u(3, 1) + u(4, 1)),
          {"capabilities": {"has_query_capabilities": True, "observable_events": [1, 2, 4],
                            "has_trace_config_output_path": True, "has_clone_session": True}})
    whole(76, "No trace for a bug report.", "SaveTraceForBugreportResponse",
          u(1, 0) + b(2, b"none"), {"success": False, "msg": b"none"})


def cloning():
    name = "CloneSessionRequest"
    rest = (u(3, 1) + b(5, b"jank") + b(6, b"app") + u(7, 1000) + u(8, 2**50) + u(9, 10))
    rest_value = {"for_bugreport": True, "clone_trigger_name": b"jank",
                  "clone_trigger_producer_name": b"app",
                  "clone_trigger_trusted_producer_uid": 1000,
                  "clone_trigger_boot_time_ns": Wide(2**50), "clone_trigger_delay_ms": Wide(10)}
    whole(80, "Clone by id, with every other field.", name, u(1, 7) + u(2, 1) + rest,
          {"session_id": Wide(7), "skip_trace_filter": True, **rest_value})
    whole(81, "Clone by name.", name, b(4, b"name"), {"unique_session_name": b"name"})
    whole(82, "Clone by id 0: a member of a oneof that is 0 is there.", name, u(1, 0),
          {"session_id": Wide(0)})
    whole(83, "Clone by an empty name.", name, b(4), {"unique_session_name": b""})
    whole(84, "The clone's uuid.", "CloneSessionResponse",
          u(1, 1) + u(3, 2**62) + u(4, -5) + u(5, 1),
          {"success": True, "uuid_msb": Wide(2**62), "uuid_lsb": Wide(-5),
           "was_write_into_file": True})
    whole(85, "There is no clone.", "CloneSessionResponse", u(1, 0) + b(2, b"no such session"),
          {"success": False, "error": b"no such session"})


empty_ones()
sessions()
reading()
asking()
cloning()
