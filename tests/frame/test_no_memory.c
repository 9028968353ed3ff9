/* SPDX-License-Identifier: Apache-2.0 */
/* A session whose memory runs out: what is lost then, and what may be tried again. */
#include "tests/frame/clients.h"
#include "tests/frame/hosts.h"

#include <errno.h>
#include <stdlib.h>

static unsigned allocations_left; /* until one fails, once; 0: none does */

/* The linker's --wrap=f sends calls of f to __wrap_f and those of __real_f to f. */
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static bool fails(void)
{
    return allocations_left > 0 && --allocations_left == 0;
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(p, n, size);
}

/* The call has gone with its frame: its client would wait for ever if the connection went on. */
static void call_that_finds_no_memory_is_lost(void **state)
{
    struct tw_frame invoke = invoke_frame(CALL_ID, 1, 5);
    struct tw_host_call call;
    struct tw_host host;

    (void)state;
    host_open_bound(&host);
    host_feed(&host, &invoke);
    allocations_left = 1;
    assert_int_equal(tw_host_next(&host, &call), -ENOMEM);
    assert_int_equal(tw_host_next(&host, &call), TW_MORE);
    assert_int_equal(tw_host_reply(&host, CALL_ID, NULL, false, -1), TW_E_NOT_FOUND);
    tw_host_end(&host, "no memory");
    assert_int_equal(tw_host_next(&host, &call), TW_E_CLOSED);
    tw_host_deinit(&host);
}

static void reply_that_finds_no_memory_is_still_wanted(void **state)
{
    static const uint8_t body[4096]; /* more than the queue has kept */
    struct tw_bytes reply = {body, sizeof(body)};
    struct tw_buf keep = WIRE_INIT;
    struct tw_host host;

    (void)state;
    host_open_bound(&host);
    host_take_call(&host, CALL_ID, 5);
    allocations_left = 1;
    assert_int_equal(tw_host_reply(&host, CALL_ID, &reply, false, -1), -ENOMEM);
    assert_host_silent(&host);
    assert_int_equal(tw_host_reply(&host, CALL_ID, &reply, false, -1), 0);
    host_only_answer(&host, TW_FRAME_INVOKE_REPLY, &keep);
    tw_host_deinit(&host);
    tw_buf_deinit(&keep);
}

static void call_that_is_not_sent_is_not_awaited(void **state)
{
    static const uint8_t body[4096];
    struct tw_bytes args = {body, sizeof(body)};
    struct tw_client client;

    (void)state;
    client_open_bound(&client);
    for (unsigned nth = 1; nth <= 2; nth++) { /* the list of requests, the queue */
        allocations_left = nth;
        assert_int_equal(tw_client_call(&client, 5, args, false, -1, NULL, NULL), -ENOMEM);
        assert_int_equal(client.requests.n, 0);
        assert_int_equal(tw_tx_queued(&client.tx), 0);
    }
    assert_int_equal(client_call(&client, 5, NULL), 2); /* behind the bind: no id is lost */
    tw_client_deinit(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(call_that_finds_no_memory_is_lost),
        tw_unit_test(reply_that_finds_no_memory_is_still_wanted),
        tw_unit_test(call_that_is_not_sent_is_not_awaited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
