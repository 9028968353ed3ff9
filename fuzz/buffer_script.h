/* SPDX-License-Identifier: Apache-2.0 */
/* A script that is done to a trace buffer and to the model of it, and everything that they give
 * back compared. Any bytes are a script. */
#pragma once

#include "tracewire/common.h"

/* Ends the program when the two differ. Returns the packets that both gave. */
size_t buffer_script_run(struct tw_bytes script);
