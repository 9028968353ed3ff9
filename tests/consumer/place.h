/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for each test, where a trace file is written. */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "tracewire/consumer.h"

enum { PLACE_LARGE = 300000, PLACE_OLD = 3 /* bytes of the older file */ };

extern char place_folder[128], place_path[160]; /* the path of the file is in the folder */
extern uint8_t place_bytes[PLACE_LARGE];        /* what place_filled() filled */

/* Setup and teardown: everything in the folder goes, and no descriptor stays. */
int place_begin(void **state);
int place_end(void **state);

/* How many names there are in the folder, of which one that is not the file's. */
int place_names(char ret_other[NAME_MAX + 1]);
off_t place_size_of(const char *name); /* -1: there is none */

struct tw_bytes place_filled(size_t n, uint8_t value);
struct tw_trace_file *place_opened(const struct tw_trace_file_options *options);
void place_put(struct tw_trace_file *file, size_t n);
/* How many packets, and that nothing is behind them. */
int place_packets_in(const char *name);

/* An older file by the name, and that it is there still. */
void place_put_old(void);
void place_assert_old(void);
