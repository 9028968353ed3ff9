/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/trace_findings.h"

struct words {
    const char *id, *text;
};

static const struct words findings[TW_FINDINGS] = {
    [TW_FIND_MALFORMED] = {"malformed", "not a well-formed TracePacket"},
    [TW_FIND_NOT_UNPACKED] = {"not-unpacked", "compressed packets that do not unpack to the end"},
    [TW_FIND_PACKED_TWICE] = {"packed-twice", "compressed packets inside compressed ones"},
    [TW_FIND_NO_SEQUENCE] = {"no-sequence", "a packet without trusted_packet_sequence_id"},
    [TW_FIND_NO_UID] = {"no-uid", "a packet without trusted_uid"},
    [TW_FIND_OTHER_WRITER] = {"other-writer", "a sequence whose uid, pid or machine changes"},
    [TW_FIND_FORGED] = {"forged", "a packet of the service on another's sequence"},
    [TW_FIND_REPEATED] = {"repeated", "the same packet twice in a row"},
    [TW_FIND_NUMBERS] = {"numbers", "a test packet whose number does not follow, no loss told"},
    [TW_FIND_STATE_UNSET] = {"state-unset", "incremental state used that was never set"},
    [TW_FIND_NO_CONFIG] = {"no-config", "no trace_config"},
    [TW_FIND_NO_UUID] = {"no-uuid", "no trace_uuid"},
    [TW_FIND_TWO_TRACES] = {"two-traces", "a second trace_uuid: two traces, or one twice"},
    [TW_FIND_NO_CLOCKS] = {"no-clocks", "no clock_snapshot of the service"},
    [TW_FIND_LATE_CLOCKS] = {"late-clocks", "packets before the first clock_snapshot"},
    [TW_FIND_EVENT_BACK] = {"event-back", "events of the service that are not in order of time"},
    [TW_FIND_NO_STATS] = {"no-stats", "no trace_stats"},
    [TW_FIND_STATS_BACK] = {"stats-back", "a counter of trace_stats that goes back"},
    [TW_FIND_STATS_BUFFERS] = {"stats-buffers", "trace_stats of other buffers than the config's"},
};

static const struct words losses[TW_LOSSES] = {
    [TW_LOSS_GAPS] = {"gaps", "gaps in sequences (previous_packet_dropped)"},
    [TW_LOSS_STATE] = {"state", "packets that need state which was lost"},
    [TW_LOSS_OVERWRITTEN] = {"chunks_overwritten", "chunks overwritten before they were read"},
    [TW_LOSS_FULL] = {"chunks_discarded_full", "chunks discarded, the buffer was full"},
    [TW_LOSS_WRITER] = {"trace_writer_packet_loss", "times a writer said it had dropped packets"},
    [TW_LOSS_PATCHES] = {"patches_failed", "patches that came too late"},
    [TW_LOSS_REFUSED_CHUNKS] = {"chunks_discarded", "chunks refused by the service"},
    [TW_LOSS_REFUSED_PATCHES] = {"patches_discarded", "patches refused by the service"},
    [TW_LOSS_INVALID] = {"invalid_packets", "packets refused by the service"},
    [TW_LOSS_FLUSHES] = {"flushes_failed", "flushes not answered by all in time"},
    [TW_LOSS_FINAL_FLUSH] = {"final_flush_failed", "the last flush failed"},
};

const char *tw_finding_id(enum tw_finding finding)
{
    return findings[finding].id;
}

const char *tw_finding_text(enum tw_finding finding)
{
    return findings[finding].text;
}

const char *tw_loss_id(enum tw_loss loss)
{
    return losses[loss].id;
}

const char *tw_loss_text(enum tw_loss loss)
{
    return losses[loss].text;
}
