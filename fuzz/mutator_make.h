/* SPDX-License-Identifier: Apache-2.0 */
/* What the mutator puts into inputs: valid pieces, made by chance. For mutator.c only. */
#pragma once

#include "fuzz/mutator.h"
#include "wire/writer.h"

/* A number at which something ends: a width, a sign, a limit; or any small one. */
uint64_t make_number(struct mutator *m);
/* One field of the message, or sometimes one that it does not know. */
void make_field(struct mutator *m, struct tw_writer *w, const ProtobufCMessageDescriptor *d);
/* A value in place of a known field's, tag included. */
void make_known(struct mutator *m, struct tw_writer *w, const ProtobufCFieldDescriptor *f);
/* A field of that number and a random wire type. */
void make_any(struct mutator *m, struct tw_writer *w, uint32_t number);
/* A frame of any kind, with its size in front. */
void make_frame(struct mutator *m, struct tw_writer *w);
/* Its first byte, and the whole of an operation of the target's scripts. */
uint8_t make_op_kind(struct mutator *m);
void make_op(struct mutator *m, struct tw_writer *w);

/* The arguments of a method, of any port. */
const ProtobufCMessageDescriptor *make_request(struct mutator *m, uint8_t method);
/* The message in this field; NULL when it holds none. Arguments of a call are taken for those of
 * any method. */
const ProtobufCMessageDescriptor *message_in(struct mutator *m, const ProtobufCFieldDescriptor *f);
