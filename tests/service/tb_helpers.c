/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/tb_helpers.h"

#include <string.h>

#include "wire/writer.h"

struct tw_trace_buffer *tb_new(uint64_t size, enum tw_fill_policy policy)
{
    struct tw_trace_buffer *tb = NULL;

    assert_int_equal(tw_trace_buffer_new(&tb, size, policy), 0);
    return tb;
}

void tb_begin(struct tb_chunk *chunk, uint32_t id, uint8_t flags)
{
    *chunk = (struct tb_chunk){
        .in =
            {
                .seq = {.producer = 1, .writer_id = 1},
                .peer = {.uid = 1000, .pid = 42},
                .chunk_id = id,
                .flags = flags,
                .complete = true,
            },
    };
}

void tb_raw(struct tb_chunk *chunk, const void *p, size_t n)
{
    assert_true(n <= sizeof(chunk->bytes) - chunk->n);
    memcpy(chunk->bytes + chunk->n, p, n);
    chunk->n += n;
}

static void add(struct tb_chunk *chunk, const void *p, size_t n)
{
    struct tw_writer w = tw_writer_of(chunk->bytes + chunk->n, sizeof(chunk->bytes) - chunk->n);

    tw_put_varint(&w, n);
    tw_put_raw(&w, p, n);
    assert_false(w.overflow);
    chunk->n += tw_writer_size(&w);
    chunk->in.n_fragments++;
}

void tb_add(struct tb_chunk *chunk, const char *text)
{
    add(chunk, text, strlen(text));
}

void tb_make_of(struct tb_chunk *chunk, uint32_t id, uint8_t flags, const char *const *texts)
{
    tb_begin(chunk, id, flags);
    for (size_t i = 0; texts[i]; i++)
        tb_add(chunk, texts[i]);
}

void tb_fill(struct tb_chunk *chunk, char c, size_t size)
{
    char bytes[TB_CHUNK_MAX];

    assert_true(size <= sizeof(bytes));
    memset(bytes, c, size);
    add(chunk, bytes, size);
}

int tb_write(struct tw_trace_buffer *tb, struct tb_chunk *chunk)
{
    chunk->in.payload = (struct tw_shared_bytes){.p = tw_shared_of(chunk->bytes), .n = chunk->n};
    return tw_trace_buffer_write(tb, &chunk->in);
}

int tb_scrape(struct tw_trace_buffer *tb, struct tb_chunk *chunk, size_t room)
{
    struct tw_chunk_in in = chunk->in;

    in.complete = false;
    in.payload = (struct tw_shared_bytes){.p = tw_shared_of(chunk->bytes), .n = room};
    return tw_trace_buffer_write(tb, &in);
}

int tb_put(struct tw_trace_buffer *tb, uint32_t id, uint8_t flags, const char *text)
{
    struct tb_chunk chunk;

    tb_make(&chunk, id, flags, text);
    return tb_write(tb, &chunk);
}

int tb_put_fill(struct tw_trace_buffer *tb, uint16_t writer, uint32_t id, char c, size_t size)
{
    struct tb_chunk chunk;

    tb_begin(&chunk, id, 0);
    chunk.in.seq.writer_id = writer;
    tb_fill(&chunk, c, size);
    return tb_write(tb, &chunk);
}

int tb_patch(struct tw_trace_buffer *tb, uint32_t id, uint32_t offset, const char data[4])
{
    struct tw_patch patch = {.offset = offset};
    struct tw_writer_key key = {.producer = 1, .writer_id = 1};

    memcpy(patch.data, data, sizeof(patch.data));
    return tw_trace_buffer_patch(tb, key, id, &patch, 1, false);
}

static size_t gather(const struct tw_packet_out *packet, char *dst, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < packet->n_slices; i++) {
        assert_true(packet->slices[i].n <= max - n);
        memcpy(dst + n, packet->slices[i].p, packet->slices[i].n);
        n += packet->slices[i].n;
    }
    assert_int_equal(n, packet->size);
    return n;
}

int tb_next(struct tw_trace_buffer *tb, struct tw_packet_out *ret_packet)
{
    int rc;

    do
        rc = tw_trace_buffer_next_packet(tb, ret_packet);
    while (rc == TW_AGAIN);
    return rc;
}

void tb_expect(struct tw_trace_buffer *tb, const char *text, uint32_t dropped)
{
    struct tw_packet_out packet;
    char bytes[TB_CHUNK_MAX + 1];

    assert_int_equal(tb_next(tb, &packet), 0);
    bytes[gather(&packet, bytes, TB_CHUNK_MAX)] = '\0';
    assert_string_equal(bytes, text);
    assert_int_equal(packet.dropped, dropped);
    assert_int_equal(packet.peer.uid, 1000);
    assert_int_equal(packet.peer.pid, 42);
}

void tb_expect_fill(struct tw_trace_buffer *tb, char c, size_t size, uint32_t dropped)
{
    char text[TB_CHUNK_MAX + 1];

    assert_true(size < sizeof(text));
    memset(text, c, size);
    text[size] = '\0';
    tb_expect(tb, text, dropped);
}

void tb_expect_none(struct tw_trace_buffer *tb)
{
    struct tw_packet_out packet;

    assert_int_equal(tb_next(tb, &packet), TW_MORE);
}
