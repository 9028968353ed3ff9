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

uint32_t tw_intern(struct tw_intern_table *table, const void *text, bool *ret_new)
{
    REQ("TW-EVT-014");
    size_t slot = (size_t)tw_mix((uintptr_t)text) % TW_INTERN_SLOTS;

    /* Ends because the table is never full. */
    for (; table->key[slot]; slot = (slot + 1) % TW_INTERN_SLOTS) {
        if (table->key[slot] == text) {
            *ret_new = false;
            return table->iid[slot];
        }
    }
    *ret_new = true;
    if (table->n == TW_INTERN_MAX)
        return 0;
    table->key[slot] = text;
    table->iid[slot] = ++table->n;
    return table->n;
}
