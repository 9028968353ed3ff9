/* SPDX-License-Identifier: Apache-2.0 */
/* Single values: which tokens a type takes, its range, and how it is written. */
#include <string.h>

#include "consumer/textfields.h"
#include "consumer/textnear.h"

enum meaning { MEANS_INTEGER, MEANS_REAL, MEANS_BOOL, MEANS_ENUM };
enum form { FORM_VARINT, FORM_ZIGZAG, FORM_FIXED32, FORM_FIXED64 };

static const struct scalar {
    enum meaning meaning;
    enum form form;
    uint64_t max, max_negated; /* of integers; the second is 0 where no sign is allowed */
} scalars[] = {
    [PROTOBUF_C_TYPE_INT32] = {MEANS_INTEGER, FORM_VARINT, INT32_MAX, UINT64_C(1) << 31},
    [PROTOBUF_C_TYPE_SINT32] = {MEANS_INTEGER, FORM_ZIGZAG, INT32_MAX, UINT64_C(1) << 31},
    [PROTOBUF_C_TYPE_SFIXED32] = {MEANS_INTEGER, FORM_FIXED32, INT32_MAX, UINT64_C(1) << 31},
    [PROTOBUF_C_TYPE_INT64] = {MEANS_INTEGER, FORM_VARINT, INT64_MAX, UINT64_C(1) << 63},
    [PROTOBUF_C_TYPE_SINT64] = {MEANS_INTEGER, FORM_ZIGZAG, INT64_MAX, UINT64_C(1) << 63},
    [PROTOBUF_C_TYPE_SFIXED64] = {MEANS_INTEGER, FORM_FIXED64, INT64_MAX, UINT64_C(1) << 63},
    [PROTOBUF_C_TYPE_UINT32] = {MEANS_INTEGER, FORM_VARINT, UINT32_MAX, 0},
    [PROTOBUF_C_TYPE_FIXED32] = {MEANS_INTEGER, FORM_FIXED32, UINT32_MAX, 0},
    [PROTOBUF_C_TYPE_UINT64] = {MEANS_INTEGER, FORM_VARINT, UINT64_MAX, 0},
    [PROTOBUF_C_TYPE_FIXED64] = {MEANS_INTEGER, FORM_FIXED64, UINT64_MAX, 0},
    [PROTOBUF_C_TYPE_FLOAT] = {MEANS_REAL, FORM_FIXED32, 0, 0},
    [PROTOBUF_C_TYPE_DOUBLE] = {MEANS_REAL, FORM_FIXED64, 0, 0},
    [PROTOBUF_C_TYPE_BOOL] = {MEANS_BOOL, FORM_VARINT, 1, 0},
    [PROTOBUF_C_TYPE_ENUM] = {MEANS_ENUM, FORM_VARINT, INT32_MAX, UINT64_C(1) << 31},
};

/* Steps over a minus sign. */
static int parse_sign(struct tw_text *t, bool *ret_negative)
{
    *ret_negative = tw_lex_is(&t->lex, '-');
    return *ret_negative ? tw_lex_next(&t->lex) : 0;
}

static int parse_integer(struct tw_text *t, const struct scalar *s, uint64_t *ret_bits)
{
    struct tw_token sign = t->lex.token;
    bool negative = false;
    uint64_t value;
    int r = s->max_negated ? parse_sign(t, &negative) : 0;

    if (r)
        return r;
    if (t->lex.token.kind != TW_TOKEN_INT)
        return tw_lex_expected(&t->lex, s->max_negated ? "an integer" : "an integer without sign");
    r = tw_lex_u64(&t->lex.token, &value);
    if (r == TW_E_INVALID)
        return tw_lex_fail(&t->lex, &t->lex.token, "a digit that octal numbers do not have");
    if (r || value > (negative ? s->max_negated : s->max))
        return tw_lex_fail(&t->lex, &sign, "the integer is out of range");
    *ret_bits = negative ? 0 - value : value;
    return 0;
}

static int parse_real(struct tw_text *t, enum form form, uint64_t *ret_bits)
{
    bool negative;
    uint32_t bits32;
    double value;
    float narrow;
    int r = parse_sign(t, &negative);

    if (r)
        return r;
    if (tw_lex_double(&t->lex.token, &value))
        return tw_lex_expected(&t->lex, "a decimal number");
    if (negative)
        value = -value;
    if (form == FORM_FIXED64) {
        memcpy(ret_bits, &value, sizeof(value));
        return 0;
    }
    narrow = (float)value; /* too large becomes infinite, as protoc has it */
    memcpy(&bits32, &narrow, sizeof(narrow));
    *ret_bits = bits32;
    return 0;
}

static int parse_bool(struct tw_text *t, uint64_t *ret_bits)
{
    static const struct {
        const char *name;
        uint64_t value;
    } names[] = {{"true", 1}, {"false", 0}, {"t", 1}, {"f", 0}, {"True", 1}, {"False", 0}};

    if (t->lex.token.kind == TW_TOKEN_INT)
        return parse_integer(t, &scalars[PROTOBUF_C_TYPE_BOOL], ret_bits);
    for (size_t i = 0; t->lex.token.kind == TW_TOKEN_NAME && i < TW_ARRAY_LEN(names); i++) {
        if (tw_bytes_eq_str(t->lex.token.text, names[i].name)) {
            *ret_bits = names[i].value;
            return 0;
        }
    }
    return tw_lex_expected(&t->lex, "true or false");
}

static int parse_enum_name(struct tw_text *t, const ProtobufCEnumDescriptor *e, uint64_t *ret_bits)
{
    const struct tw_token *token = &t->lex.token;
    struct tw_near near = {0};

    for (unsigned i = 0; i < e->n_value_names; i++) {
        const ProtobufCEnumValueIndex *v = &e->values_by_name[i];

        if (tw_bytes_eq_str(token->text, v->name)) {
            *ret_bits = (uint64_t)(int64_t)e->values[v->index].value;
            return 0;
        }
        tw_near_consider(&near, token->text, v->name);
    }
    return tw_lex_fail(&t->lex, token, "%s has no value \"%.*s\"%s%s%s", e->short_name,
                       (int)tw_min(token->text.n, 64), (const char *)token->text.p,
                       near.best ? "; did you mean \"" : "", near.best ? near.best : "",
                       near.best ? "\"?" : "");
}

static int parse_enum(struct tw_text *t, const ProtobufCEnumDescriptor *e, uint64_t *ret_bits)
{
    struct tw_token at = t->lex.token;
    uint64_t bits = 0;
    int r;

    if (at.kind == TW_TOKEN_NAME)
        return parse_enum_name(t, e, ret_bits);
    if (at.kind != TW_TOKEN_INT && !tw_lex_is(&t->lex, '-'))
        return tw_lex_expected(&t->lex, "the name of a value");
    r = parse_integer(t, &scalars[PROTOBUF_C_TYPE_ENUM], &bits);
    if (r)
        return r;
    if (!protobuf_c_enum_descriptor_get_value(e, (int)(int64_t)bits))
        return tw_lex_fail(&t->lex, &at, "%s has no value of that number", e->short_name);
    *ret_bits = bits;
    return 0;
}

int tw_text_scalar(struct tw_text *t, const ProtobufCFieldDescriptor *f, uint64_t *ret_bits)
{
    const struct scalar *s = &scalars[f->type];
    int r;

    switch (s->meaning) {
    case MEANS_REAL:
        r = parse_real(t, s->form, ret_bits);
        break;
    case MEANS_BOOL:
        r = parse_bool(t, ret_bits);
        break;
    case MEANS_ENUM:
        r = parse_enum(t, f->descriptor, ret_bits);
        break;
    default:
        r = parse_integer(t, s, ret_bits);
    }
    return r ? r : tw_lex_next(&t->lex);
}

void tw_text_put_scalar(struct tw_writer *w, const ProtobufCFieldDescriptor *f, uint64_t bits)
{
    uint8_t le[4];

    switch (scalars[f->type].form) {
    case FORM_VARINT:
        tw_put_u64(w, f->id, bits);
        return;
    case FORM_ZIGZAG: /* the sign goes to the lowest bit, so that small negatives stay short */
        tw_put_u64(w, f->id, bits << 1 ^ (bits >> 63 ? UINT64_MAX : 0));
        return;
    case FORM_FIXED64:
        tw_put_fixed64(w, f->id, bits);
        return;
    case FORM_FIXED32:
        tw_put_varint(w, (uint64_t)f->id << 3 | TW_WIRE_FIXED32);
        for (size_t i = 0; i < sizeof(le); i++)
            le[i] = (uint8_t)(bits >> (8 * i));
        tw_put_raw(w, le, sizeof(le));
    }
}
