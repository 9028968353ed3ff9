/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that the targets for whole messages check, by a byte of the input. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include <stdint.h>

enum { FUZZ_MESSAGE_FRAME = 0 }; /* IPCFrame */

/* Any byte is the number of one. */
const ProtobufCMessageDescriptor *fuzz_message(uint8_t number);
/* What the arguments of a method are. The high bit chooses the consumer's port. */
const ProtobufCMessageDescriptor *fuzz_request(uint8_t method);
/* How many there are: the numbers from here on come again. */
uint8_t fuzz_message_count(void);
