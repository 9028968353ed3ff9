/* SPDX-License-Identifier: Apache-2.0 */
#include "service/scrape.h"

#include "base/req.h"
#include "service/commit.h"
#include "service/producer.h"
#include "service/session.h"
#include "service/session_buffers.h"

static void take(struct tw_session *session, struct tw_producer *producer,
                 const struct tw_smb_scrape *found)
{
    uint16_t buffer_id = tw_producer_writer_buffer(producer, found->header.writer_id);
    struct tw_shared_bytes payload = {.p = found->chunk.payload, .n = found->chunk.payload_size};

    if (buffer_id && tw_session_has_buffer(session, buffer_id))
        tw_commit_chunk(producer, buffer_id, &found->header, found->complete, payload);
}

/* A producer of other sessions has nothing for this one, and its memory may be large. */
static bool takes_part(const struct tw_session *session, const struct tw_producer *producer)
{
    for (size_t i = 0; i < session->n_buffers; i++)
        if (tw_producer_may_write(producer, session->buffer_ids[i]))
            return true;
    return false;
}

void tw_scrape(struct tw_session *session, struct tw_producer *producer)
{
    REQ("TW-SHM-020");
    struct tw_smb_walk walk = {0};
    struct tw_smb_scrape found;

    if (!producer->scraping || producer->n_writers == 0 || !takes_part(session, producer))
        return;
    while (!tw_smb_walk_next(&producer->smb, &walk, &found))
        take(session, producer, &found);
}
