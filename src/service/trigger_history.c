/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trigger_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/req.h"
#include "service/limits.h"

#define DAY_NS (UINT64_C(24) * 60 * 60 * TW_NS_PER_S)

uint64_t tw_trigger_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static void drop(struct tw_trigger_history *h, size_t at, size_t n)
{
    if (n == 0)
        return;
    h->n -= n;
    memmove(&h->marks[at], &h->marks[at + n], (h->n - at) * sizeof(h->marks[0]));
}

static void drop_expired(struct tw_trigger_history *h, uint64_t now_ns)
{
    size_t n = 0;

    while (n < h->n && now_ns - h->marks[n].ns > DAY_NS)
        n++;
    drop(h, 0, n);
}

size_t tw_trigger_history_count(struct tw_trigger_history *h, uint64_t now_ns, uint64_t name_hash)
{
    size_t n = 0;

    drop_expired(h, now_ns);
    for (size_t i = 0; i < h->n; i++)
        n += h->marks[i].name_hash == name_hash;
    return n;
}

int tw_trigger_history_add(struct tw_trigger_history *h, uint64_t now_ns, uint64_t name_hash)
{
    REQ("TW-LIM-103");
    if (!h->marks)
        h->marks = calloc(TW_TRIGGER_HISTORY_MAX, sizeof(h->marks[0]));
    if (!h->marks)
        return -ENOMEM;
    if (h->n == TW_TRIGGER_HISTORY_MAX) {
        size_t i = 0;

        while (i < h->n && h->marks[i].name_hash != name_hash)
            i++;
        drop(h, i < h->n ? i : 0, 1);
    }
    h->marks[h->n++] = (struct tw_trigger_mark){.ns = now_ns, .name_hash = name_hash};
    return 0;
}

void tw_trigger_history_deinit(struct tw_trigger_history *h)
{
    free(h->marks);
}
