/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/vectors/message_text.h"

#include <inttypes.h>
#include <string.h>

#include "tests/vectors/vectors.h"
#include "tests/wire/schema.h"

/* The value at p of a scalar, string or bytes field. */
static void add_value(struct tw_buf *text, ProtobufCType type, const void *p)
{
    union {
        int32_t i32;
        int64_t i64;
        uint32_t u32;
        uint64_t u64;
        protobuf_c_boolean yes;
        const char *str;
        ProtobufCBinaryData bytes;
    } v = {0};

    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        memcpy(&v.i32, p, sizeof(v.i32));
        text_add(text, "%" PRId32, v.i32);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        memcpy(&v.i64, p, sizeof(v.i64));
        text_add(text, "%" PRId64, v.i64);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        memcpy(&v.u32, p, sizeof(v.u32));
        text_add(text, "%" PRIu32, v.u32);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        memcpy(&v.u64, p, sizeof(v.u64));
        text_add(text, "%" PRIu64, v.u64);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        memcpy(&v.u32, p, sizeof(v.u32));
        text_add(text, "0x%08" PRIx32, v.u32);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(&v.u64, p, sizeof(v.u64));
        text_add(text, "0x%016" PRIx64, v.u64);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        memcpy(&v.yes, p, sizeof(v.yes));
        text_add(text, "%d", v.yes);
        break;
    case PROTOBUF_C_TYPE_STRING:
        memcpy(&v.str, p, sizeof(v.str));
        text_add_hex(text, tw_bytes_of_str(v.str));
        break;
    case PROTOBUF_C_TYPE_BYTES:
        memcpy(&v.bytes, p, sizeof(v.bytes));
        text_add_hex(text, (struct tw_bytes){v.bytes.data, v.bytes.len});
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        memcpy(&v.str, p, sizeof(v.str));
        text_add_message(text, (const ProtobufCMessage *)(const void *)v.str);
        break;
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint32_t);
    }
}

/* How many values of a field are there: one at most, unless it is repeated. */
static size_t count(const uint8_t *message, const ProtobufCFieldDescriptor *f)
{
    const void *quantifier = message + f->quantifier_offset, *value = message + f->offset;
    protobuf_c_boolean has;
    const void *pointer;
    uint32_t member;
    size_t n;

    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&n, quantifier, sizeof(n));
        return n;
    }
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        memcpy(&member, quantifier, sizeof(member));
        return member == f->id;
    }
    if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE) {
        memcpy(&pointer, value, sizeof(pointer));
        return pointer && pointer != f->default_value;
    }
    memcpy(&has, quantifier, sizeof(has));
    return has != 0;
}

static void add_list(struct tw_buf *text, const ProtobufCFieldDescriptor *f, const void *p,
                     size_t n)
{
    const uint8_t *list;

    memcpy(&list, p, sizeof(list));
    text_add(text, "[");
    for (size_t i = 0; i < n; i++) {
        text_add(text, "%s", i ? "," : "");
        add_value(text, f->type, list + i * size_of(f->type));
    }
    text_add(text, "]");
}

void text_add_message(struct tw_buf *text, const ProtobufCMessage *message)
{
    const uint8_t *p = (const uint8_t *)message;
    const char *comma = "";

    text_add(text, "{");
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &message->descriptor->fields[i];
        size_t n = count(p, f);

        if (n == 0)
            continue;
        text_add(text, "%s%s:", comma, f->name);
        comma = ",";
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            add_list(text, f, p + f->offset, n);
        else
            add_value(text, f->type, p + f->offset);
    }
    text_add(text, "}");
}

const ProtobufCMessageDescriptor *message_named(const char *name)
{
    for (size_t i = 0; i < schema_n_messages; i++)
        if (strcmp(schema_messages[i]->name, name) == 0)
            return schema_messages[i];
    fail_msg("no message %s", name);
    return NULL;
}
