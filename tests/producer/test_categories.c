/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macros.h"
#include "base/req.h"
#include "producer/category_rules.h"
#include "tracewire/track_event.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { CONFIG_MAX = 16 * 1024 };

/* A DataSourceConfig with the four lists, each a string with spaces between the names. */
struct lists {
    const char *on, *off, *tags_on, *tags_off;
};

static struct tw_bytes config_of(uint8_t buf[CONFIG_MAX], struct lists lists)
{
    const char *list[] = {
        [1] = lists.off, [2] = lists.on, [3] = lists.tags_off, [4] = lists.tags_on};
    struct tw_writer w = tw_writer_of(buf, CONFIG_MAX);
    uint8_t *nested;

    tw_put_str(&w, 1, "track_event");
    nested = tw_put_begin(&w, 113);
    for (uint32_t field = 1; field < TW_ARRAY_LEN(list); field++) {
        const char *at = list[field] ? list[field] : "";

        for (size_t n; *at; at += n + (at[n] != '\0')) {
            n = strcspn(at, " ");
            tw_put_bytes(&w, field, (struct tw_bytes){(const uint8_t *)at, n});
        }
    }
    tw_put_u64(&w, 6, 1000);
    tw_put_end(&w, nested);
    assert_false(w.overflow);
    return (struct tw_bytes){buf, tw_writer_size(&w)};
}

static bool is_wanted(struct lists lists, const char *name, const char *tags)
{
    uint8_t buf[CONFIG_MAX];
    struct tw_event_config wants;

    assert_int_equal(tw_event_config_read(config_of(buf, lists), &wants), 0);
    return tw_category_is_wanted(&wants, tw_bytes_of_str(name), tw_bytes_of_str(tags));
}

/* ---- the rules ---- */

static void the_closest_fit_decides(void **state)
{
    static const struct {
        struct lists lists;
        bool plain, slow; /* whether net is on, and net.bytes, with the tags slow and io */
    } rows[] = {
        {{0}, true, false},
        {{.on = "*"}, true, false},
        {{.on = "net*"}, true, false},
        {{.on = "net.bytes", .off = "*"}, false, true},
        {{.on = "net*", .off = "*", .tags_on = "slow"}, true, true},
        {{.off = "*", .tags_on = "slow"}, false, true},
        {{.on = "*", .tags_off = "other"}, true, true},
        {{.off = "net"}, false, false},
        {{.on = "net", .off = "net"}, true, false},
        {{.on = "net*", .off = "net.*"}, true, false},
        {{.on = "n*", .off = "net*"}, true, false}, /* of two patterns the list decides */
        {{.off = "ne*", .on = "*"}, false, false},
        {{.off = "*", .on = "*"}, true, false},
        {{.tags_off = "io"}, true, false},
        {{.tags_off = "io", .on = "net.bytes"}, true, true},
        {{.tags_off = "i*", .on = "net.*"}, true, true},
        {{.tags_off = "i*", .on = "*"}, true, false},
        {{.tags_off = "*", .on = "*"}, true, true},
        {{.tags_off = "*"}, true, false},
        {{.tags_off = "*", .tags_on = "io"}, true, true},
        {{.tags_off = "slow", .tags_on = "io"}, true, false}, /* off stands before on */
        {{.tags_on = "*", .off = "n*"}, false, false},
        {{.tags_on = "*"}, true, true},
        {{.tags_on = "other"}, true, true}, /* nothing fits, and slow is not off by itself */
        {{.off = "ne"}, true, false},
        {{.off = "net.bytes.more"}, true, false},
        {{.off = "n*anything"}, false, false}, /* what is behind the star does not count */
        {{.off = "*anything"}, false, false},
    };

    REQ("TW-EVT-002");
    REQ("TW-EVT-003");
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(rows); i++) {
        print_message("row %zu\n", i);
        assert_int_equal(is_wanted(rows[i].lists, "net", ""), rows[i].plain);
        assert_int_equal(is_wanted(rows[i].lists, "net.bytes", "slow,io"), rows[i].slow);
    }
}

static void slow_and_debug_are_off_by_themselves(void **state)
{
    REQ("TW-EVT-003");
    (void)state;
    assert_false(is_wanted((struct lists){0}, "a", "debug"));
    assert_false(is_wanted((struct lists){0}, "a", "io,slow"));
    assert_true(is_wanted((struct lists){0}, "a", "slower"));
    assert_true(is_wanted((struct lists){.on = "a"}, "a", "slow,debug"));
}

static void a_config_without_lists_wants_everything(void **state)
{
    struct tw_event_config wants;

    (void)state;
    assert_int_equal(tw_event_config_read((struct tw_bytes){0}, &wants), 0);
    assert_true(tw_category_is_wanted(&wants, tw_bytes_of_str("net"), tw_bytes_of_str("io")));
}

static int read_raw(const void *config, size_t n)
{
    struct tw_event_config wants;

    return tw_event_config_read((struct tw_bytes){config, n}, &wants);
}

static void what_is_no_config_is_refused(void **state)
{
    REQ("TW-EVT-005");
    (void)state;
    assert_int_equal(read_raw("\x8a\x07\x00", 3), 0);
    assert_int_equal(read_raw("\x8a\x07\x01", 3), TW_E_TRUNCATED);
    assert_int_equal(read_raw("\x8b\x07", 2), TW_E_PROTOCOL);
    assert_int_equal(read_raw("\x88\x07\x00", 3), TW_E_PROTOCOL);
    assert_int_equal(read_raw("\x8a\x07\x00\x8a\x07\x00", 6), TW_E_PROTOCOL);
    assert_int_equal(read_raw("\x8a\x07\x02\x0a\x01", 5), TW_E_TRUNCATED);
    assert_int_equal(read_raw("\x8a\x07\x02\x10\x01", 5), TW_E_PROTOCOL);
    assert_int_equal(read_raw("\x8a\x07\x02\x28\x01", 5), 0);
    assert_int_equal(read_raw("\x8a\x07\x02\x2a\x00", 5), TW_E_PROTOCOL);
    assert_int_equal(read_raw("\x8a\x07\x02\x52\x00", 5), TW_E_PROTOCOL);
    assert_int_equal(read_raw("\x8a\x07\x02\x5a\x00", 5), 0); /* of a later version */
}

static void names_in_a_config_are_bounded(void **state)
{
    static uint8_t buf[4 * TW_CATEGORY_RULES_MAX];
    struct tw_event_config wants;

    REQ("TW-LIM-201");
    (void)state;
    for (size_t n = TW_CATEGORY_RULES_MAX; n <= TW_CATEGORY_RULES_MAX + 1; n++) {
        struct tw_writer w = tw_writer_of(buf, sizeof(buf));
        uint8_t *nested = tw_put_begin(&w, 113);

        for (size_t i = 0; i < n; i++)
            tw_put_str(&w, 2, "x");
        tw_put_end(&w, nested);
        assert_false(w.overflow);
        assert_int_equal(tw_event_config_read((struct tw_bytes){buf, tw_writer_size(&w)}, &wants),
                         n > TW_CATEGORY_RULES_MAX ? TW_E_LIMIT : 0);
    }
}

/* ---- the set ---- */

static int enable(struct tw_categories *categories, struct lists lists, unsigned *ret_slot)
{
    uint8_t buf[CONFIG_MAX];

    return tw_categories_enable(categories, config_of(buf, lists), ret_slot);
}

static void sessions_do_not_disturb_each_other(void **state)
{
    struct tw_category list[] = {TW_CATEGORY("net", "Connections", NULL),
                                 TW_CATEGORY("disk", NULL, "io")};
    struct tw_categories *categories;
    unsigned a, b;

    (void)state;
    assert_int_equal(tw_categories_new(&categories, list, 2), 0);
    assert_false(TW_CATEGORY_ON(&list[0]) || TW_CATEGORY_ON(&list[1]));
    assert_int_equal(enable(categories, (struct lists){.off = "disk"}, &a), 0);
    assert_int_equal(enable(categories, (struct lists){.off = "*", .tags_on = "io"}, &b), 0);
    assert_true(tw_category_on_for(&list[0], a) && !tw_category_on_for(&list[0], b));
    assert_true(tw_category_on_for(&list[1], b) && !tw_category_on_for(&list[1], a));
    tw_categories_disable(categories, a);
    assert_false(TW_CATEGORY_ON(&list[0]));
    assert_true(TW_CATEGORY_ON(&list[1]));
    tw_categories_free(categories);
    assert_false(TW_CATEGORY_ON(&list[1]));
}

static void nothing_is_on_for_a_config_that_is_none(void **state)
{
    struct tw_category list[] = {TW_CATEGORY("net", NULL, NULL)};
    struct tw_categories *categories;
    unsigned slot = 77;

    REQ("TW-EVT-005");
    (void)state;
    assert_int_equal(tw_categories_new(&categories, list, 1), 0);
    assert_int_equal(
        tw_categories_enable(categories, (struct tw_bytes){(const uint8_t *)"\x8b\x07", 2}, &slot),
        TW_E_PROTOCOL);
    assert_false(TW_CATEGORY_ON(&list[0]));
    assert_int_equal(slot, 77);
    tw_categories_free(categories);
}

static void sessions_are_bounded_and_slots_come_back(void **state)
{
    struct tw_category list[] = {TW_CATEGORY("net", NULL, NULL)};
    struct tw_categories *categories;
    unsigned slot;

    REQ("TW-LIM-202");
    (void)state;
    assert_int_equal(tw_categories_new(&categories, list, 1), 0);
    for (unsigned i = 0; i < TW_CATEGORY_SESSIONS_MAX; i++) {
        assert_int_equal(enable(categories, (struct lists){0}, &slot), 0);
        assert_int_equal(slot, i);
    }
    assert_int_equal(enable(categories, (struct lists){0}, &slot), TW_E_LIMIT);
    tw_categories_disable(categories, 5);
    assert_int_equal(list[0].sessions, UINT32_MAX & ~(UINT32_C(1) << 5));
    assert_int_equal(enable(categories, (struct lists){.on = "net"}, &slot), 0);
    assert_int_equal(slot, 5);
    tw_categories_free(categories);
}

static void a_group_is_on_when_a_member_is(void **state)
{
    struct tw_category list[] = {
        TW_CATEGORY("net", NULL, NULL),
        TW_CATEGORY("disk", NULL, "slow"),
        TW_CATEGORY("net,disk", NULL, NULL),
        TW_CATEGORY("disk,other", NULL, NULL),
    };
    struct tw_categories *categories;
    unsigned slot;

    REQ("TW-EVT-004");
    (void)state;
    assert_int_equal(tw_categories_new(&categories, list, 4), 0);
    assert_int_equal(enable(categories, (struct lists){.off = "* other"}, &slot), 0);
    assert_false(TW_CATEGORY_ON(&list[2]) || TW_CATEGORY_ON(&list[3]));
    tw_categories_disable(categories, slot);
    assert_int_equal(enable(categories, (struct lists){.on = "net", .off = "*"}, &slot), 0);
    assert_true(TW_CATEGORY_ON(&list[2]) && !TW_CATEGORY_ON(&list[3]));
    tw_categories_disable(categories, slot);
    assert_int_equal(enable(categories, (struct lists){.off = "net other"}, &slot), 0);
    assert_false(TW_CATEGORY_ON(&list[2])); /* disk has a tag, wherever it stands */
    assert_false(TW_CATEGORY_ON(&list[3]));
    tw_categories_disable(categories, slot);
    assert_int_equal(enable(categories, (struct lists){0}, &slot), 0);
    assert_true(TW_CATEGORY_ON(&list[3])); /* other is nobody's, and nothing is against it */
    tw_categories_free(categories);
}

static void names_of_categories_are_checked(void **state)
{
    static const struct {
        const char *name, *other;
        int result;
    } rows[] = {
        {"a", "b", 0},
        {"a", "a", TW_E_EXISTS},
        {"a", "", TW_E_INVALID},
        {"a,b", "b,a", 0},
        {"a,b", "a,b", TW_E_EXISTS},
        {"a", ",a", TW_E_INVALID},
        {"a", "a,", TW_E_INVALID},
        {"a", "a,,b", TW_E_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(rows); i++) {
        struct tw_category list[] = {TW_CATEGORY(rows[i].name, NULL, NULL),
                                     TW_CATEGORY(rows[i].other, NULL, NULL)};
        struct tw_categories *categories = NULL;

        assert_int_equal(tw_categories_new(&categories, list, 2), rows[i].result);
        tw_categories_free(categories);
    }
}

static void categories_are_bounded(void **state)
{
    static struct tw_category list[TW_CATEGORIES_MAX + 1];
    static char names[TW_CATEGORIES_MAX + 1][8];
    struct tw_categories *categories;

    REQ("TW-LIM-200");
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(list); i++) {
        snprintf(names[i], sizeof(names[i]), "c%zu", i);
        list[i].name = names[i];
    }
    assert_int_equal(tw_categories_new(&categories, list, TW_CATEGORIES_MAX + 1), TW_E_LIMIT);
    assert_int_equal(tw_categories_new(&categories, list, TW_CATEGORIES_MAX), 0);
    tw_categories_free(categories);
}

/* ---- the descriptor ---- */

/* Writes the strings of a message of the schema to out, with its nested ones in parentheses. */
static void print_fields(struct tw_bytes message, unsigned depth, char *out)
{
    struct tw_reader r = tw_reader_of(message);
    struct tw_field f;
    int rc;

    while ((rc = tw_read_field(&r, &f)) == 0) {
        out += strlen(out);
        assert_int_equal(f.type, TW_WIRE_LEN);
        if (depth == 0) {
            sprintf(out, "%u=%.*s ", f.number, (int)f.bytes.n, (const char *)f.bytes.p);
            continue;
        }
        sprintf(out, "%u(", f.number);
        print_fields(f.bytes, depth - 1, out);
        strcat(out, ")");
    }
    assert_int_equal(rc, TW_MORE);
}

static void the_descriptor_has_all_but_groups(void **state)
{
    struct tw_category list[] = {
        TW_CATEGORY("net", "Connections", NULL),
        TW_CATEGORY("net,disk", "Both", NULL),
        TW_CATEGORY("disk", NULL, "slow,io"),
    };
    struct tw_categories *categories;
    char out[256] = "";

    REQ("TW-EVT-001");
    (void)state;
    assert_int_equal(tw_categories_new(&categories, list, 3), 0);
    print_fields(tw_categories_descriptor(categories), 2, out);
    assert_string_equal(out, "6(1(1=net 2=Connections )1(1=disk 3=slow 3=io ))");
    tw_categories_free(categories);
}

static void long_strings_are_in_the_descriptor_whole(void **state)
{
    enum { LONG = 40000 };
    char *text = calloc(1, LONG + 1);
    struct tw_category list[] = {TW_CATEGORY("c", text, text)};
    struct tw_categories *categories;
    struct tw_bytes descriptor;
    size_t tags = 0, name_and_heads = 64;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < LONG; i++)
        text[i] = i % 2 ? ',' : 't';
    tags = LONG / 2;
    assert_int_equal(tw_categories_new(&categories, list, 1), 0);
    descriptor = tw_categories_descriptor(categories);
    assert_true(descriptor.n > LONG + 3 * tags);
    assert_true(descriptor.n < LONG + 3 * tags + name_and_heads);
    tw_categories_free(categories);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(the_closest_fit_decides),
        tw_unit_test(slow_and_debug_are_off_by_themselves),
        tw_unit_test(a_config_without_lists_wants_everything),
        tw_unit_test(what_is_no_config_is_refused),
        tw_unit_test(names_in_a_config_are_bounded),
        tw_unit_test(sessions_do_not_disturb_each_other),
        tw_unit_test(nothing_is_on_for_a_config_that_is_none),
        tw_unit_test(sessions_are_bounded_and_slots_come_back),
        tw_unit_test(a_group_is_on_when_a_member_is),
        tw_unit_test(names_of_categories_are_checked),
        tw_unit_test(categories_are_bounded),
        tw_unit_test(the_descriptor_has_all_but_groups),
        tw_unit_test(long_strings_are_in_the_descriptor_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
