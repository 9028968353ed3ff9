/* SPDX-License-Identifier: Apache-2.0 */
#include "service/change_config.h"

#include <string.h>

#include "base/req.h"
#include "service/session.h"

/* The fields that may change, all of TraceConfig.DataSource. */
static bool may_change(const ProtobufCFieldDescriptor *field)
{
    REQ("TW-CONS-020");
    return strcmp(field->name, "producer_name_filter") == 0 ||
           strcmp(field->name, "producer_name_regex_filter") == 0;
}

static void exchange_filters(Tw__TraceConfig *a, Tw__TraceConfig *b)
{
    for (size_t i = 0; i < a->n_data_sources; i++) {
        Tw__TraceConfig__DataSource *x = a->data_sources[i], *y = b->data_sources[i], was = *x;

        x->n_producer_name_filter = y->n_producer_name_filter;
        x->producer_name_filter = y->producer_name_filter;
        x->n_producer_name_regex_filter = y->n_producer_name_regex_filter;
        x->producer_name_regex_filter = y->producer_name_regex_filter;
        y->n_producer_name_filter = was.n_producer_name_filter;
        y->producer_name_filter = was.producer_name_filter;
        y->n_producer_name_regex_filter = was.n_producer_name_regex_filter;
        y->producer_name_regex_filter = was.producer_name_regex_filter;
    }
}

/* The session has the filters of from on success. */
static const char *take_filters(struct tw_session *session, Tw__TraceConfig *from)
{
    struct tw_patterns patterns = {.n = 0};
    const char *why;

    exchange_filters(session->config, from);
    if (tw_patterns_init(&patterns, session->config, &why)) {
        tw_patterns_deinit(&patterns);
        exchange_filters(session->config, from);
        return why;
    }
    tw_patterns_deinit(&session->patterns);
    session->patterns = patterns;
    return NULL;
}

const char *tw_session_change_config(struct tw_session *session, struct tw_bytes config)
{
    REQ("TW-CONS-020");
    REQ("TW-CONS-021");
    struct tw_arena arena = TW_ARENA_INIT(TW_SESSION_ARENA_MAX);
    const char *why = NULL;
    ProtobufCMessage *msg;

    if (session->state > TW_SESSION_STARTED)
        return "TW-CONS-021: the session has ended";
    if (tw_pbc_unpack(&tw__trace_config__descriptor, &arena, config, &msg))
        why = "TW-CONS-021: the new trace config is malformed or costs too much to decode";
    else if (!tw_pbc_equal(&session->config->base, msg, may_change))
        why = "TW-CONS-021: more than the producer filters changes";
    else
        why = take_filters(session, (Tw__TraceConfig *)msg);
    if (why) {
        tw_arena_deinit(&arena);
        return why;
    }
    tw_arena_deinit(&session->filters);
    session->filters = arena; /* the filters lie there */
    tw_session_join_all(session);
    tw_session_check_started(session);
    return NULL;
}
