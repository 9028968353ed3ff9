/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_buffer_internal.h"

#include "base/req.h"

/* All ids of a sequence are less than 2^31 ahead of where reading stands, so this orders them. */
static bool is_before(const struct tw_tb_seq *seq, uint32_t a, uint32_t b)
{
    return a - seq->pos_id < b - seq->pos_id;
}

bool tw_tb_is_newest(const struct tw_trace_buffer *tb, uint32_t seq, uint32_t chunk_id)
{
    const struct tw_tb_seq *s = &tb->seqs[seq];

    return !s->tail || is_before(s, tw_tb_at(tb, s->tail)->chunk_id, chunk_id);
}

/* Random to whoever chose the ids, and the same at every call. */
static uint64_t priority(const struct tw_trace_buffer *tb, const struct tw_tb_rec *rec)
{
    uint64_t x = rec->chunk_id ^ tb->hash_key[0];

    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

/* Puts child, which may be none, where old hangs below parent, which may be none. */
static void replace(struct tw_trace_buffer *tb, struct tw_tb_seq *seq, tw_tb_ref parent,
                    tw_tb_ref old, tw_tb_ref child)
{
    if (!parent)
        seq->root = child;
    else if (tw_tb_at(tb, parent)->left == old)
        tw_tb_at(tb, parent)->left = child;
    else
        tw_tb_at(tb, parent)->right = child;
    if (child)
        tw_tb_at(tb, child)->parent = parent;
}

/* Exchanges a record and its parent. */
static void rotate_up(struct tw_trace_buffer *tb, struct tw_tb_seq *seq, tw_tb_ref ref)
{
    struct tw_tb_rec *rec = tw_tb_at(tb, ref);
    tw_tb_ref parent_ref = rec->parent;
    struct tw_tb_rec *parent = tw_tb_at(tb, parent_ref);
    tw_tb_ref middle;

    replace(tb, seq, parent->parent, parent_ref, ref);
    if (parent->left == ref) {
        middle = rec->right;
        rec->right = parent_ref;
        parent->left = middle;
    } else {
        middle = rec->left;
        rec->left = parent_ref;
        parent->right = middle;
    }
    parent->parent = ref;
    if (middle)
        tw_tb_at(tb, middle)->parent = parent_ref;
}

/* The record below which a new one with this id hangs. */
static struct tw_tb_rec *parent_for(const struct tw_trace_buffer *tb, const struct tw_tb_seq *seq,
                                    uint32_t id)
{
    struct tw_tb_rec *at = tw_tb_at(tb, seq->tail);

    if (is_before(seq, at->chunk_id, id))
        return at; /* nearly always: the largest of all has no larger child */
    at = tw_tb_at(tb, seq->root);
    for (;;) {
        tw_tb_ref below = is_before(seq, id, at->chunk_id) ? at->left : at->right;

        if (!below)
            return at;
        at = tw_tb_at(tb, below);
    }
}

static void list_insert(struct tw_trace_buffer *tb, struct tw_tb_seq *seq, struct tw_tb_rec *rec)
{
    tw_tb_ref ref = tw_tb_ref_of(tb, rec);

    if (rec->prev)
        tw_tb_at(tb, rec->prev)->next = ref;
    else
        seq->head = ref;
    if (rec->next)
        tw_tb_at(tb, rec->next)->prev = ref;
    else
        seq->tail = ref;
}

void tw_tb_order_add(struct tw_trace_buffer *tb, struct tw_tb_rec *rec)
{
    REQ("TW-BUF-001");
    struct tw_tb_seq *seq = &tb->seqs[rec->seq];
    tw_tb_ref ref = tw_tb_ref_of(tb, rec);
    struct tw_tb_rec *parent;

    rec->left = rec->right = rec->parent = rec->prev = rec->next = 0;
    if (!seq->head) {
        seq->head = seq->tail = seq->root = ref;
        return;
    }
    parent = parent_for(tb, seq, rec->chunk_id);
    rec->parent = tw_tb_ref_of(tb, parent);
    if (is_before(seq, rec->chunk_id, parent->chunk_id)) {
        parent->left = ref;
        rec->next = rec->parent;
        rec->prev = parent->prev;
    } else {
        parent->right = ref;
        rec->prev = rec->parent;
        rec->next = parent->next;
    }
    list_insert(tb, seq, rec);
    while (rec->parent && priority(tb, rec) > priority(tb, tw_tb_at(tb, rec->parent)))
        rotate_up(tb, seq, ref);
}

static void tree_remove(struct tw_trace_buffer *tb, struct tw_tb_seq *seq, struct tw_tb_rec *rec)
{
    while (rec->left && rec->right) {
        bool left = priority(tb, tw_tb_at(tb, rec->left)) > priority(tb, tw_tb_at(tb, rec->right));

        rotate_up(tb, seq, left ? rec->left : rec->right);
    }
    replace(tb, seq, rec->parent, tw_tb_ref_of(tb, rec), rec->left ? rec->left : rec->right);
}

void tw_tb_order_remove(struct tw_trace_buffer *tb, struct tw_tb_rec *rec)
{
    struct tw_tb_seq *seq = &tb->seqs[rec->seq];

    tree_remove(tb, seq, rec);
    if (rec->prev)
        tw_tb_at(tb, rec->prev)->next = rec->next;
    else
        seq->head = rec->next;
    if (rec->next)
        tw_tb_at(tb, rec->next)->prev = rec->prev;
    else
        seq->tail = rec->prev;
}
