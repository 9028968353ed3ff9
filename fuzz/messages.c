/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/messages.h"

#include "base/macros.h"
#include "tests/wire/schema.h"

const ProtobufCMessageDescriptor *fuzz_message(uint8_t number)
{
    return schema_messages[number % schema_n_messages];
}

const ProtobufCMessageDescriptor *fuzz_request(uint8_t port, uint8_t method)
{
    const struct {
        size_t first, end;
    } ports[] = {
        {SCHEMA_PRODUCER_PORT, SCHEMA_CONSUMER_PORT},
        {SCHEMA_CONSUMER_PORT, SCHEMA_OTHERS},
        {SCHEMA_RELAY_PORT, schema_n_messages},
    };
    size_t which = port % TW_ARRAY_LEN(ports), first = ports[which].first;
    size_t i = (method - (size_t)1) * 2; /* request and response of each */

    return schema_messages[first + i % (ports[which].end - first)];
}
