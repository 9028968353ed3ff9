/* SPDX-License-Identifier: Apache-2.0 */
/* What the service wants: the replies to GetAsyncCommand. All of it is untrusted. */
#include "base/req.h"
#include "producer/endpoint.h"
#include "wire/reader.h"

/* Members of GetAsyncCommandResponse. */
enum {
    CMD_START = 1,
    CMD_STOP = 2,
    CMD_SETUP_TRACING = 3,
    CMD_FLUSH = 5,
    CMD_SETUP = 6,
    CMD_CLEAR = 7,
    CMD_MAX,
};

/* What the commands are made of; which field is which differs. */
struct args {
    uint64_t id;            /* field 1 as a number */
    uint64_t request_id;    /* field 2 as a number */
    struct tw_bytes config; /* field 2 as bytes */
};

static int read_args(struct tw_bytes command, struct args *ret_args)
{
    struct tw_reader reader = tw_reader_of(command);
    struct args args = {0};
    struct tw_field f;
    int r;

    while ((r = tw_read_field(&reader, &f)) == 0) {
        if (f.number == 1 && f.type == TW_WIRE_VARINT)
            args.id = f.value;
        else if (f.number == 2 && f.type == TW_WIRE_VARINT)
            args.request_id = f.value;
        else if (f.number == 2 && f.type == TW_WIRE_LEN)
            args.config = f.bytes;
    }
    if (r != TW_MORE)
        return r;
    *ret_args = args;
    return 0;
}

static struct tw_instance *find_instance(const struct tw_producer *p, uint64_t id)
{
    for (struct tw_instance *in = p->instances; in; in = in->next)
        if (in->id == id && !in->waiting)
            return in;
    return NULL;
}

/* Calls fn for every instance that field 1 names, one by one or packed. fn must not remove any. */
static void for_each_id(struct tw_producer *p, struct tw_bytes command,
                        void (*fn)(struct tw_producer *p, struct tw_instance *instance))
{
    struct tw_reader reader = tw_reader_of(command), packed;
    struct tw_instance *in;
    struct tw_field f;
    uint64_t id;

    while (tw_read_field(&reader, &f) == 0) {
        if (f.number != 1)
            continue;
        if (f.type == TW_WIRE_VARINT && (in = find_instance(p, f.value)))
            fn(p, in);
        packed = tw_reader_of(f.bytes);
        while (f.type == TW_WIRE_LEN && tw_read_varint(&packed, &id) == 0)
            if ((in = find_instance(p, id)))
                fn(p, in);
    }
}

static int setup_tracing(struct tw_producer *p, const struct args *args)
{
    int r;

    REQ("TW-PROD-074");
    if (p->own_memory)
        return 0; /* it has been adopted, or the service's own is not used */
    if (p->arbiter || args->id > TW_PAGE_SIZE_MAX / 1024)
        return TW_E_INVALID;
    REQ("TW-SEC-007");
    r = tw_endpoint_setup_memory(p, (size_t)args->id * 1024);
    /* Without memory there is nothing to do on this connection; the next one may be better. */
    if (r) {
        p->failed = true;
        p->stats.bad_memory++;
    }
    return r;
}

void tw_endpoint_add_instance(struct tw_producer *p, struct tw_data_source *source,
                              struct tw_instance *instance)
{
    instance->source = source;
    instance->next = p->instances;
    p->instances = instance;
    p->n_instances++;
    if (source->ops.setup)
        source->ops.setup(source->user, instance);
}

/* The data source runs already. */
static void adopt(struct tw_instance *instance, uint64_t id)
{
    instance->id = id;
    instance->waiting = false;
    instance->adopted = true;
}

static int setup(struct tw_producer *p, const struct args *args, struct tw_instance **ret_instance)
{
    struct tw_source_config config;
    struct tw_data_source *source;
    struct tw_instance *in;
    int r = tw_source_config_read(args->config, &config);

    if (r)
        return r;
    source = tw_endpoint_find_source(p, config.name);
    if (!p->arbiter || !source || find_instance(p, args->id) ||
        config.target_buffer >= TW_RESERVED_BUFFER)
        return TW_E_INVALID;
    p->stats.setups++;
    in = tw_startup_bind(p, source, args->config, config.target_buffer);
    if (in) {
        adopt(in, args->id);
        *ret_instance = in;
        return 0;
    }
    REQ("TW-LIM-061");
    if (p->n_instances == TW_PRODUCER_INSTANCES_MAX)
        return TW_E_LIMIT;
    r = tw_instance_new(&in, p->arbiter, args->id, args->config, &config);
    if (r)
        return r;
    tw_endpoint_add_instance(p, source, in);
    *ret_instance = in;
    return 0;
}

void tw_endpoint_start_instance(struct tw_instance *instance)
{
    const struct tw_data_source *source = instance->source;

    instance->started = true;
    atomic_store(&instance->active, true);
    if (source->ops.start)
        source->ops.start(source->user, instance);
}

static int start(struct tw_producer *p, const struct args *args)
{
    struct tw_instance *in = find_instance(p, args->id);
    int r;

    if (!in) { /* services before SetupDataSource start at once */
        r = setup(p, args, &in);
        if (r)
            return r;
    }
    if ((in->started && !in->adopted) || in->stopping)
        return TW_E_INVALID;
    p->stats.starts++;
    if (!in->adopted)
        tw_endpoint_start_instance(in);
    in->adopted = false;
    tw_endpoint_send_started(p, args->id);
    return 0;
}

void tw_endpoint_stop_instance(struct tw_producer *p, struct tw_instance *instance)
{
    if (instance->stopping)
        return;
    instance->stopping = true;
    atomic_store(&instance->active, false);
    p->stats.stops++;
    if (instance->waiting)
        tw_startup_give_up(p, instance);
    if (instance->source->ops.stop)
        instance->source->ops.stop(instance->source->user, instance);
    else
        tw_instance_done(instance);
}

void tw_endpoint_stop_instances(struct tw_producer *p)
{
    for (struct tw_instance *in = p->instances; in; in = in->next)
        tw_endpoint_stop_instance(p, in);
}

void tw_endpoint_forget_instance(struct tw_producer *p, struct tw_instance *instance)
{
    for (struct tw_instance **at = &p->instances; *at; at = &(*at)->next) {
        if (*at != instance)
            continue;
        *at = instance->next;
        p->n_instances--;
        tw_instance_unref(instance);
        return;
    }
}

static int stop(struct tw_producer *p, const struct args *args)
{
    struct tw_instance *in = find_instance(p, args->id);

    if (!in)
        return TW_E_NOT_FOUND;
    tw_endpoint_stop_instance(p, in);
    return 0;
}

static void flush_instance(struct tw_producer *p, struct tw_instance *instance)
{
    (void)p;
    if (instance->started && !instance->stopping && instance->source->ops.flush)
        instance->source->ops.flush(instance->source->user, instance);
}

static int flush(struct tw_producer *p, struct tw_bytes command, const struct args *args)
{
    p->stats.flushes++;
    if (p->arbiter)
        atomic_fetch_add(&p->arbiter->flush_generation, 1);
    for_each_id(p, command, flush_instance);
    /* Of two that wait the later stands for both. */
    if (args->request_id > p->flush_id)
        p->flush_id = args->request_id;
    tw_endpoint_send_waiting(p);
    return 0;
}

static void clear_instance(struct tw_producer *p, struct tw_instance *instance)
{
    (void)p;
    atomic_fetch_add(&instance->generation, 1);
    if (!instance->stopping && instance->source->ops.clear_incremental_state)
        instance->source->ops.clear_incremental_state(instance->source->user, instance);
}

static int clear(struct tw_producer *p, struct tw_bytes command)
{
    p->stats.clears++;
    for_each_id(p, command, clear_instance);
    return 0;
}

static int carry_out(struct tw_producer *p, uint32_t kind, struct tw_bytes command)
{
    struct tw_instance *in;
    struct args args;
    int r = read_args(command, &args);

    if (r)
        return r;
    switch (kind) {
    case CMD_SETUP_TRACING:
        return setup_tracing(p, &args);
    case CMD_SETUP:
        return setup(p, &args, &in);
    case CMD_START:
        return start(p, &args);
    case CMD_STOP:
        return stop(p, &args);
    case CMD_FLUSH:
        return flush(p, command, &args);
    case CMD_CLEAR:
        return clear(p, command);
    default:
        return TW_E_NOT_FOUND;
    }
}

void tw_endpoint_command(struct tw_producer *p, struct tw_bytes reply)
{
    struct tw_reader reader = tw_reader_of(reply);
    struct tw_bytes command = {0};
    struct tw_field f;
    uint32_t kind = 0;
    int r;

    while ((r = tw_read_field(&reader, &f)) == 0) {
        if (f.number < CMD_MAX && f.type == TW_WIRE_LEN) {
            kind = f.number; /* of a oneof the last one counts */
            command = f.bytes;
        }
    }
    if (r != TW_MORE || carry_out(p, kind, command))
        p->stats.bad_commands++;
}
