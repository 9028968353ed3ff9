/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands about data sources. Configs are encoded for each command: kept, they would be the
 * largest thing that a data source costs, and it is the producer that says how many there are.
 */
#include "service/instance_config.h"
#include "service/producer.h"
#include "wire/writer.h"

/* Field numbers of GetAsyncCommandResponse and its members (spec/proto/producer_port.proto). */
enum {
    COMMAND_START = 1,
    COMMAND_STOP = 2,
    COMMAND_FLUSH = 5,
    COMMAND_SETUP = 6,
    COMMAND_CLEAR = 7,
    INSTANCE_ID = 1,
    INSTANCE_CONFIG = 2,
    FLUSH_IDS = 1,
    FLUSH_REQUEST_ID = 2,
    FLUSH_FLAGS = 3,
};

/* Bytes beside the config or the list of ids: tags, sizes and two 64-bit numbers. */
enum { COMMAND_OVERHEAD = 64, ID_BYTES = 11 };

/* Reserves room for n bytes and starts the member of that number. */
static int begin(struct tw_producer *producer, size_t n, uint32_t member, struct tw_writer *w,
                 uint8_t **ret_nested)
{
    struct tw_buf *scratch = &producer->conn->service->scratch;

    if (!producer->commands.wanted)
        return TW_E_CLOSED;
    scratch->n = 0;
    if (tw_buf_reserve(scratch, n + COMMAND_OVERHEAD)) {
        tw_conn_doom(producer->conn, "out of memory for a command");
        return TW_E_LIMIT;
    }
    *w = tw_writer_of(scratch->p, scratch->cap);
    *ret_nested = tw_put_begin(w, member);
    return 0;
}

static void finish(struct tw_producer *producer, struct tw_writer *w, uint8_t *nested)
{
    struct tw_bytes command = {.p = w->begin};

    tw_put_end(w, nested);
    command.n = tw_writer_size(w);
    tw_conn_reply_bytes(producer->conn, producer->commands.id, command, true, -1);
}

static void send_with_config(struct tw_producer *producer, const struct tw_instance *instance,
                             uint32_t member)
{
    struct tw_buf config = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    struct tw_writer w;
    uint8_t *nested;

    if (producer->conn->doomed)
        return; /* much work for nothing, when there are many */
    if (tw_instance_config(instance, &config))
        tw_conn_doom(producer->conn, "out of memory for a config");
    else if (!begin(producer, config.n, member, &w, &nested)) {
        tw_put_u64(&w, INSTANCE_ID, instance->id);
        tw_put_bytes(&w, INSTANCE_CONFIG, tw_buf_bytes(&config));
        finish(producer, &w, nested);
    }
    tw_buf_deinit(&config);
}

void tw_producer_send_setup(struct tw_producer *producer, const struct tw_instance *instance)
{
    send_with_config(producer, instance, COMMAND_SETUP);
}

void tw_producer_send_start(struct tw_producer *producer, const struct tw_instance *instance)
{
    send_with_config(producer, instance, COMMAND_START);
}

void tw_producer_send_stop(struct tw_producer *producer, const struct tw_instance *instance)
{
    struct tw_writer w;
    uint8_t *nested;

    if (begin(producer, 0, COMMAND_STOP, &w, &nested))
        return;
    tw_put_u64(&w, INSTANCE_ID, instance->id);
    finish(producer, &w, nested);
}

void tw_producer_send_flush(struct tw_producer *producer, uint64_t flush_id, uint64_t flags,
                            uint64_t *instance_ids, size_t n)
{
    struct tw_writer w;
    uint8_t *nested;

    if (begin(producer, n * ID_BYTES, COMMAND_FLUSH, &w, &nested))
        return;
    for (size_t i = 0; i < n; i++)
        tw_put_u64(&w, FLUSH_IDS, instance_ids[i]);
    tw_put_u64(&w, FLUSH_REQUEST_ID, flush_id);
    if (flags)
        tw_put_u64(&w, FLUSH_FLAGS, flags);
    finish(producer, &w, nested);
}

void tw_producer_send_clear(struct tw_producer *producer, uint64_t *instance_ids, size_t n)
{
    struct tw_writer w;
    uint8_t *nested;

    if (begin(producer, n * ID_BYTES, COMMAND_CLEAR, &w, &nested))
        return;
    for (size_t i = 0; i < n; i++)
        tw_put_u64(&w, FLUSH_IDS, instance_ids[i]);
    finish(producer, &w, nested);
}
