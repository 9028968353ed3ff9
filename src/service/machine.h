/* SPDX-License-Identifier: Apache-2.0 */
/* The machines that producers are on: 0 is this one, others come over TCP, vsock or a relay. */
#pragma once

#include "service/core.h"

/* The id of the machine that gives this text of itself: the low half of its 64-bit FNV-1a hash, and
 * 1 where that is 0. TW-RELAY-010 */
uint32_t tw_machine_id(struct tw_bytes hint);

/* A remote peer says who it is. The machine's name is cut to what fits. TW-LIM-122 */
void tw_machine_identify(struct tw_service_conn *conn,
                         const struct tw_frame_peer_identity *identity);

/* What the machine at the other end calls itself; empty if it has not said so. */
const char *tw_machine_name(const struct tw_service_conn *conn);
/* What this machine is called in the filters of configs, beside "host": what the environment's
 * PERFETTO_MACHINE_NAME says, else the name of its system. */
void tw_machine_own_name(char name[TW_MACHINE_NAME_SIZE]);
