/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vectors of spec/vectors, and decoded values as text. The text of a value is the same whether
 * it was written from a vector's JSON or from what was decoded, so that one comparison of two
 * strings tells all and a difference can be read.
 */
#pragma once

#include "tests/harness.h"

#include <jansson.h>

#include "base/bytes.h"

#define TEXT_INIT TW_BUF_INIT((size_t)16 * 1024 * 1024)

struct vector {
    const char *id, *requirement, *kind, *message, *verdict, *reason;
    bool canonical;
    json_t *json;
    uint8_t *bytes; /* exactly n, so that ASan sees one too many */
    size_t n;
};

struct vectors {
    json_t **files;
    size_t n_files;
    struct vector *list;
    size_t n;
};

/* Every vector of every file, in a fixed order: there from vectors_load() to vectors_free(), a
 * group of tests' setup and teardown. */
extern struct vectors vectors;
int vectors_load(void **state);
int vectors_free(void **state);

/* Whether a vector counts as accepted, and that it says so in one of the allowed ways. */
bool vector_accepts(const struct vector *vector);

/* A copy of exactly n bytes, from malloc. */
uint8_t *exact_copy(const uint8_t *p, size_t n);

void text_add(struct tw_buf *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_hex(struct tw_buf *text, struct tw_bytes bytes);
/* A value as it is in a vector: {name:value,...}, lists in brackets, bytes in hex. */
void text_add_json(struct tw_buf *text, json_t *value);
/* Fails with the vector's id and both texts when they differ. */
void assert_same_text(const struct vector *vector, const struct tw_buf *got,
                      const struct tw_buf *want);
