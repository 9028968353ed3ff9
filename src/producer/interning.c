/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/interning.h"

#include "base/req.h"

uint64_t tw_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint32_t tw_intern(struct tw_intern_table *table, const void *text)
{
    REQ("TW-EVT-014");
    struct tw_interned *slot = tw_interned_at(table, text);

    if (table->n == TW_INTERN_MAX)
        return 0;
    *slot = (struct tw_interned){text, ++table->n};
    return table->n;
}
