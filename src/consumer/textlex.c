/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/textlex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

/* Bytes of a token that an error quotes. */
enum { QUOTE_MAX = 40 };

struct tw_lex tw_lex_of(struct tw_bytes text, struct tw_text_error *error)
{
    return (struct tw_lex){.text = text, .line = 1, .error = error};
}

/* The locale must not change what a config means, so no isalpha() here. */
static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The byte so many places ahead, -1 past the end. */
static int peek(const struct tw_lex *lex, size_t ahead)
{
    return ahead < lex->text.n - lex->at ? lex->text.p[lex->at + ahead] : -1;
}

int tw_lex_fail(struct tw_lex *lex, const struct tw_token *at, const char *fmt, ...)
{
    va_list args;

    lex->error->line = at->line;
    lex->error->column = at->column;
    va_start(args, fmt);
    vsnprintf(lex->error->text, sizeof(lex->error->text), fmt, args);
    va_end(args);
    return TW_E_INVALID;
}

int tw_lex_expected(struct tw_lex *lex, const char *what)
{
    const struct tw_token *t = &lex->token;

    if (t->kind == TW_TOKEN_END)
        return tw_lex_fail(lex, t, "expected %s, found the end of the text", what);
    if (t->kind == TW_TOKEN_STRING)
        return tw_lex_fail(lex, t, "expected %s, found a string", what);
    return tw_lex_fail(lex, t, "expected %s, found \"%.*s\"", what,
                       (int)tw_min(t->text.n, QUOTE_MAX), (const char *)t->text.p);
}

bool tw_lex_is(const struct tw_lex *lex, char c)
{
    return lex->token.kind == TW_TOKEN_CHAR && lex->token.text.p[0] == (uint8_t)c;
}

/* White space and comments. */
static void skip_blank(struct tw_lex *lex)
{
    static const char blank[] = {' ', '\t', '\r', '\v', '\f'};
    bool comment = false;

    for (int c; (c = peek(lex, 0)) >= 0; lex->at++) {
        if (c == '\n') {
            lex->line++;
            lex->line_start = lex->at + 1;
            comment = false;
        } else if (c == '#') {
            comment = true;
        } else if (c == '\0' || (!comment && !memchr(blank, c, sizeof(blank)))) {
            return;
        }
    }
}

static size_t run(const struct tw_lex *lex, size_t from, bool (*belongs)(int c))
{
    while (belongs(peek(lex, from)))
        from++;
    return from;
}

/* How long the number is that begins here, 0 when digits are missing; *ret_kind says which. */
static size_t scan_number(const struct tw_lex *lex, enum tw_token_kind *ret_kind)
{
    size_t n, digits;

    *ret_kind = TW_TOKEN_INT;
    if (peek(lex, 0) == '0' && (peek(lex, 1) | 0x20) == 'x') {
        n = run(lex, 2, is_hex);
        return n > 2 ? n : 0;
    }
    n = run(lex, 0, is_digit);
    if (peek(lex, 0) == '0' && n > 1)
        return n; /* octal: no point, no exponent */
    if (peek(lex, n) == '.') {
        *ret_kind = TW_TOKEN_FLOAT;
        n = run(lex, n + 1, is_digit);
    }
    if ((peek(lex, n) | 0x20) == 'e') {
        *ret_kind = TW_TOKEN_FLOAT;
        digits = n + 1;
        if (peek(lex, digits) == '-' || peek(lex, digits) == '+')
            digits++;
        n = run(lex, digits, is_digit);
        if (n == digits)
            return 0;
    }
    if ((peek(lex, n) | 0x20) == 'f') {
        *ret_kind = TW_TOKEN_FLOAT;
        n++;
    }
    return n;
}

static int lex_number(struct tw_lex *lex, struct tw_token *token)
{
    size_t n = scan_number(lex, &token->kind);

    token->text.n = n;
    if (n == 0)
        return tw_lex_fail(lex, token, "a number without digits");
    if (is_name(peek(lex, n)) || peek(lex, n) == '.')
        return tw_lex_fail(lex, token, "a space is missing behind a number");
    return 0;
}

static int lex_string(struct tw_lex *lex, struct tw_token *token)
{
    int quote = peek(lex, 0), c;
    size_t n = 1;

    token->kind = TW_TOKEN_STRING;
    while ((c = peek(lex, n)) != quote) {
        if (c == '\\')
            c = peek(lex, ++n);
        if (c < 0 || c == '\n')
            return tw_lex_fail(lex, token, "a string that does not end on its line");
        n++;
    }
    token->text.n = n + 1;
    return 0;
}

static int lex_char(struct tw_lex *lex, struct tw_token *token)
{
    int c = peek(lex, 0);

    token->kind = TW_TOKEN_CHAR;
    token->text.n = 1;
    if (c && strchr("{}<>[]:,;-./", c))
        return 0;
    if (c > ' ' && c < 0x7f)
        return tw_lex_fail(lex, token, "unexpected character \"%c\"", c);
    return tw_lex_fail(lex, token, "unexpected byte 0x%02x", (unsigned)c);
}

int tw_lex_next(struct tw_lex *lex)
{
    struct tw_token token = {.kind = TW_TOKEN_END};
    int c, r = 0;

    skip_blank(lex);
    c = peek(lex, 0);
    token.line = lex->line;
    token.column = (uint32_t)(lex->at - lex->line_start) + 1;
    if (c >= 0)
        token.text.p = lex->text.p + lex->at;
    if (is_digit(c) || (c == '.' && is_digit(peek(lex, 1)))) {
        r = lex_number(lex, &token);
    } else if (is_name(c)) {
        token.kind = TW_TOKEN_NAME;
        token.text.n = run(lex, 0, is_name);
    } else if (c == '"' || c == '\'') {
        r = lex_string(lex, &token);
    } else if (c >= 0) {
        r = lex_char(lex, &token);
    }
    if (r)
        return r;
    lex->at += token.text.n;
    lex->token = token;
    return 0;
}
