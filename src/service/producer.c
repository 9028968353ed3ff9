/* SPDX-License-Identifier: Apache-2.0 */
#include "service/producer.h"
#include "service/session_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "service/data_source.h"
#include "service/flush.h"
#include "service/scrape.h"
#include "service/session.h"

static const char no_memory[] = "out of memory for the producer";

/* Ids are not used again soon: a trace buffer may still hold chunks of one that has left. */
static uint16_t next_id(struct tw_service *service)
{
    uint32_t id = service->last_producer_id;

    do
        id = id % TW_PRODUCERS_MAX + 1;
    while (service->producer_ids[id / 64] >> (id % 64) & 1);
    service->producer_ids[id / 64] |= UINT64_C(1) << (id % 64);
    service->last_producer_id = id;
    return (uint16_t)id;
}

/* Whether a character of UTF-8 goes on with this byte. */
static bool goes_on(char byte)
{
    return ((uint8_t)byte & 0xc0) == 0x80;
}

char *tw_producer_keep_name(const char *name)
{
    REQ("TW-LIM-019");
    enum { LONGEST = 4 }; /* bytes of a character; what has more of them that go on is no UTF-8 */
    size_t n = strnlen(name, TW_NAME_MAX), back = 0;

    while (back < LONGEST && goes_on(name[n - back]))
        back++;
    return strndup(name, back < LONGEST ? n - back : n);
}

static void on_scraped(struct tw_scrape *scrape)
{
    tw_producer_free(TW_CONTAINER_OF(scrape, struct tw_producer, scrape));
}

const char *tw_producer_new(struct tw_service_conn *conn, const struct tw_producer_hello *hello,
                            struct tw_producer **ret_producer)
{
    REQ("TW-LIM-015");
    struct tw_service *service = conn->service;
    struct tw_producer *p;

    if (tw_session_rules_locked_out(service, conn->peer.uid))
        return "TW-CONS-036: a session keeps producers of other users out";
    if (service->n_producers == TW_PRODUCERS_MAX)
        return "TW-LIM-015: there are too many producers";
    p = calloc(1, sizeof(*p));
    if (!p)
        return no_memory;
    p->name = tw_producer_keep_name(hello->name ? hello->name : "");
    p->sdk_version = tw_producer_keep_name(hello->sdk_version ? hello->sdk_version : "");
    if (!p->name || !p->sdk_version) {
        free(p->name);
        free(p->sdk_version);
        free(p);
        return no_memory;
    }
    p->conn = conn;
    p->id = next_id(service);
    p->scraping = hello->scraping;
    p->shm_size_hint = hello->shm_size_hint;
    p->page_size_hint = hello->page_size_hint;
    p->shm = TW_SHM_INIT;
    p->scrape.done = on_scraped;
    TAILQ_INIT(&p->data_sources);
    TAILQ_INIT(&p->instances);
    TAILQ_INSERT_TAIL(&service->producers, p, next);
    service->n_producers++;
    p->serial = p->scrape.only = ++service->producers_seen;
    conn->producer = p;
    *ret_producer = p;
    return NULL;
}

static int charge_shm(struct tw_producer *producer, size_t size)
{
    REQ("TW-LIM-063");
    return tw_charge_set(&producer->conn->charge, TW_QUOTA_SHM, size);
}

int tw_producer_remember(struct tw_producer *producer, size_t descriptors_size, size_t n_writers)
{
    REQ("TW-LIM-178");
    struct tw_service_conn *conn = producer->conn;

    if (tw_charge_set(&conn->charge, TW_QUOTA_MEMORY,
                      descriptors_size + n_writers * sizeof(*producer->writers))) {
        tw_service_refused(conn->service, &conn->peer, tw_quotas[TW_QUOTA_MEMORY].passed);
        return TW_E_LIMIT;
    }
    producer->descriptors_size = descriptors_size;
    return 0;
}

void tw_producer_free(struct tw_producer *producer)
{
    struct tw_service_conn *conn = producer->conn;
    struct tw_service *service = conn->service;

    tw_scrape_cancel(service, &producer->scrape);
    TAILQ_REMOVE(&service->producers, producer, next);
    service->producer_ids[producer->id / 64] &= ~(UINT64_C(1) << (producer->id % 64));
    service->n_producers--;
    TW_IGNORE(charge_shm(producer, 0)); /* giving back is always possible */
    TW_IGNORE(tw_producer_remember(producer, 0, 0));
    tw_shm_deinit(&producer->shm);
    free(producer->writers);
    free(producer->name);
    free(producer->sdk_version);
    free(producer);
    conn->producer = NULL;
    tw_conn_free(conn);
}

void tw_producer_leave(struct tw_producer *producer)
{
    struct tw_service *service = producer->conn->service;
    struct tw_data_source *source;

    producer->left = true;
    producer->commands.wanted = false;
    while ((source = TAILQ_FIRST(&producer->data_sources)))
        tw_data_source_free(source);
    tw_flush_acknowledged(service, producer->id, UINT64_MAX);
    if (producer->scraping && producer->n_writers && producer->smb.n_pages)
        TW_IGNORE(tw_scrape(service, &producer->scrape));
    else
        tw_producer_free(producer);
}

bool tw_producer_adopt_shm(struct tw_producer *producer, int *fd)
{
    REQ("TW-SHM-010");
    REQ("TW-SHM-037");
    size_t page_size =
        producer->page_size_hint; /* its pages are there: a default would be a guess */

    if (tw_shm_adopt(&producer->shm, fd, TW_SHM_SEALS_ALL))
        return false;
    if (!tw_shm_sizes_valid(producer->shm.size, page_size) ||
        charge_shm(producer, producer->shm.size) ||
        tw_smb_init(&producer->smb, producer->shm.p, producer->shm.size, page_size)) {
        tw_shm_deinit(&producer->shm);
        return false;
    }
    producer->shm_is_its_own = true;
    return true;
}

/* The producer gets a descriptor of its own; ours stays open for as long as it lives. */
static int tell_of_shm(struct tw_producer *producer, size_t page_size)
{
    Tw__GetAsyncCommandResponse command = TW__GET_ASYNC_COMMAND_RESPONSE__INIT;
    Tw__GetAsyncCommandResponse__SetupTracing setup =
        TW__GET_ASYNC_COMMAND_RESPONSE__SETUP_TRACING__INIT;
    int fd = -1;

    if (producer->shm.p && !producer->shm_is_its_own) {
        fd = fcntl(producer->shm.fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return -errno;
    }
    setup.has_shared_buffer_page_size_kb = true;
    setup.shared_buffer_page_size_kb = (uint32_t)(page_size / 1024);
    command.cmd_case = TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_TRACING;
    command.setup_tracing = &setup;
    producer->told_of_shm = true;
    tw_conn_reply(producer->conn, producer->commands.id, &command.base, true, fd);
    return 0;
}

static int create_shm(struct tw_producer *producer, struct tw_shm_sizes sizes)
{
    struct tw_service *service = producer->conn->service;
    int rc = charge_shm(producer, sizes.size);

    if (rc) {
        tw_service_refused(service, &producer->conn->peer, tw_quotas[TW_QUOTA_SHM].passed);
        return rc;
    }
    rc = tw_shm_create(&producer->shm, sizes.size);
    if (!rc)
        rc = tw_smb_init(&producer->smb, producer->shm.p, producer->shm.size, sizes.page_size);
    return rc;
}

int tw_producer_setup_shm(struct tw_producer *producer, size_t size, size_t page_size)
{
    struct tw_shm_sizes sizes = tw_shm_sizes_for(size ? size : producer->shm_size_hint,
                                                 page_size ? page_size : producer->page_size_hint);
    int rc;

    if (producer->told_of_shm || !tw_producer_listens(producer))
        return 0;
    if (tw_producer_emulates(producer)) {
        REQ("TW-SHM-032");
        return tell_of_shm(producer, sizes.page_size);
    }
    rc = producer->smb.n_pages ? 0 : create_shm(producer, sizes);
    return rc ? rc : tell_of_shm(producer, producer->smb.page_size);
}

bool tw_producer_may_write(const struct tw_producer *producer, uint32_t buffer_id)
{
    return buffer_id > 0 && buffer_id < TW_BUFFER_IDS &&
           (producer->may_write[buffer_id / 64] >> (buffer_id % 64) & 1);
}

void tw_producer_allow(struct tw_producer *producer, uint16_t buffer_id)
{
    producer->may_write[buffer_id / 64] |= UINT64_C(1) << (buffer_id % 64);
}

void tw_producer_forbid(struct tw_producer *producer, const uint16_t *buffer_ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        producer->may_write[buffer_ids[i] / 64] &= ~(UINT64_C(1) << (buffer_ids[i] % 64));
    for (size_t i = 0; i < producer->n_writers; i++)
        if (!tw_producer_may_write(producer, producer->writers[i].buffer))
            producer->writers[i].buffer = 0;
}

/* Makes room for writers with ids below n. */
static int grow_writers(struct tw_producer *producer, size_t n)
{
    size_t old = producer->n_writers;
    struct tw_writer_binding *grown;

    if (tw_producer_remember(producer, producer->descriptors_size, n))
        return TW_E_LIMIT;
    grown = reallocarray(producer->writers, n, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    memset(grown + old, 0, (n - old) * sizeof(*grown));
    producer->writers = grown;
    producer->n_writers = n;
    return 0;
}

int tw_producer_bind_writer(struct tw_producer *producer, uint32_t writer_id, uint16_t buffer_id)
{
    size_t n = producer->n_writers ? producer->n_writers : 32;
    int rc = 0;

    if (writer_id == 0 || writer_id > TW_WRITER_ID_MAX)
        return TW_E_INVALID;
    while (n <= writer_id)
        n *= 2;
    if (n > producer->n_writers)
        rc = grow_writers(producer, n);
    if (!rc)
        producer->writers[writer_id].buffer = buffer_id;
    return rc;
}

void tw_producer_end_writer(struct tw_producer *producer, uint32_t writer_id)
{
    REQ("TW-BUF-003");
    struct tw_writer_binding *writer;

    if (writer_id >= producer->n_writers)
        return;
    writer = &producer->writers[writer_id];
    if (writer->buffer)
        writer->life++;
    writer->buffer = 0;
}

struct tw_writer_key tw_producer_writer_key(const struct tw_producer *producer, uint16_t writer_id)
{
    return (struct tw_writer_key){
        .producer = (uint32_t)producer->serial,
        .writer_id = writer_id,
        .life = writer_id < producer->n_writers ? producer->writers[writer_id].life : 0,
    };
}

uint16_t tw_producer_writer_buffer(const struct tw_producer *producer, uint32_t writer_id)
{
    return writer_id < producer->n_writers ? producer->writers[writer_id].buffer : 0;
}
