/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second opinion for inputs that nobody looked at: which bytes are a frame or a message, by the
 * rules of spec/encoding.md and the schema, written to be checked by eye. It recurses, counts in
 * indices, and shares no code with src/.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "tracewire/frame.h"

struct verdict {
    const char *reason; /* as in spec/vectors; NULL when it is accepted */
    const char *rule;   /* that is broken, inside of a message */
    size_t offset;      /* of the tag of the field at fault */
};

/* A frame's payload when d is that of IPCFrame, else the message d. */
struct verdict oracle_judge(const ProtobufCMessageDescriptor *d, struct tw_bytes in);

/* Whether a decoded frame says what protobuf-c's decoder says of the same bytes. */
bool oracle_agrees(const struct tw_frame *frame, const ProtobufCMessage *ipc_frame);
