/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/print_message.h"

#include <inttypes.h>
#include <string.h>

enum { INDENT = 2 };

static const void *member(const ProtobufCMessage *msg, unsigned offset)
{
    return (const char *)(const void *)msg + offset;
}

void tw_print_quoted(FILE *out, struct tw_bytes bytes, size_t max)
{
    size_t shown = tw_min(bytes.n, max);

    fputc('"', out);
    for (size_t i = 0; i < shown; i++) {
        uint8_t c = bytes.p[i];

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
    if (shown < bytes.n)
        fprintf(out, " and %zu bytes more", bytes.n - shown);
}

static void print_enum(FILE *out, const ProtobufCFieldDescriptor *field, int value)
{
    const ProtobufCEnumDescriptor *type = field->descriptor;
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

    if (known)
        fputs(known->name, out);
    else
        fprintf(out, "%d", value);
}

static void print_scalar(FILE *out, const ProtobufCFieldDescriptor *field, const void *p)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        fprintf(out, "%" PRId32, *(const int32_t *)p);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        fprintf(out, "%" PRIu32, *(const uint32_t *)p);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        fprintf(out, "%" PRId64, *(const int64_t *)p);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        fprintf(out, "%" PRIu64, *(const uint64_t *)p);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        fprintf(out, "%g", (double)*(const float *)p);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        fprintf(out, "%.17g", *(const double *)p);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        fputs(*(const protobuf_c_boolean *)p ? "true" : "false", out);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        print_enum(out, field, *(const int *)p);
        break;
    case PROTOBUF_C_TYPE_STRING: {
        const char *str = *(char *const *)p;

        tw_print_quoted(out, (struct tw_bytes){.p = (const uint8_t *)str, .n = strlen(str)},
                        TW_PRINT_STRING_MAX);
        break;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *data = p;

        tw_print_quoted(out, (struct tw_bytes){.p = data->data, .n = data->len},
                        TW_PRINT_BYTES_MAX);
        break;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
}

static size_t element_size(ProtobufCType type)
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

static void print_at(FILE *out, const ProtobufCMessage *msg, int indent, int depth);

static void print_value(FILE *out, const ProtobufCFieldDescriptor *field, const void *p, int indent,
                        int depth)
{
    fprintf(out, "%*s%s", indent, "", field->name);
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        fputs(": ", out);
        print_scalar(out, field, p);
        fputc('\n', out);
        return;
    }
    fputs(" {\n", out);
    print_at(out, *(ProtobufCMessage *const *)p, indent + INDENT, depth + 1);
    fprintf(out, "%*s}\n", indent, "");
}

static void print_repeated(FILE *out, const ProtobufCMessage *msg,
                           const ProtobufCFieldDescriptor *field, int indent, int depth)
{
    size_t n = *(const size_t *)member(msg, field->quantifier_offset);
    const char *values = *(const char *const *)member(msg, field->offset);

    for (size_t i = 0; i < n; i++)
        print_value(out, field, values + i * element_size(field->type), indent, depth);
}

static bool is_set(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *field)
{
    const void *quantifier = member(msg, field->quantifier_offset);

    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const int *)quantifier == (int)field->id;
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const void *p = *(const void *const *)member(msg, field->offset);

        return p && p != field->default_value;
    }
    return field->label == PROTOBUF_C_LABEL_REQUIRED || *(const protobuf_c_boolean *)quantifier;
}

static void print_at(FILE *out, const ProtobufCMessage *msg, int indent, int depth)
{
    const ProtobufCMessageDescriptor *type = msg->descriptor;

    if (depth > TW_PRINT_DEPTH_MAX) {
        fprintf(out, "%*s(nested too deeply)\n", indent, "");
        return;
    }
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];

        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            print_repeated(out, msg, field, indent, depth);
        else if (is_set(msg, field))
            print_value(out, field, member(msg, field->offset), indent, depth);
    }
    for (unsigned i = 0; i < msg->n_unknown_fields; i++)
        fprintf(out, "%*sunknown field %" PRIu32 ": %zu bytes\n", indent, "",
                msg->unknown_fields[i].tag, msg->unknown_fields[i].len);
}

void tw_print_message(FILE *out, const ProtobufCMessage *msg, int indent)
{
    print_at(out, msg, indent, 0);
}
