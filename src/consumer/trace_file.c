/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "wire/field.h"
#include "wire/writer.h"

enum { TRACE_PACKET = 1 }; /* field number in Trace (spec/proto/trace.proto) */

/* Bytes gathered before a write; a larger packet is written by itself. */
enum { OUT_GATHER = 256 * 1024 };
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
