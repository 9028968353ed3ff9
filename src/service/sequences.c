/* SPDX-License-Identifier: Apache-2.0 */
#include "service/sequences.h"

#include <search.h>
#include <stdlib.h>

struct tw_sequence {
    uint32_t key; /* producer and writer: what the tree is ordered by */
    uint32_t id;
};

static int compare(const void *a, const void *b)
{
    uint32_t x = ((const struct tw_sequence *)a)->key, y = ((const struct tw_sequence *)b)->key;

    return x < y ? -1 : x > y;
}

uint32_t tw_sequence_id(struct tw_session *session, struct tw_writer_key key)
{
    struct tw_sequence wanted = {.key = (uint32_t)key.producer_id << 16 | key.writer_id};
    struct tw_sequence **found = tfind(&wanted, &session->sequences, compare), *seq;

    if (found)
        return (*found)->id;
    seq = malloc(sizeof(*seq));
    if (!seq)
        return 0;
    *seq = (struct tw_sequence){.key = wanted.key, .id = session->last_sequence_id + 1};
    if (!tsearch(seq, &session->sequences, compare)) {
        free(seq);
        return 0;
    }
    return ++session->last_sequence_id;
}

void tw_sequences_free(struct tw_session *session)
{
    tdestroy(session->sequences, free);
    session->sequences = NULL;
}
