/* SPDX-License-Identifier: Apache-2.0 */
/* The list of outstanding requests. */
#include "tests/frame/frames.h"

#include "frame/requests.h"

static void keeps_what_was_added(void **state)
{
    struct tw_requests reqs = {0};
    int user;
    const struct tw_request *found;

    (void)state;
    assert_null(tw_requests_find(&reqs, 0));
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){7, 3, &user}), 0);
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){UINT64_MAX, 4, NULL}), 0);
    found = tw_requests_find(&reqs, 7);
    assert_non_null(found);
    assert_int_equal(found->method, 3);
    assert_ptr_equal(found->user, &user);
    assert_int_equal(tw_requests_find(&reqs, UINT64_MAX)->method, 4);
    assert_null(tw_requests_find(&reqs, 8));
    tw_requests_deinit(&reqs);
}

static void one_id_is_there_once(void **state)
{
    struct tw_requests reqs = {0};

    (void)state;
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){1, 1, NULL}), 0);
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){1, 2, NULL}), TW_E_EXISTS);
    assert_int_equal(reqs.n, 1);
    tw_requests_remove(&reqs, tw_requests_find(&reqs, 1));
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){1, 2, NULL}), 0);
    tw_requests_deinit(&reqs);
}

static void holds_so_many_and_no_more(void **state)
{
    struct tw_requests reqs = {0};

    (void)state;
    for (uint64_t id = 0; id < TW_REQUESTS_MAX; id++)
        assert_int_equal(tw_requests_add(&reqs, (struct tw_request){.id = id}), 0);
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){.id = 5000}), TW_E_LIMIT);
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){.id = 5}), TW_E_EXISTS);
    tw_requests_remove(&reqs, tw_requests_find(&reqs, 100));
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){.id = 5000}), 0);
    tw_requests_deinit(&reqs);
}

static void removal_keeps_the_order(void **state)
{
    static const uint64_t gone[] = {0, 9, 4, 5};
    static const uint64_t left[] = {1, 2, 3, 6, 7, 8};
    struct tw_requests reqs = {0};

    (void)state;
    for (uint64_t id = 0; id < 10; id++)
        assert_int_equal(tw_requests_add(&reqs, (struct tw_request){.id = id}), 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(gone); i++)
        tw_requests_remove(&reqs, tw_requests_find(&reqs, gone[i]));
    assert_int_equal(reqs.n, TW_ARRAY_LEN(left));
    for (size_t i = 0; i < TW_ARRAY_LEN(left); i++)
        assert_int_equal(reqs.list[i].id, left[i]);
    tw_requests_deinit(&reqs);
}

static void deinit_takes_anything(void **state)
{
    struct tw_requests reqs = {0};

    (void)state;
    tw_requests_deinit(NULL);
    tw_requests_deinit(&reqs);
    assert_int_equal(tw_requests_add(&reqs, (struct tw_request){.id = 1}), 0);
    tw_requests_deinit(&reqs);
    tw_requests_deinit(&reqs);
    assert_int_equal(reqs.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(keeps_what_was_added),      tw_unit_test(one_id_is_there_once),
        tw_unit_test(holds_so_many_and_no_more), tw_unit_test(removal_keeps_the_order),
        tw_unit_test(deinit_takes_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
