/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a service as text. Names are those of peers: they cannot steer a terminal. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service_state.pb-c.h"
#include "tool/record_query.h"
#include "tool/tool.h"
#include "wire/pbc.h"

enum { COLUMNS = 80, LINE_BYTES = 64 * 1024 };
/* Bytes that decoding the state may cost. */
#define DECODED_MAX ((size_t)512 * 1024 * 1024)

static const char cut_mark[] = "...";

/* Cuts a line that is too long, not in the middle of a character. */
static void cut(char *text)
{
    size_t n = COLUMNS - (sizeof(cut_mark) - 1);

    if (strlen(text) <= COLUMNS)
        return;
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memcpy(text + n, cut_mark, sizeof(cut_mark));
}

TW_PRINTF(2, 3) static void line(bool long_lines, const char *fmt, ...)
{
    char text[LINE_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    tw_make_printable(text);
    if (!long_lines)
        cut(text);
    puts(text);
}

/* protobuf-c has NULL for a text that is not there. */
static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static const Tw__TracingServiceState__Producer *producer_of(const Tw__TracingServiceState *s,
                                                            int32_t id)
{
    for (size_t i = 0; i < s->n_producers; i++)
        if (s->producers[i]->id == id)
            return s->producers[i];
    return NULL;
}

/* A producer of another machine says of which one. */
static void print_producer(const Tw__TracingServiceState__Producer *p, bool long_lines)
{
    char number[16] = "";

    if (p->machine_id)
        snprintf(number, sizeof(number), " @%" PRIu32 " ", p->machine_id);
    line(long_lines, "%-5" PRId32 " %-8" PRId32 " %-8" PRId32 " %-6s %-36s %s%s%s", p->id, p->pid,
         p->uid, p->frozen ? "frozen" : "", or_empty(p->name), or_empty(p->sdk_version), number,
         or_empty(p->machine_name));
}

static void print_producers(const Tw__TracingServiceState *s, bool long_lines)
{
    puts("\nPRODUCERS\nID    PID      UID      STATE  NAME                                 SDK");
    for (size_t i = 0; i < s->n_producers; i++)
        print_producer(s->producers[i], long_lines);
}

/* The names of the categories, with commas. */
static void join_categories(const Tw__TrackEventDescriptor *d, char *text, size_t size)
{
    size_t at = 0;

    *text = '\0';
    for (size_t i = 0; d && i < d->n_available_categories && at < size - 1; i++) {
        int n = snprintf(text + at, size - at, "%s%s", i ? "," : "",
                         or_empty(d->available_categories[i]->name));

        at += n > 0 ? tw_min((size_t)n, size - at) : 0;
    }
}

static void print_source(const Tw__TracingServiceState *s,
                         const Tw__TracingServiceState__DataSource *source, bool long_lines)
{
    const Tw__DataSourceDescriptor *d = source->ds_descriptor;
    const Tw__TracingServiceState__Producer *p = producer_of(s, source->producer_id);
    char categories[LINE_BYTES / 2];

    join_categories(d ? d->track_event_descriptor : NULL, categories, sizeof(categories));
    line(long_lines, "%-32s %-5" PRId32 " %-20s %s", d ? or_empty(d->name) : "",
         source->producer_id, p ? or_empty(p->name) : "", categories);
}

static void print_sources(const Tw__TracingServiceState *s, bool long_lines)
{
    puts("\nDATA SOURCES\nNAME                             PRODUCER                   CATEGORIES");
    for (size_t i = 0; i < s->n_data_sources; i++)
        print_source(s, s->data_sources[i], long_lines);
}

static void print_session(const Tw__TracingServiceState__TracingSession *session, bool long_lines)
{
    time_t started = (time_t)(session->start_realtime_ns / 1000000000);
    uint64_t kb = 0;
    struct tm tm;
    char when[16] = "";

    for (size_t i = 0; i < session->n_buffer_size_kb; i++)
        kb += session->buffer_size_kb[i];
    if (started && gmtime_r(&started, &tm))
        strftime(when, sizeof(when), "%H:%M:%SZ", &tm);
    line(long_lines,
         "%-5" PRIu64 " %-8" PRId32 " %-10s %-3zu %-9" PRIu64 " %-8.1f %-7" PRIu32 " %-9s %s",
         session->id, session->consumer_uid, or_empty(session->state), session->n_buffer_size_kb,
         kb, session->duration_ms / 1000.0, session->num_data_sources, when,
         or_empty(session->unique_session_name));
}

static void print_sessions(const Tw__TracingServiceState *s, bool long_lines)
{
    puts("\nSESSIONS\nID    UID      STATE      BUFFERS, KIB  SECONDS  SOURCES STARTED   NAME");
    for (size_t i = 0; i < s->n_tracing_sessions; i++)
        print_session(s->tracing_sessions[i], long_lines);
    if (s->num_sessions > 0 && (size_t)s->num_sessions > s->n_tracing_sessions)
        line(long_lines, "and %zu of other users, which only root sees",
             (size_t)s->num_sessions - s->n_tracing_sessions);
}

int tw_record_print_state(struct tw_bytes state, bool long_lines)
{
    struct tw_arena arena = TW_ARENA_INIT(DECODED_MAX);
    ProtobufCMessage *msg;
    int rc = tw_pbc_unpack(&tw__tracing_service_state__descriptor, &arena, state, &msg);

    if (!rc) {
        const Tw__TracingServiceState *s = (const Tw__TracingServiceState *)msg;

        line(long_lines, "service %s, %" PRId32 " sessions, %" PRId32 " started",
             or_empty(s->tracing_service_version), s->num_sessions, s->num_sessions_started);
        print_producers(s, long_lines);
        print_sources(s, long_lines);
        if (s->supports_tracing_sessions)
            print_sessions(s, long_lines);
    }
    tw_arena_deinit(&arena);
    return rc;
}
