/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/req.h"
#include "tracewire/consumer.h"
#include "wire/reader.h"

/* Field numbers (spec/proto/trace.proto). */
enum { TRACE_PACKET = 1, PACKET_DEFLATE = 50, PACKET_ZSTD = 133 };

/* Bytes asked for at a time. */
enum { READ_STEP = 256 * 1024 };
/* The tag and the length in front of a packet. */
enum { HEAD_MAX = 2 * TW_WIRE_VARINT_MAX };

struct tw_trace_reader {
    tw_trace_read_fn read;
    void *user;
    int fd; /* of a reader that opened its file; else -1 */
    size_t packet_max;
    struct tw_buf buf;
    size_t start;    /* bytes of buf that were handed out */
    uint64_t offset; /* of start in the trace */
    int over;        /* what every call says from now on; 0 while there is more */
};

static int read_fd(void *user, uint8_t *p, size_t n, size_t *ret_n)
{
    struct tw_trace_reader *reader = user;
    int fd = reader->fd >= 0 ? reader->fd : STDIN_FILENO;
    ssize_t got;

    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    *ret_n = (size_t)got;
    return 0;
}

int tw_trace_reader_new(tw_trace_read_fn read, void *user, size_t packet_max,
                        struct tw_trace_reader **ret_reader)
{
    struct tw_trace_reader *reader = malloc(sizeof(*reader));

    if (!reader)
        return -ENOMEM;
    packet_max = packet_max < TW_CONSUMER_PACKET_MAX ? packet_max : TW_CONSUMER_PACKET_MAX;
    *reader = (struct tw_trace_reader){
        .read = read,
        .user = user,
        .fd = -1,
        .packet_max = packet_max,
        .buf = TW_BUF_INIT(packet_max + HEAD_MAX + READ_STEP),
    };
    *ret_reader = reader;
    return 0;
}

int tw_trace_reader_open(const char *path, struct tw_trace_reader **ret_reader)
{
    struct tw_trace_reader *reader;
    int fd = -1;
    int rc;

    if (strcmp(path, "-") != 0) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -errno;
    }
    rc = tw_trace_reader_new(read_fd, NULL, TW_CONSUMER_PACKET_MAX, &reader);
    if (rc) {
        tw_fd_close(&fd);
        return rc;
    }
    reader->user = reader;
    reader->fd = fd;
    *ret_reader = reader;
    return 0;
}

void tw_trace_reader_free(struct tw_trace_reader *reader)
{
    if (!reader)
        return;
    tw_fd_close(&reader->fd);
    tw_buf_deinit(&reader->buf);
    free(reader);
}

uint64_t tw_trace_reader_offset(const struct tw_trace_reader *reader)
{
    return reader->offset;
}

/* TW_MORE at the end of the file. */
static int read_on(struct tw_trace_reader *reader)
{
    struct tw_buf *buf = &reader->buf;
    size_t n = 0;
    int rc;

    if (reader->start > 0) {
        memmove(buf->p, buf->p + reader->start, buf->n - reader->start);
        buf->n -= reader->start;
        reader->start = 0;
    }
    rc = tw_buf_reserve(buf, READ_STEP);
    if (!rc)
        rc = reader->read(reader->user, buf->p + buf->n, buf->cap - buf->n, &n);
    if (rc)
        return rc;
    buf->n += n;
    return n == 0 ? TW_MORE : 0;
}

/* The packet at the start of what was read, and how many bytes it takes with what is in front of
 * it; TW_E_TRUNCATED when that is not all of it. */
static int parse(const struct tw_trace_reader *reader, struct tw_bytes *ret_packet, size_t *ret_n)
{
    const struct tw_buf *buf = &reader->buf;
    struct tw_reader r = {.p = buf->p, .end = buf->p};
    uint64_t tag, len;
    int rc;

    if (reader->start == buf->n) /* of an empty buffer p is NULL */
        return TW_E_TRUNCATED;
    r.p += reader->start;
    r.end += buf->n;
    rc = tw_read_varint(&r, &tag);
    if (rc)
        return rc;
    if (tag != (TRACE_PACKET << 3 | TW_WIRE_LEN))
        return TW_E_PROTOCOL;
    rc = tw_read_varint(&r, &len);
    if (rc)
        return rc;
    REQ("TW-TRACE-060");
    if (len > reader->packet_max)
        return TW_E_LIMIT;
    if (len > tw_reader_left(&r))
        return TW_E_TRUNCATED;
    *ret_packet = (struct tw_bytes){.p = r.p, .n = (size_t)len};
    *ret_n = (size_t)(r.p - buf->p) - reader->start + (size_t)len;
    return 0;
}

/* Of several compressed fields the last counts, as everywhere in protobuf: they are a oneof. */
static void look_inside(struct tw_trace_packet *packet)
{
    struct tw_reader r = tw_reader_of(packet->packet);
    struct tw_field field;

    REQ("TW-TRACE-062");
    while (!tw_read_field(&r, &field))
        if (field.type == TW_WIRE_LEN &&
            (field.number == PACKET_DEFLATE || field.number == PACKET_ZSTD)) {
            packet->coding = field.number == PACKET_ZSTD ? TW_TRACE_ZSTD : TW_TRACE_DEFLATE;
            packet->packed = field.bytes;
        }
}

int tw_trace_reader_next(struct tw_trace_reader *reader, struct tw_trace_packet *ret_packet)
{
    struct tw_trace_packet next = {.offset = reader->offset};
    size_t n = 0;
    int rc = reader->over;

    if (rc)
        return rc;
    REQ("TW-TRACE-061");
    while ((rc = parse(reader, &next.packet, &n)) == TW_E_TRUNCATED)
        if ((rc = read_on(reader)))
            break;
    if (rc) {
        reader->over = rc == TW_MORE && reader->start < reader->buf.n ? TW_E_TRUNCATED : rc;
        return reader->over;
    }
    reader->start += n;
    reader->offset += n;
    look_inside(&next);
    *ret_packet = next;
    return 0;
}
