/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/mutator.h"

#include <string.h>

#include "base/macros.h"
#include "fuzz/mutator_make.h"
#include "fuzz/mutator_place.h"

enum {
    CHANGES_MAX = 4, /* of one call */
    TRIES_MAX = 32,  /* to find as many that can be made */
    NEST_MAX = 100,
    PADDED_MAX = 11, /* bytes of a varint, one too many */
    BYTES_MORE = 64, /* that a field of bytes may grow by */
};

static uint8_t scratch[64 * 1024];

/* Changes of pieces, for every level. */

/* Before one of the pieces or behind the last. */
static size_t pick_gap(struct mutator *m, const struct place *place, enum level level)
{
    struct piece list[PIECES_MAX];
    size_t n = pieces_of(mutator_input(m), place, level, list), i = mutator_index(m, n + 1);

    if (i < n)
        return list[i].begin;
    return n ? list[n - 1].end : place->begin;
}

static bool insert(struct mutator *m, enum level level)
{
    struct tw_writer w = tw_writer_of(scratch, sizeof(scratch));
    struct place place;

    if (!enter(m, mutator_input(m), level, &place))
        return false;
    if (level == LEVEL_OP)
        make_op(m, &w);
    else if (level == LEVEL_FRAME)
        make_frame(m, &w);
    else
        make_field(m, &w, place.message);
    return !w.overflow &&
           put_at(m, &place, pick_gap(m, &place, level), 0, scratch, tw_writer_size(&w));
}

static bool delete (struct mutator *m, enum level level)
{
    struct place place;
    struct piece p;

    return enter(m, mutator_input(m), level, &place) &&
           pick(m, mutator_input(m), &place, level, &p) &&
           put_at(m, &place, p.begin, p.end - p.begin, NULL, 0);
}

/* Inserts a copy of p, a piece of from. */
static bool insert_copy(struct mutator *m, const struct place *place, enum level level,
                        struct tw_bytes from, struct piece p)
{
    size_t n = p.end - p.begin;

    if (n > sizeof(scratch))
        return false;
    memcpy(scratch, from.p + p.begin, n);
    return put_at(m, place, pick_gap(m, place, level), 0, scratch, n);
}

static bool duplicate(struct mutator *m, enum level level)
{
    struct place place;
    struct piece p;

    return enter(m, mutator_input(m), level, &place) &&
           pick(m, mutator_input(m), &place, level, &p) &&
           insert_copy(m, &place, level, mutator_input(m), p);
}

static bool swap(struct mutator *m, enum level level)
{
    struct piece list[PIECES_MAX];
    struct place place;
    size_t n, i, first;

    if (!enter(m, mutator_input(m), level, &place))
        return false;
    n = pieces_of(mutator_input(m), &place, level, list);
    if (n < 2)
        return false;
    i = mutator_index(m, n - 1);
    first = list[i].end - list[i].begin;
    if (first > sizeof(scratch))
        return false;
    memcpy(scratch, m->data + list[i].begin, first);
    memmove(m->data + list[i].begin, m->data + list[i].end, list[i + 1].end - list[i].end);
    memcpy(m->data + list[i + 1].end - first, scratch, first);
    return true;
}

static bool cross(struct mutator *m)
{
    enum level level = (enum level)mutator_below(m, 3);
    struct place from, place;
    struct piece p;

    return enter(m, m->other, level, &from) && pick(m, m->other, &from, level, &p) &&
           enter(m, mutator_input(m), level, &place) && insert_copy(m, &place, level, m->other, p);
}

/* Changes of one operation, frame or choice. */

static bool op_head(struct mutator *m)
{
    struct place place;
    struct piece p;

    if (!enter(m, mutator_input(m), LEVEL_OP, &place) ||
        !pick(m, mutator_input(m), &place, LEVEL_OP, &p))
        return false;
    if (mutator_below(m, 3) == 0 || p.end - p.begin < 2)
        m->data[p.begin] = make_op_kind(m);
    else
        m->data[p.begin + 1] = (uint8_t)mutator_below(m, 256);
    return true;
}

static bool pick_frame(struct mutator *m, struct place *place, struct box *ret_size,
                       struct piece *ret)
{
    if (!enter(m, mutator_input(m), LEVEL_FRAME, place) ||
        !pick(m, mutator_input(m), place, LEVEL_FRAME, ret))
        return false;
    *ret_size = (struct box){.kind = BOX_FRAME, .at = ret->begin, .width = FRAME_SIZE_BYTES};
    return true;
}

static bool frame_split(struct mutator *m)
{
    uint8_t none[FRAME_SIZE_BYTES] = {0};
    struct place place;
    struct box size;
    struct piece p;
    size_t n, first;

    if (!pick_frame(m, &place, &size, &p))
        return false;
    n = p.end - p.begin - FRAME_SIZE_BYTES;
    first = mutator_index(m, n + 1);
    if (place.n_boxes + 1 > BOXES_MAX ||
        !put_at(m, &place, p.begin + FRAME_SIZE_BYTES + first, 0, none, sizeof(none)))
        return false;
    put_size(m, &size, first);
    size.at += FRAME_SIZE_BYTES + first;
    put_size(m, &size, n - first);
    return true;
}

static bool frame_merge(struct mutator *m)
{
    struct piece p, next;
    struct place place;
    struct box size;

    if (!pick_frame(m, &place, &size, &p) ||
        !first_piece(m->layout, mutator_input(m), LEVEL_FRAME, (struct piece){p.end, place.end},
                     &next) ||
        !put_at(m, &place, p.end, FRAME_SIZE_BYTES, NULL, 0))
        return false;
    put_size(m, &size, p.end - p.begin + next.end - next.begin - 2 * FRAME_SIZE_BYTES);
    return true;
}

static bool frame_size(struct mutator *m)
{
    struct place place;
    struct box size;
    struct piece p;

    if (!pick_frame(m, &place, &size, &p))
        return false;
    put_size(m, &size, mutator_below(m, 2) ? make_number(m) : 131067 + mutator_below(m, 4));
    return true;
}

static bool choice(struct mutator *m)
{
    size_t end = body_of(m->layout, mutator_input(m)), at = m->layout->fixed;
    uint32_t which = mutator_below(m, m->layout->lists + 1U);
    uint8_t byte = (uint8_t)mutator_below(m, 256);
    struct place list = {0};

    if (end == 0)
        return false;
    if (which == m->layout->lists || at >= end) {
        m->data[mutator_index(m, m->layout->fixed ? tw_min(at, end) : end)] = byte;
        return true;
    }
    for (; which > 0 && at + 1 + m->data[at] < end; which--)
        at += 1 + (size_t)m->data[at];
    open_box(&list, BOX_LIST, at, 1, tw_min(end, at + 1 + m->data[at]));
    if (mutator_below(m, 3) == 0 && list.begin < list.end)
        return put_at(m, &list, list.begin + mutator_index(m, list.end - list.begin), 1, NULL, 0);
    return put_at(m, &list, list.begin + mutator_index(m, list.end - list.begin + 1), 0, &byte, 1);
}

/* Changes of one field. */

static bool field_type(struct mutator *m)
{
    struct tw_writer w = tw_writer_of(scratch, sizeof(scratch));
    struct place place;
    struct field_at f;

    if (!pick_field(m, &place, &f))
        return false;
    if (mutator_below(m, 2)) {
        uint8_t *tag = m->data + f.whole.begin;

        *tag = (uint8_t)((*tag & ~7U) | mutator_below(m, 8));
        return true;
    }
    make_any(m, &w, f.field.number);
    return !w.overflow && put_at(m, &place, f.whole.begin, f.whole.end - f.whole.begin, scratch,
                                 tw_writer_size(&w));
}

static bool field_number(struct mutator *m)
{
    static const uint64_t ends[] = {0, 1, 15, 16, 100, 1 << 24, TW_WIRE_FIELD_MAX, 1 << 29};
    uint64_t number = ends[mutator_below(m, TW_ARRAY_LEN(ends))];
    struct tw_writer w = tw_writer_of(scratch, sizeof(scratch));
    struct place place;
    struct field_at f;

    if (!pick_field(m, &place, &f))
        return false;
    if (mutator_below(m, 2) && place.message->n_fields)
        number = place.message->fields[mutator_below(m, place.message->n_fields)].id;
    tw_put_varint(&w, number << 3 | (uint64_t)f.field.type);
    return put_at(m, &place, f.whole.begin, f.tag_end - f.whole.begin, scratch, tw_writer_size(&w));
}

/* The tag, the size or the value. */
static bool field_long(struct mutator *m)
{
    struct tw_reader r;
    struct place place;
    struct field_at f;
    uint64_t value;
    size_t at, n, width;

    if (!pick_field(m, &place, &f))
        return false;
    at = mutator_below(m, 2) ? f.whole.begin : f.tag_end;
    r = (struct tw_reader){m->data + at, m->data + f.whole.end};
    if ((at == f.tag_end && f.field.type != TW_WIRE_VARINT && f.field.type != TW_WIRE_LEN) ||
        tw_read_varint(&r, &value))
        return false;
    n = (size_t)(r.p - m->data) - at;
    width = tw_varint_size(value) + mutator_index(m, PADDED_MAX + 1 - tw_varint_size(value));
    put_padded(scratch, width, value);
    return put_at(m, &place, at, n, scratch, width);
}

static bool field_value(struct mutator *m)
{
    struct tw_writer w = tw_writer_of(scratch, sizeof(scratch));
    const ProtobufCFieldDescriptor *known;
    struct place place;
    struct field_at f;

    if (!pick_field(m, &place, &f))
        return false;
    known = protobuf_c_message_descriptor_get_field(place.message, f.field.number);
    if (known)
        make_known(m, &w, known);
    else
        make_any(m, &w, f.field.number);
    return !w.overflow && put_at(m, &place, f.whole.begin, f.whole.end - f.whole.begin, scratch,
                                 tw_writer_size(&w));
}

static bool field_nest(struct mutator *m)
{
    static const uint32_t depths[] = {1, 2, 7, 62, 63, 64, 65, NEST_MAX};
    uint32_t depth = depths[mutator_below(m, TW_ARRAY_LEN(depths))];
    size_t at = sizeof(scratch), n;
    uint8_t header[16];
    struct place place;
    struct field_at f;

    if (!pick_field(m, &place, &f))
        return false;
    n = f.whole.end - f.whole.begin;
    for (; depth > 0; depth--) { /* from the innermost out */
        struct tw_writer w = tw_writer_of(header, sizeof(header));

        tw_put_len(&w, f.field.number, n);
        at -= tw_writer_size(&w);
        n += tw_writer_size(&w);
        memcpy(scratch + at, header, tw_writer_size(&w));
    }
    return put_at(m, &place, f.whole.begin, 0, scratch + at, sizeof(scratch) - at);
}

static bool field_size(struct mutator *m)
{
    struct tw_writer w = tw_writer_of(scratch, sizeof(scratch));
    struct place place;
    struct field_at f;
    uint64_t size;

    if (!pick_field(m, &place, &f) || f.field.type != TW_WIRE_LEN)
        return false;
    size = mutator_below(m, 2) ? make_number(m) : f.field.bytes.n + 1 - 2 * mutator_index(m, 2);
    tw_put_varint(&w, size);
    return put_at(m, &place, f.tag_end, f.value - f.tag_end, scratch, tw_writer_size(&w));
}

static bool field_bytes(struct mutator *m)
{
    struct place place;
    struct field_at f;
    size_t n, max;

    if (!pick_field(m, &place, &f) || f.field.type != TW_WIRE_LEN)
        return false;
    n = f.field.bytes.n;
    max = tw_min(sizeof(scratch), n + BYTES_MORE);
    if (n > max)
        return false;
    open_box(&place, BOX_FIELD, f.tag_end, f.value - f.tag_end, f.whole.end);
    memcpy(scratch, m->data + f.value, n);
    return put_at(m, &place, f.value, n, scratch, m->bytes(m, scratch, n, max));
}

/* The whole. */

static bool change(struct mutator *m, enum mutation what)
{
    static bool (*const of_pieces[])(struct mutator *, enum level) = {insert, delete, duplicate,
                                                                      swap};
    static const enum level levels[] = {LEVEL_OP, LEVEL_FRAME, LEVEL_FIELD};
    static bool (*const of_one[MUTATE_MAX])(struct mutator *) = {
        [MUTATE_OP_HEAD] = op_head,
        [MUTATE_FRAME_SPLIT] = frame_split,
        [MUTATE_FRAME_MERGE] = frame_merge,
        [MUTATE_FRAME_SIZE] = frame_size,
        [MUTATE_FIELD_TYPE] = field_type,
        [MUTATE_FIELD_NUMBER] = field_number,
        [MUTATE_FIELD_LONG] = field_long,
        [MUTATE_FIELD_VALUE] = field_value,
        [MUTATE_FIELD_NEST] = field_nest,
        [MUTATE_FIELD_SIZE] = field_size,
        [MUTATE_FIELD_BYTES] = field_bytes,
        [MUTATE_CHOICE] = choice,
        [MUTATE_CROSS] = cross,
    };

    if (of_one[what])
        return of_one[what](m);
    return of_pieces[(size_t)what % TW_ARRAY_LEN(of_pieces)](
        m, levels[(size_t)what / TW_ARRAY_LEN(of_pieces)]);
}

/* Without an engine that brings its own: a bit, a byte, a copy, a piece less. */
static size_t change_bytes(struct mutator *m, uint8_t *p, size_t n, size_t max)
{
    size_t at = mutator_index(m, n + 1);

    switch (mutator_below(m, 4)) {
    case 0:
        if (at < n)
            p[at] ^= (uint8_t)(1U << mutator_below(m, 8));
        return n;
    case 1:
        if (at < n)
            p[at] = (uint8_t)mutator_below(m, 256);
        return n;
    case 2:
        if (n == max)
            return n;
        memmove(p + at + 1, p + at, n - at);
        p[at] = (uint8_t)make_number(m);
        return n + 1;
    default:
        return at;
    }
}

struct mutator mutator_of(const struct mutator_layout *layout, uint64_t seed)
{
    return (struct mutator){.layout = layout, .state = seed, .bytes = change_bytes};
}

size_t mutator_mutate(struct mutator *m, uint8_t *data, size_t n, size_t max)
{
    uint32_t changes = 1 + mutator_below(m, CHANGES_MAX);
    bool changed = false;

    m->data = data;
    m->n = n;
    m->max = max;
    for (uint32_t tries = 0; changes > 0 && tries < TRIES_MAX; tries++) {
        enum mutation what = (enum mutation)mutator_below(m, MUTATE_MAX);

        if (!change(m, what))
            continue;
        m->done[what]++;
        changed = true;
        changes--;
    }
    return changed ? m->n : 0;
}
