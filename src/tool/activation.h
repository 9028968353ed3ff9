/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets that come from outside: from systemd (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES)
 * or, as the original's service gets them from Android's init, by ANDROID_SOCKET_traced_producer
 * and ANDROID_SOCKET_traced_consumer. Both or none of them; whoever made them removes them.
 */
#pragma once

#include "tracewire/service.h"

/*
 * The two listening sockets, by enum tw_service_port, or -1 when none are handed over. They are
 * close-on-exec and do not block from now on, and the variables are gone. TW_E_INVALID: what was
 * handed over is not one Unix stream socket that listens for producers and one for consumers;
 * *ret_why is a static text.
 */
TW_MUST_USE int tw_activation(int ret_fds[2], const char **ret_why);
