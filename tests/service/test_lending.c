/* SPDX-License-Identifier: Apache-2.0 */
/* What ReadBuffers sends lies in the trace buffer until it is sent, and no longer than that. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/service/rig.h"

#include "service/core.h"
#include "service/trace_buffer_internal.h"

enum { PACKETS = 40, TEXT = 1000, RUNS = 1024 };

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    uint16_t buffer;
    uint32_t chunk_id;
    uint64_t read_id; /* the request of the last read */
};

static void begin(struct scene *s)
{
    Tw__TraceConfig *config;

    *s = (struct scene){0};
    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    rig_register(s->producer, "source");
    s->consumer = rig_consumer(&s->rig);
    config = rig_config(&s->rig, "source");
    rig_enable(s->consumer, config);
    s->buffer = rig_buffer(s->producer);
}

static void emit(struct scene *s, char letter, int n)
{
    char text[TEXT + 1];

    memset(text, letter, TEXT);
    text[TEXT] = 0;
    for (int i = 0; i < n; i++)
        rig_emit(s->producer, s->chunk_id++, s->buffer, text);
}

static void carry_up(struct rig_peer *peer)
{
    struct tw_bytes bytes;
    uint8_t *to;
    size_t room;
    int fd;

    while (!tw_tx_peek(&peer->client.tx, &bytes, &fd)) {
        tw_service_space(peer->conn, &to, &room);
        assert_true(bytes.n <= room);
        memcpy(to, bytes.p, bytes.n);
        tw_service_received(peer->conn, bytes.n, NULL, 0);
        tw_tx_sent(&peer->client.tx, bytes.n);
    }
}

/* A read whose replies are queued and not sent. */
static void begin_read(struct scene *s)
{
    s->read_id = rig_send(s->consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    carry_up(s->consumer);
    TW_IGNORE(tw_service_run(s->consumer->conn));
}

struct places {
    size_t inside, outside; /* bytes in the trace buffer and elsewhere */
};

static struct places where_it_lies(const struct scene *s)
{
    const struct tw_trace_buffer *tb = s->rig.service->buffers[s->buffer];
    struct places places = {0};
    struct iovec iov[RUNS];
    size_t n;
    int fd;

    assert_int_equal(tw_service_peekv(s->consumer->conn, iov, RUNS, &n, &fd), 0);
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)((uintptr_t)iov[i].iov_base - (uintptr_t)tb->ring);

        *(at < tb->size ? &places.inside : &places.outside) += iov[i].iov_len;
    }
    return places;
}

/* How many packets of this letter the consumer gets from the last read. */
static size_t count(struct scene *s, char letter)
{
    char text[TEXT + 1];
    size_t found = 0;

    memset(text, letter, TEXT);
    text[TEXT] = 0;
    rig_pump(&s->rig);
    for (size_t i = 0; i < s->consumer->n_replies; i++) {
        Tw__ReadBuffersResponse *r;
        struct rig_reply *reply = &s->consumer->replies[i];

        if (reply->id != s->read_id || !reply->success)
            continue;
        r = rig_decode(s->consumer, reply, &tw__read_buffers_response__descriptor);
        assert_non_null(r);
        for (size_t k = 0; k < r->n_slices; k++)
            found += memmem(r->slices[k]->data.data, r->slices[k]->data.len, text, TEXT) != NULL;
    }
    return found;
}

/* Every byte of payload goes from the trace buffer to the socket; what is made for it, slices'
 * heads and stamps, is little. */
static void payload_is_sent_from_the_trace_buffer(void **state)
{
    struct scene s;
    struct places before, with;

    (void)state;
    begin(&s);
    begin_read(&s);
    before = where_it_lies(&s);
    assert_int_equal(before.inside, 0);
    rig_pump(&s.rig);
    emit(&s, 'a', PACKETS);
    begin_read(&s);
    with = where_it_lies(&s);
    assert_true(with.inside >= (size_t)PACKETS * TEXT);
    print_message("%zu bytes of payload: %zu sent from where they lie, %zu others\n",
                  (size_t)PACKETS * TEXT, with.inside, with.outside);
    assert_true(with.outside < (size_t)PACKETS * 64);
    assert_int_equal(count(&s, 'a'), PACKETS);
    rig_free(&s.rig);
}

static void settling_takes_it_out(void **state)
{
    struct scene s;
    struct places before, after;

    (void)state;
    begin(&s);
    emit(&s, 'a', PACKETS);
    begin_read(&s);
    before = where_it_lies(&s);
    tw_service_settle(s.rig.service);
    after = where_it_lies(&s);
    assert_int_equal(after.inside, 0);
    assert_int_equal(after.outside, before.inside + before.outside);
    assert_int_equal(count(&s, 'a'), PACKETS);
    rig_free(&s.rig);
}

/* The ring is overwritten several times before the consumer takes anything. */
static void commits_do_not_change_what_waits(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    emit(&s, 'a', PACKETS);
    begin_read(&s);
    assert_true(where_it_lies(&s).inside > 0);
    s.consumer->deaf = true;
    emit(&s, 'b', 200);
    s.consumer->deaf = false;
    assert_int_equal(count(&s, 'a'), PACKETS);
    rig_free(&s.rig);
}

static void what_waits_outlives_its_buffer(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    emit(&s, 'a', PACKETS);
    begin_read(&s);
    assert_true(where_it_lies(&s).inside > 0);
    rig_send(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    carry_up(s.consumer);
    TW_IGNORE(tw_service_run(s.consumer->conn));
    assert_null(s.rig.service->buffers[s.buffer]);
    assert_int_equal(count(&s, 'a'), PACKETS);
    rig_free(&s.rig);
}

static void another_peer_that_goes_takes_nothing_along(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    emit(&s, 'a', PACKETS);
    begin_read(&s);
    rig_disconnect(s.producer);
    assert_int_equal(where_it_lies(&s).inside, 0);
    assert_int_equal(count(&s, 'a'), PACKETS);
    rig_free(&s.rig);
}

static void a_lender_that_goes_leaves_nothing(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    emit(&s, 'a', PACKETS);
    begin_read(&s);
    assert_true(where_it_lies(&s).inside > 0);
    rig_disconnect(s.consumer);
    tw_service_settle(s.rig.service);
    rig_free(&s.rig);
}

static void time_that_passes_settles(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    emit(&s, 'a', PACKETS);
    begin_read(&s);
    assert_true(where_it_lies(&s).inside > 0);
    tw_service_tick(s.rig.service);
    assert_int_equal(where_it_lies(&s).inside, 0);
    assert_int_equal(count(&s, 'a'), PACKETS);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(payload_is_sent_from_the_trace_buffer),
        tw_unit_test(settling_takes_it_out),
        tw_unit_test(commits_do_not_change_what_waits),
        tw_unit_test(what_waits_outlives_its_buffer),
        tw_unit_test(another_peer_that_goes_takes_nothing_along),
        tw_unit_test(a_lender_that_goes_leaves_nothing),
        tw_unit_test(time_that_passes_settles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
