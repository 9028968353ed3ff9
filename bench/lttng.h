/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another tracer's events, to compare ours with: the program lttng_event, in a session of
 * bench/lttng_session. From the top of the source tree. Whatever goes wrong ends the program.
 */
#pragma once

#include <stdint.h>

/* lttng_event lies beside argv0. */
void lttng_begin(const char *argv0);
/* The nanoseconds that so many events take. */
uint64_t lttng_ns(uint32_t n_events);
void lttng_end(void);
