/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the service's socket. */
#pragma once

#include "base/err.h"

/* A stream socket connected to an address as in tw_consumer_connect(), whose results these are,
 * after at most limit_ms. The caller owns it. */
TW_MUST_USE int tw_consumer_socket_open(const char *address, uint32_t limit_ms, int *ret_fd);
