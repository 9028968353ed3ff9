/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The categories of a data source. Each has a mask of the sessions that want it, which is all that
 * changes: the producer's thread writes it, and any thread reads it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/req.h"
#include "producer/category_rules.h"
#include "tracewire/track_event.h"
#include "wire/writer.h"

/* Field numbers of DataSourceDescriptor and what it holds. */
enum {
    DESCRIPTOR_TRACK_EVENT = 6,
    AVAILABLE_CATEGORIES = 1,
    CATEGORY_NAME = 1,
    CATEGORY_DESCRIPTION = 2,
    CATEGORY_TAGS = 3,
};

/* Bytes of a tag and a length in front of a string or a message, at most. */
enum { FIELD_HEAD = 1 + TW_WIRE_SIZE_BYTES };

struct tw_categories {
    struct tw_category *list;
    size_t n;
    uint32_t slots; /* a bit for each that is taken */
    uint8_t *descriptor;
    size_t descriptor_n;
};

static struct tw_bytes bytes_of(const char *str)
{
    return tw_bytes_of_str(str ? str : "");
}

static bool is_named(const struct tw_category *category, struct tw_bytes name)
{
    return category->name && tw_bytes_eq_str(name, category->name);
}

/* The one of this name; NULL if there is none. */
static const struct tw_category *find(const struct tw_category *list, size_t n,
                                      struct tw_bytes name)
{
    for (size_t i = 0; i < n; i++)
        if (is_named(&list[i], name))
            return &list[i];
    return NULL;
}

static int check_name(const char *name)
{
    struct tw_bytes rest = bytes_of(name), part;

    if (rest.n == 0 || rest.p[rest.n - 1] == ',')
        return TW_E_INVALID;
    while (tw_next_part(&rest, &part))
        if (part.n == 0)
            return TW_E_INVALID;
    return 0;
}

static int check(const struct tw_category *list, size_t n)
{
    REQ("TW-LIM-200");
    if (n > TW_CATEGORIES_MAX)
        return TW_E_LIMIT;
    for (size_t i = 0; i < n; i++) {
        if (!list[i].name)
            continue;
        if (check_name(list[i].name))
            return TW_E_INVALID;
        if (find(list, i, tw_bytes_of_str(list[i].name)))
            return TW_E_EXISTS;
    }
    return 0;
}

/* ---- the descriptor ---- */

static size_t room_for(const struct tw_category *category)
{
    /* A tag has a byte at least, and a comma behind it. */
    return 3 * (size_t)FIELD_HEAD + bytes_of(category->name).n + bytes_of(category->description).n +
           (bytes_of(category->tags).n + 1) * (1 + (size_t)FIELD_HEAD);
}

static void put_category(struct tw_writer *w, const struct tw_category *category)
{
    struct tw_bytes rest = bytes_of(category->tags), tag;
    uint8_t *nested = tw_put_begin(w, AVAILABLE_CATEGORIES);

    tw_put_str(w, CATEGORY_NAME, category->name);
    if (category->description)
        tw_put_str(w, CATEGORY_DESCRIPTION, category->description);
    while (tw_next_part(&rest, &tag))
        tw_put_bytes(w, CATEGORY_TAGS, tag);
    tw_put_end(w, nested);
}

static int describe(struct tw_categories *c)
{
    REQ("TW-EVT-001");
    size_t room = FIELD_HEAD;
    uint8_t *nested;
    struct tw_writer w;

    for (size_t i = 0; i < c->n; i++)
        room += room_for(&c->list[i]);
    c->descriptor = malloc(room);
    if (!c->descriptor)
        return -ENOMEM;
    w = tw_writer_of(c->descriptor, room);
    nested = tw_put_begin(&w, DESCRIPTOR_TRACK_EVENT);
    for (size_t i = 0; i < c->n; i++)
        if (c->list[i].name && !c->list[i].is_group)
            put_category(&w, &c->list[i]);
    tw_put_end(&w, nested);
    c->descriptor_n = tw_writer_size(&w);
    return 0;
}

/* ---- the set ---- */

int tw_categories_new(struct tw_categories **ret_categories, struct tw_category *list, size_t n)
{
    struct tw_categories *c;
    int r = check(list, n);

    if (r)
        return r;
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->list = list;
    c->n = n;
    for (size_t i = 0; i < n; i++)
        list[i].is_group = list[i].name && strchr(list[i].name, ',');
    r = describe(c);
    if (r) {
        tw_categories_free(c);
        return r;
    }
    *ret_categories = c;
    return 0;
}

void tw_categories_free(struct tw_categories *categories)
{
    if (!categories)
        return;
    for (unsigned slot = 0; slot < TW_CATEGORY_SESSIONS_MAX; slot++)
        tw_categories_disable(categories, slot);
    free(categories->descriptor);
    free(categories);
}

struct tw_bytes tw_categories_descriptor(const struct tw_categories *categories)
{
    return (struct tw_bytes){.p = categories->descriptor, .n = categories->descriptor_n};
}

/* ---- on and off ---- */

static bool is_wanted(const struct tw_categories *c, const struct tw_event_config *wants,
                      const struct tw_category *category)
{
    REQ("TW-EVT-004");
    struct tw_bytes rest = bytes_of(category->name), name;

    if (!category->name)
        return true; /* TW_CATEGORY_ANY */
    while (tw_next_part(&rest, &name)) {
        const struct tw_category *one = find(c->list, c->n, name);

        if (tw_category_is_wanted(wants, name, bytes_of(one ? one->tags : NULL)))
            return true;
    }
    return false;
}

int tw_categories_enable(struct tw_categories *categories, struct tw_bytes config,
                         unsigned *ret_slot)
{
    REQ("TW-LIM-202");
    struct tw_event_config wants;
    unsigned slot;
    int r = tw_event_config_read(config, &wants);

    if (r)
        return r;
    if (categories->slots == UINT32_MAX)
        return TW_E_LIMIT;
    slot = (unsigned)__builtin_ctz(~categories->slots);
    categories->slots |= UINT32_C(1) << slot;
    for (size_t i = 0; i < categories->n; i++) {
        struct tw_category *category = &categories->list[i];

        /* Who sees the bit sees what was done before it was set. */
        if (is_wanted(categories, &wants, category))
            __atomic_fetch_or(&category->sessions, UINT32_C(1) << slot, __ATOMIC_RELEASE);
    }
    *ret_slot = slot;
    return 0;
}

void tw_categories_disable(struct tw_categories *categories, unsigned slot)
{
    for (size_t i = 0; i < categories->n; i++)
        __atomic_fetch_and(&categories->list[i].sessions, ~(UINT32_C(1) << slot), __ATOMIC_RELAXED);
    categories->slots &= ~(UINT32_C(1) << slot);
}
