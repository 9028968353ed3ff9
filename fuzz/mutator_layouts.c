/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/macros.h"
#include "fuzz/mutator.h"

static const struct mutator_layout layouts[] = {
    {.target = "frame_split", .lists = 1, .body = MUTATOR_FRAMES},
    {.target = "frame_decode", .body = MUTATOR_PAYLOAD},
    {.target = "prescan", .fixed = 1, .body = MUTATOR_MESSAGE},
    {.target = "diff_protobufc", .fixed = 1, .body = MUTATOR_MESSAGE},
    {.target = "diff_libprotobuf", .fixed = 1, .body = MUTATOR_MESSAGE},
    {.target = "host_session", .fixed = 1, .lists = 2, .body = MUTATOR_FRAMES},
    {.target = "client_session", .fixed = 1, .lists = 2, .body = MUTATOR_FRAMES},
    {.target = "shm", .fixed = 1, .body = MUTATOR_SCRIPT, .n_ops = 11},
    /* The foreign bytes of its scripts are frames, the body of a call is a method's arguments. */
    {.target = "session_script",
     .body = MUTATOR_SCRIPT,
     .n_ops = 13,
     .ops_of_frames = 1U << 6 | 1U << 7,
     .ops_of_message = 1U << 2},
    {.target = "service_script",
     .body = MUTATOR_SCRIPT,
     .n_ops = 13,
     .ops_of_frames = 1U << 3,
     .ops_of_message = 1U << 2},
};

const struct mutator_layout *mutator_layout_of(const char *target)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(layouts); i++)
        if (strcmp(layouts[i].target, target) == 0)
            return &layouts[i];
    return NULL;
}
