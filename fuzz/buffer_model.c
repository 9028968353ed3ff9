/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/buffer_model_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

void *model_grow(void *array, size_t n, size_t size)
{
    array = reallocarray(array, n + 1, size);
    if (!array)
        abort();
    return array;
}

struct buffer_model *buffer_model_new(uint64_t size, enum tw_fill_policy policy)
{
    struct buffer_model *m = model_grow(NULL, 0, sizeof(*m));

    *m = (struct buffer_model){.policy = policy};
    m->size = (size_t)(((size ? size : 1) + 4095) / 4096 * 4096);
    m->seqs_max = tw_min(tw_max(m->size / 2048, 1024), 65536);
    m->stats.buffer_size = m->size;
    return m;
}

static void free_list(struct model_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        for (size_t k = 0; k < list->seqs[i]->n_chunks; k++) {
            free(list->seqs[i]->chunks[k]->bytes);
            free(list->seqs[i]->chunks[k]);
        }
        free(list->seqs[i]->chunks);
        free(list->seqs[i]);
    }
    free(list->seqs);
}

void buffer_model_free(struct buffer_model *m)
{
    free_list(&m->busy);
    free_list(&m->idle);
    free(m->records);
    free(m->packet);
    free(m);
}

/* The first n of so many bytes. */
static void *copy_of(const void *p, size_t n, size_t size)
{
    void *copy = model_grow(NULL, size, 1);

    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

static struct model_chunk *clone_chunk(struct buffer_model *clone, const struct buffer_model *m,
                                       const struct model_chunk *of, struct model_seq *seq)
{
    struct model_chunk *c = model_grow(NULL, 0, sizeof(*c));

    *c = *of;
    c->seq = seq;
    c->bytes = copy_of(of->bytes, of->sound, of->room);
    clone->records[model_record_of(m, of) - m->records].chunk = c;
    return c;
}

static void clone_list(struct buffer_model *clone, const struct buffer_model *m,
                       const struct model_list *from, struct model_list *to)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct model_seq *of = from->seqs[i];
        struct model_seq *seq = model_grow(NULL, 0, sizeof(*seq));

        *seq = *of;
        seq->to_tell |= TW_LOSS_PRESENT;
        seq->chunks = model_grow(NULL, of->n_chunks, sizeof(struct model_chunk *));
        for (size_t k = 0; k < of->n_chunks; k++)
            seq->chunks[k] = clone_chunk(clone, m, of->chunks[k], seq);
        model_list_add(to, seq);
    }
}

struct buffer_model *buffer_model_clone(const struct buffer_model *m)
{
    struct buffer_model *clone = model_grow(NULL, 0, sizeof(*clone));

    *clone = *m;
    clone->reading = NULL;
    clone->packet = NULL;
    clone->records =
        copy_of(m->records, m->n_records * sizeof(*m->records), m->n_records * sizeof(*m->records));
    clone->busy = clone->idle = (struct model_list){0};
    clone_list(clone, m, &m->busy, &clone->busy);
    clone_list(clone, m, &m->idle, &clone->idle);
    clone->stats.bytes_read = clone->stats.chunks_read = 0;
    clone->stats.readaheads_succeeded = clone->stats.readaheads_failed = 0;
    return clone;
}

const struct tw_trace_buffer_stats *buffer_model_stats(const struct buffer_model *m)
{
    return &m->stats;
}

const struct tw_writer_histogram *buffer_model_histogram(const struct buffer_model *m,
                                                         struct tw_writer_key key)
{
    const struct model_seq *seq = model_find_seq(m, key);

    return seq ? &seq->histogram : NULL;
}

size_t buffer_model_sequences(const struct buffer_model *m)
{
    return m->busy.n + m->idle.n;
}
