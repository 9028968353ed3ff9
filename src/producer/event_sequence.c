/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/event_sequence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/req.h"

/* Field numbers of TracePacket and what it holds, and values. */
enum {
    PACKET_DEFAULTS = 59,
    DEFAULTS_TRACK_EVENT = 11,
    DEFAULTS_CLOCK_ID = 58,
    DEFAULT_TRACK_UUID = 11,
    TRACK_PROCESS = 3,
    TRACK_THREAD = 4,
    PROCESS_PID = 1,
    PROCESS_CMDLINE = 2,
    PROCESS_NAME = 6,
    THREAD_PID = 1,
    THREAD_TID = 2,
    THREAD_NAME = 5,
    THREAD_NAME_MAX = 16, /* bytes with the NUL, as prctl says */
};

int tw_event_sequence_new(struct tw_event_sequence **ret_sequence, struct tw_instance *instance,
                          const struct tw_event_process *process, enum tw_exhausted policy)
{
    struct tw_event_config config;
    struct tw_event_sequence *ev;
    int r = tw_event_config_read(tw_instance_config_bytes(instance), &config);

    if (r)
        return r;
    ev = calloc(1, sizeof(*ev));
    if (!ev)
        return -ENOMEM;
    r = tw_writer_new(&ev->writer, instance, policy);
    if (r) {
        free(ev);
        return r;
    }
    ev->instance = tw_instance_ref(instance);
    ev->process = process;
    ev->config = config;
    ev->thread_uuid = tw_sequence_thread_uuid(ev, (uint64_t)gettid());
    ev->clock = tw_event_clock_of(&config);
    *ret_sequence = ev;
    return 0;
}

void tw_event_sequence_free(struct tw_event_sequence *sequence)
{
    if (!sequence)
        return;
    tw_writer_free(sequence->writer);
    tw_instance_unref(sequence->instance);
    free(sequence);
}

/* ---- who we are ---- */

void tw_sequence_begin_packet(struct tw_event_sequence *ev, const struct tw_extra *at)
{
    REQ("TW-EVT-010");
    REQ("TW-EVT-060");
    tw_writer_begin(ev->writer);
    if (at) {
        tw_writer_u64(ev->writer, TW_PACKET_TIMESTAMP, at->number);
        tw_writer_u64(ev->writer, TW_PACKET_TIMESTAMP_CLOCK_ID, at->clock);
    } else {
        tw_event_clock_stamp(&ev->clock, ev->writer, tw_clock_ns(CLOCK_BOOTTIME));
    }
    tw_writer_u64(ev->writer, TW_PACKET_SEQUENCE_FLAGS, TW_SEQUENCE_NEEDED);
}

/* From here on nothing counts that the sequence was told before. */
static int clear_state(struct tw_event_sequence *ev)
{
    REQ("TW-EVT-011");
    REQ("TW-EVT-015");
    struct tw_trace_writer *w = ev->writer;
    uint64_t now = tw_clock_ns(CLOCK_BOOTTIME);

    memset(&ev->categories, 0, sizeof(ev->categories));
    memset(&ev->names, 0, sizeof(ev->names));
    memset(&ev->annotation_names, 0, sizeof(ev->annotation_names));
    memset(ev->tracks, 0, sizeof(ev->tracks));
    tw_writer_begin(w);
    tw_writer_u64(w, TW_PACKET_TIMESTAMP, now);
    tw_writer_u64(w, TW_PACKET_TIMESTAMP_CLOCK_ID, TW_CLOCK_BOOTTIME);
    tw_writer_u64(w, TW_PACKET_SEQUENCE_FLAGS, TW_SEQUENCE_CLEARED);
    tw_writer_nest(w, PACKET_DEFAULTS);
    tw_writer_u64(w, DEFAULTS_CLOCK_ID, ev->clock.id);
    tw_writer_nest(w, DEFAULTS_TRACK_EVENT);
    tw_writer_u64(w, DEFAULT_TRACK_UUID, ev->thread_uuid);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    tw_event_clock_tell(&ev->clock, w, now);
    return tw_writer_end(w);
}

/* What is behind the last NUL was cut off. */
static void put_cmdline(struct tw_event_sequence *ev)
{
    const char *at = ev->process->cmdline, *end = at + ev->process->cmdline_n, *nul;

    for (; at < end; at = nul + 1) {
        nul = memchr(at, '\0', (size_t)(end - at));
        if (!nul)
            return;
        tw_writer_str(ev->writer, PROCESS_CMDLINE, at);
    }
}

static int describe_process(struct tw_event_sequence *ev)
{
    REQ("TW-EVT-030");
    struct tw_trace_writer *w = ev->writer;

    tw_sequence_begin_packet(ev, NULL);
    tw_writer_nest(w, TW_PACKET_TRACK_DESCRIPTOR);
    tw_writer_u64(w, TW_TRACK_UUID, ev->process->uuid);
    tw_writer_nest(w, TRACK_PROCESS);
    tw_writer_i64(w, PROCESS_PID, ev->process->pid);
    put_cmdline(ev);
    tw_writer_str(w, PROCESS_NAME, program_invocation_short_name);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

uint64_t tw_sequence_thread_uuid(const struct tw_event_sequence *ev, uint64_t tid)
{
    return tw_mix(ev->process->uuid ^ tid);
}

void tw_sequence_put_thread(struct tw_event_sequence *ev, uint64_t tid, const char *name)
{
    struct tw_trace_writer *w = ev->writer;

    tw_writer_nest(w, TRACK_THREAD);
    tw_writer_i64(w, THREAD_PID, ev->process->pid);
    tw_writer_u64(w, THREAD_TID, tid);
    if (name)
        tw_writer_str(w, THREAD_NAME, name);
    tw_writer_unnest(w);
}

static int describe_thread(struct tw_event_sequence *ev)
{
    REQ("TW-EVT-031");
    struct tw_trace_writer *w = ev->writer;
    char name[THREAD_NAME_MAX] = "";

    tw_sequence_begin_packet(ev, NULL);
    tw_writer_nest(w, TW_PACKET_TRACK_DESCRIPTOR);
    tw_writer_u64(w, TW_TRACK_UUID, ev->thread_uuid);
    tw_writer_u64(w, TW_TRACK_PARENT_UUID, ev->process->uuid);
    tw_sequence_put_thread(ev, (uint64_t)gettid(), prctl(PR_GET_NAME, name) == 0 ? name : NULL);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

int tw_sequence_begin_state(struct tw_event_sequence *ev)
{
    REQ("TW-EVT-012");
    REQ("TW-EVT-013");
    uint32_t generation = tw_instance_state_generation(ev->instance);
    uint64_t lost = tw_writer_lost(ev->writer);
    int r;

    ev->has_state = false;
    r = clear_state(ev);
    if (!r)
        r = describe_process(ev);
    if (!r)
        r = describe_thread(ev);
    if (r)
        return r;
    ev->has_state = true;
    ev->state_generation = generation;
    ev->state_lost = lost;
    return 0;
}
