/* SPDX-License-Identifier: Apache-2.0 */
/* Traces in text format, each with one thing wrong or missing, and what is said of it. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "consumer/textformat.h"
#include "tool/trace_survey.h"
#include "tool/trace_unpack.h"
#include "trace.pb-c.h"
#include "wire/writer.h"

enum { TRACE_MAX = 1 << 20, PACKET_FIELD = 1, DEFLATE_FIELD = 50, ZSTD_FIELD = 133 };

#define SERVICE(what) "packet { trusted_uid: 0 trusted_packet_sequence_id: 1 " what " }\n"
#define WRITER(id, what)                                                                           \
    "packet { trusted_uid: 7 trusted_pid: 70 trusted_packet_sequence_id: " #id " " what " }\n"
#define CLOCKS        SERVICE("clock_snapshot { clocks { clock_id: 6 timestamp: 1000 } }")
#define CONFIG        SERVICE("trace_config { buffers { size_kb: 4 } }")
#define UUID          SERVICE("trace_uuid { msb: 1 lsb: 2 }")
#define STATS         SERVICE("trace_stats { buffer_stats { bytes_written: 9 } }")
#define FIRST         "first_packet_on_sequence: true previous_packet_dropped: 1 "
#define RIGHT(middle) CLOCKS CONFIG UUID middle STATS

static void add_text(struct tw_buf *trace, const char *text)
{
    struct tw_text_error error;
    int rc = tw_text_parse(&tw__trace__descriptor, tw_bytes_of_str(text), trace, &error);

    if (rc == TW_E_INVALID)
        print_error("%u:%u: %s\n", error.line, error.column, error.text);
    assert_int_equal(rc, 0);
}

static int read_bytes(void *user, uint8_t *p, size_t n, size_t *ret_n)
{
    struct tw_bytes *left = user;

    *ret_n = tw_min(n, left->n);
    if (*ret_n)
        memcpy(p, left->p, *ret_n);
    left->p += *ret_n;
    left->n -= *ret_n;
    return 0;
}

/* Frees the trace. The caller deinitialises the survey. */
static struct tw_survey *survey_of(struct tw_buf *trace)
{
    static struct tw_survey survey;
    struct tw_bytes left = tw_buf_bytes(trace);
    struct tw_trace_reader *reader;

    assert_int_equal(tw_trace_reader_new(read_bytes, &left, SIZE_MAX, &reader), 0);
    assert_int_equal(tw_survey_read(&survey, reader), 0);
    tw_trace_reader_free(reader);
    tw_buf_deinit(trace);
    return &survey;
}

static struct tw_survey *survey_text(const char *text)
{
    struct tw_buf trace = TW_BUF_INIT(TRACE_MAX);

    add_text(&trace, text);
    return survey_of(&trace);
}

/* Only this is found, so often. */
static void found_is(const struct tw_survey *s, enum tw_finding finding, uint64_t n)
{
    for (enum tw_finding i = 0; i < TW_FINDINGS; i++)
        if (s->found[i].n != (i == finding ? n : 0))
            fail_msg("%s: %u times, not %u", tw_finding_id(i), (unsigned)s->found[i].n,
                     (unsigned)(i == finding ? n : 0));
}

static void a_right_trace_has_nothing_wrong(void **state)
{
    struct tw_survey *s = survey_text(RIGHT(WRITER(2, FIRST "timestamp: 5")));

    (void)state;
    found_is(s, TW_FINDINGS, 0);
    assert_int_equal(tw_survey_losses(s), 0);
    assert_int_equal(s->said, TW_MORE);
    assert_int_equal(s->packets, 5);
    assert_int_equal(s->n_sequences, 2);
    assert_int_equal(s->uuid_msb, 1);
    tw_survey_deinit(s);
}

static const struct {
    enum tw_finding finding;
    uint64_t n;
    const char *text;
} broken[] = {
    {TW_FIND_NO_SEQUENCE, 1, RIGHT("packet { trusted_uid: 7 }")},
    {TW_FINDINGS, 0, RIGHT("packet { trusted_uid: 7 remote_clock_sync {} }")},
    {TW_FIND_NO_UID, 1, RIGHT("packet { trusted_packet_sequence_id: 2 }")},
    {TW_FIND_OTHER_WRITER, 1,
     RIGHT(
         WRITER(2, "") "packet { trusted_uid: 8 trusted_pid: 70 trusted_packet_sequence_id: 2 }")},
    {TW_FIND_OTHER_WRITER, 1,
     RIGHT(WRITER(2, "") "packet { trusted_uid: 7 trusted_packet_sequence_id: 2 }")},
    {TW_FIND_OTHER_WRITER, 1, RIGHT(WRITER(2, "") WRITER(2, "machine_id: 3"))},
    {TW_FINDINGS, 0, RIGHT(SERVICE("machine_id: 3 system_info {}"))},
    {TW_FIND_FORGED, 1, RIGHT(WRITER(2, "trace_stats {}"))},
    {TW_FIND_FORGED, 1, RIGHT(WRITER(2, "synchronization_marker: \"x\""))},
    {TW_FINDINGS, 0, RIGHT(WRITER(2, "clock_snapshot {}"))},
    {TW_FIND_REPEATED, 1, RIGHT(WRITER(2, "timestamp: 5") WRITER(2, "timestamp: 5"))},
    {TW_FINDINGS, 0,
     RIGHT(WRITER(2, "timestamp: 5") WRITER(3, "timestamp: 5") WRITER(2, "timestamp: 6"))},
    {TW_FINDINGS, 0, RIGHT(WRITER(2, "timestamp: 0") WRITER(2, "timestamp: 0"))},
    {TW_FINDINGS, 0,
     RIGHT(WRITER(2, "timestamp: 5 track_event {}") WRITER(2, "timestamp: 5 track_event {}"))},
    {TW_FIND_NUMBERS, 1,
     RIGHT(WRITER(2, "for_testing { counter: 4 }") WRITER(2, "for_testing { counter: 6 }"))},
    {TW_FIND_NUMBERS, 1,
     RIGHT(WRITER(2, "for_testing { counter: 4 }") WRITER(2, "for_testing { counter: 4 }"))},
    {TW_FINDINGS, 0,
     RIGHT(WRITER(2, "for_testing { counter: 4 }") WRITER(3, "for_testing { counter: 9 }")
               WRITER(2, "for_testing { counter: 5 }"))},
    {TW_FINDINGS, 0,
     RIGHT(WRITER(2, "for_testing { counter: 4 }") WRITER(2, FIRST "for_testing { counter: 0 }"))},
    {TW_FIND_STATE_UNSET, 2,
     RIGHT(WRITER(2, FIRST) WRITER(2, "sequence_flags: 2") WRITER(2, "sequence_flags: 2"))},
    {TW_FINDINGS, 0, RIGHT(WRITER(2, FIRST "sequence_flags: 1") WRITER(2, "sequence_flags: 2"))},
    {TW_FINDINGS, 0,
     RIGHT(WRITER(2, FIRST "incremental_state_cleared: true") WRITER(2, "sequence_flags: 2"))},
    {TW_FINDINGS, 0, RIGHT(WRITER(2, FIRST "sequence_flags: 3"))},
    {TW_FIND_NO_CONFIG, 1, CLOCKS UUID STATS},
    {TW_FIND_NO_UUID, 1, CLOCKS CONFIG STATS},
    {TW_FIND_TWO_TRACES, 1, RIGHT(UUID)},
    {TW_FIND_NO_CLOCKS, 1, CONFIG UUID STATS},
    {TW_FINDINGS, 0,
     SERVICE("trace_config { buffers {} builtin_data_sources { "
             "disable_clock_snapshotting: true } }") WRITER(2, "") UUID STATS},
    {TW_FIND_LATE_CLOCKS, 1, WRITER(2, "") RIGHT("")},
    {TW_FIND_EVENT_BACK, 1,
     RIGHT(SERVICE("timestamp: 5 service_event { tracing_started: true }")
               SERVICE("timestamp: 4 service_event { tracing_disabled: true }"))},
    {TW_FIND_NO_STATS, 1, CLOCKS CONFIG UUID},
    {TW_FIND_STATS_BACK, 1, RIGHT(SERVICE("trace_stats { buffer_stats { bytes_written: 10 } }"))},
    {TW_FIND_STATS_BUFFERS, 1, RIGHT(SERVICE("trace_stats {}"))},
};

static void each_broken_rule_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(broken); i++) {
        struct tw_survey *s = survey_text(broken[i].text);

        found_is(s, broken[i].finding, broken[i].n);
        tw_survey_deinit(s);
    }
}

static void a_finding_says_where_it_was_first(void **state)
{
    struct tw_survey *s = survey_text(WRITER(5, "timestamp: 5") WRITER(5, "trace_stats {}")
                                          WRITER(6, "trace_stats {}"));
    const struct tw_survey_found *found = &s->found[TW_FIND_FORGED];

    (void)state;
    assert_int_equal(found->n, 2);
    assert_int_equal(found->packet, 1);
    assert_int_equal(found->sequence, 5);
    assert_int_equal(found->offset, 2 + 2 + 2 + 2 + 3); /* the size of the first packet */
    tw_survey_deinit(s);
}

static void losses_are_counted_where_they_are_told(void **state)
{
    struct tw_survey *s = survey_text(RIGHT(
        WRITER(2, FIRST "sequence_flags: 1") WRITER(2, "previous_packet_dropped: 65") WRITER(
            2, "sequence_flags: 2") WRITER(2, "sequence_flags: 1") WRITER(2, "sequence_flags: 2")
            WRITER(3, "previous_packet_dropped: 1") /* of which the beginning is not known */
        SERVICE("trace_stats { buffer_stats { chunks_overwritten: 99 bytes_written: 1 } }")
            SERVICE("trace_stats { buffer_stats { chunks_overwritten: 2 chunks_discarded: 3 "
                    "trace_writer_packet_loss: 4 patches_failed: 5 bytes_written: 9 } "
                    "chunks_discarded: 6 patches_discarded: 7 invalid_packets: 8 flushes_failed: 9 "
                    "final_flush_outcome: FINAL_FLUSH_FAILED }")));

    (void)state;
    assert_int_equal(s->losses[TW_LOSS_GAPS], 1);
    assert_int_equal(s->losses[TW_LOSS_STATE], 1);
    assert_int_equal(s->sequences[1]->gaps, 1);
    assert_int_equal(s->sequences[1]->gap_bits, 65);
    assert_int_equal(s->sequences[1]->stateless, 1);
    assert_int_equal(s->losses[TW_LOSS_OVERWRITTEN], 0); /* the last statistics say so */
    tw_survey_deinit(s);

    s = survey_text(CLOCKS CONFIG UUID SERVICE(
        "trace_stats { buffer_stats { chunks_overwritten: 2 chunks_discarded: 3 "
        "trace_writer_packet_loss: 4 patches_failed: 5 } "
        "chunks_discarded: 6 patches_discarded: 7 invalid_packets: 8 flushes_failed: 9 "
        "final_flush_outcome: FINAL_FLUSH_FAILED }"));
    for (uint64_t i = TW_LOSS_OVERWRITTEN; i < TW_LOSS_FINAL_FLUSH; i++)
        assert_int_equal(s->losses[i], i);
    assert_int_equal(s->losses[TW_LOSS_FINAL_FLUSH], 1);
    tw_survey_deinit(s);
}

static void a_loss_that_is_told_excuses_what_follows(void **state)
{
    struct tw_survey *s = survey_text(RIGHT(WRITER(2, FIRST "for_testing { counter: 4 }") WRITER(
        2, "previous_packet_dropped: 1 sequence_flags: 2 for_testing { counter: 9 }")));

    (void)state;
    found_is(s, TW_FINDINGS, 0);
    tw_survey_deinit(s);
}

static void clocks_of_a_sequence_are_tied_to_one_of_all(void **state)
{
#define DELTAS                                                                                     \
    "clock_snapshot { clocks { clock_id: 3 timestamp: 5000 } clocks { clock_id: 64 timestamp: 5 "  \
    "is_incremental: true unit_multiplier_ns: 10 } } trace_packet_defaults { "                     \
    "timestamp_clock_id: 64 } sequence_flags: 1 "
    struct tw_survey *s = survey_text(RIGHT(
        WRITER(2, DELTAS "timestamp: 1") WRITER(2, "timestamp: 3")
            WRITER(2, "timestamp: 7 "
                      "timestamp_clock_id: 6") WRITER(3, "timestamp: 4 timestamp_clock_id: 64")
                WRITER(2, "previous_packet_dropped: 1 timestamp: 3")));

    (void)state;
    assert_int_equal(s->clocks[3].packets, 2);
    assert_int_equal(s->clocks[3].first_ns, 5010);
    assert_int_equal(s->clocks[3].last_ns, 5040);
    assert_int_equal(s->clocks[6].packets, 1);
    assert_int_equal(s->clocks[6].first_ns, 7);
    assert_int_equal(s->untimed, 2);
    tw_survey_deinit(s);
}

static void processes_give_their_name_to_all_their_sequences(void **state)
{
    struct tw_survey *s = survey_text(RIGHT(
        WRITER(9, "track_descriptor { thread { thread_name: \"t\\033\\303\\244\" } }") WRITER(4, "")
            WRITER(5,
                   "track_descriptor { process { process_name: \"a name that is far too long for "
                   "its place\" } }") "packet { trusted_uid: 7 trusted_pid: 71 "
                                      "trusted_packet_sequence_id: 3 thread_descriptor { "
                                      "thread_name: \"u\" } }"
                                      "packet { trusted_uid: 7 trusted_pid: 71 "
                                      "trusted_packet_sequence_id: 3 process_descriptor { "
                                      "process_name: \"p\" } }"));
    static const char cut[] = "a name that is far too long for";

    (void)state;
    assert_int_equal(s->n_sequences, 5);
    assert_string_equal(s->sequences[1]->process, "p");
    assert_string_equal(s->sequences[1]->thread, "u");
    for (size_t i = 2; i < 5; i++)
        assert_string_equal(s->sequences[i]->process, cut);
    assert_int_equal(s->sequences[4]->id, 9);
    assert_string_equal(s->sequences[4]->thread, "t???");
    tw_survey_deinit(s);
}

static void put_packed(struct tw_buf *out, uint32_t field, const void *p, size_t n)
{
    struct tw_writer w;
    uint8_t *packet;

    assert_int_equal(tw_buf_reserve(out, n + 32), 0);
    w = tw_writer_of(out->p + out->n, n + 32);
    packet = tw_put_begin(&w, PACKET_FIELD);
    tw_put_bytes(&w, field, (struct tw_bytes){.p = p, .n = n});
    tw_put_end(&w, packet);
    assert_false(w.overflow);
    out->n += tw_writer_size(&w);
}

/* As one packet of compressed ones. */
static void pack(struct tw_buf *out, uint32_t field, struct tw_bytes in)
{
    size_t room = compressBound(in.n) + ZSTD_compressBound(in.n);
    uLongf n = room;
    uint8_t *packed = malloc(room);

    assert_non_null(packed);
    if (field == DEFLATE_FIELD)
        assert_int_equal(compress(packed, &n, in.p, in.n), Z_OK);
    else
        n = ZSTD_compress(packed, room, in.p, in.n, 1);
    put_packed(out, field, packed, n);
    free(packed);
}

static void compressed_packets_count_as_what_is_inside(void **state)
{
    static const uint32_t fields[] = {DEFLATE_FIELD, ZSTD_FIELD};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tw_buf plain = TW_BUF_INIT(TRACE_MAX), trace = TW_BUF_INIT(TRACE_MAX);
        struct tw_survey *s;

        add_text(&plain, RIGHT(WRITER(2, FIRST)));
        pack(&trace, fields[i], tw_buf_bytes(&plain));
        s = survey_of(&trace);
        found_is(s, TW_FINDINGS, 0);
        assert_int_equal(s->packets, 5);
        assert_int_equal(s->packed_packets, 1);
        tw_survey_deinit(s);

        plain.n--; /* the last packet is cut */
        pack(&trace, fields[i], tw_buf_bytes(&plain));
        s = survey_of(&trace);
        assert_int_equal(s->found[TW_FIND_NOT_UNPACKED].n, 1);
        assert_int_equal(s->packets, 4);
        tw_survey_deinit(s);
        tw_buf_deinit(&plain);
    }
}

static void damaged_compression_is_found(void **state)
{
    static const uint32_t fields[] = {DEFLATE_FIELD, ZSTD_FIELD};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tw_buf trace = TW_BUF_INIT(TRACE_MAX), packed = TW_BUF_INIT(TRACE_MAX);
        struct tw_survey *s;

        put_packed(&trace, fields[i], "no such thing", 13);
        put_packed(&trace, fields[i], "", 0);
        add_text(&packed, WRITER(2, ""));
        pack(&trace, fields[i], tw_buf_bytes(&packed));
        packed.n = 0;
        pack(&packed, fields[i], tw_buf_bytes(&trace)); /* all of that once more */
        pack(&trace, fields[i], tw_buf_bytes(&packed));
        s = survey_of(&trace);
        assert_int_equal(s->found[TW_FIND_NOT_UNPACKED].n, 2);
        assert_int_equal(s->found[TW_FIND_PACKED_TWICE].n, 1);
        assert_int_equal(s->found[TW_FIND_PACKED_TWICE].packet, 1);
        assert_int_equal(s->packets, 2);
        tw_survey_deinit(s);
        tw_buf_deinit(&packed);
    }
}

/* So many MiB of nothing, in some KiB. */
static void pack_zeros(struct tw_buf *out, size_t mib)
{
    static const uint8_t zeros[1 << 20];
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_outBuffer to = {0};

    assert_non_null(zstd);
    assert_int_equal(tw_buf_reserve(out, TRACE_MAX), 0);
    to.dst = out->p;
    to.size = TRACE_MAX;
    for (size_t i = 0; i <= mib; i++) {
        ZSTD_inBuffer from = {.src = zeros, .size = i < mib ? sizeof(zeros) : 0};
        ZSTD_EndDirective how = i < mib ? ZSTD_e_continue : ZSTD_e_end;
        size_t left = ZSTD_compressStream2(zstd, &to, &from, how);

        assert_false(ZSTD_isError(left));
        assert_int_equal(from.pos, from.size);
    }
    ZSTD_freeCCtx(zstd);
    out->n = to.pos;
}

static void what_unpacks_without_end_is_given_up(void **state)
{
    static uint8_t room[1 << 20];
    struct tw_buf packed = TW_BUF_INIT(TRACE_MAX);
    struct tw_trace_packet packet = {.coding = TW_TRACE_ZSTD};
    struct tw_unpack *unpack;
    uint64_t got = 0;
    size_t more = 1;
    int rc;

    (void)state;
    REQ("TW-LIM-195");
    REQ("TW-TRACE-063");
    pack_zeros(&packed, TW_UNPACK_MAX / sizeof(room) + 1);
    packet.packed = tw_buf_bytes(&packed);
    assert_int_equal(tw_unpack_new(&packet, &unpack), 0);
    while (!(rc = tw_unpack_read(unpack, room, sizeof(room), &more)) && more)
        got += more;
    assert_int_equal(rc, TW_E_LIMIT);
    assert_in_range(got, TW_UNPACK_MAX - sizeof(room), TW_UNPACK_MAX);
    tw_unpack_free(unpack);
    tw_buf_deinit(&packed);
}

static void what_is_no_packet_is_counted_and_passed_over(void **state)
{
    struct tw_buf trace = TW_BUF_INIT(TRACE_MAX);
    struct tw_survey *s;

    (void)state;
    add_text(&trace, RIGHT(""));
    assert_int_equal(tw_buf_append(&trace, "\x0a\x02\x0bx", 4), 0); /* a group */
    /* trace_stats with a field that is cut */
    assert_int_equal(tw_buf_append(&trace, "\x0a\x08\x18\x00\x50\x01\x9a\x02\x01\x08", 10), 0);
    assert_int_equal(tw_buf_append(&trace, "\x0a\x05\x92", 3), 0);
    s = survey_of(&trace);
    found_is(s, TW_FIND_MALFORMED, 2);
    assert_int_equal(s->packets, 6);
    assert_int_equal(s->said, TW_E_TRUNCATED);
    tw_survey_deinit(s);
}

/* More than are told apart: the rest is counted together. */
static void sequences_and_kinds_have_a_bound(void **state)
{
    struct tw_buf trace = TW_BUF_INIT((size_t)2 << 20);
    struct tw_survey *s;

    (void)state;
    REQ("TW-LIM-196");
    REQ("TW-LIM-197");
    for (uint32_t i = 0; i < TW_SURVEY_SEQUENCES_MAX + 3; i++) {
        uint8_t bytes[32];
        struct tw_writer w = tw_writer_of(bytes, sizeof(bytes));
        uint8_t *packet = tw_put_begin(&w, PACKET_FIELD);

        tw_put_u64(&w, 3, 7);
        tw_put_u64(&w, 10, i + 2);
        tw_put_u64(&w, 1000 + i % (TW_SURVEY_KINDS_MAX + 2), 1);
        tw_put_end(&w, packet);
        assert_int_equal(tw_buf_append(&trace, bytes, tw_writer_size(&w)), 0);
    }
    s = survey_of(&trace);
    assert_int_equal(s->n_sequences, TW_SURVEY_SEQUENCES_MAX);
    assert_int_equal(s->other_sequences, 3);
    assert_int_equal(s->n_kinds, TW_SURVEY_KINDS_MAX);
    assert_true(s->kinds[TW_SURVEY_KINDS_MAX].packets > 0);
    for (size_t i = 1; i < s->n_sequences; i++)
        assert_true(s->sequences[i - 1]->id < s->sequences[i]->id);
    tw_survey_deinit(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_right_trace_has_nothing_wrong),
        tw_unit_test(each_broken_rule_is_found),
        tw_unit_test(a_finding_says_where_it_was_first),
        tw_unit_test(losses_are_counted_where_they_are_told),
        tw_unit_test(a_loss_that_is_told_excuses_what_follows),
        tw_unit_test(clocks_of_a_sequence_are_tied_to_one_of_all),
        tw_unit_test(processes_give_their_name_to_all_their_sequences),
        tw_unit_test(compressed_packets_count_as_what_is_inside),
        tw_unit_test(damaged_compression_is_found),
        tw_unit_test(what_unpacks_without_end_is_given_up),
        tw_unit_test(what_is_no_packet_is_counted_and_passed_over),
        tw_unit_test(sequences_and_kinds_have_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
