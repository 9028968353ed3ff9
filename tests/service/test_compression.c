/* SPDX-License-Identifier: Apache-2.0 */
/* A compressed trace is the plain one, once it is unpacked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/harness.h"
#include "tests/service/rig.h"

#include "base/fd.h"
#include "service/compress.h"
#include "service/limits.h"
#include "wire/reader.h"

enum { PLAIN_MAX = 16 << 20, PACKETS = 400, TEXT = 1000 };

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__TraceConfig *config;
    uint16_t buffer;
};

static Tw__TraceConfig__CompressionConfig__Deflate with_deflate =
    TW__TRACE_CONFIG__COMPRESSION_CONFIG__DEFLATE__INIT;
static Tw__TraceConfig__CompressionConfig__Zstd with_zstd =
    TW__TRACE_CONFIG__COMPRESSION_CONFIG__ZSTD__INIT;
static Tw__TraceConfig__CompressionConfig compression;

static void begin(struct scene *s)
{
    compression = (Tw__TraceConfig__CompressionConfig)TW__TRACE_CONFIG__COMPRESSION_CONFIG__INIT;
    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    rig_register(s->producer, "source");
    s->consumer = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
    s->config->buffers[0]->size_kb = 4096;
    s->config->compression = &compression;
}

static void as_it_was_said_before(struct scene *s)
{
    s->config->compression = NULL;
    s->config->has_compression_type = true;
    s->config->compression_type = TW__TRACE_CONFIG__COMPRESSION_TYPE__COMPRESSION_TYPE_DEFLATE;
}

static void emit_all(struct scene *s)
{
    char text[TEXT + 1];

    s->buffer = rig_buffer(s->producer);
    memset(text, 'x', TEXT);
    text[TEXT] = 0;
    for (uint32_t i = 0; i < PACKETS; i++) {
        snprintf(text, 9, "%08u", i);
        text[8] = 'x';
        rig_emit(s->producer, i, s->buffer, text);
    }
}

/* Appends the elements of a Trace message. */
static void add_packets(struct scene *s, struct rig_trace *to, struct tw_bytes bytes)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct tw_field f;
    int rc;

    while (!(rc = tw_read_field(&r, &f))) {
        ProtobufCMessage *msg;

        assert_int_equal(f.number, 1);
        assert_int_equal(tw_pbc_unpack(&tw__trace_packet__descriptor, &s->rig.arena, f.bytes, &msg),
                         0);
        to->decoded[to->n++] = (Tw__TracePacket *)msg;
    }
    assert_int_equal(rc, TW_MORE);
}

/* What is in one packet. */
static struct tw_bytes inflate_packet(struct scene *s, const Tw__TracePacket *packet)
{
    uint8_t *bytes = tw_arena_alloc(&s->rig.arena, PLAIN_MAX);
    uLongf n = PLAIN_MAX;

    assert_int_equal(
        uncompress(bytes, &n, packet->compressed_packets.data, packet->compressed_packets.len),
        Z_OK);
    return (struct tw_bytes){bytes, n};
}

static struct tw_bytes unzstd_packet(struct scene *s, const Tw__TracePacket *packet)
{
    uint8_t *bytes = tw_arena_alloc(&s->rig.arena, PLAIN_MAX);
    const ProtobufCBinaryData *in = &packet->zstd_compressed_packets;
    size_t n = ZSTD_decompress(bytes, PLAIN_MAX, in->data, in->len);

    assert_false(ZSTD_isError(n));
    return (struct tw_bytes){bytes, n};
}

/* What is in packets that are compressed, all of which must be, in the same way. */
static struct rig_trace unpack(struct scene *s, const struct rig_trace *trace,
                               Tw__TracePacket__DataCase how)
{
    struct rig_trace plain = {
        .decoded = tw_arena_alloc(&s->rig.arena, 4 * PACKETS * sizeof(Tw__TracePacket *))};

    for (size_t i = 0; i < trace->n; i++) {
        const Tw__TracePacket *packet = trace->decoded[i];
        struct tw_bytes bytes;

        assert_non_null(packet);
        assert_int_equal(packet->data_case, how);
        bytes = how == TW__TRACE_PACKET__DATA_COMPRESSED_PACKETS ? inflate_packet(s, packet)
                                                                 : unzstd_packet(s, packet);
        assert_in_range(bytes.n, 1, TW_COMPRESS_BATCH + 32 * 1024);
        add_packets(s, &plain, bytes);
    }
    return plain;
}

/* Everything is there, in order, and stamped. */
static void assert_complete(const struct rig_trace *plain)
{
    uint32_t next = 0;

    for (size_t i = 0; i < plain->n; i++) {
        const Tw__TracePacket *packet = plain->decoded[i];

        if (packet->data_case != TW__TRACE_PACKET__DATA_FOR_TESTING)
            continue;
        assert_int_equal(strtoul(packet->for_testing->str, NULL, 10), next++);
        assert_int_equal(packet->trusted_uid, RIG_UID);
    }
    assert_int_equal(next, PACKETS);
    assert_non_null(rig_kind(plain, TW__TRACE_PACKET__DATA_TRACE_CONFIG, 0));
    assert_non_null(rig_kind(plain, TW__TRACE_PACKET__DATA_CLOCK_SNAPSHOT, 0));
}

enum { SMALL = PACKETS * TEXT / 10 };

/* Bytes that the consumer got. */
static size_t read_compressed(struct scene *s, Tw__TracePacket__DataCase how)
{
    struct rig_trace trace, plain;
    size_t n = 0;

    rig_enable(s->consumer, s->config);
    emit_all(s);
    trace = rig_read(s->consumer);
    assert_true(trace.whole);
    assert_in_range(trace.n, 2, 10);
    for (size_t i = 0; i < trace.n; i++)
        n += trace.packets[i].n;
    plain = unpack(s, &trace, how);
    assert_complete(&plain);
    rig_free(&s->rig);
    return n;
}

static void a_reader_gets_it_with_deflate(void **state)
{
    REQ("TW-TRACE-020");
    REQ("TW-LIM-116");
    struct scene s;

    (void)state;
    begin(&s);
    compression.deflate = &with_deflate;
    assert_in_range(read_compressed(&s, TW__TRACE_PACKET__DATA_COMPRESSED_PACKETS), 1, SMALL);
    begin(&s);
    as_it_was_said_before(&s);
    assert_in_range(read_compressed(&s, TW__TRACE_PACKET__DATA_COMPRESSED_PACKETS), 1, SMALL);
}

static size_t read_zstd(int level)
{
    struct scene s;

    begin(&s);
    compression.zstd = &with_zstd;
    with_zstd.level = level;
    with_zstd.has_level = level != 0;
    return read_compressed(&s, TW__TRACE_PACKET__DATA_ZSTD_COMPRESSED_PACKETS);
}

static void a_reader_gets_it_with_zstd(void **state)
{
    REQ("TW-TRACE-040");
    REQ("TW-LIM-160");
    size_t usual = read_zstd(0);

    (void)state;
    assert_in_range(usual, 1, SMALL);
    assert_true(read_zstd(INT32_MIN) > usual);
    assert_in_range(read_zstd(INT32_MAX), 1, SMALL);
}

static int level_of(int32_t level)
{
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;

    compression.zstd = &with_zstd;
    with_zstd.level = level;
    config.compression = &compression;
    return tw_compression_of(&config).level;
}

static void a_level_is_bounded(void **state)
{
    REQ("TW-LIM-160");
    (void)state;
    assert_int_equal(level_of(INT32_MAX), TW_ZSTD_LEVEL_MAX);
    assert_int_equal(level_of(TW_ZSTD_LEVEL_MAX + 1), TW_ZSTD_LEVEL_MAX);
    assert_int_equal(level_of(TW_ZSTD_LEVEL_MAX), TW_ZSTD_LEVEL_MAX);
    assert_int_equal(level_of(-7), -7);
}

static void the_newest_is_taken(void **state)
{
    REQ("TW-TRACE-041");
    struct scene s;

    (void)state;
    begin(&s);
    as_it_was_said_before(&s);
    s.config->compression = &compression;
    compression.deflate = &with_deflate;
    compression.zstd = &with_zstd;
    assert_in_range(read_compressed(&s, TW__TRACE_PACKET__DATA_ZSTD_COMPRESSED_PACKETS), 1, SMALL);
    begin(&s);
    as_it_was_said_before(&s);
    s.config->compression = &compression; /* with one that we do not know */
    assert_in_range(read_compressed(&s, TW__TRACE_PACKET__DATA_COMPRESSED_PACKETS), 1, SMALL);
}

static void write_compressed(struct scene *s, Tw__TracePacket__DataCase how)
{
    struct rig_trace trace = {0}, plain;
    int fd = memfd_create("trace", MFD_CLOEXEC), copy = dup(fd);
    uint8_t *bytes;
    ssize_t n;

    assert_true(copy >= 0);
    s->config->has_write_into_file = s->config->write_into_file = true;
    rig_enable_with(s->consumer, s->config, fd);
    emit_all(s);
    assert_true(rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
    rig_advance(&s->rig, 10);
    bytes = tw_arena_alloc(&s->rig.arena, PLAIN_MAX);
    n = pread(copy, bytes, PLAIN_MAX, 0);
    assert_true(n > 0);
    trace.decoded = tw_arena_alloc(&s->rig.arena, PACKETS * sizeof(Tw__TracePacket *));
    add_packets(s, &trace, (struct tw_bytes){bytes, (size_t)n});
    plain = unpack(s, &trace, how);
    assert_complete(&plain);
    assert_non_null(rig_kind(&plain, TW__TRACE_PACKET__DATA_TRACE_STATS, 0));
    tw_fd_close(&copy);
    rig_free(&s->rig);
}

static void a_file_gets_it(void **state)
{
    REQ("TW-TRACE-020");
    REQ("TW-TRACE-040");
    struct scene s;

    (void)state;
    begin(&s);
    compression.deflate = &with_deflate;
    write_compressed(&s, TW__TRACE_PACKET__DATA_COMPRESSED_PACKETS);
    begin(&s);
    compression.zstd = &with_zstd;
    write_compressed(&s, TW__TRACE_PACKET__DATA_ZSTD_COMPRESSED_PACKETS);
}

static void assert_refused(struct scene *s)
{
    Tw__EnableTracingResponse *response =
        rig_decode(s->consumer, rig_last(s->consumer, rig_enable(s->consumer, s->config)),
                   &tw__enable_tracing_response__descriptor);

    assert_non_null(response);
    assert_non_null(strstr(response->error, "deflate and zstd"));
}

static void what_there_is_not_is_refused(void **state)
{
    REQ("TW-TRACE-021");
    struct scene s;

    (void)state;
    begin(&s);
    assert_refused(&s);
    as_it_was_said_before(&s);
    s.config->compression_type = 77;
    assert_refused(&s);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_reader_gets_it_with_deflate),
        tw_unit_test(a_reader_gets_it_with_zstd),
        tw_unit_test(a_level_is_bounded),
        tw_unit_test(the_newest_is_taken),
        tw_unit_test(a_file_gets_it),
        tw_unit_test(what_there_is_not_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
