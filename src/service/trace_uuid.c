/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_uuid.h"

#include <sys/random.h>

static void random_uuid(struct tw_session *session)
{
    int64_t random[2] = {0};

    /* 16 bytes come whole or, early in the life of a machine, not at all. */
    if (getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        return;
    session->uuid_msb = (int64_t)(((uint64_t)random[0] & ~UINT64_C(0xf000)) | UINT64_C(0x4000));
    session->uuid_lsb = (int64_t)(((uint64_t)random[1] & (UINT64_MAX >> 2)) | UINT64_C(1) << 63);
}

void tw_trace_uuid(struct tw_session *session)
{
    const Tw__TraceConfig *c = session->config;

    session->uuid_msb = c->has_trace_uuid_msb ? c->trace_uuid_msb : 0;
    session->uuid_lsb = c->has_trace_uuid_lsb ? c->trace_uuid_lsb : 0;
    if (!session->uuid_msb && !session->uuid_lsb)
        random_uuid(session);
}

void tw_trace_uuid_of_clone(struct tw_session *session, const struct tw_session *from)
{
    session->uuid_msb = session->uuid_lsb = 0;
    random_uuid(session);
    if (from->uuid_lsb)
        session->uuid_lsb = from->uuid_lsb;
}
