/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which categories a session wants. The input begins with a list, the categories of a program as
 * "name|tags;name|tags", and the rest is a DataSourceConfig. What comes out is what a model says
 * that goes through the lists in their order, once for each kind of fit; and whatever config the
 * service lets pass can be read.
 */
#include "base/macros.h"
#include "fuzz/input.h"
#include "trace_config.pb-c.h"
#include "tracewire/track_event.h"
#include "wire/reader.h"
#include "wire/scan.h"

enum { CATEGORIES = 8, TEXT_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct program {
    char text[TEXT_MAX];
    struct tw_category list[CATEGORIES];
    size_t n;
};

/* Ends the string at the separator, and returns what is behind it; NULL if there is none. */
static char *cut(char *at, char separator)
{
    char *found = strchr(at, separator);

    if (found)
        *found++ = '\0';
    return found;
}

static void read_program(struct program *program, struct tw_bytes text)
{
    if (text.n > 0)
        memcpy(program->text, text.p, text.n);
    for (char *at = program->text, *next; at && program->n < CATEGORIES; at = next) {
        next = cut(at, ';');
        program->list[program->n].tags = cut(at, '|');
        program->list[program->n++].name = at;
    }
}

/* ---- the model ---- */

enum how { EXACTLY, BY_PATTERN, BY_WILDCARD, HOWS };

static bool model_fits(const char *pattern, size_t n, const char *text, enum how how)
{
    const char *star = n ? memchr(pattern, '*', n) : NULL;
    size_t front = star ? (size_t)(star - pattern) : n;
    bool begins = strlen(text) >= front && memcmp(pattern, text, front) == 0;

    switch (how) {
    case EXACTLY:
        return !star && begins && strlen(text) == n;
    case BY_PATTERN:
        return star && front > 0 && begins;
    default:
        return star && front == 0;
    }
}

/* Whether something in the list of this field fits one of the names, which have commas. */
static bool model_list_fits(struct tw_bytes lists, uint32_t field, const char *names, enum how how)
{
    char copy[TEXT_MAX];

    strcpy(copy, names);
    for (char *at = copy, *next; at; at = next) {
        struct tw_reader r = tw_reader_of(lists);
        struct tw_field f;

        next = cut(at, ',');
        if (!*at && !next) /* nothing behind the last comma */
            break;
        while (tw_read_field(&r, &f) == 0)
            if (f.number == field && model_fits((const char *)f.bytes.p, f.bytes.n, at, how))
                return true;
    }
    return false;
}

static bool model_has(struct tw_bytes lists, uint32_t field)
{
    struct tw_reader r = tw_reader_of(lists);
    struct tw_field f;

    while (tw_read_field(&r, &f) == 0)
        if (f.number == field)
            return true;
    return false;
}

static bool model_wants(struct tw_bytes lists, const char *name, const char *tags)
{
    static const uint8_t slow_and_debug[] = "\x1a\x04slow\x1a\x05"
                                            "debug";
    bool by_default = !model_has(lists, 3) && !model_has(lists, 4);
    struct tw_bytes tags_off =
        by_default ? (struct tw_bytes){slow_and_debug, sizeof(slow_and_debug) - 1} : lists;

    for (enum how how = EXACTLY; how < HOWS; how++) {
        if (model_list_fits(lists, 2, name, how))
            return true;
        if (model_list_fits(lists, 1, name, how))
            return false;
        if (model_list_fits(tags_off, 3, tags, how))
            return false;
        if (model_list_fits(lists, 4, tags, how))
            return true;
    }
    return true;
}

static const char *model_tags(const struct program *program, const char *name)
{
    for (size_t i = 0; i < program->n; i++)
        if (strcmp(program->list[i].name, name) == 0)
            return program->list[i].tags ? program->list[i].tags : "";
    return "";
}

/* A group is wanted when a member is; any other has itself for the only one. */
static bool model_wants_any(const struct program *program, struct tw_bytes lists, const char *names)
{
    char copy[TEXT_MAX];

    strcpy(copy, names);
    for (char *at = copy, *next; at; at = next) {
        next = cut(at, ',');
        if (model_wants(lists, at, model_tags(program, at)))
            return true;
    }
    return false;
}

/* ---- the target ---- */

/* Of a message that is well-formed. */
static struct tw_bytes field_of(struct tw_bytes message, uint32_t number)
{
    struct tw_reader r = tw_reader_of(message);
    struct tw_bytes found = {0};
    struct tw_field f;

    while (tw_read_field(&r, &f) == 0)
        found = f.number == number ? f.bytes : found;
    return found;
}

static void check_descriptor(const struct program *program, const struct tw_categories *categories)
{
    struct tw_reader r = tw_reader_of(
        field_of(tw_categories_descriptor(categories), 6 /* track_event_descriptor */));
    struct tw_field f;
    int rc;

    for (size_t i = 0; i < program->n; i++) {
        const char *name = program->list[i].name;
        struct tw_bytes said;

        if (strchr(name, ','))
            continue;
        CHECK(tw_read_field(&r, &f) == 0 && f.number == 1);
        said = field_of(f.bytes, 1);
        CHECK(said.n == strlen(name) && memcmp(said.p, name, said.n) == 0);
    }
    rc = tw_read_field(&r, &f);
    CHECK(rc == TW_MORE);
}

static void check_enabled(struct program *program, struct tw_categories *categories,
                          struct tw_bytes config)
{
    int scan = tw_scan(&tw__data_source_config__descriptor, config, &(size_t){0}, NULL);
    unsigned slot;
    int rc = tw_categories_enable(categories, config, &slot);

    CHECK(rc == 0 || rc == TW_E_LIMIT || scan != 0);
    for (size_t i = 0; i < program->n; i++) {
        bool on = TW_CATEGORY_ON(&program->list[i]);

        if (rc)
            CHECK(!on);
        else
            CHECK(on == model_wants_any(program, field_of(config, 113), program->list[i].name));
    }
    if (rc == 0)
        tw_categories_disable(categories, slot);
    for (size_t i = 0; i < program->n; i++)
        CHECK(!TW_CATEGORY_ON(&program->list[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes input = {.p = data, .n = size};
    struct program program = {.n = 0};
    struct tw_categories *categories;
    int rc;

    read_program(&program, input_list(&input));
    rc = tw_categories_new(&categories, program.list, program.n);
    CHECK(rc == 0 || rc == TW_E_INVALID || rc == TW_E_EXISTS);
    if (rc)
        return 0;
    check_descriptor(&program, categories);
    check_enabled(&program, categories, input);
    tw_categories_free(categories);
    return 0;
}
