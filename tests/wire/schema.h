/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of the schema that travel by themselves, for whoever wants to try all of them; every
 * other message lies inside one of these. Seeds choose by the place in the list: it only grows.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

enum {
    /* The methods of a port are in the order of their numbers: request, response. */
    SCHEMA_PRODUCER_PORT = 0,
    SCHEMA_CONSUMER_PORT = 24,
    SCHEMA_OTHERS = 54, /* TraceConfig is the first */
    SCHEMA_RELAY_PORT = 62,
};

extern const ProtobufCMessageDescriptor *const schema_messages[];
extern const size_t schema_n_messages;
