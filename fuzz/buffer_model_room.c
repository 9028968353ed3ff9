/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/buffer_model_internal.h"

#include <stdlib.h>
#include <string.h>

size_t model_record_size(size_t payload)
{
    return (MODEL_HEADER + payload + MODEL_GRAIN - 1) / MODEL_GRAIN * MODEL_GRAIN;
}

struct model_record *model_record_of(const struct buffer_model *m, const struct model_chunk *chunk)
{
    for (size_t i = 0; i < m->n_records; i++)
        if (m->records[i].chunk == chunk)
            return &m->records[i];
    abort();
}

bool model_is_old(const struct buffer_model *m, const struct model_chunk *chunk)
{
    const struct model_record *r = model_record_of(m, chunk);
    size_t since = r->lap == m->lap ? m->write_at - r->at : m->size - r->at + m->write_at;

    return m->policy == TW_FILL_RING && since > m->size / 2;
}

static void overwrite(struct buffer_model *m, struct model_record *record)
{
    struct model_chunk *chunk = record->chunk;
    uint32_t *lost = &chunk->seq->lost;

    if (chunk->read < chunk->sound) {
        m->stats.chunks_overwritten++;
        m->stats.bytes_overwritten += record->size;
    }
    for (size_t i = 0; chunk->seq->chunks[i] != chunk; i++)
        lost = &chunk->seq->chunks[i]->lost;
    *lost |= chunk->lost;
    if (chunk->complete)
        *lost |= TW_LOSS_OVERWRITE;
    model_remove(m, chunk);
}

/* Drops what the last lap left before this place. */
static void clear_to(struct buffer_model *m, size_t to)
{
    while (m->n_records && m->records[0].lap != m->lap && m->records[0].at < to) {
        if (m->records[0].chunk)
            overwrite(m, &m->records[0]);
        memmove(m->records, m->records + 1, --m->n_records * sizeof(*m->records));
    }
    if (m->padding && to > m->lap_end) {
        m->stats.padding_bytes_cleared += m->size - m->lap_end;
        m->padding = false;
    }
}

void model_make_room(struct buffer_model *m, size_t need)
{
    if (m->size - m->write_at < need) {
        clear_to(m, m->size);
        m->stats.padding_bytes_written += m->size - m->write_at;
        m->stats.write_wrap_count++;
        m->lap_end = m->write_at;
        m->padding = true;
        m->lap++;
        m->write_at = 0;
    }
    clear_to(m, m->write_at + need);
}

/* Whether there is room that has been read, or never was written. */
bool model_has_room(const struct buffer_model *m, size_t need)
{
    bool wraps = m->size - m->write_at < need;

    for (size_t i = 0; i < m->n_records; i++) {
        const struct model_record *r = &m->records[i];
        bool of_this_lap = r->lap == m->lap;

        if (!r->chunk)
            continue;
        if (wraps ? !of_this_lap || r->at < need : !of_this_lap && r->at < m->write_at + need)
            return false;
    }
    return true;
}
