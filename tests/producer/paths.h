/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at fields of packets by where they are. */
#pragma once

#include "tests/producer/fake_service.h"

/* Field numbers from the packet inwards. */
struct path {
    size_t n;
    uint32_t field[3];
};

#define PATH(...)                                                                                  \
    (struct path)                                                                                  \
    {                                                                                              \
        .n = sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), .field = { __VA_ARGS__ }        \
    }

/* The number in the last field at the end of the path; 0 when there is none. */
uint64_t value_at(const struct fake_packet *p, struct path path);
/* How many there are. */
size_t count_at(const struct fake_packet *p, struct path path);
size_t count_all(const struct fake_packets *packets, struct path path);
