/* SPDX-License-Identifier: Apache-2.0 */
#include "service/data_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "service/instance.h"
#include "service/producer.h"

static bool flag(protobuf_c_boolean has, protobuf_c_boolean value)
{
    return has && value;
}

static int keep_descriptor(struct tw_data_source *source, const Tw__DataSourceDescriptor *d)
{
    REQ("TW-LIM-034");
    REQ("TW-LIM-035");
    struct tw_producer *producer = source->producer;
    struct tw_buf bytes = TW_BUF_INIT(TW_NESTED_MAX);
    size_t others = producer->descriptors_size - source->descriptor_size;
    int rc = tw_pbc_pack(&d->base, &bytes);

    if (!rc && bytes.n > TW_DESCRIPTORS_MAX - others)
        rc = TW_E_LIMIT;
    if (!rc)
        rc = tw_producer_remember(producer, others + bytes.n, producer->n_writers);
    if (rc) {
        tw_buf_deinit(&bytes);
        return rc;
    }
    free(source->descriptor);
    source->descriptor = bytes.p;
    source->descriptor_size = bytes.n;
    source->notifies_start = flag(d->has_will_notify_on_start, d->will_notify_on_start);
    source->notifies_stop = flag(d->has_will_notify_on_stop, d->will_notify_on_stop);
    source->clears_incremental =
        flag(d->has_handles_incremental_state_clear, d->handles_incremental_state_clear);
    source->no_flush = flag(d->has_no_flush, d->no_flush);
    return 0;
}

static int new_source(struct tw_producer *producer, const Tw__DataSourceDescriptor *descriptor,
                      struct tw_data_source **ret_source)
{
    struct tw_data_source *source = calloc(1, sizeof(*source));
    int rc = -ENOMEM;

    if (!source)
        return rc;
    source->producer = producer;
    source->id = descriptor->has_id ? descriptor->id : 0;
    source->name = tw_producer_keep_name(descriptor->name);
    if (source->name)
        rc = keep_descriptor(source, descriptor);
    if (rc) {
        free(source->name);
        free(source);
        return rc;
    }
    *ret_source = source;
    return 0;
}

/* What a producer cannot tell apart itself must not be told apart by us. */
static bool has_id(const struct tw_producer *producer, const Tw__DataSourceDescriptor *descriptor)
{
    REQ("TW-PROD-027");
    const struct tw_data_source *source;

    if (!descriptor->has_id || descriptor->id == 0)
        return false;
    TAILQ_FOREACH (source, &producer->data_sources, next)
        if (source->id == descriptor->id)
            return true;
    return false;
}

int tw_data_source_register(struct tw_producer *producer,
                            const Tw__DataSourceDescriptor *descriptor, const char **ret_error)
{
    REQ("TW-LIM-016");
    struct tw_service *service = producer->conn->service;
    struct tw_data_source *source;
    int rc;

    *ret_error = "a data source needs a name";
    if (!descriptor || !descriptor->name || !descriptor->name[0])
        return TW_E_INVALID;
    *ret_error = "this producer has a data source with this id";
    if (has_id(producer, descriptor))
        return TW_E_EXISTS;
    *ret_error = "this producer has too many data sources";
    if (producer->n_data_sources == TW_DATA_SOURCES_MAX)
        return TW_E_LIMIT;
    *ret_error = "the descriptor is too large, or all of this producer or user together are";
    rc = new_source(producer, descriptor, &source);
    if (rc) {
        if (rc < 0)
            *ret_error = "the service is out of memory";
        return rc;
    }
    TAILQ_INSERT_TAIL(&producer->data_sources, source, next);
    producer->n_data_sources++;
    service->n_data_sources++;
    source->serial = ++service->data_sources_seen;
    tw_data_source_join_all(source);
    return 0;
}

int tw_data_source_update(struct tw_producer *producer, const Tw__DataSourceDescriptor *descriptor)
{
    REQ("TW-PROD-028");
    struct tw_data_source *source;

    if (!descriptor || !descriptor->name || !descriptor->has_id || descriptor->id == 0)
        return 0;
    TAILQ_FOREACH (source, &producer->data_sources, next)
        if (source->id == descriptor->id && strcmp(source->name, descriptor->name) == 0)
            return keep_descriptor(source, descriptor);
    return 0;
}

void tw_data_source_free(struct tw_data_source *source)
{
    struct tw_producer *producer = source->producer;

    tw_instances_of_source_end(source);
    TAILQ_REMOVE(&producer->data_sources, source, next);
    producer->n_data_sources--;
    TW_IGNORE(tw_producer_remember(producer, producer->descriptors_size - source->descriptor_size,
                                   producer->n_writers)); /* less is always possible */
    producer->conn->service->n_data_sources--;
    free(source->descriptor);
    free(source->name);
    free(source);
}

void tw_data_source_unregister(struct tw_producer *producer, const char *name)
{
    REQ("TW-PROD-029");
    struct tw_data_source *source = TAILQ_FIRST(&producer->data_sources);

    while (source) {
        struct tw_data_source *next = TAILQ_NEXT(source, next);

        if (name && strcmp(source->name, name) == 0)
            tw_data_source_free(source);
        source = next;
    }
}

void tw_data_source_join_all(struct tw_data_source *source)
{
    REQ("TW-PROD-010");
    struct tw_session *session;

    if (!tw_producer_listens(source->producer))
        return; /* joined when it does */
    TAILQ_FOREACH (session, &source->producer->conn->service->sessions, next)
        tw_instances_join(session, source);
}

void tw_producer_join_all(struct tw_producer *producer)
{
    struct tw_data_source *source;

    TAILQ_FOREACH (source, &producer->data_sources, next)
        tw_data_source_join_all(source);
}
