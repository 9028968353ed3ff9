/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the targets for whole messages, by a byte of the input (tests/wire/schema.h). */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include <stdint.h>

/* Any byte is the number of one. */
const ProtobufCMessageDescriptor *fuzz_message(uint8_t number);
/* What the arguments of a method of a port are; any numbers are one. */
const ProtobufCMessageDescriptor *fuzz_request(uint8_t port, uint8_t method);
