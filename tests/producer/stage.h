/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer and the real service in one process, with a consumer that traces: bytes and
 * descriptors go through a socket pair, and all of it in one thread unless the producer has one of
 * its own. The data source "tw.test" writes numbered packets.
 */
#pragma once

#include "tests/service/rig.h"
#include "tracewire/producer.h"

/* Milliseconds until what is waited for has to have come. */
enum { STAGE_WAITS_MAX = 20000 };

struct stage {
    struct rig rig;
    struct rig_peer *consumer;
    struct tw_service_conn *conn; /* the producer's, in the service; NULL: none */
    int fd;                       /* the service's end of it */
    bool remote;                  /* the service shares no memory with the producer */
    size_t received;              /* bytes that the service has had of the producer */
    struct tw_producer_config config;
    struct tw_producer *producer;
    /* what the callbacks saw */
    _Atomic int setups, starts, stops;
    struct tw_instance *instance; /* the last that was started */
};

/* The service, and a config for the producer, whose connection the test may change until it opens.
 */
void stage_init(struct stage *s);
/* A user may hold so much; NULL: as much as is usual. */
void stage_init_limited(struct stage *s, const uint64_t limits[TW_QUOTAS]);
/* The producer, which has offered its data source. */
void stage_open(struct stage *s);
/* Offers the data source again. */
void stage_open_source(struct stage *s);
/* Both, where memory is not shared if remote. */
void stage_begin(struct stage *s, bool remote);
void stage_end(struct stage *s);

/* The service's end of a connection; the other one is returned. */
int stage_connect(struct stage *s);
/* A name for the producer to connect to where nobody listens yet; who listens there then. */
void stage_name(struct stage *s, char name[64]);
int stage_listen(const struct stage *s);
/* The producer has connected there, and the service serves it. */
void stage_accept(struct stage *s, int listener);
void stage_hang_up(struct stage *s);
/* Until nothing moves. */
void stage_turn(struct stage *s);
/* The same for a producer with a thread, after waiting for it up to a millisecond. */
void stage_wait(struct stage *s);
#define STAGE_UNTIL(s, condition)                                                                  \
    do {                                                                                           \
        for (int i_ = 0; i_ < STAGE_WAITS_MAX && !(condition); i_++)                               \
            stage_wait(s);                                                                         \
        assert_true(condition);                                                                    \
    } while (0)

/* A session with the data source and a buffer of so many KiB. Its id is that of the request. */
uint64_t stage_trace(struct stage *s, uint32_t buffer_kb);
/* Disables tracing. */
void stage_stop(struct stage *s);

/* One packet with this number and so many bytes that follow from it; what tw_writer_end() says. */
int stage_write(struct tw_trace_writer *w, uint32_t number, size_t bytes);
/* All that there is to read has the numbers from first to end - 1 once each, in order, whole. */
void stage_assert_numbers(struct stage *s, uint32_t first, uint32_t end);
