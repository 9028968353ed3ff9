/* SPDX-License-Identifier: Apache-2.0 */
/* Names of fields, and which may follow which. */
#include "consumer/textfields.h"

#include <errno.h>

#include "consumer/textnear.h"

/* The field that is called so, or NULL; near then knows what may have been meant. */
static const ProtobufCFieldDescriptor *look_up(const ProtobufCMessageDescriptor *d,
                                               struct tw_bytes name, struct tw_near *near)
{
    for (unsigned i = 0; i < d->n_fields; i++) {
        if (tw_bytes_eq_str(name, d->fields[i].name))
            return &d->fields[i];
        tw_near_consider(near, name, d->fields[i].name);
    }
    return NULL;
}

int tw_text_find_field(struct tw_text *t, const ProtobufCMessageDescriptor *d,
                       const ProtobufCFieldDescriptor **ret_field)
{
    const struct tw_token *token = &t->lex.token;
    struct tw_near near = {0};
    const ProtobufCFieldDescriptor *f;

    if (tw_lex_is(&t->lex, '['))
        return tw_lex_fail(&t->lex, token, "extensions are not supported");
    if (token->kind != TW_TOKEN_NAME)
        return tw_lex_expected(&t->lex, "the name of a field");
    f = look_up(d, token->text, &near);
    if (!f)
        return tw_lex_fail(&t->lex, token, "%s has no field \"%.*s\"%s%s%s", d->short_name,
                           (int)tw_min(token->text.n, 64), (const char *)token->text.p,
                           near.best ? "; did you mean \"" : "", near.best ? near.best : "",
                           near.best ? "\"?" : "");
    *ret_field = f;
    return 0;
}

static bool was_seen(const struct tw_text_seen *seen, size_t i)
{
    return seen->fields[i / 64] >> (i % 64) & 1;
}

/* Members of one oneof share the place that says which of them is there. */
static bool same_oneof(const ProtobufCFieldDescriptor *a, const ProtobufCFieldDescriptor *b)
{
    return (a->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && (b->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
           a->quantifier_offset == b->quantifier_offset;
}

int tw_text_see(struct tw_text *t, const ProtobufCMessageDescriptor *d,
                const ProtobufCFieldDescriptor *f, struct tw_text_seen *seen)
{
    size_t index = (size_t)(f - d->fields);

    if (d->n_fields > TW_TEXT_FIELDS_MAX)
        return -EOVERFLOW;
    for (size_t i = 0; f->label != PROTOBUF_C_LABEL_REPEATED && i < d->n_fields; i++) {
        if (!was_seen(seen, i))
            continue;
        if (i == index)
            return tw_lex_fail(&t->lex, &t->lex.token, "\"%s\" is given twice", f->name);
        if (same_oneof(f, &d->fields[i]))
            return tw_lex_fail(&t->lex, &t->lex.token, "\"%s\" and \"%s\" exclude each other",
                               d->fields[i].name, f->name);
    }
    seen->fields[index / 64] |= UINT64_C(1) << (index % 64);
    if (f->id < seen->last)
        seen->unsorted = true;
    seen->last = f->id;
    return 0;
}
