/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "smb/smb.h"

enum {
    PAGE = 4096,
    ROUNDS = 3000, /* chunks each writer sends */
    N_WRITERS = 3,
    HOSTILE_ROUNDS = 30000,
};

struct shared {
    struct tw_smb smb;
    _Atomic bool stop;
};

struct writer {
    pthread_t thread;
    struct shared *shared;
    uint16_t id;
    uint32_t bad;
};

static void shared_init(struct shared *s)
{
    uint8_t *p = aligned_alloc(PAGE, PAGE);

    assert_non_null(p);
    memset(p, 0, PAGE);
    atomic_init(&s->stop, false);
    assert_int_equal(tw_smb_init(&s->smb, tw_shared_of(p), PAGE, PAGE), 0);
}

static struct tw_smb_chunk acquire_any(const struct tw_smb *smb, const struct tw_chunk_header *h)
{
    struct tw_smb_chunk c;

    for (;;) {
        int r = tw_smb_partition(smb, 0, TW_PAGE_DIV14);

        (void)r; /* refused while others use the page */
        for (uint32_t i = 0; i < TW_PAGE_CHUNKS_MAX; i++)
            if (tw_smb_acquire_for_writing(smb, 0, i, h, &c) == 0)
                return c;
        sched_yield();
    }
}

static void *write_chunks(void *arg)
{
    struct writer *w = arg;

    for (uint32_t n = 0; n < ROUNDS; n++) {
        struct tw_chunk_header h = {.chunk_id = n, .writer_id = w->id};
        struct tw_smb_chunk c = acquire_any(&w->shared->smb, &h);

        memset(tw_shared_own(c.payload), (int)(n & 0xff), c.payload_size);
        tw_chunk_store_packets(c.header, (uint16_t)(n & TW_CHUNK_PACKETS_MAX), 0);
        if (tw_smb_release_as_complete(&w->shared->smb, &c) != 0)
            w->bad++;
    }
    return NULL;
}

/* Returns how many chunks it took; every one must be whole and the next of its writer. */
static uint32_t read_page(const struct tw_smb *smb, uint64_t seen[N_WRITERS][ROUNDS])
{
    uint8_t copy[PAGE];
    struct tw_smb_chunk c;
    uint32_t taken = 0;

    for (uint32_t i = 0; i < TW_PAGE_CHUNKS_MAX; i++) {
        struct tw_chunk_header h;

        if (tw_smb_acquire_for_reading(smb, 0, i, &c) != 0)
            continue;
        h = tw_chunk_load(c.header);
        assert_in_range(h.writer_id, 1, N_WRITERS);
        assert_true(h.chunk_id < ROUNDS);
        assert_int_equal(h.n_packets, h.chunk_id & TW_CHUNK_PACKETS_MAX);
        tw_shared_copy(copy, c.payload, c.payload_size);
        for (size_t k = 0; k < c.payload_size; k++)
            assert_int_equal(copy[k], h.chunk_id & 0xff);
        seen[h.writer_id - 1][h.chunk_id]++;
        assert_int_equal(tw_smb_release_as_free(smb, &c), 0);
        taken++;
    }
    return taken;
}

static void no_chunk_is_lost_torn_or_seen_twice_on_one_page(void **state)
{
    REQ("TW-SHM-001");
    static uint64_t seen[N_WRITERS][ROUNDS];
    struct writer w[N_WRITERS] = {0};
    struct shared s;
    uint32_t taken = 0;

    (void)state;
    shared_init(&s);
    for (uint16_t i = 0; i < N_WRITERS; i++) {
        w[i].shared = &s;
        w[i].id = (uint16_t)(i + 1);
        assert_int_equal(pthread_create(&w[i].thread, NULL, write_chunks, &w[i]), 0);
    }
    while (taken < N_WRITERS * ROUNDS) {
        uint32_t n = read_page(&s.smb, seen);

        if (n == 0)
            sched_yield();
        taken += n;
    }
    for (int i = 0; i < N_WRITERS; i++) {
        pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].bad, 0);
        for (int k = 0; k < ROUNDS; k++)
            assert_int_equal(seen[i][k], 1);
    }
    assert_int_equal(tw_page_load(s.smb.base), 0);
    free(tw_shared_own(s.smb.base));
}

static void *scribble(void *arg)
{
    struct shared *s = arg;
    _Atomic uint32_t *page = (void *)tw_shared_own(s->smb.base);
    uint32_t random = 7;

    while (!atomic_load(&s->stop)) {
        random = random * 1664525 + 1013904223;
        atomic_store(page, random);
    }
    return NULL;
}

static void assert_inside(const struct tw_smb *smb, const struct tw_smb_chunk *c)
{
    assert_true(tw_shared_own(c->header) >= tw_shared_own(smb->base) + TW_PAGE_HEADER_SIZE);
    assert_true(c->payload_size <= PAGE);
    assert_true(tw_shared_own(c->payload) + c->payload_size <=
                tw_shared_own(smb->base) + smb->size);
}

static void a_peer_that_scribbles_on_the_page_gets_outcomes(void **state)
{
    REQ("TW-SHM-049");
    REQ("TW-SHM-002");
    static const struct tw_chunk_header header = {.chunk_id = 1, .writer_id = 1};
    struct shared s;
    struct tw_smb_chunk c;
    struct tw_smb_scrape scrape;
    pthread_t thread;
    int r;

    (void)state;
    shared_init(&s);
    assert_int_equal(pthread_create(&thread, NULL, scribble, &s), 0);
    for (uint32_t i = 0; i < HOSTILE_ROUNDS; i++) {
        struct tw_smb_walk walk = {0};

        if (tw_smb_acquire_for_reading(&s.smb, 0, i % 16, &c) == 0) {
            assert_inside(&s.smb, &c);
            r = tw_smb_release_as_free(&s.smb, &c);
            assert_in_range(r, 0, TW_OUTCOME_MAX);
        }
        if (tw_smb_acquire_for_writing(&s.smb, 0, i % 16, &header, &c) == 0) {
            assert_inside(&s.smb, &c);
            r = tw_smb_release_as_complete(&s.smb, &c);
            assert_in_range(r, 0, TW_OUTCOME_MAX);
        }
        while (tw_smb_walk_next(&s.smb, &walk, &scrape) == 0)
            assert_inside(&s.smb, &scrape.chunk);
    }
    atomic_store(&s.stop, true);
    pthread_join(thread, NULL);
    free(tw_shared_own(s.smb.base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(no_chunk_is_lost_torn_or_seen_twice_on_one_page),
        tw_unit_test(a_peer_that_scribbles_on_the_page_gets_outcomes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
