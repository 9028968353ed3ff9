/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading end for tests without a service: takes what the arbiter gathers, copies the chunks
 * out of the shared memory, patches them, and puts the packets together again. It is strict: a
 * packet that is torn, or a chunk that is missing or comes twice, fails the test.
 */
#pragma once

#include "producer/arbiter.h"

struct fake_chunk {
    struct tw_chunk_header header;
    uint8_t *payload;
    size_t n;
};

struct fake_service {
    struct tw_arbiter *arbiter;
    struct fake_chunk *chunks;
    size_t n, cap;
    size_t moves, patches;
};

struct fake_packet {
    uint8_t *p;
    size_t n;
};

struct fake_packets {
    struct fake_packet *list;
    size_t n;
    size_t dropped; /* marks of dropped packets */
    size_t told;    /* packets with previous_packet_dropped */
};

struct tw_arbiter *fake_arbiter(size_t size, size_t page_size, enum tw_page_layout layout,
                                bool direct_patching);

/* Takes all there is; returns whether there was anything. */
bool fake_service_pump(struct fake_service *s);
/* All packets of one writer, in order. */
struct fake_packets fake_service_packets(const struct fake_service *s, uint16_t writer_id);
void fake_packets_free(struct fake_packets *packets);
void fake_service_deinit(struct fake_service *s);
