/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of bytes that lie in several places reads as one run of bytes, whatever is done to it. */
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#include "base/gather.h"
#include "base/macros.h"

#define LIMIT ((size_t)1 << 20)

static struct tw_bytes text(const char *p)
{
    return tw_bytes_of_str(p);
}

/* "one, two, three, four", of which two and three are lent. */
static void make(struct tw_gather *g)
{
    *g = TW_GATHER_INIT(LIMIT);
    assert_int_equal(tw_gather_put(g, text("one, ")), 0);
    assert_int_equal(tw_gather_lend(g, text("two, ")), 0);
    assert_int_equal(tw_gather_lend(g, text("three, ")), 0);
    assert_int_equal(tw_gather_put(g, text("four")), 0);
}

/* All that waits, in runs of at most max at a time and limit bytes at a look. */
static void assert_reads(struct tw_gather *g, const char *want, size_t limit, size_t max)
{
    struct iovec iov[8];
    char got[64] = {0};
    size_t n = 0;

    assert_int_equal(tw_gather_size(g), strlen(want));
    while (tw_gather_size(g) > 0) {
        size_t runs = tw_gather_peek(g, limit, iov, max), before = n;

        assert_in_range(runs, 1, max);
        for (size_t i = 0; i < runs; i++) {
            assert_in_range(iov[i].iov_len, 1, limit);
            memcpy(got + n, iov[i].iov_base, iov[i].iov_len);
            n += iov[i].iov_len;
        }
        assert_in_range(n - before, 1, limit);
        tw_gather_consume(g, n - before);
    }
    assert_string_equal(got, want);
    assert_int_equal(tw_gather_peek(g, limit, iov, max), 0);
}

static void lent_bytes_stand_where_they_were_put(void **state)
{
    static const char all[] = "one, two, three, four";
    struct tw_gather g;

    (void)state;
    for (size_t limit = 1; limit <= sizeof(all); limit++)
        for (size_t max = 1; max <= 5; max++) {
            make(&g);
            assert_reads(&g, all, limit, max);
            tw_gather_deinit(&g);
        }
}

static void lent_bytes_are_not_copied(void **state)
{
    static const uint8_t lent[] = "lent";
    struct tw_gather g = TW_GATHER_INIT(LIMIT);
    struct iovec iov[2];

    (void)state;
    assert_int_equal(tw_gather_lend(&g, (struct tw_bytes){lent, 4}), 0);
    assert_int_equal(tw_gather_peek(&g, SIZE_MAX, iov, 2), 1);
    assert_ptr_equal(iov[0].iov_base, lent);
    tw_gather_deinit(&g);
}

static void settled_bytes_are_the_queues_own(void **state)
{
    static const char all[] = "one, two, three, four";
    char lent[] = "two, three, ";
    struct tw_gather g = TW_GATHER_INIT(LIMIT);

    (void)state;
    for (size_t consumed = 0; consumed < sizeof(all) - 1; consumed++) {
        memcpy(lent, "two, three, ", sizeof(lent));
        assert_int_equal(tw_gather_put(&g, text("one, ")), 0);
        assert_int_equal(tw_gather_lend(&g, (struct tw_bytes){(uint8_t *)lent, 5}), 0);
        assert_int_equal(tw_gather_lend(&g, (struct tw_bytes){(uint8_t *)lent + 5, 7}), 0);
        assert_int_equal(tw_gather_put(&g, text("four")), 0);
        tw_gather_consume(&g, consumed);
        assert_int_equal(tw_gather_settle(&g), 0);
        assert_int_equal(g.lent, 0);
        memset(lent, 'x', sizeof(lent));
        assert_reads(&g, all + consumed, SIZE_MAX, 8);
        tw_gather_clear(&g);
    }
    tw_gather_deinit(&g);
}

/* Behind what is half consumed, and what follows is put in its place. */
static void appends_what_waits_in_another(void **state)
{
    struct tw_gather g, from;

    (void)state;
    for (size_t consumed = 0; consumed < 21; consumed++) {
        char want[64];

        make(&g);
        make(&from);
        tw_gather_consume(&from, consumed);
        assert_int_equal(tw_gather_append(&g, &from), 0);
        assert_int_equal(tw_gather_put(&g, text(".")), 0);
        snprintf(want, sizeof(want), "one, two, three, four%s.",
                 &"one, two, three, four"[consumed]);
        tw_gather_consume(&g, 7);
        tw_gather_compact(&g);
        assert_reads(&g, want + 7, SIZE_MAX, 8);
        tw_gather_deinit(&g);
        tw_gather_deinit(&from);
    }
}

static void own_bytes_are_limited(void **state)
{
    struct tw_gather g = TW_GATHER_INIT(4);

    (void)state;
    assert_int_equal(tw_gather_lend(&g, text("12345")), 0);
    assert_int_equal(tw_gather_put(&g, text("1234")), 0);
    assert_int_equal(tw_gather_put(&g, text("5")), TW_E_LIMIT);
    assert_int_equal(tw_gather_settle(&g), TW_E_LIMIT);
    assert_int_equal(tw_gather_size(&g), 9);
    tw_gather_deinit(&g);
}

static void many_pieces_are_kept(void **state)
{
    struct tw_gather g = TW_GATHER_INIT(LIMIT), all = TW_GATHER_INIT(LIMIT);

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(tw_gather_lend(&g, text("ab")), 0);
    assert_int_equal(tw_gather_append(&all, &g), 0);
    assert_int_equal(tw_gather_append(&all, &g), 0);
    assert_int_equal(tw_gather_size(&all), 4000);
    tw_gather_consume(&all, 1999);
    assert_int_equal(tw_gather_settle(&all), 0);
    assert_int_equal(all.own.p[all.head], 'b');
    assert_int_equal(tw_gather_size(&all), 2001);
    tw_gather_deinit(&all);
    tw_gather_deinit(&g);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(lent_bytes_stand_where_they_were_put),
        tw_unit_test(lent_bytes_are_not_copied),
        tw_unit_test(settled_bytes_are_the_queues_own),
        tw_unit_test(appends_what_waits_in_another),
        tw_unit_test(own_bytes_are_limited),
        tw_unit_test(many_pieces_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
