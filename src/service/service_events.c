/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service_events.h"

#include <string.h>

#include "base/req.h"
#include "service/clone.h"
#include "service/own_packet.h"

/* Field numbers of spec/proto/trace.proto. */
enum {
    PACKET_TIMESTAMP = 8,
    PACKET_SERVICE_EVENT = 69,
    SOURCES_DATA_SOURCE = 1,
    SOURCE_PRODUCER_NAME = 1,
    SOURCE_NAME = 2,
};

/* Bytes of an event without the names in it, and of one entry of a list without its two names. */
enum { EVENT_BYTES = 48, ENTRY_BYTES = 16 };
#define SOURCES_BYTES ((size_t)TW_SLOW_SOURCES_MAX * (ENTRY_BYTES + 2 * TW_NAME_MAX))

static bool comes_again(enum tw_lifecycle kind)
{
    return kind == TW_LIFECYCLE_FLUSH_STARTED || kind == TW_LIFECYCLE_ALL_FLUSHED ||
           kind == TW_LIFECYCLE_READ_COMPLETE;
}

static void forget(struct tw_session *session, size_t i)
{
    struct tw_lifecycle_event *events = session->events;

    tw_buf_deinit(&events[i].sources);
    memmove(&events[i], &events[i + 1], (--session->n_events - i) * sizeof(events[0]));
}

/* The oldest that comes again goes, so that many flushes do not hide when the session started. */
static void make_room(struct tw_session *session)
{
    REQ("TW-LIM-022");
    size_t i = 0;

    if (session->n_events < TW_LIFECYCLE_EVENTS_MAX)
        return;
    while (i + 1 < session->n_events && !comes_again(session->events[i].kind))
        i++;
    forget(session, i);
}

void tw_event_with(struct tw_session *session, struct tw_lifecycle_event event)
{
    struct tw_lifecycle_event *events = session->events;
    size_t i;

    if (tw_builtin_sources(session)->disable_service_events) {
        tw_buf_deinit(&event.sources);
        return;
    }
    make_room(session);
    for (i = session->n_events++; i > 0 && events[i - 1].ns > event.ns; i--)
        events[i] = events[i - 1];
    events[i] = event;
}

void tw_event(struct tw_session *session, enum tw_lifecycle kind)
{
    uint64_t now = tw_service_now(session->service, CLOCK_BOOTTIME);

    tw_event_with(session, (struct tw_lifecycle_event){.kind = kind, .ns = now});
}

struct tw_slow_sources tw_slow_sources(void)
{
    return (struct tw_slow_sources){.list = TW_BUF_INIT(SOURCES_BYTES)};
}

void tw_slow_sources_add(struct tw_slow_sources *slow, const struct tw_instance *instance)
{
    REQ("TW-LIM-165");
    const char *producer = instance->producer->name, *source = instance->source->name;
    struct tw_buf *list = &slow->list;
    struct tw_writer w;
    uint8_t *entry;

    if (slow->n == TW_SLOW_SOURCES_MAX ||
        tw_buf_reserve(list, ENTRY_BYTES + strlen(producer) + strlen(source)))
        return;
    w = tw_writer_of(list->p + list->n, list->cap - list->n);
    entry = tw_put_begin(&w, SOURCES_DATA_SOURCE);
    tw_put_str(&w, SOURCE_PRODUCER_NAME, producer);
    tw_put_str(&w, SOURCE_NAME, source);
    tw_put_end(&w, entry);
    list->n += tw_writer_size(&w);
    slow->n++;
}

void tw_event_slow(struct tw_session *session, enum tw_lifecycle kind, struct tw_slow_sources *slow)
{
    uint64_t now = tw_service_now(session->service, CLOCK_BOOTTIME);

    tw_event_with(session,
                  (struct tw_lifecycle_event){.kind = kind, .ns = now, .sources = slow->list});
    *slow = tw_slow_sources();
}

void tw_events_copy(struct tw_session *to, const struct tw_session *from)
{
    for (size_t i = 0; i < from->n_events; i++) {
        struct tw_lifecycle_event event = from->events[i];

        event.sources = TW_BUF_INIT(SOURCES_BYTES);
        /* Without memory for the names it tells only that some were slow. */
        TW_IGNORE(
            tw_buf_append(&event.sources, from->events[i].sources.p, from->events[i].sources.n));
        tw_event_with(to, event);
    }
}

void tw_events_forget(struct tw_session *session)
{
    for (size_t i = 0; i < session->n_events; i++)
        tw_buf_deinit(&session->events[i].sources);
    session->n_events = 0;
}

void tw_events_forget_kind(struct tw_session *session, enum tw_lifecycle kind)
{
    for (size_t i = session->n_events; i-- > 0;)
        if (session->events[i].kind == kind)
            forget(session, i);
}

/* Every kind is a field of its own: most are just true. */
static int append(const struct tw_lifecycle_event *event, uint64_t value, struct tw_buf *out)
{
    uint32_t field = (uint32_t)event->kind;
    bool slow = event->kind == TW_LIFECYCLE_SLOW_START || event->kind == TW_LIFECYCLE_SLOW_FLUSH;
    struct tw_own_packet packet;
    uint8_t *nested;
    int rc = tw_own_packet_begin(&packet, out, EVENT_BYTES + event->sources.n);

    if (rc)
        return rc;
    tw_put_u64(&packet.w, PACKET_TIMESTAMP, event->ns);
    nested = tw_put_begin(&packet.w, PACKET_SERVICE_EVENT);
    if (slow)
        tw_put_bytes(&packet.w, field, tw_buf_bytes(&event->sources));
    else
        tw_put_u64(&packet.w, field, value);
    tw_put_end(&packet.w, nested);
    tw_own_packet_end(&packet);
    return 0;
}

/* One for each of the buffers that were copied then. */
static int append_cloned(const struct tw_session *session, const struct tw_lifecycle_event *event,
                         struct tw_buf *out)
{
    REQ("TW-CONS-057");
    int rc = 0;

    for (size_t i = 0; i < session->n_buffers && !rc; i++)
        if (tw_clone_takes_away(session, i) == event->taken_away)
            rc = append(event, i, out);
    return rc;
}

int tw_event_packets(struct tw_session *session, struct tw_buf *out)
{
    int rc = 0;

    for (size_t i = 0; i < session->n_events && !rc; i++) {
        const struct tw_lifecycle_event *event = &session->events[i];

        rc = event->kind == TW_LIFECYCLE_BUFFER_CLONED ? append_cloned(session, event, out)
                                                       : append(event, 1, out);
    }
    tw_events_forget(session);
    return rc;
}
