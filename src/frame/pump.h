/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes and descriptors between a non-blocking socket and the two halves of a connection. The
 * only part of this layer that touches a socket, and a library of its own (tw_pump).
 */
#pragma once

#include "frame/rx.h"
#include "frame/tx.h"

/*
 * Receives once. 0: something came. TW_MORE: nothing is there now. TW_E_CLOSED: the peer has ended
 * or reset the connection. TW_E_PROTOCOL: descriptors were lost on the way (TW-FD-003). Negative:
 * any other error of recvmsg.
 */
TW_MUST_USE int tw_pump_in(int sock, struct tw_rx *rx);

/*
 * Sends until all is sent (0) or the socket takes no more (TW_MORE). TW_E_CLOSED when the peer has
 * gone. Never raises SIGPIPE.
 */
TW_MUST_USE int tw_pump_out(int sock, struct tw_tx *tx);
