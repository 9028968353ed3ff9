/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/trace_packet.h"

#include "wire/reader.h"

/* Field numbers (spec/proto/trace.proto). */
enum {
    PACKET_UID = 3,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE = 10,
    PACKET_INTERNED_DATA = 12,
    PACKET_FLAGS = 13,
    PACKET_STATE_CLEARED = 41,
    PACKET_DROPPED = 42,
    PACKET_CLOCK = 58,
    PACKET_DEFAULTS = 59,
    PACKET_PID = 79,
    PACKET_FIRST = 87,
    PACKET_MACHINE = 98,
    DEFAULTS_CLOCK = 58,
    FLAG_CLEARED = 1,
    FLAG_NEEDS = 2,
};

/* Without pointers: what the loader has to fill in costs memory of every tracewire that runs. */
struct kind {
    uint32_t number;
    char name[36];
};

/* Those of the original at v58.2, by number. */
static const struct kind kinds[] = {
    {1, "ftrace_events"},
    {2, "process_tree"},
    {4, "inode_file_map"},
    {5, "chrome_events"},
    {6, "clock_snapshot"},
    {7, "sys_stats"},
    {9, "process_stats"},
    {11, "track_event"},
    {33, "trace_config"},
    {34, "ftrace_stats"},
    {35, "trace_stats"},
    {36, "synchronization_marker"},
    {37, "profile_packet"},
    {38, "battery"},
    {39, "android_log"},
    {40, "power_rails"},
    {43, "process_descriptor"},
    {44, "thread_descriptor"},
    {45, "system_info"},
    {46, "trigger"},
    {47, "packages_list"},
    {48, "chrome_benchmark_metadata"},
    {49, "perfetto_metatrace"},
    {50, "compressed_packets"},
    {51, "chrome_metadata"},
    {52, "gpu_counter_event"},
    {53, "gpu_render_stage_event"},
    {54, "streaming_profile_packet"},
    {57, "graphics_frame_event"},
    {60, "track_descriptor"},
    {61, "module_symbols"},
    {62, "vulkan_memory_event"},
    {63, "gpu_log"},
    {64, "deobfuscation_mapping"},
    {65, "vulkan_api_event"},
    {66, "perf_sample"},
    {67, "cpu_info"},
    {68, "smaps_packet"},
    {69, "service_event"},
    {70, "initial_display_state"},
    {71, "gpu_mem_total_event"},
    {72, "extension_descriptor"},
    {73, "memory_tracker_snapshot"},
    {74, "streaming_allocation"},
    {75, "streaming_free"},
    {77, "android_energy_estimation_breakdown"},
    {78, "ui_state"},
    {82, "translation_table"},
    {83, "android_game_intervention_list"},
    {84, "statsd_atom"},
    {86, "android_system_property"},
    {89, "trace_uuid"},
    {90, "track_event_range_of_interest"},
    {91, "entity_state_residency"},
    {95, "etw_events"},
    {99, "v8_js_code"},
    {100, "v8_internal_code"},
    {101, "v8_wasm_code"},
    {102, "v8_reg_exp_code"},
    {103, "v8_code_move"},
    {107, "remote_clock_sync"},
    {109, "chrome_trigger"},
    {110, "pixel_modem_events"},
    {111, "pixel_modem_token_database"},
    {113, "clone_snapshot_trigger"},
    {115, "kernel_wakelock_data"},
    {117, "generic_kernel_task_state_event"},
    {118, "generic_kernel_cpu_freq_event"},
    {119, "cpu_per_uid_data"},
    {120, "generic_kernel_task_rename_event"},
    {122, "generic_kernel_process_tree"},
    {123, "user_list"},
    {124, "trace_provenance"},
    {125, "protovms"},
    {126, "trace_attributes"},
    {127, "android_aflags"},
    {128, "gpu_info"},
    {129, "generic_gpu_frequency_event"},
    {130, "interrupt_info"},
    {131, "art_process_metadata"},
    {132, "journald_event"},
    {133, "zstd_compressed_packets"},
    {134, "concurrent_session_event"},
    {135, "stack_sample"},
    {900, "for_testing"},
};

const char *tw_packet_kind_name(uint32_t kind)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(kinds); i++)
        if (kinds[i].number == kind)
            return kinds[i].name;
    return NULL;
}

static int take_defaults(struct tw_bytes defaults, struct tw_packet_facts *facts)
{
    struct tw_reader r = tw_reader_of(defaults);
    struct tw_field field;
    int rc;

    facts->has_defaults = true;
    while (!(rc = tw_read_field(&r, &field)))
        if (field.number == DEFAULTS_CLOCK)
            facts->default_clock = (uint32_t)field.value;
    return rc == TW_MORE ? 0 : TW_E_PROTOCOL;
}

/* Who wrote it. false: the field is about something else. */
static bool take_writer(const struct tw_field *field, struct tw_packet_facts *facts)
{
    switch (field->number) {
    case PACKET_UID:
        facts->has_uid = true;
        facts->uid = (int32_t)field->value;
        return true;
    case PACKET_SEQUENCE:
        facts->has_sequence = true;
        facts->sequence = (uint32_t)field->value;
        return true;
    case PACKET_PID:
        facts->pid = (int32_t)field->value;
        return true;
    case PACKET_MACHINE:
        facts->machine = (uint32_t)field->value;
        return true;
    default:
        return false;
    }
}

/* When it was written, and what else has to be known to understand it. */
static bool take_context(const struct tw_field *field, struct tw_packet_facts *facts)
{
    switch (field->number) {
    case PACKET_TIMESTAMP:
        facts->has_timestamp = true;
        facts->timestamp = field->value;
        return true;
    case PACKET_CLOCK:
        facts->clock = (uint32_t)field->value;
        return true;
    case PACKET_FLAGS:
        facts->clears |= (field->value & FLAG_CLEARED) != 0;
        facts->needs = (field->value & FLAG_NEEDS) != 0;
        return true;
    case PACKET_STATE_CLEARED:
        facts->clears |= field->value != 0;
        return true;
    case PACKET_DROPPED:
        facts->dropped = (uint32_t)field->value;
        return true;
    case PACKET_FIRST:
        facts->first = field->value != 0;
        return true;
    default:
        return field->number == PACKET_INTERNED_DATA;
    }
}

int tw_packet_facts_of(struct tw_bytes packet, struct tw_packet_facts *ret)
{
    struct tw_packet_facts facts = {0};
    struct tw_reader r = tw_reader_of(packet);
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field))) {
        if (take_writer(&field, &facts) || take_context(&field, &facts))
            continue;
        if (field.number == PACKET_DEFAULTS) {
            if (take_defaults(field.bytes, &facts))
                return TW_E_PROTOCOL;
            continue;
        }
        facts.kind = field.number;
        facts.body = field.bytes;
    }
    if (rc != TW_MORE)
        return TW_E_PROTOCOL;
    *ret = facts;
    return 0;
}
