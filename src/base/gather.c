/* SPDX-License-Identifier: Apache-2.0 */
#include "base/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

enum { PIECES_FIRST = 64 };

void tw_gather_deinit(struct tw_gather *g)
{
    tw_buf_deinit(&g->own);
    free(g->pieces);
    *g = TW_GATHER_INIT(g->own.max);
}

void tw_gather_clear(struct tw_gather *g)
{
    g->own.n = g->head = 0;
    g->first = g->n_pieces = 0;
    g->lent = 0;
}

int tw_gather_put(struct tw_gather *g, struct tw_bytes bytes)
{
    return tw_buf_append(&g->own, bytes.p, bytes.n);
}

/* Doubles the pieces until there is room for more of them. */
static int reserve_pieces(struct tw_gather *g, size_t more)
{
    size_t cap = g->cap_pieces ? g->cap_pieces : PIECES_FIRST;
    struct tw_piece *pieces;

    if (more <= g->cap_pieces - g->n_pieces)
        return 0;
    while (cap - g->n_pieces < more)
        cap *= 2;
    pieces = reallocarray(g->pieces, cap, sizeof(*pieces));
    if (!pieces)
        return -ENOMEM;
    g->pieces = pieces;
    g->cap_pieces = cap;
    return 0;
}

static void add_piece(struct tw_gather *g, size_t at, struct tw_bytes bytes)
{
    g->pieces[g->n_pieces++] = (struct tw_piece){.at = at, .bytes = bytes};
    g->lent += bytes.n;
}

int tw_gather_lend(struct tw_gather *g, struct tw_bytes bytes)
{
    int rc = reserve_pieces(g, 1);

    if (!rc)
        add_piece(g, g->own.n, bytes);
    return rc;
}

int tw_gather_append(struct tw_gather *g, const struct tw_gather *from)
{
    size_t base = g->own.n;
    int rc = reserve_pieces(g, from->n_pieces - from->first);

    if (!rc && from->own.n > from->head)
        rc = tw_buf_append(&g->own, from->own.p + from->head, from->own.n - from->head);
    if (rc)
        return rc;
    for (size_t i = from->first; i < from->n_pieces; i++)
        add_piece(g, base + from->pieces[i].at - from->head, from->pieces[i].bytes);
    return 0;
}

void tw_gather_compact(struct tw_gather *g)
{
    size_t left = g->own.n - g->head;

    if (g->head == 0 || g->head < left)
        return;
    memmove(g->own.p, g->own.p + g->head, left);
    for (size_t i = g->first; i < g->n_pieces; i++)
        g->pieces[i].at -= g->head;
    g->own.n = left;
    g->head = 0;
}

size_t tw_gather_peek(const struct tw_gather *g, size_t limit, struct iovec *iov, size_t max)
{
    size_t at = g->head, i = g->first, n = 0;

    while (n < max && limit > 0) {
        size_t end = i < g->n_pieces ? g->pieces[i].at : g->own.n;
        struct tw_bytes run = {.n = end - at};

        if (run.n > 0)
            run.p = g->own.p + at;
        else if (i < g->n_pieces)
            run = g->pieces[i++].bytes;
        else
            break;
        at = end;
        run.n = tw_min(run.n, limit);
        limit -= run.n;
        iov[n].iov_len = run.n;
        memcpy(&iov[n++].iov_base, &run.p, sizeof(run.p)); /* who sends does not write there */
    }
    return n;
}

/* Some of the first run, n bytes at most. */
static size_t consume_run(struct tw_gather *g, size_t n)
{
    struct tw_piece *piece = g->first < g->n_pieces ? &g->pieces[g->first] : NULL;
    size_t own = (piece ? piece->at : g->own.n) - g->head;

    if (own > 0) {
        n = tw_min(n, own);
        g->head += n;
        return n;
    }
    n = tw_min(n, piece->bytes.n);
    piece->bytes.p += n;
    piece->bytes.n -= n;
    g->lent -= n;
    if (piece->bytes.n == 0)
        g->first++;
    return n;
}

void tw_gather_consume(struct tw_gather *g, size_t n)
{
    while (n > 0)
        n -= consume_run(g, n);
    if (tw_gather_size(g) == 0)
        tw_gather_clear(g);
}

int tw_gather_settle(struct tw_gather *g)
{
    size_t to, from;
    int rc;

    tw_gather_compact(g);
    rc = tw_buf_reserve(&g->own, g->lent);
    if (rc)
        return rc;
    from = g->own.n;
    to = g->own.n += g->lent;
    /* From the back, so that every byte is moved once. */
    for (size_t i = g->n_pieces; i-- > g->first;) {
        const struct tw_piece *piece = &g->pieces[i];

        to -= from - piece->at;
        memmove(g->own.p + to, g->own.p + piece->at, from - piece->at);
        from = piece->at;
        to -= piece->bytes.n;
        memcpy(g->own.p + to, piece->bytes.p, piece->bytes.n);
    }
    g->first = g->n_pieces = 0;
    g->lent = 0;
    return 0;
}
