/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory that its other end changes between any two looks at it, and time that passes only
 * when somebody waits. Memory that is adopted lies between two pages that nobody may touch.
 *
 *   change := u8 what, and unless that is 0: u8 at, u32 value      one for each look
 *
 * The linker's --wrap puts this in front of smb/shared.h, smb/shm.h and what tells the time.
 */
#pragma once

#include "tracewire/common.h"

enum change {
    CHANGE_HERE = 1, /* of what is about to be looked at */
    CHANGE_PAGE = 2, /* of the bitmap of a page; else of any word */
};

/* What happens at the next looks, a change each; the bytes stay the caller's. */
void hostile_changes(struct tw_bytes changes);
/* Nanoseconds of all clocks. */
uint64_t hostile_now_ns(void);
void hostile_set_now_ns(uint64_t now_ns);
/* Mappings that are there. */
size_t hostile_mappings(void);
