/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/messages.h"

#include "tests/wire/schema.h"

const ProtobufCMessageDescriptor *fuzz_message(uint8_t number)
{
    return schema_messages[number % schema_n_messages];
}

const ProtobufCMessageDescriptor *fuzz_request(uint8_t method)
{
    size_t first = method & 0x80 ? SCHEMA_CONSUMER_PORT : SCHEMA_PRODUCER_PORT;
    size_t end = method & 0x80 ? SCHEMA_OTHERS : SCHEMA_CONSUMER_PORT;
    size_t i = ((size_t)(method & 0x7f) - 1) * 2; /* request and response of each */

    return schema_messages[first + i % (end - first)];
}
