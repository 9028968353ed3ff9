/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/req.h"
#include "consumer/new_file.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { TRACE_PACKET = 1 }; /* field number in Trace (spec/proto/trace.proto) */

/* Bytes gathered before a write; a larger packet is written by itself. */
enum { GATHER = 256 * 1024 };

struct tw_trace_file {
    struct tw_new_file file;
    struct tw_writer gathered; /* whole packets that are not written yet */
    uint64_t n_gathered;       /* how many */
    uint64_t n_packets;        /* taken; after a failure, written as a whole */
    uint64_t n_bytes;          /* written */
    uint64_t whole;            /* bytes written up to the end of the last whole packet */
    int error;                 /* the first failure; nothing is written after it */
};

static int new_trace_file(struct tw_trace_file **ret_file)
{
    struct tw_trace_file *file = calloc(1, sizeof(*file));
    void *buffer = malloc(GATHER);

    if (!file || !buffer) {
        free(buffer);
        free(file);
        return -ENOMEM;
    }
    file->gathered = tw_writer_of(buffer, GATHER);
    file->file.fd = -1;
    *ret_file = file;
    return 0;
}

int tw_trace_file_new(int fd, struct tw_trace_file **ret_file)
{
    int rc = new_trace_file(ret_file);

    if (!rc)
        (*ret_file)->file.fd = fd;
    return rc;
}

static int open_out(struct tw_new_file *file, const char *path,
                    const struct tw_trace_file_options *options)
{
    static const struct tw_trace_file_options usual;

    if (strcmp(path, "-") != 0)
        return tw_new_file_open(file, path, options ? options : &usual);
    file->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    return file->fd < 0 ? -errno : 0;
}

int tw_trace_file_open(const char *path, const struct tw_trace_file_options *options,
                       struct tw_trace_file **ret_file)
{
    struct tw_trace_file *file;
    int rc = new_trace_file(&file);

    if (rc)
        return rc;
    rc = open_out(&file->file, path, options);
    if (rc)
        tw_trace_file_free(file);
    else
        *ret_file = file;
    return rc;
}

/* Whoever shares the descriptor may have made it one that does not wait. */
static bool worth_another_try(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};

    return errno == EINTR || (errno == EAGAIN && (poll(&pfd, 1, -1) > 0 || errno == EINTR));
}

/* Writes all of it or fails for good. */
static int write_through(struct tw_trace_file *file, const uint8_t *p, size_t n)
{
    while (n > 0 && !file->error) {
        ssize_t done = write(file->file.fd, p, n);

        if (done < 0 && worth_another_try(file->file.fd))
            continue;
        if (done <= 0) {
            file->error = done < 0 ? -errno : -EIO;
            break;
        }
        p += done;
        n -= (size_t)done;
        file->n_bytes += (uint64_t)done;
    }
    return file->error;
}

/* Of what was gathered only so many bytes are in the file. */
static void lose_the_rest(struct tw_trace_file *file, size_t written)
{
    struct tw_reader r = tw_reader_of((struct tw_bytes){.p = file->gathered.begin, .n = written});
    const uint8_t *end = r.p;
    struct tw_field packet;

    file->n_packets -= file->n_gathered;
    while (!tw_read_field(&r, &packet)) {
        end = r.p;
        file->n_packets++;
    }
    file->whole += (uint64_t)(end - file->gathered.begin);
}

static int write_gathered(struct tw_trace_file *file)
{
    uint64_t before = file->n_bytes;

    if (write_through(file, file->gathered.begin, tw_writer_size(&file->gathered)))
        lose_the_rest(file, (size_t)(file->n_bytes - before));
    else
        file->whole = file->n_bytes;
    file->gathered.p = file->gathered.begin;
    file->n_gathered = 0;
    return file->error;
}

static int write_large(struct tw_trace_file *file, struct tw_bytes packet)
{
    uint8_t head[1 + TW_WIRE_VARINT_MAX];
    struct tw_writer w = tw_writer_of(head, sizeof(head));

    tw_put_len(&w, TRACE_PACKET, packet.n);
    if (write_through(file, head, tw_writer_size(&w)) || write_through(file, packet.p, packet.n))
        return file->error;
    file->whole = file->n_bytes;
    file->n_packets++;
    return 0;
}

int tw_trace_file_packet(struct tw_trace_file *file, struct tw_bytes packet)
{
    size_t size = tw_len_size(packet.n) + packet.n;

    if (file->error)
        return file->error;
    if (size > GATHER - tw_writer_size(&file->gathered) && write_gathered(file))
        return file->error;
    if (size > GATHER)
        return write_large(file, packet);
    tw_put_bytes(&file->gathered, TRACE_PACKET, packet);
    file->n_gathered++;
    file->n_packets++;
    return 0;
}

int tw_trace_file_close(struct tw_trace_file *file, bool whole)
{
    REQ("TW-TRACE-071");

    if (file->file.fd < 0)
        return TW_E_INVALID;
    if (!file->error)
        TW_IGNORE(write_gathered(file));
    if (file->error || !whole)
        /* Where nothing was written here, the service may have. */
        tw_new_file_abandon(&file->file, file->n_bytes ? file->whole : UINT64_MAX);
    else
        file->error = tw_new_file_commit(&file->file);
    return file->error;
}

void tw_trace_file_free(struct tw_trace_file *file)
{
    if (!file)
        return;
    if (file->file.fd >= 0)
        TW_IGNORE(tw_trace_file_close(file, false));
    tw_new_file_deinit(&file->file);
    free(file->gathered.begin);
    free(file);
}

int tw_trace_file_fd(const struct tw_trace_file *file)
{
    return file->file.fd;
}

const char *tw_trace_file_where(const struct tw_trace_file *file)
{
    return tw_new_file_where(&file->file);
}

uint64_t tw_trace_file_packets(const struct tw_trace_file *file)
{
    return file->n_packets;
}

uint64_t tw_trace_file_bytes(const struct tw_trace_file *file)
{
    return file->error ? file->whole : file->n_bytes + tw_writer_size(&file->gathered);
}
