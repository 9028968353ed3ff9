/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a service (tests/service/rig.h) to which something was refused: everybody hangs
 * up, a producer and a consumer come that were never there, and a whole session of theirs must go
 * well. After that nothing of the service may be left, neither memory nor descriptors.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "fuzz/faults.h"
#include "tests/faults/run.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

enum { RIGS_MAX = 4, STRANGER = 4242 /* uid: with nothing to its account */ };

static struct rig *rigs[RIGS_MAX];
static bool ending; /* what fails from now on is the service's fault */

static void note(struct rig *from, struct rig *to)
{
    for (size_t i = 0; i < RIGS_MAX; i++)
        if (rigs[i] == from) {
            rigs[i] = to;
            return;
        }
}

/* In place of the rig's own: a test that does not get what it must have fails. */
_Noreturn void rig_fail(const char *file, int line, const char *what)
{
    char text[256];

    snprintf(text, sizeof(text), "%s:%d: not so: %s", file, line, what);
    if (ending)
        faults_blame(text);
    fprintf(stderr, "%s\n", text);
    _fail(file, line);
    abort();
}

void rig_began(struct rig *rig)
{
    ending = false;
    note(NULL, rig);
}

static void clear_peers(struct rig *rig)
{
    for (size_t i = 0; i < rig->n_peers; i++)
        rig_disconnect(&rig->peers[i]);
    for (; rig->n_peers > 0; rig->n_peers--) {
        struct rig_peer *peer = &rig->peers[rig->n_peers - 1];

        tw_client_deinit(&peer->client);
        tw_fd_close(&peer->shm_fd);
        tw_shm_deinit(&peer->shm);
        free(peer->replies);
    }
    rig->chunk_bytes = SIZE_MAX;
    rig->undecoded = false;
    rig->uid = STRANGER;
}

/* A session from its begin to its end, on what is left of the service. */
static void must_serve(struct rig *rig)
{
    struct rig_peer *producer, *consumer;
    struct rig_trace trace;

    clear_peers(rig);
    rig_advance(rig, 60000); /* nothing that waits is waited for any more */
    producer = rig_producer(rig, "fence");
    rig_register(producer, "fence");
    consumer = rig_consumer(rig);
    rig_enable(consumer, rig_config(rig, "fence"));
    rig_emit(producer, 0, rig_buffer(producer), "served");
    trace = rig_read(consumer);
    RIG_MUST(trace.whole && rig_find(&trace, "served", NULL) == 1);
}

void rig_ends(struct rig *rig)
{
    ending = true;
    if (faults_disarm())
        must_serve(rig);
    note(rig, NULL);
}

bool faults_clean_up(void)
{
    for (size_t i = 0; i < RIGS_MAX; i++)
        while (rigs[i]) {
            if (rigs[i]->service)
                rig_free(rigs[i]);
            else /* there never was one */
                rigs[i] = NULL;
        }
    return true;
}
