/* SPDX-License-Identifier: Apache-2.0 */
/* Short ways to say what goes into a trace buffer and what must come out. */
#pragma once

#include "service/trace_buffer.h"
#include "smb/abi.h"
#include "tests/harness.h"

enum { TB_CHUNK_MAX = 4096 };

/* A chunk being made; id and flags may be changed before it is written. */
struct tb_chunk {
    struct tw_chunk_in in;
    uint8_t bytes[TB_CHUNK_MAX];
    size_t n;
};

struct tw_trace_buffer *tb_new(uint64_t size, enum tw_fill_policy policy);
/* A complete chunk of producer 1, writer 1. */
void tb_begin(struct tb_chunk *chunk, uint32_t id, uint8_t flags);
/* The same with fragments of these texts. */
#define tb_make(chunk, id, flags, ...)                                                             \
    tb_make_of(chunk, id, flags, (const char *const[]){__VA_ARGS__, NULL})
void tb_make_of(struct tb_chunk *chunk, uint32_t id, uint8_t flags, const char *const *texts);
/* A fragment with this text. */
void tb_add(struct tb_chunk *chunk, const char *text);
/* A fragment of size bytes c. */
void tb_fill(struct tb_chunk *chunk, char c, size_t size);
/* Bytes that are no fragment of ours. */
void tb_raw(struct tb_chunk *chunk, const void *p, size_t n);
int tb_write(struct tw_trace_buffer *tb, struct tb_chunk *chunk);
/* As if the writer were still at it: the payload has room for room bytes. */
int tb_scrape(struct tw_trace_buffer *tb, struct tb_chunk *chunk, size_t room);
/* One complete chunk with one packet. */
int tb_put(struct tw_trace_buffer *tb, uint32_t id, uint8_t flags, const char *text);
/* One with one packet of size bytes c, of another writer of producer 1. */
int tb_put_fill(struct tw_trace_buffer *tb, uint16_t writer, uint32_t id, char c, size_t size);
int tb_patch(struct tw_trace_buffer *tb, uint32_t id, uint32_t offset, const char data[4]);

/* The next packet, however much there is to look at before it. */
int tb_next(struct tw_trace_buffer *tb, struct tw_packet_out *ret_packet);
/* The next packet must be this text, after these losses. */
void tb_expect(struct tw_trace_buffer *tb, const char *text, uint32_t dropped);
void tb_expect_none(struct tw_trace_buffer *tb);
/* A packet of size bytes c. */
void tb_expect_fill(struct tw_trace_buffer *tb, char c, size_t size, uint32_t dropped);
