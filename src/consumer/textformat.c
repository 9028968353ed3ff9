/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar. Fields go to the output in the order of the text; where that is not the order of
 * their numbers, textsort.c mends it when their message ends. The size of a nested message is put
 * in front of it when it is known: text is small and depth is bounded.
 */
#include "consumer/textformat.h"

#include <string.h>

#include "base/req.h"
#include "consumer/textfields.h"

/* Bytes of the tag and the longest number. */
enum { SCALAR_MAX = 2 * TW_WIRE_VARINT_MAX };

static int parse_fields(struct tw_text *t, const ProtobufCMessageDescriptor *d, char close);

static int advance(struct tw_text *t)
{
    return tw_lex_next(&t->lex);
}

/* Steps over the character if it is there. */
static int skip_char(struct tw_text *t, char c, bool *ret_was)
{
    bool was = tw_lex_is(&t->lex, c);
    int r = was ? advance(t) : 0;

    if (!r)
        *ret_was = was;
    return r;
}

static int put_len_tag(struct tw_text *t, const ProtobufCFieldDescriptor *f)
{
    struct tw_writer w;
    int r = tw_buf_reserve(t->out, SCALAR_MAX);

    if (r)
        return r;
    w = tw_writer_of(t->out->p + t->out->n, SCALAR_MAX);
    tw_put_varint(&w, (uint64_t)f->id << 3 | TW_WIRE_LEN);
    t->out->n += tw_writer_size(&w);
    return 0;
}

/* Puts the size of what lies behind start in front of it. */
static int insert_size(struct tw_text *t, size_t start)
{
    size_t n = t->out->n - start, room = tw_varint_size(n);
    struct tw_writer w;
    int r = tw_buf_reserve(t->out, room);

    if (r)
        return r;
    memmove(t->out->p + start + room, t->out->p + start, n);
    w = tw_writer_of(t->out->p + start, room);
    tw_put_varint(&w, n);
    t->out->n += room;
    return 0;
}

static int parse_message(struct tw_text *t, const ProtobufCFieldDescriptor *f)
{
    char close = tw_lex_is(&t->lex, '<') ? '>' : '}';
    size_t start;
    int r;

    if (close == '}' && !tw_lex_is(&t->lex, '{'))
        return tw_lex_expected(&t->lex, "\"{\"");
    if (t->depth == TW_TEXT_DEPTH_MAX)
        return tw_lex_fail(&t->lex, &t->lex.token, "messages nested more than %d deep",
                           TW_TEXT_DEPTH_MAX);
    r = put_len_tag(t, f);
    if (!r)
        r = advance(t);
    if (r)
        return r;
    start = t->out->n;
    t->depth++;
    r = parse_fields(t, f->descriptor, close);
    t->depth--;
    if (!r)
        r = insert_size(t, start);
    return r ? r : advance(t); /* over the bracket */
}

/* Strings next to each other are one. */
static int parse_string(struct tw_text *t, const ProtobufCFieldDescriptor *f)
{
    struct tw_token first = t->lex.token;
    size_t start;
    int r;

    if (t->lex.token.kind != TW_TOKEN_STRING)
        return tw_lex_expected(&t->lex, "a string");
    r = put_len_tag(t, f);
    start = t->out->n;
    while (!r && t->lex.token.kind == TW_TOKEN_STRING) {
        r = tw_lex_unescape(&t->lex, &t->lex.token, t->out);
        if (!r)
            r = advance(t);
    }
    REQ("TW-ENC-008");
    if (!r && f->type == PROTOBUF_C_TYPE_STRING && t->out->n > start &&
        memchr(t->out->p + start, '\0', t->out->n - start))
        return tw_lex_fail(&t->lex, &first, "\"%s\" with a NUL character", f->name);
    return r ? r : insert_size(t, start);
}

static int parse_scalar(struct tw_text *t, const ProtobufCFieldDescriptor *f)
{
    struct tw_writer w;
    uint64_t bits;
    int r = tw_text_scalar(t, f, &bits);

    if (!r)
        r = tw_buf_reserve(t->out, SCALAR_MAX);
    if (r)
        return r;
    w = tw_writer_of(t->out->p + t->out->n, SCALAR_MAX);
    tw_text_put_scalar(&w, f, bits);
    t->out->n += tw_writer_size(&w);
    return 0;
}

static int parse_value(struct tw_text *t, const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return parse_message(t, f);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        return parse_string(t, f);
    default:
        return parse_scalar(t, f);
    }
}

/* [ value, value ]: the opening bracket is gone already. */
static int parse_list(struct tw_text *t, const ProtobufCFieldDescriptor *f)
{
    bool more = !tw_lex_is(&t->lex, ']');

    while (more) {
        int r = parse_value(t, f);

        if (!r)
            r = skip_char(t, ',', &more);
        if (r)
            return r;
    }
    return tw_lex_is(&t->lex, ']') ? advance(t) : tw_lex_expected(&t->lex, "\",\" or \"]\"");
}

static int parse_values(struct tw_text *t, const ProtobufCFieldDescriptor *f)
{
    bool list;
    int r;

    if (f->label != PROTOBUF_C_LABEL_REPEATED)
        return parse_value(t, f);
    r = skip_char(t, '[', &list);
    if (r)
        return r;
    return list ? parse_list(t, f) : parse_value(t, f);
}

/* One comma or semicolon may follow a field. */
static int skip_separator(struct tw_text *t)
{
    bool comma;
    int r = skip_char(t, ',', &comma);

    return r || comma ? r : skip_char(t, ';', &comma);
}

static int parse_field(struct tw_text *t, const ProtobufCMessageDescriptor *d,
                       struct tw_text_seen *seen)
{
    const ProtobufCFieldDescriptor *f;
    bool colon;
    int r = tw_text_find_field(t, d, &f);

    if (!r)
        r = tw_text_see(t, d, f, seen);
    if (!r)
        r = advance(t);
    if (!r)
        r = skip_char(t, ':', &colon);
    if (r)
        return r;
    if (!colon && f->type != PROTOBUF_C_TYPE_MESSAGE)
        return tw_lex_expected(&t->lex, "\":\"");
    r = parse_values(t, f);
    return r ? r : skip_separator(t);
}

/* Fields up to the bracket, or to the end of the text when close is 0. */
static int parse_fields(struct tw_text *t, const ProtobufCMessageDescriptor *d, char close)
{
    struct tw_text_seen seen = {0};
    size_t start = t->out->n;

    while (close ? !tw_lex_is(&t->lex, close) : t->lex.token.kind != TW_TOKEN_END) {
        int r = parse_field(t, d, &seen);

        if (r)
            return r;
    }
    return seen.unsorted ? tw_text_sort(t->out, start) : 0;
}

int tw_text_parse(const ProtobufCMessageDescriptor *d, struct tw_bytes text, struct tw_buf *out,
                  struct tw_text_error *ret_error)
{
    struct tw_text t = {.lex = tw_lex_of(text, ret_error), .out = out};
    size_t before = out->n;
    int r;

    if (text.n > TW_TEXT_MAX)
        return TW_E_LIMIT;
    r = advance(&t);
    if (!r)
        r = parse_fields(&t, d, 0);
    if (r)
        out->n = before;
    return r;
}
