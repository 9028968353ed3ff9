/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads write numbered packets through little shared memory into the real service, and what the
 * consumer reads is held against what was written: nothing is missing without a word, nothing comes
 * twice or torn, the order is kept, and the caller's counts are right.
 *
 * With the argument "whole" it is the whole matrix, else a sample of it.
 */
#include "tests/harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "tests/producer/stage.h"
#include "wire/reader.h"

enum {
    THREADS_MAX = 16,
    LARGEST = 5 * 1000 * 1000, /* bytes of a payload */
    BUFFER_KB = 64 * 1024,
    /* Fields of TracePacket, and of TestEvent, of which nobody looks at the last two. */
    PACKET_SEQUENCE_ID = 10,
    PACKET_DROPPED = 42,
    PACKET_FOR_TESTING = 900,
    TEST_PAYLOAD = 1,
    TEST_NUMBER = 2,
    TEST_WRITER = 20,
    TEST_NESTED = 21,
};

struct setting {
    enum tw_exhausted policy;
    uint32_t threads, packets; /* of a thread */
    size_t shm_kb, largest;
    uint32_t chunks_per_page, buffer_kb;
};

struct writer {
    pthread_t thread;
    const struct setting *setting;
    struct tw_trace_writer *writer;
    uint32_t index;
    _Atomic bool done;
    /* what was read */
    uint64_t sequence;
    uint32_t n, next;
    bool told; /* behind the last packet, that there were more */
};

static bool whole;
static uint64_t lost_to_callers; /* in all of a test */
static uint8_t *text;            /* what payloads are cut from; twice as long as the largest */

/* What the nth packet of a writer has to say: it differs from its neighbours in place and size. */
static struct tw_bytes payload_of(const struct setting *setting, uint32_t writer, uint32_t n)
{
    static const size_t sizes[] = {0, 1, 30, 250, 3, 4000, 4070, 4076, 4090, 100, 9000, 64};
    size_t i = (n + writer) % (TW_ARRAY_LEN(sizes) + 1);
    size_t size = i < TW_ARRAY_LEN(sizes) ? sizes[i] : setting->largest - n;

    return (struct tw_bytes){text + (n * 7919 + writer * 104729) % LARGEST, size};
}

/* ---- writing ---- */

static void write_one(struct writer *w, uint32_t n)
{
    struct tw_bytes payload = payload_of(w->setting, w->index, n);

    tw_writer_begin(w->writer);
    tw_writer_nest(w->writer, PACKET_FOR_TESTING);
    tw_writer_u64(w->writer, TEST_NUMBER, n);
    tw_writer_u64(w->writer, TEST_WRITER, w->index);
    tw_writer_nest(w->writer, TEST_NESTED);
    tw_writer_bytes(w->writer, TEST_PAYLOAD, payload);
    tw_writer_unnest(w->writer);
    tw_writer_unnest(w->writer);
    TW_IGNORE(tw_writer_end(w->writer)); /* the counts say it */
}

static void *write_all(void *arg)
{
    struct writer *w = arg;

    for (uint32_t n = 0; n < w->setting->packets; n++)
        write_one(w, n);
    tw_writer_flush(w->writer); /* there may be more threads than chunks, and others wait for it */
    atomic_store(&w->done, true);
    return NULL;
}

/* All the while the service is asked to flush, and scrapes what is being written. */
static void run(struct stage *s, struct writer *writers, const struct setting *setting)
{
    uint64_t flush = 0;

    for (uint32_t i = 0; i < setting->threads; i++) {
        struct writer *w = &writers[i];

        *w = (struct writer){.setting = setting, .index = i};
        assert_int_equal(tw_writer_new(&w->writer, s->instance, setting->policy), 0);
        assert_int_equal(pthread_create(&w->thread, NULL, write_all, w), 0);
    }
    for (uint32_t i = 0; i < setting->threads; i += atomic_load(&writers[i].done)) {
        if (!flush || rig_last(s->consumer, flush))
            flush = rig_send(s->consumer, TW_CONSUMER_FLUSH, NULL);
        stage_turn(s);
        sched_yield();
    }
    for (uint32_t i = 0; i < setting->threads; i++)
        pthread_join(writers[i].thread, NULL);
}

/* Twice, for only when all have handed over their chunks there is one for each to tell of a loss.
 */
static void flush_all(struct stage *s, struct writer *writers, uint32_t n)
{
    for (uint32_t i = 0; i < 2 * n; i++) {
        tw_writer_flush(writers[i % n].writer);
        stage_turn(s);
    }
}

/* ---- reading ---- */

struct packet {
    uint64_t sequence, number, writer;
    bool is_ours, dropped;
    struct tw_bytes payload;
};

static void read_test_event(struct tw_bytes bytes, struct packet *p)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct tw_field f, nested;
    int rc;

    p->is_ours = true;
    while ((rc = tw_read_field(&r, &f)) == 0) {
        if (f.number == TEST_NUMBER)
            p->number = f.value;
        if (f.number == TEST_WRITER)
            p->writer = f.value;
        if (f.number == TEST_NESTED) {
            struct tw_reader in = tw_reader_of(f.bytes);

            assert_int_equal(tw_read_field(&in, &nested), 0);
            assert_int_equal(tw_read_field(&in, &f), TW_MORE);
            p->payload = nested.bytes;
        }
    }
    assert_int_equal(rc, TW_MORE);
}

static struct packet read_packet(struct tw_bytes bytes)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct packet p = {0};
    struct tw_field f;
    int rc;

    while ((rc = tw_read_field(&r, &f)) == 0) {
        if (f.number == PACKET_SEQUENCE_ID)
            p.sequence = f.value;
        if (f.number == PACKET_DROPPED)
            p.dropped = f.value != 0;
        if (f.number == PACKET_FOR_TESTING)
            read_test_event(f.bytes, &p);
    }
    assert_int_equal(rc, TW_MORE);
    return p;
}

static void check_packet(struct writer *w, const struct packet *p)
{
    struct tw_bytes expected = payload_of(w->setting, w->index, (uint32_t)p->number);

    assert_true(p->number >= w->next && p->number < w->setting->packets);
    assert_true(w->n == 0 || p->sequence == w->sequence);
    assert_true(p->number == w->next || p->dropped || w->told);
    assert_int_equal(p->payload.n, expected.n);
    if (expected.n)
        assert_memory_equal(p->payload.p, expected.p, expected.n);
    w->sequence = p->sequence;
    w->next = (uint32_t)p->number + 1;
    w->told = false;
    w->n++;
}

/* A packet of the library's own, which only says that others are missing. */
static void note_loss(struct writer *writers, uint32_t n, const struct packet *p)
{
    for (uint32_t i = 0; i < n; i++)
        if (writers[i].n > 0 && writers[i].sequence == p->sequence)
            writers[i].told = true;
}

/* That was before the writer's sequence was known. */
static bool told_before(const struct rig_trace *trace, size_t end, uint64_t sequence)
{
    for (size_t i = 0; i < end; i++) {
        struct packet p = read_packet(trace->packets[i]);

        if (!p.is_ours && p.dropped && p.sequence == sequence)
            return true;
    }
    return false;
}

static void read_all(struct stage *s, struct writer *writers, const struct setting *setting)
{
    struct rig_trace trace;

    s->rig.undecoded = true;
    trace = rig_read(s->consumer);
    assert_true(trace.whole);
    for (size_t i = 0; i < trace.n; i++) {
        struct packet p = read_packet(trace.packets[i]);

        if (p.is_ours) {
            assert_true(p.writer < setting->threads);
            if (writers[p.writer].n == 0)
                writers[p.writer].told = told_before(&trace, i, p.sequence);
            check_packet(&writers[p.writer], &p);
        } else if (p.dropped) {
            note_loss(writers, setting->threads, &p);
        }
    }
}

/* A buffer that holds all leaves only what the caller was told of. */
static void check_counts(struct writer *w, const struct setting *setting)
{
    struct tw_writer_stats stats;

    tw_writer_stats(w->writer, &stats);
    assert_int_equal(stats.packets + stats.lost, setting->packets);
    lost_to_callers += stats.lost;
    if (setting->buffer_kb == BUFFER_KB)
        assert_int_equal(w->n, stats.packets);
    else
        assert_true(w->n <= stats.packets);
    /* Of a writer that brought nothing through there is nobody to be told. */
    assert_true(w->n == 0 || w->next == setting->packets || w->told);
}

static void check(const struct setting *setting)
{
    struct stage s;
    struct writer writers[THREADS_MAX];

    stage_init(&s);
    s.config.shm_size = setting->shm_kb * 1024;
    s.config.shm_page_size = 4096;
    s.config.chunks_per_page = setting->chunks_per_page;
    s.config.scraping = TW_SCRAPING_ON;
    stage_open(&s);
    stage_trace(&s, setting->buffer_kb);
    run(&s, writers, setting);
    flush_all(&s, writers, setting->threads);
    stage_stop(&s);
    read_all(&s, writers, setting);
    for (uint32_t i = 0; i < setting->threads; i++) {
        check_counts(&writers[i], setting);
        tw_writer_free(writers[i].writer);
    }
    stage_end(&s);
}

/* ---- the matrix ---- */

static void check_threads(const struct setting *base)
{
    static const uint32_t threads[] = {1, 2, 4, 8, 16};

    for (size_t i = 0; i < TW_ARRAY_LEN(threads); i++) {
        struct setting setting = *base;

        setting.threads = threads[i];
        if (whole || i % 2 == 0)
            check(&setting);
    }
}

static void check_memories(enum tw_exhausted policy)
{
    static const uint32_t chunks[] = {1, 4, 14};
    static const size_t shm_kb[] = {16, 128, 1024};

    for (size_t i = 0; i < TW_ARRAY_LEN(chunks); i++) {
        struct setting setting = {.policy = policy,
                                  .packets = whole ? 130 : 26,
                                  .largest = whole ? 60000 : 20000,
                                  .shm_kb = shm_kb[i],
                                  .chunks_per_page = chunks[(i + 1) % TW_ARRAY_LEN(chunks)],
                                  .buffer_kb = BUFFER_KB};

        if (!whole && i > 0)
            break;
        check_threads(&setting);
        setting.shm_kb = 16;
        setting.chunks_per_page = chunks[i];
        setting.buffer_kb = 256; /* the service loses some, too, and tells */
        check_threads(&setting);
    }
}

/* Each larger than all the shared memory, a thousand times if there is little. */
static void check_large(enum tw_exhausted policy)
{
    struct setting setting = {.policy = policy,
                              .threads = 2,
                              .packets = 26,
                              .largest = whole ? LARGEST : 150000,
                              .shm_kb = whole ? 64 : 16,
                              .chunks_per_page = 1,
                              .buffer_kb = BUFFER_KB};

    check(&setting);
}

static void who_stalls_loses_nothing(void **state)
{
    (void)state;
    lost_to_callers = 0;
    check_memories(TW_EXHAUSTED_STALL);
    check_large(TW_EXHAUSTED_STALL);
    assert_int_equal(lost_to_callers, 0);
}

static void who_drops_tells_of_every_loss(void **state)
{
    REQ("TW-SHM-047");
    (void)state;
    lost_to_callers = 0;
    check_memories(TW_EXHAUSTED_DROP);
    check_large(TW_EXHAUSTED_DROP);
    assert_true(lost_to_callers > 0); /* what does not fit even at once */
}

static void who_stalls_once_tells_of_every_loss(void **state)
{
    REQ("TW-SHM-047");
    (void)state;
    check_memories(TW_EXHAUSTED_STALL_THEN_DROP);
    check_large(TW_EXHAUSTED_STALL_THEN_DROP);
}

static int make_text(void **state)
{
    uint32_t random = 1;

    (void)state;
    text = malloc(2 * LARGEST);
    for (size_t i = 0; text && i < 2 * LARGEST; i++) {
        random = random * 1664525 + 1013904223;
        text[i] = (uint8_t)(random >> 24);
    }
    return !text;
}

static int free_text(void **state)
{
    (void)state;
    free(text);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(who_stalls_loses_nothing),
        tw_unit_test(who_drops_tells_of_every_loss),
        tw_unit_test(who_stalls_once_tells_of_every_loss),
    };

    whole = argc > 1 && strcmp(argv[1], "whole") == 0;
    return cmocka_run_group_tests(tests, make_text, free_text);
}
