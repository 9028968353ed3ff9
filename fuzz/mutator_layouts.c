/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/macros.h"
#include "consumer_port.pb-c.h"
#include "fuzz/mutator.h"
#include "producer_port.pb-c.h"
#include "trace.pb-c.h"
#include "trace_config.pb-c.h"

#define SHAPES(s) .body = MUTATOR_SCRIPT, .n_ops = TW_ARRAY_LEN(s), .shapes = (s)

/* As in the function step() of each target. */
static const char *const limits[] = {"2", "2", "2", "2", "2", "2", "2"};
static const char *const pump[] = {"l", "l", "", "", "1", "", "", ""};
static const char *const writer[] = {"1", "1", "1", "1", "1l", "1l", "1", "1l"};
static const char *const packets[] = {"1"};
static const char *const fd_queue[] = {"", "", "", ""};
static const char *const trace_buffer[] = {"1", "1", "1", "1", "1", "1", "1", "11h", "16", "1"};
static const char *const buffer_model[] = {"1f1",  "1f1", "1f1", "1f1", "1f1", "11f1",
                                           "11f1", "2",   "2p",  "1",   "1",   "c"};
static const char *const commit[] = {"1b", "2l", "5l", "2", "8", "2", "2", "1",
                                     "1",  "",   "1",  "1", "1", "1", "",  ""};

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
    /* Foreign bytes are frames, a command is one message. */
    {.target = "hostile_service",
     .body = MUTATOR_SCRIPT,
     .n_ops = 15,
     .ops_of_frames = 1U << 3,
     .ops_of_message = 1U << 1,
     .message = &tw__get_async_command_response__descriptor},
    {.target = "hostile_answers",
     .body = MUTATOR_SCRIPT,
     .n_ops = 9,
     .ops_of_frames = 1U << 3,
     .ops_of_message = 1U << 2,
     .message = &tw__read_buffers_response__descriptor},
    {.target = "read_buffers",
     .fixed = 1,
     .body = MUTATOR_MESSAGE,
     .message = &tw__read_buffers_response__descriptor},
    {.target = "categories",
     .lists = 1,
     .body = MUTATOR_MESSAGE,
     .message = &tw__data_source_config__descriptor},
    {.target = "trace_reader",
     .fixed = 2,
     .body = MUTATOR_MESSAGE,
     .message = &tw__trace__descriptor},
    {.target = "trace_survey", .body = MUTATOR_MESSAGE, .message = &tw__trace__descriptor},
    {.target = "limits", .fixed = 4, SHAPES(limits)},
    {.target = "pump", SHAPES(pump), .ops_of_frames = 1U << 0 | 1U << 1},
    {.target = "writer", .fixed = 1, SHAPES(writer)},
    {.target = "packets", .fixed = 1, SHAPES(packets)},
    {.target = "fd_queue", SHAPES(fd_queue)},
    {.target = "trace_buffer", .fixed = 1, SHAPES(trace_buffer)},
    {.target = "buffer_model", .fixed = 1, SHAPES(buffer_model)},
    {.target = "commit",
     SHAPES(commit),
     .ops_of_message = 1U << 0,
     .message = &tw__commit_data_request__descriptor},
    {.target = "smb_race",
     .lists = 1,
     SHAPES(commit),
     .ops_of_message = 1U << 0,
     .message = &tw__commit_data_request__descriptor},
};

const struct mutator_layout *mutator_layout_of(const char *target)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(layouts); i++)
        if (strcmp(layouts[i].target, target) == 0)
            return &layouts[i];
    return NULL;
}
