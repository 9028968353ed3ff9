/* SPDX-License-Identifier: Apache-2.0 */
/* Getting to the service without waiting. */
#pragma once

#include "base/err.h"

/* A connected non-blocking socket; name as in base/sock.h. TW_E_CLOSED when nobody answers there
 * now, TW_E_INVALID for a name that cannot be one. */
TW_MUST_USE int tw_connect_now(const char *name, int *ret_fd);
