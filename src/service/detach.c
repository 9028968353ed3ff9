/* SPDX-License-Identifier: Apache-2.0 */
#include "service/detach.h"

#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "service/session.h"

static struct tw_session *find(const struct tw_service_conn *conn, const char *key)
{
    struct tw_session *session;

    TAILQ_FOREACH (session, &conn->service->sessions, next)
        if (session->detach_key && session->uid == conn->peer.uid &&
            strcmp(session->detach_key, key) == 0)
            return session;
    return NULL;
}

const char *tw_session_detach(struct tw_service_conn *conn, const char *key)
{
    REQ("TW-CONS-010");
    REQ("TW-CONS-012");
    REQ("TW-LIM-090");
    struct tw_session *session = conn->session;

    if (!session)
        return "TW-CONS-010: no session to detach";
    if (!key || !key[0])
        return "TW-CONS-010: no key to detach with";
    if (strlen(key) > TW_DETACH_KEY_MAX)
        return "TW-LIM-090: the key is too long";
    if (find(conn, key))
        return "TW-CONS-010: the user has another session detached with this key";
    session->detach_key = strdup(key);
    if (!session->detach_key)
        return "out of memory";
    tw_session_leave(session);
    return NULL;
}

const char *tw_session_attach(struct tw_service_conn *conn, const char *key)
{
    REQ("TW-CONS-011");
    struct tw_session *session = key ? find(conn, key) : NULL;

    if (conn->session)
        return "TW-CONS-011: this consumer has a session already";
    if (!session)
        return "TW-CONS-011: the user has no session detached with this key";
    free(session->detach_key);
    session->detach_key = NULL;
    session->conn = conn;
    conn->session = session;
    return NULL;
}
