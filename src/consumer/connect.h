/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the service's socket. */
#pragma once

#include "base/err.h"

/* A stream socket connected to a path or "@name". The caller owns it. Results as those of
 * tw_consumer_connect(). */
TW_MUST_USE int tw_consumer_socket_open(const char *address, int *ret_fd);
