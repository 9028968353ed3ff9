/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/mutator_place.h"

#include <string.h>

#include "base/macros.h"
#include "fuzz/messages.h"
#include "fuzz/mutator_make.h"
#include "fuzz/script.h"
#include "ipc_frame.pb-c.h"

enum { SIZE_GROWTH = 5 }; /* bytes that the size of a field may grow by */

static uint64_t next_random(struct mutator *m)
{
    uint64_t z = m->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t mutator_below(struct mutator *m, uint32_t n)
{
    return (uint32_t)((next_random(m) >> 32) * n >> 32);
}

size_t mutator_index(struct mutator *m, size_t n)
{
    return mutator_below(m, (uint32_t)n);
}

struct tw_bytes mutator_input(const struct mutator *m)
{
    return (struct tw_bytes){.p = m->data, .n = m->n};
}

/* Sizes. */

static uint64_t size_max(enum box_kind kind)
{
    static const uint64_t max[] = {
        [BOX_LIST] = UINT8_MAX,
        [BOX_OP] = UINT16_MAX,
        [BOX_FRAME] = UINT32_MAX,
        [BOX_FIELD] = UINT32_MAX,
    };

    return max[kind];
}

void put_padded(uint8_t *p, size_t width, uint64_t value)
{
    for (size_t i = 0; i < width; i++)
        p[i] = (uint8_t)((i < 10 ? value >> 7 * i & 0x7f : 0) | (i + 1 < width ? 0x80 : 0));
}

void put_size(struct mutator *m, const struct box *box, uint64_t size)
{
    if (box->kind == BOX_FIELD) {
        put_padded(m->data + box->at, box->width, size);
        return;
    }
    for (size_t i = 0; i < box->width; i++)
        m->data[box->at + i] = (uint8_t)(size >> 8 * i);
}

static uint64_t get_size(struct tw_bytes bytes, const struct box *box)
{
    struct tw_reader r = {bytes.p + box->at, bytes.p + bytes.n};
    uint64_t size = 0;

    if (box->kind == BOX_FIELD)
        return tw_read_varint(&r, &size) ? 0 : size;
    for (size_t i = box->width; i-- > 0;)
        size = size << 8 | bytes.p[box->at + i];
    return size;
}

static void move_tail(struct mutator *m, size_t from, size_t to)
{
    memmove(m->data + to, m->data + from, m->n - from);
    m->n += to - from;
}

bool put_at(struct mutator *m, const struct place *place, size_t at, size_t del, const void *ins,
            size_t n)
{
    uint64_t grown = (uint64_t)n - del; /* wraps when it shrinks, as do the sizes it goes to */
    size_t more_sizes = n > del ? SIZE_GROWTH * place->n_boxes : 0;

    if (n > m->max || m->n - del > m->max - n || m->max - m->n - (size_t)grown < more_sizes)
        return false;
    for (size_t i = 0; i < place->n_boxes; i++) {
        uint64_t size = get_size(mutator_input(m), &place->boxes[i]) + grown;

        if (size + more_sizes > size_max(place->boxes[i].kind))
            return false;
    }
    move_tail(m, at + del, at + n);
    if (n)
        memcpy(m->data + at, ins, n);
    for (size_t i = place->n_boxes; i-- > 0;) {
        struct box box = place->boxes[i];
        uint64_t size = get_size(mutator_input(m), &box) + grown;
        size_t more = tw_max(tw_varint_size(size), box.width) - box.width;

        if (box.kind == BOX_FIELD && more) {
            move_tail(m, box.at + box.width, box.at + box.width + more);
            box.width += more;
            grown += more;
        }
        put_size(m, &box, size);
    }
    return true;
}

/* Finding a place. */

static bool read_field_at(struct tw_bytes bytes, struct piece within, struct field_at *ret)
{
    struct tw_reader r = {bytes.p + within.begin, bytes.p + within.end}, tag = r;
    uint64_t number;

    if (tw_read_field(&r, &ret->field) || tw_read_varint(&tag, &number))
        return false;
    ret->whole = (struct piece){within.begin, (size_t)(r.p - bytes.p)};
    ret->tag_end = (size_t)(tag.p - bytes.p);
    ret->value = ret->tag_end;
    if (ret->field.type == TW_WIRE_LEN)
        ret->value = ret->whole.end - ret->field.bytes.n;
    return true;
}

static uint8_t byte_at(struct tw_bytes bytes, size_t at)
{
    return at < bytes.n ? bytes.p[at] : 0;
}

size_t shaped_size(const struct mutator_layout *layout, struct tw_bytes bytes)
{
    const char *shape = layout->shapes[byte_at(bytes, 0) % layout->n_ops];
    size_t n = 1, at_the_end = 0;

    for (; *shape; shape++) {
        uint8_t byte = byte_at(bytes, n);

        switch (*shape) {
        case 'l':
            n += 1 + (size_t)byte;
            break;
        case 'b':
            n += 2 + (size_t)(byte | byte_at(bytes, n + 1) << 8);
            break;
        case 'f':
        case 'h':
            at_the_end = byte >> 3 & (*shape == 'f' ? 7 : 31);
            n++;
            break;
        case 'p':
            at_the_end = (byte & 3) * (size_t)5;
            n++;
            break;
        case 'c':
            n += bytes.n && bytes.p[0] < 128;
            break;
        default:
            n += (size_t)(*shape - '0');
        }
    }
    n += at_the_end;
    return n <= bytes.n ? n : 0;
}

struct box op_size(const struct mutator_layout *layout, size_t at, size_t kind)
{
    if (layout->shapes && layout->ops_of_frames >> kind & 1)
        return (struct box){.kind = BOX_LIST, .at = at + 1, .width = 1};
    return (struct box){.kind = BOX_OP, .at = at + 2, .width = 2};
}

static bool first_shaped(const struct mutator_layout *layout, struct tw_bytes bytes,
                         struct piece within, struct piece *ret)
{
    struct tw_bytes run = {.p = bytes.p + within.begin, .n = within.end - within.begin};
    size_t n = shaped_size(layout, run);

    *ret = (struct piece){within.begin, within.begin + n};
    return n > 0;
}

bool first_piece(const struct mutator_layout *layout, struct tw_bytes bytes, enum level level,
                 struct piece within, struct piece *ret)
{
    static const size_t header[] = {[LEVEL_OP] = SCRIPT_HEADER, [LEVEL_FRAME] = FRAME_SIZE_BYTES};
    struct box size = {.kind = BOX_FRAME, .at = within.begin, .width = FRAME_SIZE_BYTES};
    struct field_at f;
    uint64_t n;

    if (level == LEVEL_FIELD) {
        if (!read_field_at(bytes, within, &f))
            return false;
        *ret = f.whole;
        return true;
    }
    if (level == LEVEL_OP && layout->shapes)
        return first_shaped(layout, bytes, within, ret);
    if (within.end - within.begin < header[level])
        return false;
    if (level == LEVEL_OP)
        size = op_size(layout, within.begin, 0);
    n = get_size(bytes, &size);
    if (n > within.end - within.begin - header[level])
        return false;
    *ret = (struct piece){within.begin, within.begin + header[level] + (size_t)n};
    return true;
}

size_t pieces_of(struct tw_bytes bytes, const struct place *place, enum level level,
                 struct piece list[PIECES_MAX])
{
    struct piece left = {place->begin, place->end};
    size_t n = 0;

    while (n < PIECES_MAX && left.begin < left.end &&
           first_piece(place->layout, bytes, level, left, &list[n])) {
        left.begin = list[n].end;
        n++;
    }
    return n;
}

bool pick(struct mutator *m, struct tw_bytes bytes, const struct place *place, enum level level,
          struct piece *ret)
{
    struct piece list[PIECES_MAX];
    size_t n = pieces_of(bytes, place, level, list);

    if (n == 0)
        return false;
    *ret = list[mutator_index(m, n)];
    return true;
}

void open_box(struct place *place, enum box_kind kind, size_t at, size_t width, size_t end)
{
    place->boxes[place->n_boxes++] = (struct box){.kind = kind, .at = at, .width = width};
    place->begin = at + width;
    place->end = end;
}

static const ProtobufCMessageDescriptor *message_of(struct mutator *m, const struct place *place,
                                                    const struct tw_field *field)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(place->message, field->number);

    return f && field->type == TW_WIRE_LEN ? message_in(m, f) : NULL;
}

/* From a message into one inside it, or not. */
static void descend(struct mutator *m, struct tw_bytes bytes, struct place *place)
{
    while (place->n_boxes < BOXES_MAX - 1 && mutator_below(m, 4)) {
        const ProtobufCMessageDescriptor *inner;
        struct field_at f;
        struct piece p;

        if (!pick(m, bytes, place, LEVEL_FIELD, &p) || !read_field_at(bytes, p, &f))
            return;
        inner = message_of(m, place, &f.field);
        if (!inner)
            continue;
        open_box(place, BOX_FIELD, f.tag_end, f.value - f.tag_end, f.whole.end);
        place->message = inner;
    }
}

static bool enter_frame(struct mutator *m, struct tw_bytes bytes, struct place *place)
{
    struct piece p;

    if (!pick(m, bytes, place, LEVEL_FRAME, &p))
        return false;
    open_box(place, BOX_FRAME, p.begin, FRAME_SIZE_BYTES, p.end);
    place->message = &tw__ipcframe__descriptor;
    return true;
}

static bool enter_op(struct mutator *m, struct tw_bytes bytes, struct place *place,
                     enum level level)
{
    struct piece p;
    struct box size;
    uint8_t what;

    if (!pick(m, bytes, place, LEVEL_OP, &p))
        return false;
    what = bytes.p[p.begin] % m->layout->n_ops;
    if (!((m->layout->ops_of_frames | m->layout->ops_of_message) >> what & 1))
        return false;
    size = op_size(m->layout, p.begin, what);
    open_box(place, size.kind, size.at, size.width, p.end);
    if (m->layout->ops_of_frames >> what & 1)
        return level == LEVEL_FRAME || enter_frame(m, bytes, place);
    if (level == LEVEL_FRAME)
        return false;
    place->message = m->layout->message;
    if (place->message)
        return true;
    if (place->end - place->begin < 2)
        return false;
    place->message = make_request(m, bytes.p[place->begin]);
    place->begin += 2;
    return true;
}

size_t body_of(const struct mutator_layout *layout, struct tw_bytes bytes)
{
    size_t at = tw_min(layout->fixed, bytes.n);

    for (uint8_t i = 0; i < layout->lists && at < bytes.n; i++)
        at += tw_min(1 + (size_t)bytes.p[at], bytes.n - at);
    return at;
}

bool enter(struct mutator *m, struct tw_bytes bytes, enum level level, struct place *place)
{
    enum mutator_body body = m->layout->body;

    *place =
        (struct place){.layout = m->layout, .begin = body_of(m->layout, bytes), .end = bytes.n};
    if (level == LEVEL_OP)
        return body == MUTATOR_SCRIPT;
    if (body == MUTATOR_FRAMES && level == LEVEL_FIELD && !enter_frame(m, bytes, place))
        return false;
    if (body == MUTATOR_SCRIPT && !enter_op(m, bytes, place, level))
        return false;
    if (level == LEVEL_FRAME)
        return body == MUTATOR_FRAMES || body == MUTATOR_SCRIPT;
    if (body == MUTATOR_PAYLOAD)
        place->message = &tw__ipcframe__descriptor;
    else if (body == MUTATOR_MESSAGE)
        place->message = m->layout->message ? m->layout->message : fuzz_message(byte_at(bytes, 0));
    descend(m, bytes, place);
    return true;
}

bool pick_field(struct mutator *m, struct place *place, struct field_at *ret)
{
    struct piece p;

    return enter(m, mutator_input(m), LEVEL_FIELD, place) &&
           pick(m, mutator_input(m), place, LEVEL_FIELD, &p) &&
           read_field_at(mutator_input(m), p, ret);
}
