/* SPDX-License-Identifier: Apache-2.0 */
/* Which data sources a config asks for, and what their producers are told. */
#pragma once

#include "service/core.h"

/* Whether this entry of a trace config means this data source, by name and producer filters. */
bool tw_instance_wanted(struct tw_session *session, const Tw__TraceConfig__DataSource *wanted,
                        const struct tw_data_source *source);

/*
 * The entry's config as its producer gets it: with the buffer's global id and what the service
 * knows of the session. What we have no schema for goes through as it came. Appends to out.
 */
TW_MUST_USE int tw_instance_config(const struct tw_instance *instance, struct tw_buf *out);
