/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/buffer_model_internal.h"

#include <stdlib.h>

void model_list_add(struct model_list *list, struct model_seq *seq)
{
    list->seqs = model_grow(list->seqs, list->n, sizeof(struct model_seq *));
    list->seqs[list->n++] = seq;
}

static void list_remove(struct model_list *list, const struct model_seq *seq)
{
    size_t i = 0;

    while (list->seqs[i] != seq)
        i++;
    for (list->n--; i < list->n; i++)
        list->seqs[i] = list->seqs[i + 1];
}

static struct model_seq *find_in(const struct model_list *list, struct tw_writer_key key)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct tw_writer_key *k = &list->seqs[i]->key;

        if (k->producer == key.producer && k->writer_id == key.writer_id && k->life == key.life)
            return list->seqs[i];
    }
    return NULL;
}

struct model_seq *model_find_seq(const struct buffer_model *m, struct tw_writer_key key)
{
    struct model_seq *seq = find_in(&m->busy, key);

    return seq ? seq : find_in(&m->idle, key);
}

struct model_seq *model_new_seq(struct buffer_model *m, const struct tw_chunk_in *in)
{
    struct model_seq *seq;

    if (m->busy.n + m->idle.n == m->seqs_max) {
        if (m->idle.n == 0)
            return NULL;
        seq = m->idle.seqs[0];
        list_remove(&m->idle, seq);
        free(seq->chunks);
        free(seq);
    }
    seq = model_grow(NULL, 0, sizeof(*seq));
    *seq = (struct model_seq){
        .key = in->seq,
        .peer = in->peer,
        .at_id = in->chunk_id - (UINT32_C(1) << 30),
        .to_tell = TW_LOSS_PRESENT,
    };
    model_list_add(&m->idle, seq);
    return seq;
}

struct model_chunk *model_find_chunk(const struct model_seq *seq, uint32_t id)
{
    for (size_t i = 0; seq && i < seq->n_chunks; i++)
        if (seq->chunks[i]->id == id)
            return seq->chunks[i];
    return NULL;
}

void model_insert(struct buffer_model *m, struct model_seq *seq, struct model_chunk *chunk)
{
    size_t i = seq->n_chunks;

    if (i == 0) {
        list_remove(&m->idle, seq);
        model_list_add(&m->busy, seq);
    }
    seq->chunks = model_grow(seq->chunks, seq->n_chunks++, sizeof(struct model_chunk *));
    for (; i > 0 && seq->chunks[i - 1]->id - seq->at_id > chunk->id - seq->at_id; i--)
        seq->chunks[i] = seq->chunks[i - 1];
    seq->chunks[i] = chunk;
    m->stats.chunks_committed_out_of_order += i + 1 < seq->n_chunks;
}

static void pass_goes_on_without(struct buffer_model *m, const struct model_seq *seq)
{
    size_t i = 0;

    if (m->reading != seq)
        return;
    while (m->busy.seqs[i] != seq)
        i++;
    m->reading = i + 1 < m->busy.n ? m->busy.seqs[i + 1] : NULL;
}

void model_remove(struct buffer_model *m, struct model_chunk *chunk)
{
    struct model_seq *seq = chunk->seq;
    size_t i = 0;

    while (seq->chunks[i] != chunk)
        i++;
    for (seq->n_chunks--; i < seq->n_chunks; i++)
        seq->chunks[i] = seq->chunks[i + 1];
    model_record_of(m, chunk)->chunk = NULL;
    free(chunk->bytes);
    free(chunk);
    if (seq->n_chunks)
        return;
    pass_goes_on_without(m, seq);
    list_remove(&m->busy, seq);
    model_list_add(&m->idle, seq);
}
