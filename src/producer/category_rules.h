/* SPDX-License-Identifier: Apache-2.0 */
/* Which categories a session wants. */
#pragma once

#include "producer/event_config.h"

/* Whether a category with that name and those tags, which have commas between them, is wanted. */
bool tw_category_is_wanted(const struct tw_event_config *config, struct tw_bytes name,
                           struct tw_bytes tags);

/* Takes what stands in front of the next comma from *rest; false when nothing is left. */
bool tw_next_part(struct tw_bytes *rest, struct tw_bytes *ret_part);
