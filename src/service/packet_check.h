/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a producer's packet may go into a trace file. The service stamps packets by appending
 * fields, so none may carry a field that only the service writes; and a packet that does not parse
 * would take the whole file with it.
 */
#pragma once

#include "tracewire/common.h"

/*
 * Looks at the top level of a packet spread over n slices, without copying it. TW_E_PROTOCOL unless
 * it is a whole sequence of well-formed fields, none of them reserved for the service whatever its
 * wire type and however its tag is padded. Groups are refused, as are field numbers out of range,
 * tags of more than 5 bytes, other varints of more than 64 bits and lengths over TW_WIRE_SIZE_MAX:
 * readers disagree about them.
 */
TW_MUST_USE int tw_packet_check(const struct tw_bytes *slices, size_t n);
