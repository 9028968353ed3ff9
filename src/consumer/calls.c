/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/calls.h"

#include <stdlib.h>

#include "wire/reader.h"

/* Field number in EnableTracingResponse (spec/proto/consumer_port.proto). */
enum { ENABLE_RESPONSE_ERROR = 3 };

void tw_call_free(struct tw_call *call)
{
    if (!call)
        return;
    tw_reassembly_deinit(&call->packets);
    free(call);
}

static void complete_with(struct tw_call *call, int result, struct tw_bytes bytes)
{
    if (call->completed)
        return;
    call->completed = true; /* first: the function called may free the consumer */
    switch (call->kind) {
    case TW_CALL_PLAIN:
    case TW_CALL_READ:
        call->done(call->user, result);
        break;
    case TW_CALL_REPLY:
        call->reply(call->user, result, bytes, false);
        break;
    case TW_CALL_ENDED:
        call->ended(call->user, result, bytes);
        break;
    }
}

void tw_call_complete(struct tw_call *call, int result)
{
    complete_with(call, result, (struct tw_bytes){0});
}

static int parse_ended(struct tw_bytes body, struct tw_bytes *ret_error)
{
    struct tw_reader r = tw_reader_of(body);
    struct tw_bytes error = {0};
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field))) {
        if (field.number != ENABLE_RESPONSE_ERROR)
            continue;
        if (field.type != TW_WIRE_LEN)
            return TW_E_PROTOCOL;
        error = field.bytes;
    }
    if (rc != TW_MORE)
        return TW_E_PROTOCOL;
    *ret_error = error;
    return 0;
}

/* Once the call has completed, which a packet's function can bring about, nothing more is told. */
static int tell_packet(void *user, struct tw_bytes packet)
{
    struct tw_call *call = user;

    call->packet(call->user, packet);
    return call->completed ? TW_E_CLOSED : 0;
}

static int answer_read(struct tw_call *call, struct tw_bytes body, bool more)
{
    int rc = tw_reassembly_feed(&call->packets, body, tell_packet, call);

    if (rc || more)
        return rc;
    tw_call_complete(call, tw_reassembly_end(&call->packets));
    return 0;
}

static int answer_ended(struct tw_call *call, struct tw_bytes body)
{
    struct tw_bytes error;
    int rc = parse_ended(body, &error);

    if (!rc)
        complete_with(call, 0, error);
    return rc;
}

static int answer(struct tw_call *call, struct tw_bytes body, bool more)
{
    switch (call->kind) {
    case TW_CALL_PLAIN:
        tw_call_complete(call, 0);
        return 0;
    case TW_CALL_REPLY:
        if (more)
            call->reply(call->user, 0, body, true);
        else
            complete_with(call, 0, body);
        return 0;
    case TW_CALL_ENDED:
        return answer_ended(call, body);
    case TW_CALL_READ:
        return answer_read(call, body, more);
    }
    return TW_E_INVALID;
}

int tw_call_answer(struct tw_call *call, struct tw_bytes body, bool more)
{
    int rc = answer(call, body, more);

    if (rc)
        tw_call_complete(call, rc);
    return rc;
}
