/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/vectors/vectors.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

enum { SHOWN_MAX = 2000 }; /* bytes of a text that are printed when it is not what it should be */

void text_add(struct tw_buf *text, const char *format, ...)
{
    char line[256];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(line));
    assert_int_equal(tw_buf_append(text, line, (size_t)n), 0);
}

void text_add_hex(struct tw_buf *text, struct tw_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";

    assert_int_equal(tw_buf_reserve(text, 2 * bytes.n), 0);
    for (size_t i = 0; i < bytes.n; i++) {
        text->p[text->n++] = (uint8_t)digits[bytes.p[i] >> 4];
        text->p[text->n++] = (uint8_t)digits[bytes.p[i] & 15];
    }
}

static const char *string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* The hex digits of bytes in their compact form. */
static void add_segments(struct tw_buf *text, const json_t *segments)
{
    const json_t *segment;
    size_t i;

    assert_true(json_array_size(segments) > 0);
    json_array_foreach(segments, i, segment)
    {
        const char *digits =
            json_is_string(segment) ? json_string_value(segment) : string_of(segment, "repeat");
        json_int_t times =
            json_is_string(segment) ? 1 : json_integer_value(json_object_get(segment, "times"));

        assert_non_null(digits);
        assert_true(times > 0);
        for (json_int_t j = 0; j < times; j++)
            assert_int_equal(tw_buf_append(text, digits, strlen(digits)), 0);
    }
}

static void add_object(struct tw_buf *text, json_t *object)
{
    const char *key, *comma = "";
    json_t *value;

    text_add(text, "{");
    json_object_foreach(object, key, value)
    {
        text_add(text, "%s%s:", comma, key);
        text_add_json(text, value);
        comma = ",";
    }
    text_add(text, "}");
}

void text_add_json(struct tw_buf *text, json_t *value)
{
    json_t *item;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_STRING:
        assert_int_equal(tw_buf_append(text, json_string_value(value), json_string_length(value)),
                         0);
        break;
    case JSON_INTEGER:
        text_add(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        text_add(text, "%d", json_is_true(value));
        break;
    case JSON_NULL:
        text_add(text, "null");
        break;
    case JSON_ARRAY:
        text_add(text, "[");
        json_array_foreach(value, i, item)
        {
            text_add(text, "%s", i ? "," : "");
            text_add_json(text, item);
        }
        text_add(text, "]");
        break;
    case JSON_OBJECT:
        item = json_object_get(value, "segments");
        if (item)
            add_segments(text, item);
        else
            add_object(text, value);
        break;
    case JSON_REAL:
        fail_msg("no vector has fractions");
    }
}

void assert_same_text(const struct vector *vector, const struct tw_buf *got,
                      const struct tw_buf *want)
{
    if (got->n == want->n && (got->n == 0 || memcmp(got->p, want->p, got->n) == 0))
        return;
    fail_msg("%s:\ngot  %.*s\nwant %.*s", vector->id, (int)tw_min(got->n, (size_t)SHOWN_MAX),
             (const char *)got->p, (int)tw_min(want->n, (size_t)SHOWN_MAX), (const char *)want->p);
}

uint8_t *exact_copy(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    assert_non_null(copy);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

static uint8_t digit(uint8_t c)
{
    assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void vector_load(struct vector *vector, json_t *json)
{
    struct tw_buf hex = TEXT_INIT;

    *vector = (struct vector){
        .id = string_of(json, "id"),
        .requirement = string_of(json, "requirement"),
        .kind = string_of(json, "kind"),
        .message = string_of(json, "message"),
        .verdict = string_of(json, "verdict"),
        .reason = string_of(json, "reason"),
        .canonical = json_is_true(json_object_get(json, "canonical")),
        .json = json,
    };
    assert_true(vector->id && vector->requirement && vector->kind && vector->verdict);
    text_add_json(&hex, json_object_get(json, "hex"));
    vector->n = hex.n / 2;
    vector->bytes = malloc(vector->n ? vector->n : 1);
    assert_non_null(vector->bytes);
    for (size_t i = 0; i < vector->n; i++)
        vector->bytes[i] = (uint8_t)(digit(hex.p[2 * i]) << 4 | digit(hex.p[2 * i + 1]));
    tw_buf_deinit(&hex);
}

static json_t *file_load(const char *path)
{
    json_error_t error;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (!file)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return file;
}

struct vectors vectors;

int vectors_load(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob("spec/vectors/*.json", 0, NULL, &found), 0);
    vectors.files = calloc(found.gl_pathc, sizeof(*vectors.files));
    assert_non_null(vectors.files);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        json_t *file = file_load(found.gl_pathv[i]), *item;
        size_t j;

        vectors.files[vectors.n_files++] = file; /* the schema is an object: it has no items */
        vectors.list = reallocarray(vectors.list, vectors.n + json_array_size(file) + 1,
                                    sizeof(*vectors.list));
        assert_non_null(vectors.list);
        json_array_foreach(file, j, item) vector_load(&vectors.list[vectors.n++], item);
    }
    assert_true(vectors.n > 0);
    globfree(&found);
    return 0;
}

int vectors_free(void **state)
{
    (void)state;
    for (size_t i = 0; i < vectors.n; i++)
        free(vectors.list[i].bytes);
    for (size_t i = 0; i < vectors.n_files; i++)
        json_decref(vectors.files[i]);
    free(vectors.list);
    free(vectors.files);
    vectors = (struct vectors){0};
    return 0;
}

bool vector_accepts(const struct vector *vector)
{
    bool rejects = strcmp(vector->verdict, "reject") == 0;

    assert_true(rejects == (vector->reason != NULL));
    assert_true(rejects || strcmp(vector->verdict, "accept") == 0 ||
                strcmp(vector->verdict, "more") == 0);
    return !rejects;
}
