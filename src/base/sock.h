/* SPDX-License-Identifier: Apache-2.0 */
/* Unix stream sockets by name: a path, or "@name" in the abstract namespace. */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/err.h"

/* What connect() and bind() want. TW_E_INVALID for a name that is empty or too long. Abstract
 * names are exactly as long as they are, without a NUL behind. */
TW_MUST_USE int tw_sock_address(const char *name, struct sockaddr_un *ret_addr, socklen_t *ret_len);

/* The name to use when none is given: the environment variable's, else the original's default,
 * below /run/perfetto if that exists and in /tmp otherwise. kind is "producer" or "consumer". */
const char *tw_sock_default(const char *kind);

struct tw_sock_access {
    mode_t mode; /* of the socket file; ignored for abstract names */
    gid_t group; /* (gid_t)-1: not changed */
};

/*
 * A listening, non-blocking socket. A socket file that nobody listens on is removed; TW_E_EXISTS
 * when somebody does, or when the path is anything but a socket.
 */
TW_MUST_USE int tw_sock_listen(const char *name, const struct tw_sock_access *access, int *ret_fd);
/* Removes the socket file of a path; an abstract name needs nothing. */
void tw_sock_unlink(const char *name);
