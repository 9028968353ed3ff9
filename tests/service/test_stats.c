/* SPDX-License-Identifier: Apache-2.0 */
/* TraceStats says all it can say, buffer by buffer and writer by writer. */
#include <string.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/session_scene.h"

static void begin_with(struct session_scene *s, Tw__TraceConfig__BuiltinDataSource *builtin)
{
    session_peers(s);
    s->config->builtin_data_sources = builtin;
    session_run(s);
}

/* Whether a field is there: a flag of its own, a count, or a pointer. */
static bool is_set(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *quantifier = (const uint8_t *)msg + field->quantifier_offset;

    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(const void *)quantifier > 0;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)(const void *)((const uint8_t *)msg + field->offset) != NULL;
    return *(const protobuf_c_boolean *)(const void *)quantifier;
}

static void expect_all_set(const ProtobufCMessage *msg, const char *but)
{
    const ProtobufCMessageDescriptor *type = msg->descriptor;

    for (unsigned int i = 0; i < type->n_fields; i++) {
        bool set = is_set(msg, &type->fields[i]);

        if (set == (strcmp(type->fields[i].name, but) == 0))
            fail_msg("%s.%s is%s set", type->short_name, type->fields[i].name, set ? "" : " not");
    }
}

static void every_field_is_there(void **state)
{
    REQ("TW-BUF-080");
    REQ("TW-BUF-081");
    Tw__TraceStats *stats;
    struct session_scene s;

    (void)state;
    session_scene(&s);
    rig_emit(s.producer, 0, s.buffer, "text");
    stats = session_stats(s.consumer);
    expect_all_set(&stats->base, "filter_stats");
    expect_all_set(&stats->buffer_stats[0]->base, "");
    expect_all_set(&stats->writer_stats[0]->base, "");
    rig_free(&s.rig);
}

/* Each figure of the message is the buffer's by the same name. */
static void a_buffer_s_figures_are_its_own(void **state)
{
    REQ("TW-BUF-080");
    struct session_scene s;
    const Tw__TraceStats__BufferStats *b;
    struct tw_trace_buffer_stats figures;
    uint64_t *each = (uint64_t *)&figures;

    (void)state;
    session_scene(&s);
    for (size_t i = 0; i < sizeof(figures) / sizeof(*each); i++)
        each[i] = 100 + i;
    *(struct tw_trace_buffer_stats *)(uintptr_t)tw_trace_buffer_stats(
        s.rig.service->buffers[s.buffer]) = figures;
    b = session_stats(s.consumer)->buffer_stats[0];
#define SAME(field) assert_int_equal(b->field, figures.field)
    SAME(buffer_size);
    SAME(bytes_written);
    SAME(bytes_overwritten);
    SAME(bytes_read);
    SAME(padding_bytes_written);
    SAME(padding_bytes_cleared);
    SAME(chunks_written);
    SAME(chunks_rewritten);
    SAME(chunks_relocated);
    SAME(chunks_overwritten);
    SAME(chunks_discarded);
    SAME(chunks_read);
    SAME(chunks_committed_out_of_order);
    SAME(write_wrap_count);
    SAME(patches_succeeded);
    SAME(patches_failed);
    SAME(readaheads_succeeded);
    SAME(readaheads_failed);
    SAME(abi_violations);
    SAME(trace_writer_packet_loss);
    rig_free(&s.rig);
}

static void a_writer_is_found_by_its_sequence_id(void **state)
{
    REQ("TW-BUF-081");
    static const int64_t ends[] = {8, 32, 128, 512, 1024, 2048, 4096, 8192, 12288, 16384};
    const Tw__TraceStats__WriterStats *w;
    Tw__TraceStats *stats;
    Tw__TracePacket *packet;
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    session_scene(&s);
    rig_emit(s.producer, 0, s.buffer, "less than thirty");
    rig_emit(s.producer, 1, s.buffer, "less than thirty");
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "less than thirty", &packet), 2);
    stats = session_stats(s.consumer);
    assert_int_equal(stats->n_writer_stats, 1);
    w = stats->writer_stats[0];
    assert_int_equal(w->sequence_id, packet->trusted_packet_sequence_id);
    assert_int_equal(w->buffer, 0);
    assert_int_equal(stats->n_chunk_payload_histogram_def, 10);
    assert_memory_equal(stats->chunk_payload_histogram_def, ends, sizeof(ends));
    assert_int_equal(w->n_chunk_payload_histogram_counts, 11);
    assert_int_equal(w->n_chunk_payload_histogram_sum, 11);
    assert_int_equal(w->chunk_payload_histogram_counts[1], 2);
    assert_in_range(w->chunk_payload_histogram_sum[1], 2 * 17, 2 * 32);
    rig_free(&s.rig);
}

static void writers_are_left_out_if_asked_for(void **state)
{
    REQ("TW-BUF-081");
    Tw__TraceConfig__BuiltinDataSource builtin = TW__TRACE_CONFIG__BUILTIN_DATA_SOURCE__INIT;
    Tw__TraceStats *stats;
    struct session_scene s;

    (void)state;
    builtin.has_disable_chunk_usage_histograms = builtin.disable_chunk_usage_histograms = true;
    begin_with(&s, &builtin);
    rig_emit(s.producer, 0, s.buffer, "text");
    stats = session_stats(s.consumer);
    assert_int_equal(stats->n_writer_stats, 0);
    assert_int_equal(stats->n_chunk_payload_histogram_def, 0);
    assert_int_equal(stats->buffer_stats[0]->chunks_written, 1);
    rig_free(&s.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_field_is_there),
        tw_unit_test(a_buffer_s_figures_are_its_own),
        tw_unit_test(a_writer_is_found_by_its_sequence_id),
        tw_unit_test(writers_are_left_out_if_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
