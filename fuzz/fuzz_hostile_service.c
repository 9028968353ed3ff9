/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer with data sources, writers and track events against a service that does what a script
 * (fuzz/script.h) says: it answers or does not, gives commands, hands over descriptors of every
 * kind, sends what is no frame, stops reading, hangs up, and changes the memory that it shares,
 * also between two looks at it (fuzz/hostile_memory.h). Memory of the producer runs out. Whatever
 * happens, the calls of the program return, what they return is what they may, nothing is touched
 * beside the mapping, and everything is given back.
 */
#include "base/clock.h"
#include "base/req.h"
#include "fuzz/faults.h"
#include "fuzz/hostile_memory.h"
#include "fuzz/hostile_peer.h"
#include "fuzz/script.h"
#include "producer/endpoint.h"
#include "tracewire/track_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 256, WRITERS = 4, INSTANCES = 8, SOURCES = 3, CATEGORIES = 2, FDS = 256 };
enum { ROUNDS = 4 /* of one step, in which each end looks what the other has sent */ };
/* The time of no clock, so that the system's own timers never fire. */
#define BEGIN_NS (UINT64_C(1) << 60)

/* How a producer is opened. */
enum { OPEN_CHUNKS = 7, OPEN_BATCHING = 8, OPEN_DEADLINE = 16, OPEN_MEDDLES = 32, OPEN_LATER = 64 };
enum { OPEN_EARLY = 128 /* and traces before there is a service */ };

struct writer {
    struct tw_trace_writer *writer; /* NULL: none */
    uint64_t ended, failed;         /* packets */
};

static struct run {
    struct tw_producer *producer; /* NULL: none */
    uint8_t opened;
    struct tw_events *events;
    struct tw_category categories[CATEGORIES];
    struct tw_instance *instances[INSTANCES]; /* references */
    struct writer writers[WRITERS];
} run;

static const char *const sources[SOURCES] = {"a", "b", "c"};

/* ---- the program ---- */

static void forget(size_t i)
{
    tw_instance_unref(run.instances[i]);
    run.instances[i] = NULL;
}

static void on_start(void *user, struct tw_instance *instance)
{
    size_t i = tw_instance_id(instance) % INSTANCES;

    (void)user;
    CHECK(run.producer && tw_instance_active(instance));
    input_touch(tw_instance_config_bytes(instance));
    forget(i);
    run.instances[i] = tw_instance_ref(instance);
    if (run.opened & OPEN_MEDDLES) /* maybe the instance's own */
        TW_IGNORE(tw_producer_unregister(run.producer, sources[i % SOURCES]));
}

static void on_stop(void *user, struct tw_instance *instance)
{
    (void)user;
    CHECK(run.producer && !tw_instance_active(instance));
    if (!(run.opened & OPEN_LATER))
        tw_instance_done(instance);
}

static void on_flush(void *user, struct tw_instance *instance)
{
    (void)user;
    CHECK(run.producer && tw_instance_active(instance));
    for (size_t i = 0; i < WRITERS; i++)
        if (run.writers[i].writer)
            tw_writer_flush(run.writers[i].writer);
}

static void on_clear(void *user, struct tw_instance *instance)
{
    (void)user;
    CHECK(run.producer && tw_instance_state_generation(instance) > 0);
}

static void on_refused(void *user, struct tw_bytes why)
{
    (void)user;
    CHECK(run.producer);
    input_touch(why);
}

static void on_link(void *user)
{
    (void)user;
    if (run.producer && run.opened & OPEN_MEDDLES)
        TW_IGNORE(tw_producer_update(run.producer, sources[0], (struct tw_bytes){0}));
}

static void on_events_stop(void *user, struct tw_instance *instance)
{
    (void)user;
    TW_EVENT_END(&run.categories[0]);
    tw_events_end(run.events, instance);
}

static void offer(const char *name, struct tw_bytes descriptor)
{
    struct tw_data_source_config config = {
        .name = name,
        .ops = {.start = on_start,
                .stop = on_stop,
                .flush = on_flush,
                .clear_incremental_state = on_clear,
                .refused = on_refused},
        .handles_incremental_state_clear = true,
        .descriptor = descriptor,
    };
    int r = tw_producer_register(run.producer, &config);

    CHECK(r >= 0 || faults_fired());
    CHECK(r <= 0 || r == TW_E_EXISTS || r == TW_E_LIMIT);
}

/* What the program holds of a producer that is gone stays valid: writers go before it or after. */
static void close_producer(void)
{
    struct tw_producer *producer = run.producer;

    tw_producer_close(producer);
    run.producer = NULL;
    tw_events_free(run.events);
    run.events = NULL;
}

/* Takes sessions whose config has an odd number of bytes. */
static bool matches(void *user, struct tw_bytes config)
{
    (void)user;
    input_touch(config);
    return config.n & 1;
}

static void begin_early(void)
{
    struct tw_startup_config config = {.name = sources[0], .timeout_ms = 5000, .matches = matches};
    int r = tw_producer_startup(run.producer, &config);

    CHECK(r >= 0 || faults_fired());
    CHECK(r <= 0 || r == TW_E_NOT_FOUND || r == TW_E_EXISTS || r == TW_E_CLOSED || r == TW_E_LIMIT);
}

static void open_producer(uint8_t how)
{
    static const uint8_t chunks[] = {0, 1, 2, 4, 7, 14, 14, 1};
    static const struct tw_category categories[] = {TW_CATEGORY("on", NULL, NULL),
                                                    TW_CATEGORY("off", "some", "slow")};
    struct tw_producer_config config = {
        .socket = peer_address(),
        .name = "hostile",
        .batch_ms = how & OPEN_BATCHING ? 100 : 0,
        .chunks_per_page = chunks[how & OPEN_CHUNKS],
        .send_buffer = how & OPEN_DEADLINE ? 4096 : 0,
        .send_deadline_ms = how & OPEN_DEADLINE ? 1000 : 0,
        .connected = on_link,
        .disconnected = on_link,
    };
    struct tw_events_config events = {.categories = run.categories, .n_categories = CATEGORIES};
    int r;

    close_producer();
    run.opened = how;
    r = tw_producer_open(&run.producer, &config);
    CHECK(r == 0 || faults_fired());
    if (r)
        return;
    for (size_t i = 0; i < SOURCES; i++)
        offer(sources[i], (struct tw_bytes){0});
    memcpy(run.categories, categories, sizeof(categories));
    events.stop = how & OPEN_LATER ? on_events_stop : NULL;
    r = tw_events_new(&run.events, run.producer, &events);
    CHECK(r == 0 || faults_fired());
    if (how & OPEN_EARLY)
        begin_early();
}

static void check_stats(void)
{
    struct tw_producer_stats stats;
    bool early = run.opened & OPEN_EARLY; /* no service set that one up */

    tw_producer_stats(run.producer, &stats);
    CHECK(stats.starts <= stats.setups + early && stats.stops <= stats.setups + early);
    CHECK(stats.bad_memory <= stats.bad_commands);
    CHECK(stats.connects > 0 || !tw_producer_connected(run.producer));
}

static void work(uint8_t rounds)
{
    for (unsigned i = 0; run.producer && i <= rounds % ROUNDS; i++) {
        int r = tw_producer_dispatch(run.producer, 0);

        CHECK(r == 0 || (r < 0 && faults_fired()));
        check_stats();
        peer_serve();
    }
}

static void pass_time(uint8_t units)
{
    hostile_set_now_ns(hostile_now_ns() + units * 100 * TW_NS_PER_MS);
    if (run.producer)
        tw_timers_run(tw_loop_timers(run.producer->loop), hostile_now_ns());
}

static void source_step(uint8_t how, struct tw_bytes descriptor)
{
    const char *name = sources[how % SOURCES];
    int r = 0;

    if (!run.producer)
        return;
    switch (how >> 6) {
    case 0:
        offer(name, descriptor);
        return;
    case 1:
        r = tw_producer_update(run.producer, name, descriptor);
        break;
    case 2:
        r = tw_producer_unregister(run.producer, name);
        break;
    default:
        if (run.instances[how % INSTANCES])
            tw_instance_done(run.instances[how % INSTANCES]);
        break;
    }
    CHECK(r >= 0 || faults_fired());
    CHECK(r <= 0 || r == TW_E_NOT_FOUND || r == TW_E_LIMIT);
}

/* ---- writers ---- */

static void check_writer(struct writer *w)
{
    struct tw_writer_stats stats;

    tw_writer_stats(w->writer, &stats);
    CHECK(stats.packets == w->ended - w->failed && stats.lost == w->failed);
    CHECK(tw_writer_lost(w->writer) == stats.lost);
}

static void free_writer(struct writer *w)
{
    if (w->writer)
        check_writer(w);
    tw_writer_free(w->writer);
    *w = (struct writer){0};
}

static void new_writer(struct writer *w, uint8_t how)
{
    struct tw_instance *instance = run.instances[how / WRITERS % INSTANCES];
    int r;

    free_writer(w);
    if (!instance)
        return;
    r = tw_writer_new(&w->writer, instance, (enum tw_exhausted)(how >> 6));
    CHECK(r == 0 || r == TW_E_CLOSED || faults_fired());
}

static void put_fields(struct tw_trace_writer *w, struct tw_bytes body)
{
    static const uint8_t filler[256];

    while (body.n) {
        uint8_t field = input_byte(&body);

        switch (field >> 6) {
        case 0:
            tw_writer_nest(w, 1 + field % 32U);
            break;
        case 1:
            tw_writer_unnest(w);
            break;
        case 2:
            tw_writer_u64(w, 1 + field % 32U, field);
            break;
        default:
            for (int i = 0; i < 1 << field % 8U; i++)
                tw_writer_bytes(w, 1, (struct tw_bytes){filler, sizeof(filler)});
            break;
        }
    }
}

/* Each waits once at most: who has waited in vain loses the packet. */
static void write_packet(struct writer *w, uint8_t how, struct tw_bytes body)
{
    uint64_t begun = hostile_now_ns();
    int r;

    if (!w->writer)
        return;
    if (how & 128) {
        tw_writer_flush(w->writer);
        return;
    }
    tw_writer_begin(w->writer);
    put_fields(w->writer, body);
    r = tw_writer_end(w->writer);
    w->ended++;
    w->failed += r != 0;
    CHECK(r == 0 || r == TW_E_LIMIT || r == TW_E_CLOSED || r == TW_E_INVALID);
    REQ("TW-SEC-008");
    CHECK(r == 0 || hostile_now_ns() - begun < 2 * TW_STALL_MAX_MS * TW_NS_PER_MS);
    check_writer(w);
}

static void write_event(uint8_t how, const struct tw_category *category)
{
    static const struct tw_track track = {.id = 7, .name = "track"};

    switch (how >> 1 & 7) {
    case 0:
        TW_EVENT_BEGIN(category, "slice");
        break;
    case 1:
        TW_EVENT_END(category);
        break;
    case 2:
        TW_EVENT_INSTANT(category, "instant");
        break;
    case 3:
        TW_EVENT_COUNTER(category, "counter", how);
        break;
    case 4:
        TW_EVENT_BEGIN_WITH(category, "with", tw_arg_str("text", "value"), tw_flow(how));
        break;
    default:
        TW_EVENT_INSTANT_WITH(category, "other", tw_on(&track), tw_arg_uint("n", how));
        break;
    }
}

/* ---- the script ---- */

static void arm_fault(uint8_t nth, struct tw_bytes body)
{
    static const enum fault calls[] = {
        FAULT_sendmsg,       FAULT_recvmsg,    FAULT_socket,         FAULT_epoll_ctl,
        FAULT_epoll_create1, FAULT_mmap,       FAULT_timerfd_create, FAULT_timerfd_settime,
        FAULT_fcntl,         FAULT_fstat,      FAULT_fstatfs,        FAULT_read,
        FAULT_write,         FAULT_epoll_wait,
    };
    struct fault_plan plan = {.nth = nth, .cut = 1};

    if (body.n < 2) {
        faults_arm(nth);
        return;
    }
    plan.what = calls[input_byte(&body) % TW_ARRAY_LEN(calls)];
    plan.error = fault_rows[plan.what].errors[input_byte(&body) % FAULT_ERRORS_MAX];
    faults_plan(&plan);
}

enum what {
    OP_WORK,
    OP_COMMAND,
    OP_REPLY,
    OP_FOREIGN,
    OP_SERVICE,
    OP_HANG_UP,
    OP_MEMORY,
    OP_CHANGES,
    OP_TIME,
    OP_OPEN,
    OP_SOURCE,
    OP_WRITER,
    OP_PACKET,
    OP_EVENT,
    OP_FAULT,
    OP_MAX,
};

static void step_of_service(enum what what, uint8_t arg, struct tw_bytes body)
{
    switch (what) {
    case OP_COMMAND:
        peer_command(arg, body);
        break;
    case OP_REPLY:
        peer_reply(arg, body);
        break;
    case OP_FOREIGN:
        peer_foreign(arg, body);
        break;
    case OP_SERVICE:
        peer_behave(arg);
        break;
    case OP_HANG_UP:
        peer_hang_up();
        break;
    case OP_MEMORY:
        peer_write(body);
        break;
    case OP_CHANGES:
        hostile_changes(body);
        break;
    default:
        break;
    }
}

static void step_of_program(enum what what, uint8_t arg, struct tw_bytes body)
{
    switch (what) {
    case OP_WORK:
        work(arg);
        break;
    case OP_TIME:
        pass_time(arg);
        break;
    case OP_OPEN:
        open_producer(arg);
        break;
    case OP_SOURCE:
        source_step(arg, body);
        break;
    case OP_WRITER:
        new_writer(&run.writers[arg % WRITERS], arg);
        break;
    case OP_PACKET:
        write_packet(&run.writers[arg % WRITERS], arg, body);
        break;
    case OP_EVENT:
        if (run.events)
            write_event(arg, &run.categories[arg % CATEGORIES]);
        break;
    case OP_FAULT:
        arm_fault(arg, body);
        break;
    default:
        break;
    }
}

static void end_run(void)
{
    (void)faults_disarm();
    hostile_changes((struct tw_bytes){0});
    if (run.opened & OPEN_LATER) /* writers outlive the producer */
        close_producer();
    for (size_t i = 0; i < WRITERS; i++)
        free_writer(&run.writers[i]);
    for (size_t i = 0; i < INSTANCES; i++)
        forget(i);
    close_producer();
    peer_hang_up_all();
}

/* Numbers of descriptors that are in use, of the first FDS. */
static int fds_open(void)
{
    int n = 0;

    for (int fd = 0; fd < FDS; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes input = {data, size};
    struct script_op op;
    int fds;

    (void)peer_address();
    fds = fds_open();
    hostile_set_now_ns(BEGIN_NS);
    run = (struct run){0};
    peer_reset();
    open_producer(0);
    for (int i = 0; i < STEPS_MAX && script_next(&input, &op); i++) {
        step_of_service((enum what)(op.what % OP_MAX), op.arg, op.body);
        step_of_program((enum what)(op.what % OP_MAX), op.arg, op.body);
    }
    end_run();
    REQ("TW-FD-004");
    CHECK(fds_open() == fds);
    CHECK(hostile_mappings() == 0);
    return 0;
}
