/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "tracewire/frame.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* Bytes beside name and descriptor in a RegisterDataSourceRequest and its frame, generously. */
enum { REGISTER_OVERHEAD = 128 };

static enum tw_exhausted policy_of(uint64_t value)
{
    /* Our process is nobody's to abort: stall-then-abort only stalls. */
    static const enum tw_exhausted policies[] = {
        TW_EXHAUSTED_DROP,
        TW_EXHAUSTED_DROP,
        TW_EXHAUSTED_STALL,
        TW_EXHAUSTED_STALL_THEN_DROP,
    };

    return value < TW_ARRAY_LEN(policies) ? policies[value] : TW_EXHAUSTED_DROP;
}

int tw_source_config_read(struct tw_bytes config, struct tw_source_config *ret_config)
{
    struct tw_source_config parsed = {.policy = TW_EXHAUSTED_DROP};
    struct tw_reader reader = tw_reader_of(config);
    struct tw_field f;
    int r;

    while ((r = tw_read_field(&reader, &f)) == 0) {
        if (f.number == 1 && f.type == TW_WIRE_LEN)
            parsed.name = f.bytes;
        else if (f.number == 2 && f.type == TW_WIRE_VARINT)
            parsed.target_buffer = (uint32_t)f.value;
        else if (f.number == 9 && f.type == TW_WIRE_VARINT)
            parsed.policy = policy_of(f.value);
    }
    if (r != TW_MORE)
        return r;
    *ret_config = parsed;
    return 0;
}

int tw_instance_new(struct tw_instance **ret_instance, struct tw_arbiter *arbiter, uint64_t id,
                    struct tw_bytes config, const struct tw_source_config *parsed)
{
    struct tw_instance *in = calloc(1, sizeof(*in));

    if (!in)
        return -ENOMEM;
    in->config = malloc(config.n ? config.n : 1);
    if (!in->config) {
        free(in);
        return -ENOMEM;
    }
    if (config.n)
        memcpy(in->config, config.p, config.n);
    in->config_n = config.n;
    in->id = id;
    in->target_buffer = parsed->target_buffer;
    in->policy = parsed->policy;
    in->arbiter = tw_arbiter_ref(arbiter);
    atomic_init(&in->refs, 1);
    *ret_instance = in;
    return 0;
}

struct tw_instance *tw_instance_ref(struct tw_instance *instance)
{
    atomic_fetch_add_explicit(&instance->refs, 1, memory_order_relaxed);
    return instance;
}

void tw_instance_unref(struct tw_instance *instance)
{
    if (!instance || atomic_fetch_sub_explicit(&instance->refs, 1, memory_order_acq_rel) != 1)
        return;
    tw_arbiter_unref(instance->arbiter);
    free(instance->config);
    free(instance);
}

void tw_instance_unref_list(struct tw_instance *first)
{
    while (first) {
        struct tw_instance *next = first->next_stopped;

        tw_instance_unref(first);
        first = next;
    }
}

bool tw_instance_active(const struct tw_instance *instance)
{
    return atomic_load_explicit(&instance->active, memory_order_relaxed);
}

uint32_t tw_instance_state_generation(const struct tw_instance *instance)
{
    return atomic_load_explicit(&instance->generation, memory_order_relaxed);
}

uint64_t tw_instance_id(const struct tw_instance *instance)
{
    return instance->id;
}

struct tw_bytes tw_instance_config_bytes(const struct tw_instance *instance)
{
    return (struct tw_bytes){.p = instance->config, .n = instance->config_n};
}

void tw_instance_done(struct tw_instance *instance)
{
    if (!atomic_exchange(&instance->stopped, true))
        tw_arbiter_instance_done(instance->arbiter, tw_instance_ref(instance));
}

static void put_descriptor(struct tw_writer *w, const struct tw_data_source_config *config)
{
    uint8_t *nested = tw_put_begin(w, 1);
    uint64_t id = 0;

    /* The id lets the service tell two sources of one name apart; without randomness it goes by
     * the name. */
    if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != (ssize_t)sizeof(id))
        id = 0;
    tw_put_str(w, 1, config->name);
    tw_put_bool(w, 2, true); /* will_notify_on_stop */
    tw_put_bool(w, 3, true); /* will_notify_on_start */
    tw_put_bool(w, 4, config->handles_incremental_state_clear);
    if (id)
        tw_put_u64(w, 7, id);
    tw_put_raw(w, config->descriptor.p, config->descriptor.n);
    tw_put_end(w, nested);
}

static int init_source(struct tw_data_source *source, const struct tw_data_source_config *config,
                       size_t room)
{
    struct tw_writer w;

    source->name = strdup(config->name);
    source->descriptor = malloc(room);
    if (!source->name || !source->descriptor)
        return -ENOMEM;
    w = tw_writer_of(source->descriptor, room);
    put_descriptor(&w, config);
    if (w.overflow)
        return TW_E_LIMIT;
    source->descriptor_n = tw_writer_size(&w);
    source->ops = config->ops;
    source->user = config->user;
    return 0;
}

int tw_source_new(struct tw_data_source **ret_source, const struct tw_data_source_config *config)
{
    struct tw_data_source *source;
    size_t name_n;
    int r;

    if (!config->name || !*config->name)
        return TW_E_INVALID;
    name_n = strlen(config->name);
    if (name_n > TW_FRAME_PAYLOAD_MAX - REGISTER_OVERHEAD ||
        config->descriptor.n > TW_FRAME_PAYLOAD_MAX - REGISTER_OVERHEAD - name_n)
        return TW_E_LIMIT;
    source = calloc(1, sizeof(*source));
    if (!source)
        return -ENOMEM;
    r = init_source(source, config, name_n + config->descriptor.n + REGISTER_OVERHEAD);
    if (r) {
        tw_source_free(source);
        return r;
    }
    *ret_source = source;
    return 0;
}

void tw_source_free(struct tw_data_source *source)
{
    if (!source)
        return;
    free(source->name);
    free(source->descriptor);
    free(source);
}
