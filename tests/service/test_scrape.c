/* SPDX-License-Identifier: Apache-2.0 */
/* Scraping in turns: whoever waits for it waits until its end, and everybody may go meanwhile. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

/* Of each producer. Two of them take three turns, and one its second and third. */
enum { PAGES = TW_SCRAPE_PAGES_PER_TURN * 5 / 4, PAGE = 4096, TURNS = 3 };

struct scene {
    struct rig rig;
    struct rig_peer *producers[2], *consumer, *other, *exclusive;
    Tw__TraceConfig *config;
    uint64_t enabled, asked; /* requests */
};

static void bind_writer(struct rig_peer *producer)
{
    Tw__RegisterTraceWriterRequest req = TW__REGISTER_TRACE_WRITER_REQUEST__INIT;

    req.has_trace_writer_id = req.has_target_buffer = true;
    req.trace_writer_id = 1;
    req.target_buffer = rig_buffer(producer);
    rig_call(producer, TW_PRODUCER_REGISTER_TRACE_WRITER, &req.base);
}

/* Finished and not committed. */
static void leave(struct scene *s, size_t producer, uint32_t page, uint32_t chunk_id,
                  const char *text)
{
    struct tw_bytes packet = rig_packet(&s->rig, text);

    rig_write(s->producers[producer],
              &(struct rig_chunk){.page = page, .chunk_id = chunk_id, .writer_id = 1}, &packet, 1);
}

static void begin(struct scene *s)
{
    Tw__InitializeConnectionRequest hello = rig_hello("p");

    rig_init(&s->rig);
    hello.shared_memory_size_hint_bytes = PAGES * PAGE;
    hello.has_shared_memory_page_size_hint_bytes = true;
    hello.shared_memory_page_size_hint_bytes = PAGE;
    for (size_t i = 0; i < 2; i++) {
        s->producers[i] = rig_producer_with(&s->rig, &hello, -1);
        rig_register(s->producers[i], "source");
    }
    s->consumer = rig_consumer(&s->rig);
    s->other = rig_consumer(&s->rig);
    s->exclusive = s->other;
    s->config = rig_config(&s->rig, "source");
    s->config->unique_session_name = tw_pbc_str("name");
}

static void enable(struct scene *s, int fd)
{
    s->enabled = rig_enable_with(s->consumer, s->config, fd);
    for (size_t i = 0; i < 2; i++) {
        bind_writer(s->producers[i]);
        leave(s, i, 0, 0, i ? "b begins" : "a begins");
        leave(s, i, PAGES - 1, 1, i ? "b ends" : "a ends");
    }
    s->rig.slow_scrapes = true;
}

static size_t n_turns(struct scene *s)
{
    size_t n = 0;

    while (rig_scrape(&s->rig))
        n++;
    return n;
}

static size_t n_found(struct rig_peer *consumer)
{
    static const char *const texts[] = {"a begins", "a ends", "b begins", "b ends"};
    struct rig_trace trace = rig_read(consumer);
    size_t n = 0;

    for (size_t i = 0; i < TW_ARRAY_LEN(texts); i++)
        n += rig_find(&trace, texts[i], NULL);
    return n;
}

static uint64_t chunks_taken(const struct scene *s)
{
    uint16_t id = s->consumer->conn->session->buffer_ids[0];

    return tw_trace_buffer_stats(s->rig.service->buffers[id])->chunks_written;
}

/* Nobody answers, so that its time runs out. */
static void flush(struct scene *s)
{
    s->asked = rig_send(s->consumer, TW_CONSUMER_FLUSH, NULL);
    rig_advance(&s->rig, TW_FLUSH_TIMEOUT_MS);
}

static void a_flush_waits_while_others_are_served(void **state)
{
    struct scene s;

    REQ("TW-LIM-161");
    (void)state;
    begin(&s);
    enable(&s, -1);
    flush(&s);
    assert_int_equal(chunks_taken(&s), 0);
    for (uint64_t turn = 1; turn < TURNS; turn++) {
        assert_true(rig_scrape(&s.rig));
        assert_int_equal(chunks_taken(&s), turn == 1 ? 1 : 3);
        assert_null(rig_last(s.consumer, s.asked));
        assert_true(rig_call(s.producers[0], TW_PRODUCER_SYNC, NULL)->success);
    }
    assert_true(rig_scrape(&s.rig));
    assert_non_null(rig_last(s.consumer, s.asked));
    assert_false(rig_scrape(&s.rig));
    assert_int_equal(n_found(s.consumer), 4);
    rig_free(&s.rig);
}

/* What is written behind a run is for the flush that ends after it began. */
static void a_flush_that_ends_meanwhile_has_a_run_of_its_own(void **state)
{
    struct scene s;
    uint64_t first;

    (void)state;
    begin(&s);
    enable(&s, -1);
    flush(&s);
    first = s.asked;
    assert_true(rig_scrape(&s.rig));
    leave(&s, 0, 1, 2, "behind it");
    s.asked = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s.rig);
    s.rig.now_ns += TW_FLUSH_TIMEOUT_MS * UINT64_C(1000000);
    assert_true(rig_scrape(&s.rig));
    assert_true(rig_scrape(&s.rig));
    assert_non_null(rig_last(s.consumer, first));
    assert_null(rig_last(s.consumer, s.asked));
    assert_int_equal(chunks_taken(&s), 4);
    assert_int_equal(n_turns(&s), TURNS);
    assert_non_null(rig_last(s.consumer, s.asked));
    assert_int_equal(chunks_taken(&s), 5);
    rig_free(&s.rig);
}

static void disable(struct scene *s)
{
    rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
}

static void the_end_of_a_session_waits(void **state)
{
    struct scene s;

    REQ("TW-SHM-020");
    (void)state;
    begin(&s);
    enable(&s, -1);
    disable(&s);
    assert_int_equal(s.consumer->conn->session->state, TW_SESSION_STOPPING);
    assert_true(rig_scrape(&s.rig));
    assert_null(rig_last(s.consumer, s.enabled));
    assert_int_equal(n_turns(&s), TURNS - 1);
    assert_true(rig_last(s.consumer, s.enabled)->success);
    assert_int_equal(n_found(s.consumer), 4);
    rig_free(&s.rig);
}

static uint64_t shm_used(const struct scene *s)
{
    const struct tw_account *account = TAILQ_FIRST(&s->rig.service->accounts.list);

    return account->used[TW_QUOTA_SHM];
}

/* It counts for as long as its memory is there. */
static void who_has_left_is_scraped_in_turns_and_then_forgotten(void **state)
{
    struct scene s;
    uint64_t used;

    REQ("TW-SHM-020");
    REQ("TW-LIM-063");
    (void)state;
    begin(&s);
    enable(&s, -1);
    used = shm_used(&s);
    rig_disconnect(s.producers[1]);
    assert_int_equal(shm_used(&s), used);
    assert_true(rig_scrape(&s.rig));
    assert_int_equal(shm_used(&s), used);
    assert_int_equal(chunks_taken(&s), 1);
    assert_true(rig_scrape(&s.rig));
    assert_int_equal(shm_used(&s), used / 2);
    assert_int_equal(s.rig.service->n_producers, 1);
    assert_int_equal(n_found(s.consumer), 2);
    rig_free(&s.rig);
}

/* Why there is a scrape. */

static void detach(struct scene *s)
{
    Tw__DetachRequest req = TW__DETACH_REQUEST__INIT;

    req.key = tw_pbc_str("key");
    rig_call(s->consumer, TW_CONSUMER_DETACH, &req.base);
    rig_disconnect(s->consumer);
}

static void why_flush(struct scene *s)
{
    enable(s, -1);
    flush(s);
}

static void why_end(struct scene *s)
{
    enable(s, -1);
    disable(s);
}

static void write_to(struct scene *s, int fd)
{
    s->config->has_write_into_file = s->config->write_into_file = true;
    enable(s, fd);
}

static void write_to_file(struct scene *s)
{
    write_to(s, memfd_create("trace", MFD_CLOEXEC));
}

static void why_end_of_file(struct scene *s)
{
    write_to_file(s);
    disable(s);
}

static void why_last_flush(struct scene *s)
{
    s->config->has_duration_ms = true;
    s->config->duration_ms = 500;
    enable(s, -1);
    rig_send(s->consumer, TW_CONSUMER_FLUSH, NULL);
    rig_advance(&s->rig, 500 + TW_FLUSH_TIMEOUT_MS);
}

static void why_last_flush_of_nobody(struct scene *s)
{
    s->config->has_duration_ms = true;
    s->config->duration_ms = 500;
    enable(s, -1);
    detach(s);
    rig_advance(&s->rig, 500 + TW_FLUSH_TIMEOUT_MS);
}

static void why_file_of_nobody(struct scene *s)
{
    s->config->has_duration_ms = true;
    s->config->duration_ms = 500;
    write_to_file(s);
    detach(s);
    rig_advance(&s->rig, 500 + TW_FLUSH_TIMEOUT_MS);
}

static void why_clone(struct scene *s)
{
    Tw__CloneSessionRequest req = TW__CLONE_SESSION_REQUEST__INIT;

    enable(s, -1);
    req.selector_case = TW__CLONE_SESSION_REQUEST__SELECTOR_UNIQUE_SESSION_NAME;
    req.unique_session_name = tw_pbc_str("name");
    rig_send(s->other, TW_CONSUMER_CLONE_SESSION, &req.base);
    rig_advance(&s->rig, TW_FLUSH_TIMEOUT_MS);
}

static void why_leave(struct scene *s)
{
    enable(s, -1);
    rig_disconnect(s->producers[0]);
}

/* What happens meanwhile. */

static void first_producer_goes(struct scene *s)
{
    rig_disconnect(s->producers[0]);
}

static void second_producer_goes(struct scene *s)
{
    rig_disconnect(s->producers[1]);
}

static void consumer_goes(struct scene *s)
{
    rig_disconnect(s->consumer);
}

static void cloner_goes(struct scene *s)
{
    rig_disconnect(s->other);
}

static void all_go(struct scene *s)
{
    consumer_goes(s);
    cloner_goes(s);
    rig_disconnect(s->exclusive);
    first_producer_goes(s);
    second_producer_goes(s);
}

static void call(struct rig_peer *peer, uint32_t method)
{
    if (peer->conn)
        rig_call(peer, method, NULL);
}

static void buffers_are_freed(struct scene *s)
{
    call(s->consumer, TW_CONSUMER_FREE_BUFFERS);
}

static void tracing_is_disabled(struct scene *s)
{
    call(s->consumer, TW_CONSUMER_DISABLE_TRACING);
}

static void another_flush(struct scene *s)
{
    if (s->consumer->conn)
        rig_send(s->consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s->rig);
    s->rig.now_ns += TW_FLUSH_TIMEOUT_MS * UINT64_C(1000000);
}

static void another_clone(struct scene *s)
{
    Tw__CloneSessionRequest req = TW__CLONE_SESSION_REQUEST__INIT;

    req.selector_case = TW__CLONE_SESSION_REQUEST__SELECTOR_UNIQUE_SESSION_NAME;
    req.unique_session_name = tw_pbc_str("name");
    rig_call(s->other, TW_CONSUMER_CLONE_SESSION, &req.base);
    s->rig.now_ns += TW_FLUSH_TIMEOUT_MS * UINT64_C(1000000);
}

/* It ends all others. */
static void an_exclusive_session(struct scene *s)
{
    Tw__TraceConfig *config = rig_config(&s->rig, "source");

    s->rig.uid = 0;
    config->has_exclusive_prio = true;
    config->exclusive_prio = 1;
    s->exclusive = rig_consumer(&s->rig);
    rig_enable(s->exclusive, config);
    s->rig.uid = RIG_UID;
}

static void the_service_ends(struct scene *s)
{
    for (size_t i = 0; i < s->rig.n_peers; i++)
        s->rig.peers[i].conn = NULL; /* they learn of it from their sockets */
}

typedef void (*step_fn)(struct scene *s);

/* Another pair is served as if nothing had been, and nothing of the others is left. */
static void serve_others(struct scene *s)
{
    struct rig_peer *producer, *consumer;
    struct rig_trace trace;

    s->rig.slow_scrapes = false;
    rig_advance(&s->rig, 20000);
    all_go(s);
    rig_pump(&s->rig);
    producer = rig_producer(&s->rig, "next");
    rig_register(producer, "next");
    consumer = rig_consumer(&s->rig);
    rig_enable(consumer, rig_config(&s->rig, "next"));
    rig_emit(producer, 0, rig_buffer(producer), "next");
    trace = rig_read(consumer);
    assert_int_equal(rig_find(&trace, "next", NULL), 1);
}

static void try(step_fn why, step_fn meanwhile, size_t turn)
{
    struct scene s;

    begin(&s);
    why(&s);
    for (size_t i = 0; i < turn; i++)
        rig_scrape(&s.rig);
    meanwhile(&s);
    if (meanwhile != the_service_ends)
        serve_others(&s);
    rig_free(&s.rig);
}

/* Each of it after each turn. */
static void anything_may_happen(step_fn why)
{
    static const step_fn steps[] = {
        first_producer_goes,  second_producer_goes, consumer_goes, cloner_goes,   all_go,
        buffers_are_freed,    tracing_is_disabled,  another_flush, another_clone, the_service_ends,
        an_exclusive_session,
    };

    REQ("TW-SHM-020");
    for (size_t step = 0; step < TW_ARRAY_LEN(steps); step++)
        for (size_t turn = 0; turn <= TURNS; turn++)
            try(why, steps[step], turn);
}

static void anything_may_happen_during_a_flush(void **state)
{
    (void)state;
    anything_may_happen(why_flush);
}

static void anything_may_happen_during_the_end_of_a_session(void **state)
{
    (void)state;
    anything_may_happen(why_end);
}

static void anything_may_happen_during_the_end_of_a_file(void **state)
{
    (void)state;
    anything_may_happen(why_end_of_file);
}

static void anything_may_happen_during_the_end_of_a_file_of_nobody(void **state)
{
    (void)state;
    anything_may_happen(why_file_of_nobody);
}

static void anything_may_happen_during_the_last_flush(void **state)
{
    (void)state;
    anything_may_happen(why_last_flush);
}

static void anything_may_happen_during_the_last_flush_of_nobody(void **state)
{
    (void)state;
    anything_may_happen(why_last_flush_of_nobody);
}

static void anything_may_happen_during_the_flush_of_a_clone(void **state)
{
    (void)state;
    anything_may_happen(why_clone);
}

static void anything_may_happen_after_a_producer_left(void **state)
{
    (void)state;
    anything_may_happen(why_leave);
}

/* A producer that goes while it is looked at: it is looked at from its beginning. */
static void nothing_of_a_producer_that_goes_is_lost(void **state)
{
    (void)state;
    for (size_t who = 0; who < 2; who++)
        for (size_t turn = 0; turn <= TURNS; turn++) {
            struct scene s;

            begin(&s);
            enable(&s, -1);
            flush(&s);
            for (size_t i = 0; i < turn; i++)
                rig_scrape(&s.rig);
            rig_disconnect(s.producers[who]);
            (void)n_turns(&s);
            assert_int_equal(n_found(s.consumer), 4);
            assert_int_equal(s.rig.service->n_producers, 1);
            rig_free(&s.rig);
        }
}

/* A pipe that nobody reads any more: then nothing keeps the session but its scrape. */
static void a_session_let_go_ends_when_its_file_broke(void **state)
{
    static char text[3000];
    struct scene s;
    int ends[2];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    begin(&s);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, PAGE) > 0);
    write_to(&s, ends[1]);
    for (uint32_t i = 2; i < 10; i++) {
        leave(&s, 0, i, i, text);
        rig_commit(s.producers[0], i, rig_buffer(s.producers[0]));
    }
    rig_advance(&s.rig, TW_FILE_PERIOD_MS); /* a pass has filled the pipe */
    buffers_are_freed(&s);
    assert_true(rig_scrape(&s.rig));
    close(ends[0]);
    s.rig.now_ns += TW_FILE_RETRY_MS * UINT64_C(1000000);
    assert_int_equal(TAILQ_FIRST(&s.rig.service->sessions)->let_go, true);
    assert_int_equal(n_turns(&s), TURNS - 1);
    assert_true(TAILQ_EMPTY(&s.rig.service->sessions));
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_flush_waits_while_others_are_served),
        tw_unit_test(a_flush_that_ends_meanwhile_has_a_run_of_its_own),
        tw_unit_test(the_end_of_a_session_waits),
        tw_unit_test(who_has_left_is_scraped_in_turns_and_then_forgotten),
        tw_unit_test(anything_may_happen_during_a_flush),
        tw_unit_test(anything_may_happen_during_the_end_of_a_session),
        tw_unit_test(anything_may_happen_during_the_end_of_a_file),
        tw_unit_test(anything_may_happen_during_the_end_of_a_file_of_nobody),
        tw_unit_test(anything_may_happen_during_the_last_flush),
        tw_unit_test(anything_may_happen_during_the_last_flush_of_nobody),
        tw_unit_test(anything_may_happen_during_the_flush_of_a_clone),
        tw_unit_test(anything_may_happen_after_a_producer_left),
        tw_unit_test(a_session_let_go_ends_when_its_file_broke),
        tw_unit_test(nothing_of_a_producer_that_goes_is_lost),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
