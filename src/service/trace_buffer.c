/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_buffer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/req.h"

const int64_t tw_writer_histogram_ends[TW_WRITER_HISTOGRAM_SIZE] = {
    8, 32, 128, 512, 1024, 2048, 4096, 8192, 12288, 16384, INT64_MAX,
};

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static uint32_t power_of_two(uint64_t at_least)
{
    uint32_t n = 1;

    while (n < at_least)
        n *= 2;
    return n;
}

static void lay_out(struct tw_trace_buffer *tb, size_t size)
{
    REQ("TW-LIM-132");
    REQ("TW-LIM-133");
    size_t seqs = size / TW_TB_BYTES_PER_SEQ;

    tb->size = size;
    tb->stats.buffer_size = size;
    tb->seqs_max = (uint32_t)tw_min(tw_max(seqs, TW_TB_SEQS_MIN), TW_TB_SEQS_MAX);
    tb->n_buckets = power_of_two(size / TW_TB_BYTES_PER_BUCKET);
    tb->n_seq_buckets = power_of_two(tb->seqs_max);
}

/* One mapping for everything: pages that are never touched cost nothing. */
static int map_all(struct tw_trace_buffer *tb)
{
    uint64_t slices = round_up(tb->size / TW_TB_BYTES_PER_SLICE * sizeof(*tb->slices), TW_TB_PAGE);
    uint64_t buckets = round_up(tb->n_buckets * sizeof(*tb->buckets), TW_TB_PAGE);
    uint64_t seq_buckets = round_up(tb->n_seq_buckets * sizeof(*tb->seq_buckets), TW_TB_PAGE);
    uint64_t seqs = (tb->seqs_max + UINT64_C(1)) * sizeof(*tb->seqs); /* seqs[0] is none */
    uint64_t total;
    uint8_t *at;

    total = tb->size + slices + buckets + seq_buckets + seqs;
    tb->map_size = (size_t)total;
    if (tb->map_size != total)
        return -ENOMEM; /* more than 32 bits can address */
    at = mmap(NULL, tb->map_size, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -ENOMEM;
    tb->map = tb->ring = at;
    tb->slices = (void *)(at += tb->size);
    tb->buckets = (void *)(at += slices);
    tb->seq_buckets = (void *)(at += buckets);
    tb->seqs = (void *)(at + seq_buckets);
    return 0;
}

static int fill_key(struct tw_trace_buffer *tb)
{
    /* So few bytes come whole or not at all. */
    return getrandom(tb->hash_key, sizeof(tb->hash_key), 0) < 0 ? -errno : 0;
}

int tw_trace_buffer_new(struct tw_trace_buffer **ret_buffer, uint64_t size,
                        enum tw_fill_policy policy)
{
    REQ("TW-LIM-130");
    struct tw_trace_buffer *tb;
    int rc;

    if (size > TW_TRACE_BUFFER_SIZE_MAX || size > SIZE_MAX / 2) /* the second for 32 bits */
        return TW_E_LIMIT;
    tb = calloc(1, sizeof(*tb));
    if (!tb)
        return -ENOMEM;
    tb->policy = policy;
    lay_out(tb, (size_t)round_up(tw_max((size_t)size, 1), TW_TB_PAGE));
    rc = fill_key(tb);
    if (!rc)
        rc = map_all(tb);
    if (rc) {
        tw_trace_buffer_free(tb);
        return rc;
    }
    *ret_buffer = tb;
    return 0;
}

void tw_trace_buffer_free(struct tw_trace_buffer *tb)
{
    if (!tb)
        return;
    if (tb->map)
        munmap(tb->map, tb->map_size);
    free(tb);
}

const struct tw_trace_buffer_stats *tw_trace_buffer_stats(const struct tw_trace_buffer *tb)
{
    return &tb->stats;
}

static bool patches_fit(const struct tw_tb_rec *rec, const struct tw_patch *patches, size_t n)
{
    REQ("TW-BUF-040");
    for (size_t i = 0; i < n; i++) {
        if (patches[i].offset < rec->read_off || patches[i].offset > rec->payload ||
            rec->payload - patches[i].offset < sizeof(patches[i].data))
            return false;
    }
    return true;
}

int tw_trace_buffer_patch(struct tw_trace_buffer *tb, struct tw_writer_key seq, uint32_t chunk_id,
                          const struct tw_patch *patches, size_t n, bool more_pending)
{
    REQ("TW-BUF-041");
    REQ("TW-BUF-042");
    uint32_t i = tw_tb_seq_find(tb, seq);
    struct tw_tb_rec *rec = i ? tw_tb_find(tb, i, chunk_id) : NULL;

    if (!rec || !patches_fit(rec, patches, n)) {
        tb->stats.patches_failed++;
        return rec ? TW_E_INVALID : TW_E_NOT_FOUND;
    }
    for (size_t k = 0; k < n; k++)
        memcpy(tw_tb_payload(rec) + patches[k].offset, patches[k].data, sizeof(patches[k].data));
    tb->stats.patches_succeeded += n;
    if (!more_pending)
        rec->flags &= (uint8_t)~TW_CHUNK_NEEDS_PATCHING;
    return 0;
}
