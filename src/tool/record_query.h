/* SPDX-License-Identifier: Apache-2.0 */
/* `tracewire record --query`: what a service says of itself, for people and for programs. */
#pragma once

#include "tracewire/common.h"

/* Prints the state as text, lines cut at 80 columns unless long_lines, or (raw) as the encoded
 * TracingServiceState. Returns the exit status; what went wrong has been said. */
TW_MUST_USE int tw_record_query(const char *socket, bool raw, bool long_lines);

/* The text for an encoded TracingServiceState. Errors as of tw_pbc_unpack(). */
TW_MUST_USE int tw_record_print_state(struct tw_bytes state, bool long_lines);
