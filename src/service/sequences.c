/* SPDX-License-Identifier: Apache-2.0 */
#include "service/sequences.h"

#include <search.h>
#include <stdlib.h>

#include "base/req.h"

static int compare(const void *a, const void *b)
{
    uint64_t x = ((const struct tw_sequence *)a)->key, y = ((const struct tw_sequence *)b)->key;

    return x < y ? -1 : x > y;
}

struct tw_sequence *tw_sequence(struct tw_session *session, struct tw_writer_key key)
{
    REQ("TW-LIM-036");
    struct tw_sequence wanted = {.key = tw_writer_key_number(key)};
    struct tw_sequence **found = tfind(&wanted, &session->sequences, compare), *seq;

    if (found)
        return *found;
    if (session->last_sequence_id == TW_SEQUENCES_MAX)
        return NULL;
    seq = malloc(sizeof(*seq));
    if (!seq)
        return NULL;
    *seq = (struct tw_sequence){.key = wanted.key, .id = session->last_sequence_id + 1};
    if (!tsearch(seq, &session->sequences, compare)) {
        free(seq);
        return NULL;
    }
    session->last_sequence_id++;
    return seq;
}

void tw_sequences_free(struct tw_session *session)
{
    tdestroy(session->sequences, free);
    session->sequences = NULL;
}
