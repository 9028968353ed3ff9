# SPDX-License-Identifier: Apache-2.0
"""The messages of the producer port: each empty, each with every field of its own."""

from vectors.encode import Wide, b, u
from vectors.topic import Refused, Topic

producer_port = Topic("producer", "producer-port.json", "messages of the producer port")

METHODS = ("InitializeConnection", "RegisterDataSource", "UnregisterDataSource", "CommitData",
           "GetAsyncCommand", "RegisterTraceWriter", "UnregisterTraceWriter",
           "NotifyDataSourceStarted", "NotifyDataSourceStopped", "ActivateTriggers", "Sync",
           "UpdateDataSource")
U32, U64 = 2**32 - 1, 2**64 - 1

CATEGORY = b(1, b"gfx") + b(2, b"Frames and layers") + b(3, b"slow") + b(3, b"debug")
DESCRIPTOR = (b(1, b"track_event") + u(2, 1) + u(3, 1) + u(4, 1) + b(6, b(1, CATEGORY) * 2) +
              u(7, U64) + u(9, 0))
CATEGORY_VALUE = {"name": b"gfx", "description": b"Frames and layers", "tags": [b"slow", b"debug"]}
DESCRIPTOR_VALUE = {
    "name": b"track_event", "will_notify_on_stop": True, "will_notify_on_start": True,
    "handles_incremental_state_clear": True,
    "track_event_descriptor": {"available_categories": [CATEGORY_VALUE] * 2},
    "id": Wide(U64), "no_flush": False,
}
# A data source's config as the service hands it on.
CONFIG = (b(1, b"track_event") + u(2, 1) + u(3, 10000) + u(4, 2**40) + u(6, 0) + u(7, 5000) +
          u(8, 1) + u(9, 1) + b(10, u(1, 1) + u(2, 3)) + b(11, b"main") + b(12, u(1, 64)) +
          b(113, b(1, b"*") + b(2, b"gfx") + b(2, b"input") + u(5, 1) + u(6, 1000)) + u(122, 1) +
          b(1000, b"{}"))
CONFIG_VALUE = {
    "name": b"track_event", "target_buffer": 1, "trace_duration_ms": 10000,
    "tracing_session_id": Wide(2**40), "enable_extra_guardrails": False, "stop_timeout_ms": 5000,
    "session_initiator": 1, "buffer_exhausted_policy": 1,
    "priority_boost": {"policy": 1, "priority": 3}, "target_buffer_name": b"main",
    "protovm_config": {"memory_limit_kb": 64},
    "track_event_config": {
        "disabled_categories": [b"*"], "enabled_categories": [b"gfx", b"input"],
        "disable_incremental_timestamps": True, "timestamp_unit_multiplier": Wide(1000)},
    "prefer_suspend_clock_for_duration": True, "legacy_config": b"{}",
}


def empty_ones():
    for number, name in enumerate(METHODS):
        producer_port.message(1 + 2 * number, "TW-ENC-016", f"No arguments of {name}: all absent.",
                              f"{name}Request", b"", {}, canonical=True)
        producer_port.message(2 + 2 * number, "TW-ENC-016", f"An empty reply of {name}.",
                              f"{name}Response", b"", {}, canonical=True)


def whole(number, about, name, data, value):
    producer_port.message(number, "TW-ENC-011", about, name, data, value, canonical=True)


def setting_up():
    whole(30, "A producer introduces itself, with every field.", "InitializeConnectionRequest",
          u(1, 4096) + u(2, 1 << 20) + b(3, b"com.example") + u(4, 1) + u(6, 1) + b(7, b"key") +
          b(8, b"tracewire 1"),
          {"shared_memory_page_size_hint_bytes": 4096, "shared_memory_size_hint_bytes": 1 << 20,
           "producer_name": b"com.example", "smb_scraping_mode": 1,
           "producer_provided_shmem": True, "shm_key_windows": b"key",
           "sdk_version": b"tracewire 1"})
    producer_port.message(31, "TW-ENC-006", "Field 5, of very old producers, is not known any "
                          "more.", "InitializeConnectionRequest", b(3, b"old") + u(5, 2),
                          {"producer_name": b"old"})
    whole(32, "The service answers it, with every field.", "InitializeConnectionResponse",
          u(1, 1) + u(2, 1) + u(3, 0),
          {"using_shmem_provided_by_producer": True, "direct_smb_patching_supported": True,
           "use_shmem_emulation": False})
    whole(33, "A data source with every field and two categories.", "RegisterDataSourceRequest",
          b(1, DESCRIPTOR), {"data_source_descriptor": DESCRIPTOR_VALUE})
    producer_port.message(34, "TW-ENC-003", "The same with sizes in four bytes.",
                          "RegisterDataSourceRequest", b(1, DESCRIPTOR, 4),
                          {"data_source_descriptor": DESCRIPTOR_VALUE})
    whole(35, "A registration that failed.", "RegisterDataSourceResponse", b(1, b"no"),
          {"error": b"no"})
    whole(36, "A data source goes.", "UnregisterDataSourceRequest", b(1, b"track_event"),
          {"data_source_name": b"track_event"})
    whole(37, "A data source changes.", "UpdateDataSourceRequest", b(1, DESCRIPTOR),
          {"data_source_descriptor": DESCRIPTOR_VALUE})
    whole(38, "A descriptor without fields.", "RegisterDataSourceRequest", b(1),
          {"data_source_descriptor": {}})


def committing():
    name = "CommitDataRequest"
    patch = u(1, 1234) + b(2, b"\x01\x02\x03\x04")
    patch_value = {"offset": 1234, "data": b"\x01\x02\x03\x04"}
    whole(40, "One chunk.", name, b(1, u(1, 0) + u(2, 2) + u(3, 1)),
          {"chunks_to_move": [{"page": 0, "chunk": 2, "target_buffer": 1}]})
    whole(41, "A chunk and its bytes, still being written.", name,
          b(1, u(1, 7) + u(2, 0) + u(3, 1) + b(4, bytes(range(32))) + u(5, 1)),
          {"chunks_to_move": [{"page": 7, "chunk": 0, "target_buffer": 1,
                               "data": bytes(range(32)), "chunk_incomplete": True}]})
    whole(42, "A hundred chunks.", name,
          b"".join(b(1, u(1, i) + u(2, 0) + u(3, 1)) for i in range(100)),
          {"chunks_to_move": [{"page": i, "chunk": 0, "target_buffer": 1} for i in range(100)]})
    whole(43, "Two patches of a chunk.", name,
          b(2, u(1, 1) + u(2, 2) + u(3, U32) + b(4, patch) * 2 + u(5, 1)),
          {"chunks_to_patch": [{"target_buffer": 1, "writer_id": 2, "chunk_id": U32,
                                "patches": [patch_value] * 2, "has_more_patches": True}]})
    whole(44, "Chunks, patches and the answer to a flush.", name,
          b(1, u(1, 1)) + b(2, b(4, patch)) + u(3, 9),
          {"chunks_to_move": [{"page": 1}], "chunks_to_patch": [{"patches": [patch_value]}],
           "flush_request_id": Wide(9)})
    whole(45, "Numbers at their limits: whether they make sense is not the encoding's matter.",
          name, b(1, u(1, U32) + u(2, U32) + u(3, U32)) + u(3, U64),
          {"chunks_to_move": [{"page": U32, "chunk": U32, "target_buffer": U32}],
           "flush_request_id": Wide(U64)})
    producer_port.message(46, "TW-ENC-006", "Patches before chunks, fields backwards.", name,
                          u(3, 9) + b(2, b(4, b(2, b"abcd") + u(1, 8)) + u(2, 3)) +
                          b(1, u(3, 1) + u(1, 4)),
                          {"chunks_to_move": [{"page": 4, "target_buffer": 1}],
                           "chunks_to_patch": [{"writer_id": 3, "patches": [
                               {"offset": 8, "data": b"abcd"}]}],
                           "flush_request_id": Wide(9)})
    whole(47, "A patch of no bytes: it will be ignored, but it is a message.", name,
          b(2, b(4, u(1, 0) + b(2))),
          {"chunks_to_patch": [{"patches": [{"offset": 0, "data": b""}]}]})


def commands():
    name = "GetAsyncCommandResponse"
    whole(50, "Start a data source.", name, b(1, u(1, 5) + b(2, CONFIG)),
          {"start_data_source": {"new_instance_id": Wide(5), "config": CONFIG_VALUE}})
    whole(51, "Stop a data source.", name, b(2, u(1, U64)),
          {"stop_data_source": {"instance_id": Wide(U64)}})
    whole(52, "Here is the shared memory.", name, b(3, u(1, 4) + b(2, b"key")),
          {"setup_tracing": {"shared_buffer_page_size_kb": 4, "shm_key_windows": b"key"}})
    whole(53, "Flush two data sources.", name, b(5, u(1, 1) + u(1, 2) + u(2, 77) + u(3, 1)),
          {"flush": {"data_source_ids": [Wide(1), Wide(2)], "request_id": Wide(77),
                     "flags": Wide(1)}})
    whole(54, "Prepare a data source.", name, b(6, u(1, 5) + b(2, CONFIG)),
          {"setup_data_source": {"new_instance_id": Wide(5), "config": CONFIG_VALUE}})
    whole(55, "Forget what was interned.", name, b(7, u(1, 1)),
          {"clear_incremental_state": {"data_source_ids": [Wide(1)]}})
    for number, (field, what) in enumerate(((1, "start_data_source"), (2, "stop_data_source"),
                                            (3, "setup_tracing"), (5, "flush"),
                                            (6, "setup_data_source"),
                                            (7, "clear_incremental_state")), 56):
        whole(number, f"The command {what} without fields: it is there all the same.", name,
              b(field), {what: {}})
    producer_port.message(62, "TW-ENC-006", "A command that nobody knows yet: none.", name,
                          b(8, u(1, 1)), {})
    producer_port.message(63, "TW-ENC-001", "A config cut short within a command.", name,
                          b(6, b(2, CONFIG[:-1])), Refused("truncated"))


def the_rest():
    whole(70, "A writer registers.", "RegisterTraceWriterRequest", u(1, 65535) + u(2, 1),
          {"trace_writer_id": 65535, "target_buffer": 1})
    whole(71, "A writer goes.", "UnregisterTraceWriterRequest", u(1, 1), {"trace_writer_id": 1})
    whole(72, "A data source has started.", "NotifyDataSourceStartedRequest", u(1, 1),
          {"data_source_id": Wide(1)})
    whole(73, "A data source has stopped.", "NotifyDataSourceStoppedRequest", u(1, 2**63),
          {"data_source_id": Wide(2**63)})
    whole(74, "Three triggers, one without a name.", "ActivateTriggersRequest",
          b(1, b"boot") + b(1) + b(1, b"jank"), {"trigger_names": [b"boot", b"", b"jank"]})
    producer_port.message(75, "TW-ENC-006", "A field of a message that has none.", "SyncRequest",
                          u(1, 1) + b(2, b"x"), {})
    producer_port.message(76, "TW-ENC-001", "One zero byte for arguments of Sync.", "SyncRequest",
                          b"\0", Refused("bad_tag"))


empty_ones()
setting_up()
committing()
commands()
the_rest()
