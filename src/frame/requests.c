/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tw_requests_deinit(struct tw_requests *reqs)
{
    if (!reqs)
        return;
    free(reqs->list);
    *reqs = (struct tw_requests){0};
}

int tw_requests_add(struct tw_requests *reqs, struct tw_request req)
{
    if (tw_requests_find(reqs, req.id))
        return TW_E_EXISTS;
    if (reqs->n == TW_REQUESTS_MAX)
        return TW_E_LIMIT;
    if (reqs->n == reqs->cap) {
        size_t cap = reqs->cap ? reqs->cap * 2 : 8;
        struct tw_request *list = reallocarray(reqs->list, cap, sizeof(*list));

        if (!list)
            return -ENOMEM;
        reqs->list = list;
        reqs->cap = cap;
    }
    reqs->list[reqs->n++] = req;
    return 0;
}

struct tw_request *tw_requests_find(const struct tw_requests *reqs, uint64_t id)
{
    for (size_t i = 0; i < reqs->n; i++)
        if (reqs->list[i].id == id)
            return &reqs->list[i];
    return NULL;
}

void tw_requests_remove(struct tw_requests *reqs, struct tw_request *req)
{
    size_t i = (size_t)(req - reqs->list);

    reqs->n--; /* in order: the oldest is refused first when the connection goes */
    memmove(req, req + 1, (reqs->n - i) * sizeof(*req));
}
