/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "producer/instance.h"
#include "producer/trace_writer.h"
#include "tests/producer/fake_service.h"
#include "wire/reader.h"

enum { SHM = 64 * 1024 };

struct fixture {
    struct fake_service service;
    struct tw_instance *instance;
    struct tw_track_events *events;
    uint16_t id;
};

static void fixture_init(struct fixture *f, size_t shm_size)
{
    struct tw_source_config parsed;

    *f = (struct fixture){0};
    f->service.arbiter = fake_arbiter(shm_size, 4096, TW_PAGE_DIV1, false);
    assert_int_equal(tw_source_config_read((struct tw_bytes){0}, &parsed), 0);
    assert_int_equal(
        tw_instance_new(&f->instance, f->service.arbiter, 1, (struct tw_bytes){0}, &parsed), 0);
    assert_int_equal(tw_track_events_new(&f->events, f->instance, TW_EXHAUSTED_DEFAULT), 0);
    f->id = tw_track_events_writer(f->events)->reg->id;
}

static struct fake_packets fixture_end(struct fixture *f)
{
    struct fake_packets packets;

    tw_track_events_free(f->events);
    tw_instance_unref(f->instance);
    (void)fake_service_pump(&f->service);
    packets = fake_service_packets(&f->service, f->id);
    fake_service_deinit(&f->service);
    return packets;
}

/* Field numbers from the packet inwards. */
struct path {
    size_t n;
    uint32_t field[3];
};

#define PATH(...)                                                                                  \
    (struct path)                                                                                  \
    {                                                                                              \
        .n = sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), .field = { __VA_ARGS__ }        \
    }

/* The number in the last field at the end of the path; *ret_count is how many there are. */
static uint64_t look(struct tw_bytes message, struct path path, size_t *ret_count)
{
    struct tw_reader r = tw_reader_of(message);
    uint64_t value = 0;
    struct tw_field f;
    int rc;

    while ((rc = tw_read_field(&r, &f)) == 0) {
        if (f.number != path.field[0])
            continue;
        if (path.n > 1) {
            struct path rest = {path.n - 1, {path.field[1], path.field[2]}};

            value = look(f.bytes, rest, ret_count);
            continue;
        }
        value = f.value;
        ++*ret_count;
    }
    assert_int_equal(rc, TW_MORE);
    return value;
}

static uint64_t value_at(const struct fake_packet *p, struct path path)
{
    size_t count = 0;

    return look((struct tw_bytes){p->p, p->n}, path, &count);
}

static size_t count_at(const struct fake_packet *p, struct path path)
{
    size_t count = 0;

    (void)look((struct tw_bytes){p->p, p->n}, path, &count);
    return count;
}

static size_t count_all(const struct fake_packets *packets, struct path path)
{
    size_t count = 0;

    for (size_t i = 0; i < packets->n; i++)
        count += count_at(&packets->list[i], path);
    return count;
}

static size_t count_cleared(const struct fake_packets *packets)
{
    size_t count = 0;

    for (size_t i = 0; i < packets->n; i++)
        count += value_at(&packets->list[i], PATH(13)) & 1;
    return count;
}

static void a_sequence_begins_with_who_it_is(void **state)
{
    struct fake_packets packets;
    struct fixture f;
    uint64_t process, thread;

    (void)state;
    fixture_init(&f, SHM);
    assert_int_equal(tw_track_begin(f.events, "cat", "name"), 0);
    assert_int_equal(tw_track_end(f.events), 0);
    packets = fixture_end(&f);
    assert_int_equal(packets.n, 4);
    assert_int_equal(value_at(&packets.list[0], PATH(13)), 3);
    assert_int_equal(value_at(&packets.list[0], PATH(59, 58)), 6);
    thread = value_at(&packets.list[0], PATH(59, 11, 11));
    process = value_at(&packets.list[0], PATH(60, 1));
    assert_int_equal(value_at(&packets.list[0], PATH(60, 3, 1)), getpid());
    assert_true(value_at(&packets.list[1], PATH(60, 1)) == thread);
    assert_true(value_at(&packets.list[1], PATH(60, 5)) == process);
    assert_int_equal(value_at(&packets.list[1], PATH(60, 4, 2)), gettid());
    assert_int_equal(value_at(&packets.list[2], PATH(11, 9)), 1);
    assert_int_equal(value_at(&packets.list[3], PATH(11, 9)), 2);
    for (size_t i = 1; i < packets.n; i++) {
        assert_int_equal(value_at(&packets.list[i], PATH(13)), 2);
        assert_true(value_at(&packets.list[i], PATH(8)) >= value_at(&packets.list[i - 1], PATH(8)));
    }
    fake_packets_free(&packets);
}

static void strings_are_told_once(void **state)
{
    struct fake_packets packets;
    struct fixture f;

    (void)state;
    fixture_init(&f, SHM);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(tw_track_instant(f.events, "cat", i % 2 ? "odd" : "even"), 0);
        assert_int_equal(tw_track_counter(f.events, "count", -i), 0);
    }
    packets = fixture_end(&f);
    assert_int_equal(count_all(&packets, PATH(12, 1)), 1);
    assert_int_equal(count_all(&packets, PATH(12, 2)), 2);
    assert_int_equal(count_all(&packets, PATH(60, 8)), 1);
    assert_int_equal(count_all(&packets, PATH(11, 10)), 5);
    assert_int_equal(count_all(&packets, PATH(11, 30)), 5);
    assert_true(value_at(&packets.list[packets.n - 1], PATH(11, 30)) == (uint64_t)-4);
    fake_packets_free(&packets);
}

static void everything_is_told_again_when_the_service_asks(void **state)
{
    struct fake_packets packets;
    struct fixture f;

    (void)state;
    fixture_init(&f, SHM);
    assert_int_equal(tw_track_instant(f.events, "cat", "name"), 0);
    atomic_fetch_add(&f.instance->generation, 1);
    assert_int_equal(tw_track_instant(f.events, "cat", "name"), 0);
    packets = fixture_end(&f);
    assert_int_equal(count_cleared(&packets), 2);
    assert_int_equal(count_all(&packets, PATH(12, 1)), 2);
    fake_packets_free(&packets);
}

static void everything_is_told_again_after_a_loss(void **state)
{
    struct fake_packets packets;
    struct fixture f;
    int lost = 0;

    (void)state;
    fixture_init(&f, 4096);
    for (int i = 0; i < 1000; i++) {
        lost += tw_track_instant(f.events, "cat", "name") != 0;
        if (i % 300 == 299)
            (void)fake_service_pump(&f.service);
    }
    assert_true(lost > 0);
    packets = fixture_end(&f);
    assert_true(count_cleared(&packets) > 1);
    assert_int_equal(count_all(&packets, PATH(12, 1)), count_cleared(&packets));
    fake_packets_free(&packets);
}

static void more_strings_than_the_table_holds_are_written_out(void **state)
{
    static char names[300][8];
    struct fake_packets packets;
    struct fixture f;

    (void)state;
    fixture_init(&f, SHM);
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        assert_int_equal(tw_track_instant(f.events, "cat", names[i]), 0);
    }
    packets = fixture_end(&f);
    assert_int_equal(count_all(&packets, PATH(11, 10)) + count_all(&packets, PATH(11, 23)), 300);
    assert_int_equal(count_all(&packets, PATH(11, 10)), count_all(&packets, PATH(12, 2)));
    assert_true(count_all(&packets, PATH(11, 23)) > 0);
    fake_packets_free(&packets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_sequence_begins_with_who_it_is),
        tw_unit_test(strings_are_told_once),
        tw_unit_test(everything_is_told_again_when_the_service_asks),
        tw_unit_test(everything_is_told_again_after_a_loss),
        tw_unit_test(more_strings_than_the_table_holds_are_written_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
