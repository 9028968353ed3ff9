/* SPDX-License-Identifier: Apache-2.0 */
/* A service that hands over what it must not, and takes back what it handed over. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "producer/endpoint.h"
#include "tests/producer/memories.h"
#include "tests/producer/world.h"

/* SetupTracing with one of them, whose descriptor is kept where ret_fd is given. */
static void hand_over(struct world *w, enum memory kind, int *ret_fd)
{
    int fd = memory_open(kind);

    if (ret_fd)
        *ret_fd = dup(fd);
    world_command(w, 3, 4, 0, world_no_bytes, fd);
}

/* What shrinks later comes as SIGBUS, which no test here would survive. */
static void only_memory_that_stays_is_shared(void **state)
{
    REQ("TW-SEC-007");
    struct tw_producer_stats stats;
    struct world w;

    (void)state;
    world_init(&w);
    for (int kind = MEMORY_NONE; kind < MEMORY_MAX; kind++) {
        print_message("%s\n", memory_names[kind]);
        world_bring_up(&w);
        tw_producer_stats(w.producer, &stats);
        assert_int_equal(stats.bad_memory, kind - MEMORY_NONE);
        w.producer->backoff_ms = 1;
        hand_over(&w, (enum memory)kind, NULL);
        UNTIL(&w, w.disconnects == kind - MEMORY_NONE + 1);
        tw_producer_stats(w.producer, &stats);
        assert_int_equal(stats.bad_memory, kind - MEMORY_NONE + 1);
        assert_int_equal(stats.bad_commands, stats.bad_memory);
        assert_int_equal(w.producer->backoff_ms, 2); /* it waits, and longer the next time */
    }
    assert_int_equal(w.setups, 0);
    world_bring_up(&w);
    world_start_instance(&w, 5); /* and when the service behaves, all is well */
    world_deinit(&w);
}

/* The seal holds: the service cannot take back what it gave. */
static void memory_that_was_shared_cannot_shrink(void **state)
{
    REQ("TW-SEC-007");
    struct tw_trace_writer *writer;
    struct world w;
    int fd;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    hand_over(&w, MEMORY_SMALL, &fd);
    world_command(&w, 6, 5, 0, world_config, -1);
    world_command(&w, 1, 5, 0, world_config, -1);
    UNTIL(&w, w.starts == 1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_DROP), 0);
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), 0);
    tw_writer_free(writer);
    UNTIL(&w, w.moves == 1);
    close(fd);
    world_deinit(&w);
}

/* Every word of it, as if the service had gone mad while the writer is in a packet. */
static void scribble(const struct tw_shm *shm, uint32_t word)
{
    for (size_t at = 0; at < shm->size; at += sizeof(word))
        tw_shared_store32(tw_shared_at(shm->p, at), word);
}

static void a_writer_does_not_believe_the_memory(void **state)
{
    REQ("TW-SEC-008");
    static const uint32_t words[] = {0x00000000, 0x10000000, 0x10000003, 0x50000000,
                                     0x5fffffff, 0x70000000, 0xffffffff, 0x80000000};
    static const uint8_t bytes[1000];
    struct tw_writer_stats stats;
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_DROP), 0);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        tw_writer_begin(writer);
        scribble(&w.shm, words[i]);
        tw_writer_nest(writer, 1);
        for (int n = 0; n < 100; n++) /* more than there is memory */
            tw_writer_bytes(writer, 1, (struct tw_bytes){bytes, sizeof(bytes)});
        scribble(&w.shm, words[i]);
        assert_int_equal(tw_writer_end(writer), TW_E_LIMIT);
    }
    tw_writer_stats(writer, &stats);
    assert_int_equal(stats.packets, 0);
    assert_int_equal(stats.lost, sizeof(words) / sizeof(words[0]));
    scribble(&w.shm, 0);
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), 0); /* and goes on when all is well again */
    tw_writer_free(writer);
    UNTIL(&w, tw_producer_idle(w.producer));
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(only_memory_that_stays_is_shared),
        tw_unit_test(memory_that_was_shared_cannot_shrink),
        tw_unit_test(a_writer_does_not_believe_the_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
