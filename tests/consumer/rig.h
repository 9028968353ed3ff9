/* SPDX-License-Identifier: Apache-2.0 */
/* A consumer over a socket pair whose other end, the service's, the test plays itself. */
#pragma once

#include "tests/harness.h"

#include "frame/ports.h"
#include "frame/pump.h"
#include "tracewire/consumer.h"

enum { N_CALLS = 16 };

/* What one call was told. */
struct told {
    int times, result;
    int packets;
    char text[64]; /* body, error or the packet seen last */
    size_t n;      /* bytes of it, also those that did not fit */
    bool more;
    struct tw_consumer *free_it; /* by whoever is told next */
};

struct rig {
    struct tw_consumer *consumer;
    int host; /* the service's end; -1 once closed */
    struct tw_rx rx;
    struct told bound, call[8];
};

/* Completion functions; user is the struct told. */
void on_done(void *user, int result);
void on_reply(void *user, int result, struct tw_bytes body, bool more);
void on_ended(void *user, int result, struct tw_bytes error);
void on_packet(void *user, struct tw_bytes packet);

/* The service's side. */
void host_send_bytes(struct rig *rig, const void *p, size_t n);
void host_send(struct rig *rig, const struct tw_frame *frame);

/* The next frame that the consumer has sent; false when there is none. */
bool host_receive(struct rig *rig, struct tw_frame *frame);

/* That frame, which has to call this method. */
struct tw_frame host_expect(struct rig *rig, uint32_t method);
void host_reply(struct rig *rig, uint64_t id, bool success, bool more, const char *body, size_t n);
void host_bind_reply(struct rig *rig, uint64_t id, bool success);
void host_close(struct rig *rig);

/* A consumer that has not sent its bind yet, and one that is bound. */
struct rig *rig_new(void);
struct rig *rig_bound(void);
void rig_free(struct rig *rig);
void assert_told(const struct told *told, int times, int result);

/* The connection is over, and stays over. */
void assert_over(struct rig *rig);

/* One of the N_CALLS calls. */
int call_nth(struct rig *rig, int which, struct told *told);

/* The same call, which waits. What it is told goes to told as well. */
int wait_nth(struct tw_consumer *consumer, int which, uint32_t timeout_ms, struct told *told);

/* The next request, whatever it calls. */
struct tw_frame any_request(struct rig *rig);
