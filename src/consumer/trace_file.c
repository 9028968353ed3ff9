/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { TRACE_PACKET = 1 }; /* field number in Trace (spec/proto/trace.proto) */

/* Bytes gathered before a write; a larger packet is written by itself. */
enum { OUT_GATHER = 256 * 1024 };
/* Bytes asked for at a time. */
enum { IN_STEP = 256 * 1024 };
/* The tag and the length in front of a packet. */
enum { HEAD_MAX = 1 + TW_WIRE_VARINT_MAX };

void tw_trace_out_init(struct tw_trace_out *out, int fd)
{
    *out = (struct tw_trace_out){.fd = fd, .close_fd = true, .buf = TW_BUF_INIT(OUT_GATHER)};
}

int tw_trace_out_open(struct tw_trace_out *out, const char *path)
{
    int fd;

    if (strcmp(path, "-") == 0) {
        tw_trace_out_init(out, STDOUT_FILENO);
        out->close_fd = false;
        return 0;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    tw_trace_out_init(out, fd);
    return 0;
}

/* Writes all of it or fails for good. */
static int write_through(struct tw_trace_out *out, const uint8_t *p, size_t n)
{
    while (n > 0 && !out->error) {
        ssize_t done = write(out->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            out->error = done < 0 ? -errno : -EIO;
            break;
        }
        p += done;
        n -= (size_t)done;
        out->n_bytes += (uint64_t)done;
    }
    return out->error;
}

static int write_gathered(struct tw_trace_out *out)
{
    int rc = write_through(out, out->buf.p, out->buf.n);

    out->buf.n = 0;
    return rc;
}

static int gather(struct tw_trace_out *out, const uint8_t *p, size_t n)
{
    if (n > OUT_GATHER - out->buf.n && write_gathered(out))
        return out->error;
    if (n > OUT_GATHER)
        return write_through(out, p, n);
    out->error = tw_buf_append(&out->buf, p, n);
    return out->error;
}

int tw_trace_out_packet(struct tw_trace_out *out, struct tw_bytes packet)
{
    uint8_t head[HEAD_MAX];
    struct tw_writer w = tw_writer_of(head, sizeof(head));

    if (out->error)
        return out->error;
    tw_put_len(&w, TRACE_PACKET, packet.n);
    out->n_packets++;
    if (gather(out, head, tw_writer_size(&w)))
        return out->error;
    return gather(out, packet.p, packet.n);
}

int tw_trace_out_close(struct tw_trace_out *out)
{
    int rc = out->error ? out->error : write_gathered(out);

    tw_buf_deinit(&out->buf);
    /* Some file systems tell only here that the disk is full. */
    if (out->close_fd && out->fd >= 0 && close(out->fd) != 0 && !rc)
        rc = -errno;
    out->fd = -1;
    return rc;
}

int tw_trace_in_open(struct tw_trace_in *in, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    *in = (struct tw_trace_in){.fd = fd,
                               .buf = TW_BUF_INIT(TW_TRACE_FILE_PACKET_MAX + HEAD_MAX + IN_STEP)};
    return 0;
}

void tw_trace_in_close(struct tw_trace_in *in)
{
    if (!in)
        return;
    tw_fd_close(&in->fd);
    tw_buf_deinit(&in->buf);
}

/* Reads on. TW_E_TRUNCATED at the end of the file. */
static int read_on(struct tw_trace_in *in)
{
    ssize_t n;
    int rc;

    if (in->start > 0) {
        memmove(in->buf.p, in->buf.p + in->start, in->buf.n - in->start);
        in->buf.n -= in->start;
        in->start = 0;
    }
    rc = tw_buf_reserve(&in->buf, IN_STEP);
    if (rc)
        return rc;
    do
        n = read(in->fd, in->buf.p + in->buf.n, in->buf.cap - in->buf.n);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    in->buf.n += (size_t)n;
    return n == 0 ? TW_E_TRUNCATED : 0;
}

/* The packet at the start of what was read; TW_E_TRUNCATED when that is not all of it. */
static int parse_packet(struct tw_trace_in *in, struct tw_bytes *ret_packet)
{
    struct tw_bytes rest = {.p = in->buf.p + in->start, .n = in->buf.n - in->start};
    struct tw_reader r = tw_reader_of(rest);
    uint64_t tag, len;
    int rc = tw_read_varint(&r, &tag);

    if (rc)
        return rc;
    if (tag != (TRACE_PACKET << 3 | TW_WIRE_LEN))
        return TW_E_PROTOCOL;
    rc = tw_read_varint(&r, &len);
    if (rc)
        return rc;
    if (len > TW_TRACE_FILE_PACKET_MAX)
        return TW_E_LIMIT;
    if (len > tw_reader_left(&r))
        return TW_E_TRUNCATED;
    *ret_packet = (struct tw_bytes){.p = r.p, .n = (size_t)len};
    in->start = in->buf.n - tw_reader_left(&r) + (size_t)len;
    return 0;
}

int tw_trace_in_next(struct tw_trace_in *in, struct tw_bytes *ret_packet)
{
    int rc = TW_E_TRUNCATED;

    if (in->start < in->buf.n)
        rc = parse_packet(in, ret_packet);
    while (rc == TW_E_TRUNCATED && !in->ended) {
        rc = read_on(in);
        in->ended = rc == TW_E_TRUNCATED;
        if (!rc)
            rc = parse_packet(in, ret_packet);
    }
    return rc == TW_E_TRUNCATED && in->start == in->buf.n ? TW_MORE : rc;
}
