/* SPDX-License-Identifier: Apache-2.0 */
/* A message that is not there counts as one in which nothing is said: NULL stands for it below. */
#include <string.h>

#include "base/req.h"
#include "wire/pbc.h"
#include "wire/scan.h"

static size_t element_size(ProtobufCType type)
{
    static const uint8_t sizes[] = {
        [PROTOBUF_C_TYPE_INT32] = 4,
        [PROTOBUF_C_TYPE_SINT32] = 4,
        [PROTOBUF_C_TYPE_SFIXED32] = 4,
        [PROTOBUF_C_TYPE_INT64] = 8,
        [PROTOBUF_C_TYPE_SINT64] = 8,
        [PROTOBUF_C_TYPE_SFIXED64] = 8,
        [PROTOBUF_C_TYPE_UINT32] = 4,
        [PROTOBUF_C_TYPE_FIXED32] = 4,
        [PROTOBUF_C_TYPE_UINT64] = 8,
        [PROTOBUF_C_TYPE_FIXED64] = 8,
        [PROTOBUF_C_TYPE_FLOAT] = 4,
        [PROTOBUF_C_TYPE_DOUBLE] = 8,
        [PROTOBUF_C_TYPE_BOOL] = sizeof(protobuf_c_boolean),
        [PROTOBUF_C_TYPE_ENUM] = sizeof(int),
        [PROTOBUF_C_TYPE_STRING] = sizeof(char *),
        [PROTOBUF_C_TYPE_BYTES] = sizeof(ProtobufCBinaryData),
        [PROTOBUF_C_TYPE_MESSAGE] = sizeof(ProtobufCMessage *),
    };

    return sizes[type];
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* But for messages. */
static bool same_element(const ProtobufCFieldDescriptor *f, const void *a, const void *b)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return same_text(*(char *const *)a, *(char *const *)b);
    case PROTOBUF_C_TYPE_BYTES:
        return same_bytes(a, b);
    default:
        return memcmp(a, b, element_size(f->type)) == 0;
    }
}

/* How many elements a field has, and where they are. One that is not there has one as well, the
 * default, which decoding has left in its place. */
static size_t elements(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m,
                       const uint8_t **ret_first)
{
    static const union {
        ProtobufCBinaryData bytes;
        uint64_t number;
        void *pointer;
    } nothing;
    const uint8_t *at = (const uint8_t *)m;

    if (f->type == PROTOBUF_C_TYPE_STRING)
        *ret_first = (const uint8_t *)&f->default_value; /* the text itself, or NULL */
    else
        *ret_first = f->default_value ? f->default_value : (const uint8_t *)&nothing;
    if (!m)
        return f->label != PROTOBUF_C_LABEL_REPEATED;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(ret_first, at + f->offset, sizeof(*ret_first));
        return *(const size_t *)(at + f->quantifier_offset);
    }
    if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
        *(const uint32_t *)(at + f->quantifier_offset) == f->id)
        *ret_first = at + f->offset;
    return 1;
}

static bool same_unknown(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    size_t n = a ? a->n_unknown_fields : 0;

    if (n != (b ? b->n_unknown_fields : 0))
        return false;
    for (size_t i = 0; i < n; i++) {
        const ProtobufCMessageUnknownField *x = &a->unknown_fields[i], *y = &b->unknown_fields[i];
        ProtobufCBinaryData p = {.len = x->len, .data = x->data};
        ProtobufCBinaryData q = {.len = y->len, .data = y->data};

        if (x->tag != y->tag || x->wire_type != y->wire_type || !same_bytes(&p, &q))
            return false;
    }
    return true;
}

/* Two messages of one kind, and which of their elements is compared next. */
struct pair {
    const ProtobufCMessageDescriptor *d;
    const ProtobufCMessage *a, *b;
    size_t element;
    uint32_t field;
};

/* Messages that are being compared, each inside the one before. */
struct pairs {
    struct pair list[TW_SCAN_DEPTH_MAX];
    size_t n;
};

static bool push(struct pairs *pairs, const ProtobufCMessageDescriptor *d,
                 const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    REQ("TW-LIM-050");
    if (a == b)
        return true;
    if (pairs->n == TW_SCAN_DEPTH_MAX)
        return false; /* nothing that was decoded is as deep */
    pairs->list[pairs->n++] = (struct pair){.d = d, .a = a, .b = b};
    return true;
}

static void next_field(struct pair *pair)
{
    pair->field++;
    pair->element = 0;
}

/* Compares one element, or puts off what is inside it. */
static bool same_next(struct pairs *pairs, struct pair *pair, const ProtobufCFieldDescriptor *f)
{
    const uint8_t *p, *q;
    size_t n = elements(f, pair->a, &p), at = pair->element * element_size(f->type);

    if (n != elements(f, pair->b, &q))
        return false;
    if (pair->element == n) {
        next_field(pair);
        return true;
    }
    pair->element++;
    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return same_element(f, p + at, q + at);
    return push(pairs, f->descriptor, *(ProtobufCMessage *const *)(p + at),
                *(ProtobufCMessage *const *)(q + at));
}

/* One step. */
static bool same_so_far(struct pairs *pairs, tw_pbc_ignores *ignores)
{
    struct pair *pair = &pairs->list[pairs->n - 1];
    const ProtobufCFieldDescriptor *f;

    if (pair->field == pair->d->n_fields) {
        pairs->n--;
        return same_unknown(pair->a, pair->b);
    }
    f = &pair->d->fields[pair->field];
    if (!ignores || !ignores(f))
        return same_next(pairs, pair, f);
    next_field(pair);
    return true;
}

bool tw_pbc_equal(const ProtobufCMessage *a, const ProtobufCMessage *b, tw_pbc_ignores *ignores)
{
    struct pairs pairs = {.n = 0};
    bool same = a->descriptor == b->descriptor && push(&pairs, a->descriptor, a, b);

    while (same && pairs.n > 0)
        same = same_so_far(&pairs, ignores);
    return same;
}
