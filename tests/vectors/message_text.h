/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the schema by name, and any of them as the text that a vector's value has
 * (vectors.h).
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"

void text_add_message(struct tw_buf *text, const ProtobufCMessage *message);

/* "tw.CommitDataRequest"; an unknown name fails the test. */
const ProtobufCMessageDescriptor *message_named(const char *name);
