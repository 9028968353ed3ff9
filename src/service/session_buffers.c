/* SPDX-License-Identifier: Apache-2.0 */
#include "service/session_buffers.h"

#include <string.h>

#include "base/req.h"
#include "service/producer.h"

uint16_t tw_session_target_buffer(const struct tw_session *session,
                                  const Tw__DataSourceConfig *config)
{
    uint32_t index = config->has_target_buffer ? config->target_buffer : 0;

    if (config->target_buffer_name && config->target_buffer_name[0])
        for (size_t i = 0; i < session->n_buffers; i++) {
            const char *name = session->config->buffers[i]->name;

            if (name && strcmp(name, config->target_buffer_name) == 0)
                return session->buffer_ids[i];
        }
    return index < session->n_buffers ? session->buffer_ids[index] : 0;
}

bool tw_session_has_buffer(const struct tw_session *session, uint32_t buffer_id)
{
    for (size_t i = 0; i < session->n_buffers; i++)
        if (session->buffer_ids[i] == buffer_id)
            return true;
    return false;
}

/* Ids are not used again soon: what a producer still sends for a buffer that has gone must not end
 * up in that of another session. */
static int free_buffer_id(struct tw_service *service, uint16_t *ret_id)
{
    REQ("TW-LIM-013");
    for (unsigned i = 1; i < TW_BUFFER_IDS; i++) {
        service->last_buffer_id = service->last_buffer_id % (TW_BUFFER_IDS - 1) + 1;
        if (service->buffers[service->last_buffer_id])
            continue;
        *ret_id = (uint16_t)service->last_buffer_id;
        return 0;
    }
    return TW_E_LIMIT;
}

int tw_session_add_buffer(struct tw_session *session, struct tw_trace_buffer *tb)
{
    uint16_t id;
    int rc = free_buffer_id(session->service, &id);

    if (rc)
        return rc;
    session->service->buffers[id] = tb;
    session->buffer_ids[session->n_buffers++] = id;
    return 0;
}

int tw_session_new_buffer(const Tw__TraceConfig__BufferConfig *config,
                          struct tw_trace_buffer **ret_buffer)
{
    bool discard = config->has_fill_policy &&
                   config->fill_policy == TW__TRACE_CONFIG__BUFFER_CONFIG__FILL_POLICY__DISCARD;

    return tw_trace_buffer_new(ret_buffer, (uint64_t)config->size_kb * 1024,
                               discard ? TW_FILL_DISCARD : TW_FILL_RING);
}

int tw_session_make_buffers(struct tw_session *session)
{
    int rc = 0;

    for (size_t i = 0; i < session->config->n_buffers && !rc; i++) {
        struct tw_trace_buffer *tb = NULL;

        rc = tw_session_new_buffer(session->config->buffers[i], &tb);
        if (!rc)
            rc = tw_session_add_buffer(session, tb);
        if (rc)
            tw_trace_buffer_free(tb);
    }
    return rc;
}

void tw_session_free_buffers(struct tw_session *session)
{
    struct tw_service *service = session->service;
    struct tw_producer *producer;

    TAILQ_FOREACH (producer, &service->producers, next)
        tw_producer_forbid(producer, session->buffer_ids, session->n_buffers);
    for (size_t i = 0; i < session->n_buffers; i++) {
        uint16_t id = session->buffer_ids[i];

        tw_trace_buffer_free(service->buffers[id]);
        service->buffers[id] = NULL;
    }
    session->n_buffers = 0;
}
