/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of one connection that still want an answer. Not thread-safe. */
#pragma once

#include "tracewire/common.h"

/* Requests that may be outstanding on one connection: far more than any client known has, little
 * enough that looking one up needs no index. TW-LIM-005 */
enum { TW_REQUESTS_MAX = 256 };

struct tw_request {
    uint64_t id;
    uint32_t method;
    void *user; /* the asker's, untouched */
};

struct tw_requests {
    struct tw_request *list;
    size_t n, cap;
};

/* NULL is fine. */
void tw_requests_deinit(struct tw_requests *reqs);
/* TW_E_EXISTS, TW_E_LIMIT at TW_REQUESTS_MAX, -ENOMEM. */
TW_MUST_USE int tw_requests_add(struct tw_requests *reqs, struct tw_request req);
/* The request with this id or NULL; valid until the next change. */
struct tw_request *tw_requests_find(const struct tw_requests *reqs, uint64_t id);
void tw_requests_remove(struct tw_requests *reqs, struct tw_request *req);
