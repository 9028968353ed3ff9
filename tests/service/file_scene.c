/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/file_scene.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness.h"

#include "base/fd.h"
#include "wire/reader.h"

void file_scene(struct file_scene *s, const char *output_dir)
{
    *s = (struct file_scene){0};
    rig_init_in(&s->rig, output_dir);
    s->producer = rig_producer(&s->rig, "p");
    rig_register(s->producer, "source");
    s->consumer = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
    s->config->has_write_into_file = s->config->write_into_file = true;
    s->config->has_file_write_period_ms = true;
    s->config->file_write_period_ms = PERIOD_MS;
}

void file_enable(struct file_scene *s, int fd)
{
    s->enable_id = rig_enable_with(s->consumer, s->config, fd);
    if (rig_commands(s->producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE))
        s->buffer = rig_buffer(s->producer);
}

void file_emit(struct file_scene *s, const char *text)
{
    rig_emit(s->producer, s->chunk_id++, s->buffer, text);
}

void file_disable(struct file_scene *s)
{
    assert_true(rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
    rig_advance(&s->rig, 10);
}

Tw__EnableTracingResponse *file_ended(struct file_scene *s)
{
    return rig_decode(s->consumer, rig_last(s->consumer, s->enable_id),
                      &tw__enable_tracing_response__descriptor);
}

const char *file_error(struct file_scene *s)
{
    Tw__EnableTracingResponse *r = file_ended(s);

    assert_non_null(r);
    assert_true(r->disabled);
    return r->error ? r->error : "";
}

int file_new(int *ret_read)
{
    int fd = memfd_create("trace", MFD_CLOEXEC);

    assert_true(fd >= 0);
    *ret_read = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    assert_true(*ret_read >= 0);
    return fd;
}

struct rig_trace file_trace_of(struct file_scene *s, struct tw_bytes bytes)
{
    struct rig_trace trace = {.packets = tw_arena_alloc(&s->rig.arena, bytes.n * 16 + 16),
                              .decoded = tw_arena_alloc(&s->rig.arena, bytes.n * 8 + 8)};
    struct tw_reader r = tw_reader_of(bytes);
    struct tw_field f;
    int rc;

    while (!(rc = tw_read_field(&r, &f))) {
        ProtobufCMessage *msg;

        assert_int_equal(f.number, 1);
        assert_int_equal(tw_pbc_unpack(&tw__trace_packet__descriptor, &s->rig.arena, f.bytes, &msg),
                         0);
        trace.packets[trace.n] = f.bytes;
        trace.decoded[trace.n++] = (Tw__TracePacket *)msg;
    }
    trace.whole = rc == TW_MORE;
    return trace;
}

struct rig_trace file_trace(struct file_scene *s, int fd)
{
    struct stat st;
    uint8_t *bytes;

    REQ("TW-TRACE-011");
    assert_int_equal(fstat(fd, &st), 0);
    bytes = tw_arena_alloc(&s->rig.arena, (size_t)st.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    return file_trace_of(s, (struct tw_bytes){bytes, (size_t)st.st_size});
}

size_t file_found(struct file_scene *s, int fd, const char *text)
{
    struct rig_trace trace = file_trace(s, fd);

    assert_true(trace.whole);
    return rig_find(&trace, text, NULL);
}

void file_end(struct file_scene *s, int read_fd)
{
    tw_fd_close(&read_fd);
    rig_free(&s->rig);
}
