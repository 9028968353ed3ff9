/* SPDX-License-Identifier: Apache-2.0 */
/* What the tokens of numbers and strings mean. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "consumer/textlex.h"

/* Characters of a floating point number: far more than any double needs. */
enum { NUMBER_MAX = 128 };

/* The value of a digit in base 36, large for anything else. */
static unsigned digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0';
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? c - (unsigned)'a' + 10 : 99;
}

static int parse_digits(struct tw_bytes digits, unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits.n; i++) {
        unsigned digit = digit_value(digits.p[i]);

        if (digit >= base)
            return TW_E_INVALID;
        if (value > (UINT64_MAX - digit) / base)
            return TW_E_LIMIT;
        value = value * base + digit;
    }
    *ret_value = value;
    return 0;
}

int tw_lex_u64(const struct tw_token *token, uint64_t *ret_value)
{
    struct tw_bytes t = token->text;

    if (token->kind != TW_TOKEN_INT)
        return TW_E_INVALID;
    if (t.n > 2 && (t.p[1] | 0x20) == 'x')
        return parse_digits((struct tw_bytes){.p = t.p + 2, .n = t.n - 2}, 16, ret_value);
    return parse_digits(t, t.n > 1 && t.p[0] == '0' ? 8 : 10, ret_value);
}

static int named_double(const char *name, double *ret_value)
{
    if (!strcasecmp(name, "inf") || !strcasecmp(name, "infinity"))
        *ret_value = HUGE_VAL;
    else if (!strcasecmp(name, "nan"))
        *ret_value = (double)NAN;
    else
        return TW_E_INVALID;
    return 0;
}

int tw_lex_double(const struct tw_token *token, double *ret_value)
{
    char copy[NUMBER_MAX + 1];
    struct tw_bytes t = token->text;

    if (t.n == 0 || t.n > NUMBER_MAX)
        return TW_E_INVALID;
    memcpy(copy, t.p, t.n);
    copy[t.n] = '\0';
    if (token->kind == TW_TOKEN_NAME)
        return named_double(copy, ret_value);
    if (token->kind == TW_TOKEN_INT && t.n > 1 && t.p[0] == '0')
        return TW_E_INVALID;
    if (token->kind != TW_TOKEN_INT && token->kind != TW_TOKEN_FLOAT)
        return TW_E_INVALID;
    *ret_value = strtod(copy, NULL); /* stops at the f that may end it */
    return 0;
}

/* The state of resolving one string. */
struct unescape {
    const uint8_t *p;
    size_t n, at;
    uint8_t out[4];
    size_t n_out;
};

/* At most max digits of a base; how many there were. */
static size_t take_digits(struct unescape *u, unsigned base, size_t max, uint32_t *ret_value)
{
    uint32_t value = 0;
    size_t n = 0;

    while (n < max && u->at < u->n && digit_value(u->p[u->at]) < base) {
        value = value * base + digit_value(u->p[u->at++]);
        n++;
    }
    *ret_value = value;
    return n;
}

static const char *put_byte(struct unescape *u, uint32_t value)
{
    if (value > 0xff)
        return "an octal escape larger than a byte";
    u->out[0] = (uint8_t)value;
    u->n_out = 1;
    return NULL;
}

static const char *put_utf8(struct unescape *u, uint32_t c)
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return "an escape that is no Unicode character";
    for (size_t i = n; i-- > 1; c >>= 6)
        u->out[i] = (uint8_t)(0x80 | (c & 0x3f));
    u->out[0] = (uint8_t)(lead[n - (n == 1)] | c);
    u->n_out = n;
    return NULL;
}

/* \u and \U; two \u may be the halves of a surrogate pair. */
static const char *unicode_escape(struct unescape *u, size_t digits)
{
    uint32_t c, low;

    if (take_digits(u, 16, digits, &c) != digits)
        return "a Unicode escape with too few digits";
    if (c >= 0xd800 && c <= 0xdbff && u->n - u->at >= 6 && u->p[u->at] == '\\' &&
        u->p[u->at + 1] == 'u') {
        u->at += 2;
        if (take_digits(u, 16, 4, &low) != 4 || low < 0xdc00 || low > 0xdfff)
            return "half a surrogate pair";
        c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
    }
    return put_utf8(u, c);
}

static const char *escape(struct unescape *u)
{
    static const char names[] = "abfnrtv\\'\"?", values[] = "\a\b\f\n\r\t\v\\'\"?";
    uint8_t c = u->p[u->at];
    const char *name;
    uint32_t value;

    if (take_digits(u, 8, 3, &value))
        return put_byte(u, value);
    u->at++;
    if (c == 'x')
        return take_digits(u, 16, 2, &value) ? put_byte(u, value) : "a \\x without digits";
    if (c == 'u' || c == 'U')
        return unicode_escape(u, c == 'u' ? 4 : 8);
    name = c ? strchr(names, c) : NULL;
    return name ? put_byte(u, (uint8_t)values[name - names]) : "an unknown escape";
}

int tw_lex_unescape(struct tw_lex *lex, const struct tw_token *token, struct tw_buf *out)
{
    struct unescape u = {.p = token->text.p, .n = token->text.n - 1, .at = 1};

    while (u.at < u.n) {
        struct tw_token here = *token;
        const char *wrong = NULL;
        int r;

        here.column += (uint32_t)u.at;
        if (u.p[u.at] == '\\') {
            u.at++;
            wrong = escape(&u);
        } else {
            put_byte(&u, u.p[u.at++]);
        }
        if (wrong)
            return tw_lex_fail(lex, &here, "%s", wrong);
        r = tw_buf_append(out, u.out, u.n_out);
        if (r)
            return r;
    }
    return 0;
}
