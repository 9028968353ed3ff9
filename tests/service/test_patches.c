/* SPDX-License-Identifier: Apache-2.0 */
/* CommitData: patches of chunks that were moved before. */
#include <string.h>

#include "service/limits.h"
#include "tests/harness.h"
#include "tests/service/session_scene.h"

static struct tw_bytes bytes_of(const char *text)
{
    return (struct tw_bytes){(const uint8_t *)text, strlen(text)};
}

struct patches {
    uint32_t chunk_id, offset;
    bool more;
    uint64_t flush_id;
};

/* All of them at one offset. */
static bool send_patches(struct session_scene *s, struct patches what, const struct tw_bytes *data,
                         size_t n)
{
    static Tw__CommitDataRequest__ChunkToPatch__Patch patches[TW_PATCHES_MAX + 1],
        *list[TW_PATCHES_MAX + 1];
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    Tw__CommitDataRequest__ChunkToPatch chunk = TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__INIT;
    Tw__CommitDataRequest__ChunkToPatch *chunks[] = {&chunk};

    chunk.has_target_buffer = chunk.has_writer_id = chunk.has_chunk_id = true;
    chunk.target_buffer = s->buffer;
    chunk.writer_id = 1;
    chunk.chunk_id = what.chunk_id;
    chunk.has_has_more_patches = true;
    chunk.has_more_patches = what.more;
    chunk.n_patches = n;
    chunk.patches = list;
    for (size_t i = 0; i < n; i++) {
        list[i] = &patches[i];
        tw__commit_data_request__chunk_to_patch__patch__init(&patches[i]);
        patches[i].has_offset = patches[i].has_data = true;
        patches[i].offset = what.offset;
        patches[i].data.data = (uint8_t *)tw_pbc_str((const char *)data[i].p); /* only read */
        patches[i].data.len = data[i].n;
    }
    req.n_chunks_to_patch = 1;
    req.chunks_to_patch = chunks;
    req.has_flush_request_id = what.flush_id != 0;
    req.flush_request_id = what.flush_id;
    return rig_call(s->producer, TW_PRODUCER_COMMIT_DATA, &req.base)->success;
}

static void send_patch(struct session_scene *s, uint32_t chunk_id, uint32_t offset,
                       struct tw_bytes data, bool more)
{
    struct patches what = {.chunk_id = chunk_id, .offset = offset, .more = more};

    assert_true(send_patches(s, what, &data, 1));
}

/* Chunk 0 has a packet whose text begins with four bytes that are not there yet. Where they go. */
static uint32_t write_holed(struct session_scene *s)
{
    struct tw_bytes packet = rig_packet(&s->rig, "abcdefgh");
    uint8_t holed[64];

    assert_true(packet.n < sizeof(holed));
    memcpy(holed, packet.p, packet.n);
    memset(holed + packet.n - 8, 0, 4);
    rig_write(s->producer, &(struct rig_chunk){.writer_id = 1, .flags = TW_CHUNK_NEEDS_PATCHING},
              &(struct tw_bytes){holed, packet.n}, 1);
    rig_commit(s->producer, 0, s->buffer);
    return (uint32_t)packet.n - 4; /* four bytes of size come before it */
}

static size_t n_read(struct session_scene *s, const char *text)
{
    struct rig_trace trace = rig_read(s->consumer);

    return rig_find(&trace, text, NULL);
}

static void a_patched_packet_waits_for_its_patch(void **state)
{
    struct session_scene s;
    uint32_t offset;

    (void)state;
    session_scene(&s);
    offset = write_holed(&s);
    assert_int_equal(n_read(&s, "abcdefgh"), 0);
    send_patch(&s, 0, offset, bytes_of("abcd"), false);
    assert_int_equal(n_read(&s, "abcdefgh"), 1);
    rig_free(&s.rig);
}

static void patches_of_another_size_are_as_if_not_there(void **state)
{
    REQ("TW-PROD-046");
    const struct tw_bytes data[] = {bytes_of("xyz"), bytes_of("abcd"), bytes_of("vwxyz"),
                                    bytes_of("")};
    struct session_scene s;
    uint32_t offset;
    uint64_t flush;

    (void)state;
    session_scene(&s);
    offset = write_holed(&s);
    flush = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s.rig);
    assert_true(send_patches(&s, (struct patches){.offset = offset, .flush_id = 1}, data, 4));
    rig_advance(&s.rig, 0);
    assert_true(rig_last(s.consumer, flush)->success);
    assert_int_equal(n_read(&s, "abcdefgh"), 1);
    assert_int_equal(session_stats(s.consumer)->patches_discarded, 3);
    assert_int_equal(session_stats(s.consumer)->buffer_stats[0]->patches_succeeded, 1);
    rig_free(&s.rig);
}

static void too_many_patches_of_a_chunk_are_none(void **state)
{
    REQ("TW-LIM-020");
    struct tw_bytes data[TW_PATCHES_MAX + 1];
    struct patches what = {.chunk_id = 0};
    struct session_scene s;

    (void)state;
    session_scene(&s);
    what.offset = write_holed(&s);
    for (size_t i = 0; i < TW_ARRAY_LEN(data); i++)
        data[i] = bytes_of("abcd");
    assert_true(send_patches(&s, what, data, TW_PATCHES_MAX + 1));
    assert_int_equal(session_stats(s.consumer)->patches_discarded, TW_PATCHES_MAX + 1);
    assert_int_equal(n_read(&s, "abcdefgh"), 0); /* it still waits */
    assert_true(send_patches(&s, what, data, TW_PATCHES_MAX));
    assert_int_equal(n_read(&s, "abcdefgh"), 1);
    rig_free(&s.rig);
}

/* The patch stands before the chunk that it patches, and the flush before both. */
static void a_commit_moves_then_patches_then_acknowledges(void **state)
{
    Tw__CommitDataRequest__ChunkToPatch__Patch patch =
        TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__PATCH__INIT;
    Tw__CommitDataRequest__ChunkToPatch__Patch *patches[] = {&patch};
    Tw__CommitDataRequest__ChunkToPatch chunk = TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__INIT;
    uint8_t data[] = {'a', 'b', 'c', 'd'},
            args[128] = {0x18, 1, 0x12}; /* flush_request_id 1, chunks_to_patch */
    uint8_t holed[64];
    struct tw_bytes packet;
    struct rig_trace trace;
    struct session_scene s;
    uint64_t flush;
    size_t n;

    REQ("TW-PROD-023");
    (void)state;
    session_scene(&s);
    flush = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s.rig);
    packet = rig_packet(&s.rig, "abcdefgh");
    memcpy(holed, packet.p, packet.n);
    memset(holed + packet.n - 8, 0, 4);
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 1, .flags = TW_CHUNK_NEEDS_PATCHING},
              &(struct tw_bytes){holed, packet.n}, 1);
    chunk.has_target_buffer = chunk.has_writer_id = chunk.has_chunk_id = true;
    chunk.target_buffer = s.buffer;
    chunk.writer_id = 1;
    chunk.n_patches = 1;
    chunk.patches = patches;
    patch.has_offset = patch.has_data = true;
    patch.offset = (uint32_t)packet.n - 4;
    patch.data = (ProtobufCBinaryData){.len = 4, .data = data};
    n = protobuf_c_message_get_packed_size(&chunk.base);
    args[3] = (uint8_t)n;
    protobuf_c_message_pack(&chunk.base, args + 4);
    n += 4;
    memcpy(args + n, "\x0a\x06\x08\x00\x10\x00\x18", 7); /* chunks_to_move: page 0, chunk 0 */
    args[n + 7] = (uint8_t)s.buffer;
    rig_send_raw(s.producer, TW_PRODUCER_COMMIT_DATA, (struct tw_bytes){args, n + 8}, false, -1);
    rig_pump(&s.rig);
    assert_null(rig_last(s.consumer, flush)); /* it completes from a timer, */
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "abcdefgh", NULL), 1);
    rig_advance(&s.rig, 0);
    assert_true(rig_last(s.consumer, flush)->success); /* and with success, not by time-out */
    rig_free(&s.rig);
}

static void patches_out_of_bounds_are_not_applied(void **state)
{
    struct session_scene s;
    const Tw__TraceStats *stats;
    struct tw_bytes data = {(const uint8_t *)"abcdef", 4};

    (void)state;
    session_scene(&s);
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 1, .flags = TW_CHUNK_NEEDS_PATCHING},
              &(struct tw_bytes){rig_packet(&s.rig, "text").p, 4}, 1);
    rig_commit(s.producer, 0, s.buffer);
    for (uint32_t offset = 5; offset < 12; offset++)
        send_patch(&s, 0, offset, data, false);
    for (uint32_t below = 0; below < 5; below++)
        send_patch(&s, 0, UINT32_MAX - below, data, false);
    send_patch(&s, 77, 0, data, false); /* no such chunk */
    stats = session_stats(s.consumer);
    assert_int_equal(stats->buffer_stats[0]->patches_succeeded, 0);
    assert_int_equal(stats->buffer_stats[0]->patches_failed, 13);
    assert_non_null(s.producer->conn);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_patched_packet_waits_for_its_patch),
        tw_unit_test(patches_of_another_size_are_as_if_not_there),
        tw_unit_test(too_many_patches_of_a_chunk_are_none),
        tw_unit_test(a_commit_moves_then_patches_then_acknowledges),
        tw_unit_test(patches_out_of_bounds_are_not_applied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
