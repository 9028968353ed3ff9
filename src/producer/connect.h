/* SPDX-License-Identifier: Apache-2.0 */
/* Getting to the service without waiting. */
#pragma once

#include "base/net.h"

/* Whom a producer can get to by name: Unix sockets, and TCP with the host in digits. TW_E_INVALID
 * for other names. */
TW_MUST_USE int tw_connect_address(const char *name, struct tw_net_address *ret_address);
/* A non-blocking socket that is connected, or is being: until then it takes no bytes, and if that
 * fails, reading tells. TW_E_CLOSED when nobody answers there now. */
TW_MUST_USE int tw_connect_begin(const struct tw_net_address *address, int *ret_fd);
