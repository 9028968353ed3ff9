/* SPDX-License-Identifier: Apache-2.0 */
/* What the program waits for an answer to: registrations, and that all is with the service. */
#include <errno.h>
#include <stdlib.h>

#include "base/req.h"
#include "producer/endpoint.h"
#include "wire/reader.h"

struct tw_sync {
    struct tw_sync *next;
    void (*done)(void *user, int result);
    void *user;
    bool sent;
};

/* ---- registrations ---- */

/* RegisterDataSourceResponse: the reason why not; empty when it was registered. */
static struct tw_bytes read_error(struct tw_bytes reply)
{
    struct tw_reader reader = tw_reader_of(reply);
    struct tw_bytes error = {0};
    struct tw_field f;

    while (tw_read_field(&reader, &f) == 0)
        if (f.number == 1 && f.type == TW_WIRE_LEN)
            error = f.bytes;
    return error;
}

void tw_endpoint_registered(struct tw_producer *p, uint64_t request_id, bool success,
                            struct tw_bytes reply)
{
    struct tw_bytes error = success ? read_error(reply) : (struct tw_bytes){0};
    struct tw_data_source *source = p->sources;

    REQ("TW-PROD-075");
    if (success && error.n == 0)
        return;
    while (source && (source->gone || source->request_id != request_id))
        source = source->next;
    if (source && source->ops.refused)
        source->ops.refused(source->user, error);
}

/* ---- all is there ---- */

int tw_endpoint_sync(struct tw_producer *p, void (*done)(void *user, int result), void *user)
{
    struct tw_sync *sync, **end = &p->syncs;
    size_t n = 0;

    if (p->link != TW_LINK_UP || p->failed)
        return TW_E_CLOSED;
    for (; *end; end = &(*end)->next)
        n++;
    REQ("TW-LIM-208");
    if (n == TW_PRODUCER_SYNCS_MAX)
        return TW_E_LIMIT;
    sync = calloc(1, sizeof(*sync));
    if (!sync)
        return -ENOMEM;
    sync->done = done;
    sync->user = user;
    *end = sync;
    tw_endpoint_soon(p);
    return 0;
}

static void finish(struct tw_producer *p, struct tw_sync *sync, int result)
{
    struct tw_sync **at = &p->syncs;

    REQ("TW-PROD-076");
    while (*at != sync)
        at = &(*at)->next;
    *at = sync->next;
    sync->done(sync->user, result);
    free(sync);
}

static struct tw_sync *unsent(const struct tw_producer *p)
{
    struct tw_sync *sync = p->syncs;

    while (sync && sync->sent)
        sync = sync->next;
    return sync;
}

bool tw_endpoint_syncs_wait(const struct tw_producer *p)
{
    return unsent(p) != NULL;
}

void tw_endpoint_send_syncs(struct tw_producer *p)
{
    struct tw_sync *sync;

    while ((sync = unsent(p))) {
        int r = tw_client_call(&p->client, TW_PRODUCER_SYNC, (struct tw_bytes){0}, false, -1, sync,
                               NULL);

        sync->sent = true;
        if (r) /* an old service does not know it */
            finish(p, sync, r);
    }
}

void tw_endpoint_synced(struct tw_producer *p, void *user, int result)
{
    finish(p, user, result);
}

void tw_endpoint_refuse_syncs(struct tw_producer *p)
{
    while (p->syncs)
        finish(p, p->syncs, TW_E_CLOSED);
}

void tw_endpoint_free_syncs(struct tw_producer *p)
{
    while (p->syncs) {
        struct tw_sync *sync = p->syncs;

        p->syncs = sync->next;
        free(sync);
    }
}
