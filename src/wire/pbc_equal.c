/* SPDX-License-Identifier: Apache-2.0 */
/* A message that is not there counts as one in which nothing is said: NULL stands for it below. */
#include <string.h>

#include "base/macros.h"
#include "wire/pbc.h"

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

static bool same_message(const ProtobufCMessageDescriptor *d, const ProtobufCMessage *a,
                         const ProtobufCMessage *b, tw_pbc_ignores *ignores);

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static bool same_element(const ProtobufCFieldDescriptor *f, const void *a, const void *b,
                         tw_pbc_ignores *ignores)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return same_text(*(char *const *)a, *(char *const *)b);
    case PROTOBUF_C_TYPE_BYTES:
        return same_bytes(a, b);
    case PROTOBUF_C_TYPE_MESSAGE:
        return same_message(f->descriptor, *(ProtobufCMessage *const *)a,
                            *(ProtobufCMessage *const *)b, ignores);
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

static bool same_field(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *a,
                       const ProtobufCMessage *b, tw_pbc_ignores *ignores)
{
    const uint8_t *p, *q;
    size_t n = elements(f, a, &p), size = element_size(f->type);

    if (n != elements(f, b, &q))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!same_element(f, p + i * size, q + i * size, ignores))
            return false;
    return true;
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

static bool same_message(const ProtobufCMessageDescriptor *d, const ProtobufCMessage *a,
                         const ProtobufCMessage *b, tw_pbc_ignores *ignores)
{
    for (size_t i = 0; i < d->n_fields && a != b; i++)
        if (!(ignores && ignores(&d->fields[i])) && !same_field(&d->fields[i], a, b, ignores))
            return false;
    return same_unknown(a, b);
}

bool tw_pbc_equal(const ProtobufCMessage *a, const ProtobufCMessage *b, tw_pbc_ignores *ignores)
{
    return a->descriptor == b->descriptor && same_message(a->descriptor, a, b, ignores);
}
