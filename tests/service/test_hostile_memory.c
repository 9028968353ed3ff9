/* SPDX-License-Identifier: Apache-2.0 */
/* Another process writes into the shared memory while the service commits and scrapes it. */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smb/abi.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

enum { ROUNDS = 150, PAGES = 8, PAGE = 4096, MOVES = 32 };

/* A packet with its size in front, when it begins at a word: a timestamp. */
#define SOUND UINT32_C(0x01814003)

/* Bitmaps, headers and sizes as they might be, anywhere in the first pages, for ever. */
static _Noreturn void scribble(uint8_t *memory)
{
    static const uint32_t likely[] = {0x10000003, 0x1fffffff, 0x2000000f, 0x5fffffff, 0x3fff5555,
                                      0x00010001, 0x04010001, 0xffffffff, 0x0fffffff, 0x00000000};
    uint32_t random = 7;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() != 1) {
        for (int i = 0; i < 100000; i++) {
            volatile uint32_t *page = (void *)(memory + (random >> 24) % PAGES * PAGE);

            random = random * 1664525 + 1013904223;
            page[random >> 8 & 1 ? 0 : random >> 12 & 15] = likely[(random >> 20) % 10];
            page[random >> 14 & 1023] = random & 0x700 ? SOUND : random;
        }
    }
    _exit(0);
}

static void send_moves(struct rig_peer *producer, uint32_t buffer_id, uint32_t round)
{
    Tw__CommitDataRequest__ChunksToMove moves[MOVES], *all[MOVES];
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;

    for (uint32_t i = 0; i < MOVES; i++) {
        tw__commit_data_request__chunks_to_move__init(&moves[i]);
        moves[i].has_page = moves[i].has_chunk = moves[i].has_target_buffer = true;
        moves[i].page = (round + i) % PAGES;
        moves[i].chunk = i / PAGES;
        moves[i].target_buffer = buffer_id;
        all[i] = &moves[i];
    }
    req.n_chunks_to_move = MOVES;
    req.chunks_to_move = all;
    rig_send(producer, TW_PRODUCER_COMMIT_DATA, &req.base);
}

static void bind_writer(struct rig_peer *producer, uint32_t writer_id, uint32_t buffer_id)
{
    Tw__RegisterTraceWriterRequest req = TW__REGISTER_TRACE_WRITER_REQUEST__INIT;

    req.has_trace_writer_id = req.has_target_buffer = true;
    req.trace_writer_id = writer_id;
    req.target_buffer = buffer_id;
    rig_call(producer, TW_PRODUCER_REGISTER_TRACE_WRITER, &req.base);
}

/* Whatever came out is a packet, and says truly who wrote it. */
static void judge(const struct rig_trace *trace)
{
    assert_true(trace->whole);
    for (size_t i = 0; i < trace->n; i++) {
        assert_non_null(trace->decoded[i]);
        if (trace->decoded[i]->trusted_packet_sequence_id != 1)
            assert_int_equal(trace->decoded[i]->trusted_uid, RIG_UID);
    }
}

static void a_process_that_scribbles_costs_its_own_packets(void **state)
{
    REQ("TW-SHM-002");
    Tw__FlushRequest flush = TW__FLUSH_REQUEST__INIT;
    struct rig_peer *producer, *consumer, *other;
    struct rig_trace trace;
    struct rig rig;
    uint16_t buffer;
    pid_t child;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "hostile");
    rig_register(producer, "source");
    consumer = rig_consumer(&rig);
    rig_enable(consumer, rig_config(&rig, "source"));
    buffer = rig_buffer(producer);
    bind_writer(producer, 1, buffer);
    assert_non_null(producer->shm.p);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        scribble(tw_shared_own(producer->shm.p));
    while (!tw_shared_load32(tw_shared_at(producer->shm.p, TW_PAGE_HEADER_SIZE)))
        sched_yield(); /* until it is at work */
    flush.has_timeout_ms = true;
    flush.timeout_ms = 1;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        send_moves(producer, buffer, round);
        rig_send(consumer, TW_CONSUMER_FLUSH, &flush.base);
        rig_advance(&rig, 2); /* nobody answers: it is scraped */
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    trace = rig_read(consumer);
    judge(&trace);

    /* Somebody else has a session of its own meanwhile, and all of it. */
    assert_non_null(producer->conn);
    rig_disconnect(producer);
    other = rig_producer(&rig, "other");
    rig_register(other, "source");
    rig_emit(other, 0, rig_buffer(other), "mine");
    trace = rig_read(consumer);
    assert_int_equal(rig_find(&trace, "mine", NULL), 1);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_process_that_scribbles_costs_its_own_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
