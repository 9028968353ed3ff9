/* SPDX-License-Identifier: Apache-2.0 */
/* The words of protobuf text format: names, numbers, strings and single characters. */
#pragma once

#include "consumer/textformat.h"

enum tw_token_kind {
    TW_TOKEN_END,
    TW_TOKEN_NAME,
    TW_TOKEN_INT,    /* decimal, 0x hexadecimal or 0 octal, without a sign */
    TW_TOKEN_FLOAT,  /* has a point, an exponent or an f behind it */
    TW_TOKEN_STRING, /* with its quotes; escapes are not resolved yet */
    TW_TOKEN_CHAR,
};

struct tw_token {
    enum tw_token_kind kind;
    struct tw_bytes text;
    uint32_t line, column;
};

struct tw_lex {
    struct tw_bytes text;
    size_t at, line_start;
    uint32_t line;
    struct tw_token token; /* the current one */
    struct tw_text_error *error;
};

/* Starts before the first token. text.n is at most TW_TEXT_MAX. */
struct tw_lex tw_lex_of(struct tw_bytes text, struct tw_text_error *error);
/* Moves to the next token. TW_E_INVALID with the error set. Past the end there are only ends. */
TW_MUST_USE int tw_lex_next(struct tw_lex *lex);
/* Whether the current token is that character. */
bool tw_lex_is(const struct tw_lex *lex, char c);
/* Sets the error at a token; returns TW_E_INVALID. */
int tw_lex_fail(struct tw_lex *lex, const struct tw_token *at, const char *fmt, ...)
    TW_PRINTF(3, 4);
/* As above, at the current token: "expected <what>, found <it>". */
int tw_lex_expected(struct tw_lex *lex, const char *what);

/* The value of an INT token. TW_E_LIMIT past 64 bits. */
TW_MUST_USE int tw_lex_u64(const struct tw_token *token, uint64_t *ret_value);
/* The value of an INT or FLOAT token, or of the names inf, infinity and nan. TW_E_INVALID for
 * anything else, also for hexadecimal and octal, as protoc has it. */
TW_MUST_USE int tw_lex_double(const struct tw_token *token, double *ret_value);
/* Appends the bytes of a STRING token with its escapes resolved. */
TW_MUST_USE int tw_lex_unescape(struct tw_lex *lex, const struct tw_token *token,
                                struct tw_buf *out);
