/* SPDX-License-Identifier: Apache-2.0 */
/* What a producer offers: made, changed, taken back. outgoing.c tells the service. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/req.h"
#include "producer/endpoint.h"
#include "tracewire/frame.h"
#include "wire/writer.h"

/* Bytes beside name and descriptor in a RegisterDataSourceRequest and its frame, generously. */
enum { REQUEST_OVERHEAD = 128 };

/* Lets the service tell two sources of one name apart. One that is not 0 can be updated, so that
 * without randomness any other has to do: names are unique here. */
static uint64_t make_id(void)
{
    uint64_t id = 0;

    REQ("TW-PROD-062");
    if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != (ssize_t)sizeof(id) || id == 0)
        id = 1;
    return id;
}

/* Describes it in place of what was there. TW_E_LIMIT when that does not fit a frame, -ENOMEM. */
static int describe(struct tw_data_source *source, struct tw_bytes descriptor)
{
    size_t name_n = strlen(source->name), room;
    struct tw_writer w;
    uint8_t *request, *nested;

    if (name_n > TW_FRAME_PAYLOAD_MAX - REQUEST_OVERHEAD ||
        descriptor.n > TW_FRAME_PAYLOAD_MAX - REQUEST_OVERHEAD - name_n)
        return TW_E_LIMIT;
    room = name_n + descriptor.n + REQUEST_OVERHEAD;
    request = malloc(room);
    if (!request)
        return -ENOMEM;
    w = tw_writer_of(request, room);
    nested = tw_put_begin(&w, 1);
    tw_put_str(&w, 1, source->name);
    tw_put_bool(&w, 2, true); /* will_notify_on_stop */
    tw_put_bool(&w, 3, true); /* will_notify_on_start */
    tw_put_bool(&w, 4, source->clears);
    tw_put_u64(&w, 7, source->id);
    tw_put_raw(&w, descriptor.p, descriptor.n);
    tw_put_end(&w, nested);
    free(source->request);
    source->request = request;
    source->request_n = tw_writer_size(&w);
    return 0;
}

static void source_free(struct tw_data_source *source)
{
    free(source->name);
    free(source->request);
    free(source);
}

static int source_new(struct tw_data_source **ret_source,
                      const struct tw_data_source_config *config)
{
    struct tw_data_source *source = calloc(1, sizeof(*source));
    int r = -ENOMEM;

    if (!source)
        return r;
    source->ops = config->ops;
    source->user = config->user;
    source->clears = config->handles_incremental_state_clear;
    source->id = make_id();
    source->name = strdup(config->name);
    if (source->name)
        r = describe(source, config->descriptor);
    if (r) {
        source_free(source);
        return r;
    }
    *ret_source = source;
    return 0;
}

struct tw_data_source *tw_endpoint_find_source(const struct tw_producer *p, struct tw_bytes name)
{
    for (struct tw_data_source *s = p->sources; s; s = s->next)
        if (!s->gone && tw_bytes_eq_str(name, s->name))
            return s;
    return NULL;
}

void tw_endpoint_drop_source(struct tw_producer *p, struct tw_data_source *source)
{
    struct tw_data_source **at = &p->sources;

    while (*at != source)
        at = &(*at)->next;
    *at = source->next;
    p->n_sources--;
    source_free(source);
}

void tw_endpoint_forget_sources(struct tw_producer *p)
{
    struct tw_data_source *next;

    REQ("TW-PROD-060");
    for (struct tw_data_source *s = p->sources; s; s = next) {
        next = s->next;
        s->known = false;
        s->pending = true;
        if (s->gone)
            tw_endpoint_drop_source(p, s);
    }
    p->sources_wait = true;
}

/* To be told as soon as there is a connection, in the order of the list. */
static void tell(struct tw_producer *p, struct tw_data_source *source)
{
    source->pending = true;
    p->sources_wait = true;
    tw_endpoint_soon(p);
}

static int add(struct tw_producer *producer, const struct tw_data_source_config *config)
{
    struct tw_data_source *source, **end = &producer->sources;
    int r;

    if (!config->name || !*config->name)
        return TW_E_INVALID;
    if (tw_endpoint_find_source(producer, tw_bytes_of_str(config->name)))
        return TW_E_EXISTS;
    REQ("TW-LIM-060");
    if (producer->n_sources == TW_PRODUCER_SOURCES_MAX)
        return TW_E_LIMIT;
    r = source_new(&source, config);
    if (r)
        return r;
    while (*end)
        end = &(*end)->next;
    *end = source;
    producer->n_sources++;
    tell(producer, source);
    return 0;
}

int tw_producer_register(struct tw_producer *producer, const struct tw_data_source_config *config)
{
    int r;

    if (tw_endpoint_in_child(producer))
        return TW_E_CLOSED;
    tw_endpoint_lock(producer);
    r = add(producer, config);
    tw_endpoint_changed(producer);
    return r;
}

static int change(struct tw_producer *producer, const char *name, struct tw_bytes descriptor)
{
    struct tw_data_source *source = tw_endpoint_find_source(producer, tw_bytes_of_str(name));
    int r = source ? describe(source, descriptor) : TW_E_NOT_FOUND;

    if (!r)
        tell(producer, source);
    return r;
}

int tw_producer_update(struct tw_producer *producer, const char *name, struct tw_bytes descriptor)
{
    int r;

    if (tw_endpoint_in_child(producer))
        return TW_E_CLOSED;
    tw_endpoint_lock(producer);
    r = change(producer, name, descriptor);
    tw_endpoint_changed(producer);
    return r;
}

/* The instances outlive it until they are done. */
static void stop_instances(struct tw_producer *p, const struct tw_data_source *source)
{
    for (struct tw_instance *in = p->instances; in; in = in->next) {
        if (in->source != source)
            continue;
        tw_endpoint_stop_instance(p, in);
        in->source = NULL;
    }
}

static int take_back(struct tw_producer *producer, const char *name)
{
    struct tw_data_source *source = tw_endpoint_find_source(producer, tw_bytes_of_str(name));
    struct tw_writer w;

    REQ("TW-PROD-061");
    if (!source)
        return TW_E_NOT_FOUND;
    source->gone = true; /* at once: the callbacks may come here, too */
    stop_instances(producer, source);
    if (!source->known) {
        tw_endpoint_drop_source(producer, source);
        return 0;
    }
    w = tw_writer_of(source->request,
                     source->request_n); /* the description had the name, and more */
    tw_put_str(&w, 1, source->name);
    source->request_n = tw_writer_size(&w);
    tell(producer, source);
    return 0;
}

int tw_producer_unregister(struct tw_producer *producer, const char *name)
{
    int r;

    if (tw_endpoint_in_child(producer))
        return TW_E_CLOSED;
    tw_endpoint_lock(producer);
    r = take_back(producer, name);
    tw_endpoint_changed(producer);
    return r;
}
