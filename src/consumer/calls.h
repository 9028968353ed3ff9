/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of one consumer: who asked, what for, and how their answers are told. A call completes
 * exactly once; what becomes of its memory is the endpoint's business. Not thread-safe.
 */
#pragma once

#include "consumer/reassembly.h"
#include "tracewire/consumer.h"

enum tw_call_kind {
    TW_CALL_PLAIN, /* the answer says nothing but that it is done */
    TW_CALL_REPLY, /* the answers are handed out as they are */
    TW_CALL_ENDED, /* EnableTracing */
    TW_CALL_READ,  /* ReadBuffers */
};

struct tw_call {
    enum tw_call_kind kind;
    union {
        tw_consumer_done_fn done; /* PLAIN and READ */
        tw_consumer_reply_fn reply;
        tw_consumer_ended_fn ended;
    };
    tw_consumer_packet_fn packet; /* READ */
    void *user;
    bool completed;
    struct tw_reassembly packets;
};

void tw_call_free(struct tw_call *call);

/* Tells a successful answer; more: others will follow. 0, or what is wrong with the answer: then
 * the call has completed with that result. */
TW_MUST_USE int tw_call_answer(struct tw_call *call, struct tw_bytes body, bool more);
/* Completes the call, which is told nothing afterwards; no more than once. */
void tw_call_complete(struct tw_call *call, int result);
