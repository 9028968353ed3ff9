/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/frame/frames.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

void wire_put_hex(struct tw_buf *out, const char *hex)
{
    char pair[3] = {0};

    for (; *hex; hex++) {
        uint8_t octet;

        if (isspace((unsigned char)*hex))
            continue;
        pair[0] = *hex++;
        pair[1] = *hex;
        octet = (uint8_t)strtoul(pair, NULL, 16);
        assert_int_equal(tw_buf_append(out, &octet, 1), 0);
    }
}

void wire_put(struct tw_buf *out, const struct tw_frame *frame)
{
    size_t n;

    assert_int_equal(tw_buf_reserve(out, tw_frame_size(frame)), 0);
    assert_int_equal(tw_frame_encode(frame, out->p + out->n, out->cap - out->n, &n), 0);
    assert_int_equal(n, tw_frame_size(frame));
    out->n += n;
}

void wire_put_payload(struct tw_buf *out, struct tw_bytes payload)
{
    uint8_t header[TW_FRAME_HEADER];

    for (size_t i = 0; i < sizeof(header); i++)
        header[i] = (uint8_t)(payload.n >> (8 * i));
    assert_int_equal(tw_buf_append(out, header, sizeof(header)), 0);
    assert_int_equal(tw_buf_append(out, payload.p, payload.n), 0);
}

struct tw_frame bind_frame(uint64_t id, const char *service_name)
{
    return (struct tw_frame){.kind = TW_FRAME_BIND,
                             .request_id = id,
                             .bind.service_name = tw_bytes_of_str(service_name)};
}

struct tw_frame invoke_frame(uint64_t id, uint32_t service_id, uint32_t method_id)
{
    return (struct tw_frame){.kind = TW_FRAME_INVOKE,
                             .request_id = id,
                             .invoke = {.service_id = service_id, .method_id = method_id}};
}

struct tw_frame reply_frame(uint64_t id, bool has_more, const char *body)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE_REPLY, .request_id = id};

    frame.invoke_reply.has_more = has_more;
    frame.invoke_reply.success = frame.invoke_reply.has_reply = body != NULL;
    if (body)
        frame.invoke_reply.reply = tw_bytes_of_str(body);
    return frame;
}

int new_fd(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

bool same_file(int a, int b)
{
    struct stat sa, sb;

    assert_int_equal(fstat(a, &sa), 0);
    assert_int_equal(fstat(b, &sb), 0);
    return sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

void rx_put(struct tw_rx *rx, struct tw_bytes bytes, const int *fds, size_t n_fds)
{
    uint8_t *p;
    size_t n;

    tw_rx_space(rx, &p, &n);
    assert_true(bytes.n <= n);
    if (bytes.n)
        memcpy(p, bytes.p, bytes.n);
    tw_rx_filled(rx, bytes.n, fds, n_fds);
}

struct tw_frame tx_get(struct tw_tx *tx, struct tw_buf *keep)
{
    struct tw_bytes bytes, payload;
    struct tw_frame frame;
    int fd;

    assert_int_equal(tw_tx_peek(tx, &bytes, &fd), 0);
    assert_int_equal(tw_frame_split(bytes, &payload), 0);
    keep->n = 0;
    assert_int_equal(tw_buf_append(keep, payload.p, payload.n), 0);
    tw_tx_sent(tx, TW_FRAME_HEADER + payload.n);
    assert_int_equal(tw_frame_decode(tw_buf_bytes(keep), &frame, NULL), 0);
    return frame;
}
