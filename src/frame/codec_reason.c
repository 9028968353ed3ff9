/* SPDX-License-Identifier: Apache-2.0 */
#include "tracewire/frame.h"

static const char *const reasons[TW_FRAME_REASON_MAX][2] = {
    {"fine", "well-formed"},
    {"too_large", "TW-FRAME-002: the frame is too large"},
    {"truncated", "TW-ENC-001: a field is cut short"},
    {"bad_varint", "TW-ENC-001: a varint is over ten bytes or 64 bits"},
    {"bad_tag", "TW-ENC-001: a field number is 0 or over 2^29 - 1"},
    {"group", "TW-ENC-001: there is a group"},
    {"bad_wire_type", "TW-ENC-001: there is a wire type 6 or 7"},
    {"long_tag", "TW-ENC-009: a tag or a length is over five bytes"},
    {"wrong_type", "TW-ENC-002: a known field has the wrong wire type"},
    {"two_members", "TW-ENC-005: two members of the frame's oneof are set"},
    {"nul", "TW-ENC-008: a string holds a NUL byte"},
};

const char *tw_frame_reason_name(enum tw_frame_reason reason)
{
    return (unsigned)reason < TW_FRAME_REASON_MAX ? reasons[reason][0] : NULL;
}

const char *tw_frame_reason_text(enum tw_frame_reason reason)
{
    return (unsigned)reason < TW_FRAME_REASON_MAX ? reasons[reason][1] : NULL;
}
