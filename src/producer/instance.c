/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "wire/reader.h"

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
