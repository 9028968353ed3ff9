/* SPDX-License-Identifier: Apache-2.0 */
/* CloneSession: a request with many fields, and the answer to it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "consumer/endpoint.h"
#include "frame/ports.h"
#include "tracewire/frame.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* Field numbers of the request (spec/proto/consumer_port.proto). */
enum {
    CLONE_SESSION_ID = 1,
    CLONE_SKIP_TRACE_FILTER = 2,
    CLONE_FOR_BUGREPORT = 3,
    CLONE_UNIQUE_SESSION_NAME = 4,
    CLONE_TRIGGER_NAME = 5,
    CLONE_TRIGGER_PRODUCER_NAME = 6,
    CLONE_TRIGGER_UID = 7,
    CLONE_TRIGGER_BOOT_TIME_NS = 8,
    CLONE_TRIGGER_DELAY_MS = 9,
};

/* And of its answer. Those of SaveTraceForBugreport are the first two. */
enum {
    RESULT_SUCCESS = 1,
    RESULT_ERROR = 2,
    RESULT_UUID_MSB = 3,
    RESULT_UUID_LSB = 4,
    RESULT_INTO_FILE = 5,
};

/* Bytes of the fields that are numbers: a tag of one byte and a varint each. */
enum { NUMBERS_MAX = 9 * (1 + TW_WIRE_VARINT_MAX) };

static void put_text(struct tw_writer *w, uint32_t field, const char *text)
{
    if (text)
        tw_put_str(w, field, text);
}

static void put_number(struct tw_writer *w, uint32_t field, uint64_t value)
{
    if (value)
        tw_put_u64(w, field, value);
}

static void write_clone(struct tw_writer *w, const struct tw_clone_args *args)
{
    if (args->unique_session_name)
        tw_put_str(w, CLONE_UNIQUE_SESSION_NAME, args->unique_session_name);
    else
        tw_put_u64(w, CLONE_SESSION_ID, args->session_id);
    put_number(w, CLONE_SKIP_TRACE_FILTER, args->skip_trace_filter);
    put_number(w, CLONE_FOR_BUGREPORT, args->for_bugreport);
    put_text(w, CLONE_TRIGGER_NAME, args->trigger_name);
    put_text(w, CLONE_TRIGGER_PRODUCER_NAME, args->trigger_producer_name);
    if (args->trigger_uid)
        tw_put_i64(w, CLONE_TRIGGER_UID, args->trigger_uid);
    put_number(w, CLONE_TRIGGER_BOOT_TIME_NS, args->trigger_boot_time_ns);
    put_number(w, CLONE_TRIGGER_DELAY_MS, args->trigger_delay_ms);
}

/* Bytes of a text, which is too long for any frame when it does not fit one alone. */
static size_t text_size(const char *text)
{
    return text ? tw_min(strlen(text), (size_t)TW_FRAME_PAYLOAD_MAX) : 0;
}

int tw_consumer_clone_session(struct tw_consumer *consumer, const struct tw_clone_args *args,
                              int fd, tw_consumer_reply_fn reply, void *user)
{
    size_t size = NUMBERS_MAX + text_size(args->unique_session_name) +
                  text_size(args->trigger_name) + text_size(args->trigger_producer_name);
    struct tw_writer w = tw_writer_of(malloc(size), size);
    int rc;

    if (!w.begin)
        return -ENOMEM;
    write_clone(&w, args);
    rc = TW_E_LIMIT;
    if (!w.overflow)
        rc =
            tw_consumer_send(consumer, TW_CONSUMER_CLONE_SESSION,
                             (struct tw_bytes){.p = w.begin, .n = tw_writer_size(&w)}, fd,
                             (struct tw_call){.kind = TW_CALL_REPLY, .reply = reply, .user = user});
    free(w.begin);
    return rc;
}

static bool take_result(const struct tw_field *f, struct tw_clone_result *result)
{
    enum tw_wire_type type = f->number == RESULT_ERROR ? TW_WIRE_LEN : TW_WIRE_VARINT;

    if (f->number > RESULT_INTO_FILE)
        return true;
    if (f->number == RESULT_SUCCESS)
        result->success = f->value != 0;
    else if (f->number == RESULT_ERROR)
        result->error = f->bytes;
    else if (f->number == RESULT_UUID_MSB)
        result->uuid_msb = (int64_t)f->value;
    else if (f->number == RESULT_UUID_LSB)
        result->uuid_lsb = (int64_t)f->value;
    else
        result->was_write_into_file = f->value != 0;
    return f->type == type;
}

int tw_clone_result_read(struct tw_bytes body, struct tw_clone_result *ret_result)
{
    struct tw_clone_result result = {0};
    struct tw_reader r = tw_reader_of(body);
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field)))
        if (!take_result(&field, &result))
            return TW_E_PROTOCOL;
    if (rc != TW_MORE)
        return TW_E_PROTOCOL;
    *ret_result = result;
    return 0;
}
