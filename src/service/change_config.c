/* SPDX-License-Identifier: Apache-2.0 */
#include "service/change_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "service/session.h"

/* Encodes config as it would be without its producer filters. */
static int pack_rest(const Tw__TraceConfig *config, struct tw_buf *out)
{
    size_t n = config->n_data_sources;
    Tw__TraceConfig__DataSource *sources = reallocarray(NULL, n + 1, sizeof(*sources));
    Tw__TraceConfig__DataSource **list = reallocarray(NULL, n + 1, sizeof(*list));
    Tw__TraceConfig rest = *config; /* shares what it points to, only read here */
    int rc = TW_E_REFUSED;

    if (sources && list) {
        for (size_t i = 0; i < n; i++) {
            sources[i] = *config->data_sources[i];
            sources[i].n_producer_name_filter = 0;
            list[i] = &sources[i];
        }
        rest.data_sources = list;
        rc = tw_pbc_pack(&rest.base, out);
    }
    free(list);
    free(sources);
    return rc;
}

static bool differs_in_filters_only(const Tw__TraceConfig *a, const Tw__TraceConfig *b)
{
    struct tw_buf rest_a = TW_BUF_INIT(TW_SCAN_MESSAGE_MAX);
    struct tw_buf rest_b = TW_BUF_INIT(TW_SCAN_MESSAGE_MAX);
    /* Neither is empty: a is of a session, which has buffers. */
    bool same = !pack_rest(a, &rest_a) && !pack_rest(b, &rest_b) && rest_a.n == rest_b.n &&
                memcmp(rest_a.p, rest_b.p, rest_a.n) == 0;

    tw_buf_deinit(&rest_a);
    tw_buf_deinit(&rest_b);
    return same;
}

/* The filters now lie in arena, which the session keeps for as long as it uses them. */
static void take_filters(struct tw_session *session, const Tw__TraceConfig *from,
                         struct tw_arena arena)
{
    for (size_t i = 0; i < from->n_data_sources; i++) {
        Tw__TraceConfig__DataSource *to = session->config->data_sources[i];

        to->n_producer_name_filter = from->data_sources[i]->n_producer_name_filter;
        to->producer_name_filter = from->data_sources[i]->producer_name_filter;
    }
    tw_arena_deinit(&session->filters);
    session->filters = arena;
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
    else if (!differs_in_filters_only(session->config, (Tw__TraceConfig *)msg))
        why = "TW-CONS-021: more than producer_name_filter changes";
    if (why) {
        tw_arena_deinit(&arena);
        return why;
    }
    take_filters(session, (Tw__TraceConfig *)msg, arena);
    tw_session_join_all(session);
    tw_session_check_started(session);
    return NULL;
}
