/* SPDX-License-Identifier: Apache-2.0 */
/* Where the service listens, and how to get there without waiting. */
#pragma once

#include "base/err.h"

/* The socket to use when none is named: the environment, else upstream's default paths. */
const char *tw_producer_default_socket(void);
/* A connected non-blocking stream socket. path is a path, or "@name" in the abstract namespace.
 * TW_E_CLOSED when nobody answers there now, TW_E_INVALID for a path that cannot be one. */
TW_MUST_USE int tw_connect_unix(const char *path, int *ret_fd);
