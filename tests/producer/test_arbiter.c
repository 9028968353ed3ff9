/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "producer/trace_writer.h"
#include "tests/producer/fake_service.h"
#include "wire/reader.h"

enum { N_THREADS = 4, N_PACKETS = 600 };

struct thread {
    pthread_t thread;
    struct tw_arbiter *arbiter;
    enum tw_exhausted policy;
    uint16_t id;
    struct tw_writer_stats stats;
    _Atomic int *live;
};

static void *write_packets(void *arg)
{
    struct thread *t = arg;
    uint8_t filler[3000];
    struct tw_trace_writer *w;

    memset(filler, t->id, sizeof(filler));
    if (tw_trace_writer_new(&w, t->arbiter, 1, t->policy) == 0) {
        t->id = w->reg->id;
        for (uint32_t i = 0; i < N_PACKETS; i++) {
            tw_writer_begin(w);
            tw_writer_u64(w, 1, i);
            tw_writer_nest(w, 2);
            tw_writer_bytes(w, 3, (struct tw_bytes){filler, i % sizeof(filler)});
            tw_writer_unnest(w);
            (void)tw_writer_end(w);
        }
        tw_writer_stats(w, &t->stats);
        tw_writer_free(w);
    }
    atomic_fetch_sub(t->live, 1);
    return NULL;
}

static void assert_rising(const struct fake_packets *packets)
{
    uint64_t last = 0;
    bool any = false;

    for (size_t i = 0; i < packets->n; i++) {
        struct tw_reader r =
            tw_reader_of((struct tw_bytes){packets->list[i].p, packets->list[i].n});
        struct tw_field f;

        while (tw_read_field(&r, &f) == 0) {
            if (f.number != 1)
                continue;
            assert_true(!any || f.value > last);
            any = true;
            last = f.value;
        }
    }
}

static void run_threads(enum tw_page_layout layout, enum tw_exhausted policy, bool direct)
{
    struct fake_service s = {.arbiter = fake_arbiter(16 * 1024, 4096, layout, direct)};
    struct thread t[N_THREADS] = {0};
    _Atomic int live = N_THREADS;

    for (int i = 0; i < N_THREADS; i++) {
        t[i] = (struct thread){.arbiter = s.arbiter, .policy = policy, .live = &live};
        assert_int_equal(pthread_create(&t[i].thread, NULL, write_packets, &t[i]), 0);
    }
    while (atomic_load(&live) > 0)
        if (!fake_service_pump(&s))
            sched_yield();
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(t[i].thread, NULL);
    (void)fake_service_pump(&s);
    for (int i = 0; i < N_THREADS; i++) {
        struct fake_packets packets = fake_service_packets(&s, t[i].id);

        assert_int_equal(t[i].stats.packets + t[i].stats.lost, N_PACKETS);
        assert_in_range(packets.n, t[i].stats.packets, t[i].stats.packets + 1);
        /* Who never got a chunk cannot tell. */
        if (t[i].stats.packets > 0)
            assert_true((t[i].stats.lost > 0) == (packets.told + packets.dropped > 0));
        if (policy == TW_EXHAUSTED_STALL)
            assert_int_equal(t[i].stats.lost, 0);
        assert_rising(&packets);
        fake_packets_free(&packets);
    }
    assert_int_equal(s.arbiter->broken, 0);
    assert_true(tw_arbiter_is_empty(s.arbiter));
    fake_service_deinit(&s);
}

static void threads_that_wait_lose_nothing(void **state)
{
    (void)state;
    run_threads(TW_PAGE_DIV1, TW_EXHAUSTED_STALL, false);
    run_threads(TW_PAGE_DIV14, TW_EXHAUSTED_STALL, true);
}

static void threads_that_drop_count_and_tell_every_loss(void **state)
{
    (void)state;
    run_threads(TW_PAGE_DIV2, TW_EXHAUSTED_DROP, false);
    run_threads(TW_PAGE_DIV7, TW_EXHAUSTED_DROP, true);
}

static void museum_40_running_out_of_writer_ids_is_an_error(void **state)
{
    REQ("TW-SHM-044");
    struct fake_service s = {.arbiter = fake_arbiter(4096, 4096, TW_PAGE_DIV1, false)};
    struct tw_writer_reg **regs = calloc(TW_WRITER_ID_MAX, sizeof(*regs)), *more;

    (void)state;
    assert_non_null(regs);
    for (int i = 0; i < TW_WRITER_ID_MAX; i++) {
        assert_int_equal(tw_arbiter_add_writer(s.arbiter, 1, &regs[i]), 0);
        assert_int_equal(regs[i]->id, i + 1);
    }
    assert_int_equal(tw_arbiter_add_writer(s.arbiter, 1, &more), TW_E_LIMIT);
    tw_arbiter_remove_writer(s.arbiter, regs[4]);
    /* Not before the service knows. */
    assert_int_equal(tw_arbiter_add_writer(s.arbiter, 1, &more), TW_E_LIMIT);
    (void)fake_service_pump(&s);
    assert_int_equal(tw_arbiter_add_writer(s.arbiter, 1, &regs[4]), 0);
    assert_int_equal(regs[4]->id, 5);
    for (int i = 0; i < TW_WRITER_ID_MAX; i++)
        tw_arbiter_remove_writer(s.arbiter, regs[i]);
    free(regs);
    fake_service_deinit(&s);
}

static void a_writer_outlives_its_connection_and_drops(void **state)
{
    struct tw_arbiter *arbiter = fake_arbiter(4096, 4096, TW_PAGE_DIV1, false);
    struct tw_trace_writer *w, *late;

    (void)state;
    assert_int_equal(tw_trace_writer_new(&w, arbiter, 1, TW_EXHAUSTED_STALL), 0);
    tw_writer_begin(w);
    tw_writer_u64(w, 1, 1);
    tw_arbiter_kill(arbiter);
    assert_int_equal(tw_trace_writer_new(&late, arbiter, 1, TW_EXHAUSTED_STALL), TW_E_CLOSED);
    tw_arbiter_unref(arbiter);
    for (int i = 0; i < 5000; i++) /* a stalling writer does not wait for the dead */
        tw_writer_str(w, 2, "more");
    assert_int_equal(tw_writer_end(w), TW_E_CLOSED);
    tw_writer_begin(w);
    assert_int_equal(tw_writer_end(w), TW_E_CLOSED);
    assert_int_equal(tw_writer_lost(w), 2);
    tw_writer_flush(w);
    tw_writer_free(w);
}

static void a_packet_of_many_chunks_waits_for_one_of_them(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(8192, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w;

    (void)state;
    REQ("TW-SEC-008");
    assert_int_equal(tw_trace_writer_new(&w, s.arbiter, 1, TW_EXHAUSTED_STALL), 0);
    tw_writer_begin(w);
    tw_writer_u64(w, 1, 1);
    w->wait_until_ns = 1; /* as if it had waited already, for as long as it may */
    for (int i = 0; i < 5000; i++)
        tw_writer_str(w, 2, "more");
    assert_int_equal(tw_writer_end(w), TW_E_LIMIT);
    assert_int_equal(w->wait_until_ns, 0); /* the next one may wait again */
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    fake_service_deinit(&s);
}

static void a_flush_that_was_asked_for_is_done_at_the_next_packet(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(8192, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w;

    (void)state;
    assert_int_equal(tw_trace_writer_new(&w, s.arbiter, 1, TW_EXHAUSTED_DROP), 0);
    tw_writer_begin(w);
    assert_int_equal(tw_writer_end(w), 0);
    (void)fake_service_pump(&s);
    assert_int_equal(s.n, 0);
    atomic_fetch_add(&s.arbiter->flush_generation, 1);
    tw_writer_begin(w);
    (void)fake_service_pump(&s);
    assert_int_equal(s.n, 1);
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    fake_service_deinit(&s);
}

/* A service may free, complete or divide pages as it likes. */
static void a_service_that_frees_our_chunks_costs_data_only(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(8192, 4096, TW_PAGE_DIV2, true)};
    static const uint32_t bitmaps[] = {0,          0x6fffffff, 0x7fffffff,
                                       0x5fffffff, 0x2aaaaaaa, 0x10000000};
    struct tw_trace_writer *w;

    (void)state;
    assert_int_equal(tw_trace_writer_new(&w, s.arbiter, 1, TW_EXHAUSTED_DROP), 0);
    for (uint32_t i = 0; i < 2000; i++) {
        tw_writer_begin(w);
        tw_writer_nest(w, 1);
        for (int k = 0; k < 300; k++)
            tw_writer_u64(w, 2, i);
        memcpy(tw_shared_own(s.arbiter->smb.base) + i % 2 * 4096, &bitmaps[i % 6],
               sizeof(bitmaps[0]));
        tw_writer_unnest(w);
        (void)tw_writer_end(w);
    }
    assert_true(s.arbiter->broken > 0);
    tw_writer_free(w);
    fake_service_deinit(&s);
}

static void a_page_size_that_does_not_fit_makes_no_arbiter(void **state)
{
    static const size_t bad[] = {0, 1024, 4095, 12288, 131072};
    struct tw_arbiter *arbiter;
    struct tw_shm shm;

    (void)state;
    assert_int_equal(tw_shm_create(&shm, 8192), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct tw_arbiter_config config = {.page_size = bad[i], .layout = TW_PAGE_DIV1};

        assert_int_equal(tw_arbiter_new(&arbiter, &shm, &config), TW_E_INVALID);
        assert_non_null(shm.p);
    }
    tw_shm_deinit(&shm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(threads_that_wait_lose_nothing),
        tw_unit_test(threads_that_drop_count_and_tell_every_loss),
        tw_unit_test(museum_40_running_out_of_writer_ids_is_an_error),
        tw_unit_test(a_writer_outlives_its_connection_and_drops),
        tw_unit_test(a_packet_of_many_chunks_waits_for_one_of_them),
        tw_unit_test(a_flush_that_was_asked_for_is_done_at_the_next_packet),
        tw_unit_test(a_service_that_frees_our_chunks_costs_data_only),
        tw_unit_test(a_page_size_that_does_not_fit_makes_no_arbiter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
