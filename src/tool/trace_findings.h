/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be wrong with a trace. A finding is a rule that it breaks; a loss is something that is
 * missing from it and that it tells of, as the rules want.
 */
#pragma once

#include "base/macros.h"

enum tw_finding {
    TW_FIND_MALFORMED,
    TW_FIND_NOT_UNPACKED,
    TW_FIND_PACKED_TWICE,
    TW_FIND_NO_SEQUENCE,
    TW_FIND_NO_UID,
    TW_FIND_OTHER_WRITER,
    TW_FIND_FORGED,
    TW_FIND_REPEATED,
    TW_FIND_NUMBERS,
    TW_FIND_STATE_UNSET,
    TW_FIND_NO_CONFIG,
    TW_FIND_NO_UUID,
    TW_FIND_TWO_TRACES,
    TW_FIND_NO_CLOCKS,
    TW_FIND_LATE_CLOCKS,
    TW_FIND_EVENT_BACK,
    TW_FIND_NO_STATS,
    TW_FIND_STATS_BACK,
    TW_FIND_STATS_BUFFERS,
    TW_FINDINGS,
};

enum tw_loss {
    TW_LOSS_GAPS,
    TW_LOSS_STATE,
    TW_LOSS_OVERWRITTEN,
    TW_LOSS_FULL,
    TW_LOSS_WRITER,
    TW_LOSS_PATCHES,
    TW_LOSS_REFUSED_CHUNKS,
    TW_LOSS_REFUSED_PATCHES,
    TW_LOSS_INVALID,
    TW_LOSS_FLUSHES,
    TW_LOSS_FINAL_FLUSH,
    TW_LOSSES,
};

/* Short names for machines, sentences for people; all static. */
const char *tw_finding_id(enum tw_finding finding);
const char *tw_finding_text(enum tw_finding finding);
const char *tw_loss_id(enum tw_loss loss);
const char *tw_loss_text(enum tw_loss loss);
