/* SPDX-License-Identifier: Apache-2.0 */
/* Data sources that producers have registered, and their joining of sessions. */
#pragma once

#include "data_source_descriptor.pb-c.h"
#include "service/core.h"

/* Keeps it and joins it to every session that asks for its name. On failure *ret_error is a static
 * text for the producer. */
TW_MUST_USE int tw_data_source_register(struct tw_producer *producer,
                                        const Tw__DataSourceDescriptor *descriptor,
                                        const char **ret_error);
/* Replaces the descriptor of the one with the same name and id, which is not 0; what is not there
 * is ignored. TW_E_LIMIT when it is too large, -ENOMEM: nothing was changed. */
TW_MUST_USE int tw_data_source_update(struct tw_producer *producer,
                                      const Tw__DataSourceDescriptor *descriptor);
/* All of the producer's with this name. */
void tw_data_source_unregister(struct tw_producer *producer, const char *name);
/* Ends its instances first. */
void tw_data_source_free(struct tw_data_source *source);

/* Joins one data source, or all of a producer, to the sessions that ask for them. */
void tw_data_source_join_all(struct tw_data_source *source);
void tw_producer_join_all(struct tw_producer *producer);
