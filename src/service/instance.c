/* SPDX-License-Identifier: Apache-2.0 */
#include "service/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "service/instance_config.h"
#include "service/observe.h"
#include "service/producer.h"
#include "service/session.h"
#include "service/session_buffers.h"
#include "service/session_rules.h"

static void free_instance(struct tw_instance *instance)
{
    struct tw_session *session = instance->session;

    tw_observe_instance_end(instance);
    TAILQ_REMOVE(&session->instances, instance, next);
    TAILQ_REMOVE(&instance->producer->instances, instance, next_of_producer);
    session->n_instances--;
    session->n_in_state[instance->state]--;
    free(instance);
}

static void set_state(struct tw_instance *instance, enum tw_instance_state state)
{
    if (instance->state == state)
        return;
    instance->session->n_in_state[instance->state]--;
    instance->session->n_in_state[state]++;
    instance->state = state;
    if (state != TW_INSTANCE_STARTING) /* still the same to who observes */
        tw_observe_instance(instance);
}

static void start(struct tw_instance *instance)
{
    set_state(instance,
              instance->source->notifies_start ? TW_INSTANCE_STARTING : TW_INSTANCE_STARTED);
    tw_producer_send_start(instance->producer, instance);
}

/* The sizes of shared memory that the config gives this producer by name, in the first entry that
 * has it. */
static int setup_shm(const struct tw_session *session, struct tw_producer *producer)
{
    REQ("TW-SHM-036");
    size_t size_kb = 0, page_kb = 0;

    for (size_t i = 0; i < session->config->n_producers; i++) {
        const Tw__TraceConfig__ProducerConfig *c = session->config->producers[i];

        if (!c->producer_name || strcmp(c->producer_name, producer->name) != 0)
            continue;
        size_kb = c->has_shm_size_kb ? c->shm_size_kb : 0;
        page_kb = c->has_page_size_kb ? c->page_size_kb : 0;
        break;
    }
    return tw_producer_setup_shm(producer, size_kb * 1024, page_kb * 1024);
}

/* NULL at the limit and when memory is short. */
static struct tw_instance *new_instance(struct tw_session *session, struct tw_data_source *source)
{
    REQ("TW-LIM-017");
    struct tw_instance *instance;

    if (session->n_instances == TW_INSTANCES_MAX)
        return NULL;
    instance = calloc(1, sizeof(*instance));
    if (!instance)
        return NULL;
    instance->session = session;
    instance->producer = source->producer;
    instance->source = source;
    instance->id = ++session->service->last_instance_id;
    TAILQ_INSERT_TAIL(&session->instances, instance, next);
    TAILQ_INSERT_TAIL(&source->producer->instances, instance, next_of_producer);
    session->n_instances++;
    session->n_in_state[instance->state]++;
    return instance;
}

static void join(struct tw_session *session, struct tw_data_source *source, uint16_t wanted)
{
    const Tw__DataSourceConfig *config = session->config->data_sources[wanted]->config;
    struct tw_producer *producer = source->producer;
    uint16_t buffer_id = tw_session_target_buffer(session, config);
    struct tw_instance *instance;

    if (buffer_id == 0 || setup_shm(session, producer))
        return;
    instance = new_instance(session, source);
    if (!instance)
        return;
    instance->wanted = wanted;
    instance->buffer_id = buffer_id;
    tw_producer_allow(producer, buffer_id);
    tw_producer_send_setup(producer, instance);
    tw_observe_instance(instance);
    if (session->state == TW_SESSION_STARTED)
        start(instance);
}

/* A bit for each data source in a config. */
typedef uint64_t wanted_set[TW_CONFIG_DATA_SOURCES_MAX / 64];

/* What the config wants of source and has already. */
static void find_joined(const struct tw_session *session, const struct tw_data_source *source,
                        wanted_set joined)
{
    const struct tw_instance *instance;

    memset(joined, 0, sizeof(wanted_set));
    TAILQ_FOREACH (instance, &source->producer->instances, next_of_producer)
        if (instance->session == session && instance->source == source)
            joined[instance->wanted / 64] |= UINT64_C(1) << instance->wanted % 64;
}

void tw_instances_join(struct tw_session *session, struct tw_data_source *source)
{
    wanted_set joined;

    if (session->state > TW_SESSION_STARTED || !tw_producer_listens(source->producer) ||
        tw_session_rules_locked_out(session->service, source->producer->conn->peer.uid))
        return;
    find_joined(session, source, joined);
    for (size_t i = 0; i < session->config->n_data_sources; i++)
        if (!(joined[i / 64] >> i % 64 & 1) &&
            tw_instance_wanted(session, session->config->data_sources[i], source))
            join(session, source, (uint16_t)i);
}

void tw_instances_start(struct tw_session *session)
{
    struct tw_instance *instance;

    TAILQ_FOREACH (instance, &session->instances, next)
        start(instance);
}

void tw_instances_stop(struct tw_session *session, bool at_once)
{
    struct tw_instance *instance;

    TAILQ_FOREACH (instance, &session->instances, next) {
        tw_producer_send_stop(instance->producer, instance);
        set_state(instance, at_once || !instance->source->notifies_stop ? TW_INSTANCE_STOPPED
                                                                        : TW_INSTANCE_STOPPING);
    }
}

bool tw_instances_all_started(const struct tw_session *session)
{
    return session->n_in_state[TW_INSTANCE_CONFIGURED] == 0 &&
           session->n_in_state[TW_INSTANCE_STARTING] == 0;
}

bool tw_instances_all_stopped(const struct tw_session *session)
{
    return session->n_in_state[TW_INSTANCE_STOPPED] == session->n_instances;
}

void tw_instances_give_up(struct tw_session *session)
{
    struct tw_instance *instance;

    TAILQ_FOREACH (instance, &session->instances, next)
        set_state(instance, TW_INSTANCE_STOPPED);
}

static struct tw_instance *find(struct tw_producer *producer, uint64_t id)
{
    struct tw_instance *instance;

    TAILQ_FOREACH (instance, &producer->instances, next_of_producer)
        if (instance->id == id)
            return instance;
    return NULL;
}

void tw_instance_started(struct tw_producer *producer, uint64_t instance_id)
{
    struct tw_instance *instance = find(producer, instance_id);

    if (!instance || instance->state != TW_INSTANCE_STARTING)
        return;
    set_state(instance, TW_INSTANCE_STARTED);
    tw_session_check_started(instance->session);
}

void tw_instance_stopped(struct tw_producer *producer, uint64_t instance_id)
{
    struct tw_instance *instance = find(producer, instance_id);

    if (!instance || instance->state != TW_INSTANCE_STOPPING)
        return;
    set_state(instance, TW_INSTANCE_STOPPED);
    tw_session_check_stopped(instance->session);
}

void tw_instances_of_source_end(struct tw_data_source *source)
{
    struct tw_instance *instance = TAILQ_FIRST(&source->producer->instances);

    while (instance) {
        struct tw_instance *next = TAILQ_NEXT(instance, next_of_producer);
        struct tw_session *session = instance->session;

        if (instance->source == source) {
            if (instance->state < TW_INSTANCE_STOPPING)
                tw_producer_send_stop(source->producer, instance);
            set_state(instance, TW_INSTANCE_STOPPED);
            free_instance(instance);
            tw_session_check_started(session);
            tw_session_check_stopped(session);
        }
        instance = next;
    }
}

void tw_instances_free(struct tw_session *session)
{
    struct tw_instance *instance;

    while ((instance = TAILQ_FIRST(&session->instances)))
        free_instance(instance);
}
