/* SPDX-License-Identifier: Apache-2.0 */
/* Where the mutator changes an input, and the sizes around it. For mutator.c only. */
#pragma once

#include "fuzz/mutator.h"
#include "wire/reader.h"

enum {
    FRAME_SIZE_BYTES = 4,
    BOXES_MAX = 13,   /* sizes around a place */
    PIECES_MAX = 256, /* of one place that are looked at */
};

/* What is between a size and its end. */
enum box_kind { BOX_LIST, BOX_OP, BOX_FRAME, BOX_FIELD };

struct box {
    enum box_kind kind;
    size_t at;    /* of the size */
    size_t width; /* of the size */
};

/* Where something can be changed: the run from begin to end, and the sizes that count it. */
struct place {
    struct box boxes[BOXES_MAX];
    size_t n_boxes, begin, end;
    const struct mutator_layout *layout;
    const ProtobufCMessageDescriptor *message; /* of fields */
};

/* What a place is made of. */
enum level { LEVEL_OP, LEVEL_FRAME, LEVEL_FIELD };

struct piece {
    size_t begin, end;
};

/* A field and its parts. */
struct field_at {
    struct piece whole;
    size_t tag_end, value; /* offsets; for LEN the size is between them */
    struct tw_field field;
};

struct tw_bytes mutator_input(const struct mutator *m);
size_t mutator_index(struct mutator *m, size_t n); /* mutator_below() */

/* A varint of exactly width bytes, one that is longer than it need be if they are too many. */
void put_padded(uint8_t *p, size_t width, uint64_t value);
void put_size(struct mutator *m, const struct box *box, uint64_t size);
/* Puts n bytes for the del bytes at a place and makes the sizes around it right. false: no room. */
bool put_at(struct mutator *m, const struct place *place, size_t at, size_t del, const void *ins,
            size_t n);

/* The piece at the start of a run; false when it is cut short. */
bool first_piece(const struct mutator_layout *layout, struct tw_bytes bytes, enum level level,
                 struct piece within, struct piece *ret);
/* Bytes of the operation at the start of these, when it has a shape; 0 when it is cut short. */
size_t shaped_size(const struct mutator_layout *layout, struct tw_bytes bytes);
/* The size of the body of the operation at an offset, for kinds that have frames or a message. */
struct box op_size(const struct mutator_layout *layout, size_t at, size_t kind);
size_t pieces_of(struct tw_bytes bytes, const struct place *place, enum level level,
                 struct piece list[PIECES_MAX]);
/* One of them; false when there is none. */
bool pick(struct mutator *m, struct tw_bytes bytes, const struct place *place, enum level level,
          struct piece *ret);
/* A place somewhere in an input whose pieces are of this level; false when there is none. */
bool enter(struct mutator *m, struct tw_bytes bytes, enum level level, struct place *place);
/* Goes into what a size counts. */
void open_box(struct place *place, enum box_kind kind, size_t at, size_t width, size_t end);
/* Where the choices end. */
size_t body_of(const struct mutator_layout *layout, struct tw_bytes bytes);
/* Any field of the input and its place. */
bool pick_field(struct mutator *m, struct place *place, struct field_at *ret);
