/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages the methods of the two ports carry. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "frame/ports.h"

struct tw_port_messages {
    const ProtobufCMessageDescriptor *request, *reply;
};

/* method is one of the port's. NULL for another port. */
const struct tw_port_messages *tw_port_messages(const struct tw_port *port, uint32_t method);
