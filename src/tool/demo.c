/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracewire demo: a service, a producer and a consumer, each a process of its own, for two seconds.
 * Every wait is for something that happens: the service's word that it is ready, the end of a
 * process. Whatever goes wrong, no process and no file but the trace stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tool/demo_child.h"
#include "tool/demo_summary.h"
#include "tool/tool.h"

enum {
    DURATION_MS = 2000,
    DURATION_MAX_MS = 60 * 1000,
    STEP_MS = 20 * 1000, /* how long any step may take besides the tracing itself */
    SAID_MAX = 4096,     /* bytes of the producer's line of JSON */
    PATH_LEN = 256,
};

static const char help[] =
    "Usage: tracewire demo [-o FILE] [-t TIME]\n"
    "\n"
    "Runs a service, a producer and a consumer together and sums up the trace they\n"
    "made.\n"
    "\n"
    "  -o, --out FILE   the trace file (default tracewire-demo.pftrace)\n"
    "  -t, --time TIME  how long: a number and ms or s (default 2s)\n"
    "  -h, --help       this text\n"
    "      --version    the version\n"
    "\n"
    "Exit status: 0 everything that was written has arrived, 1 failure, 2 bad command\n"
    "line.\n";

/* The files of the demo, in a directory of its own. */
enum { FILE_PRODUCER, FILE_CONSUMER, FILE_NOTIFY, FILE_CONFIG, FILE_LOG, FILE_MAX };

static const char *const file_names[FILE_MAX] = {"producer", "consumer", "notify", "config", "log"};

struct demo {
    const char *out;
    const char *where; /* what a failure to set up is about */
    uint64_t duration_ms;
    char dir[PATH_LEN];
    char file[FILE_MAX][PATH_LEN + 16];
    int log_fd, said_fd;
    struct tw_loop *loop;
    struct tw_io notify;
    struct tw_timer deadline;
    struct tw_demo_child service, producer, consumer;
    bool ready, late, interrupted;
};

/* The producer's own account. */
struct said {
    json_int_t packets, events, lost;
};

static int complain(const char *what, int rc)
{
    tw_complain("demo", "%s: %s", what, tw_err_str(rc));
    return rc;
}

/* ---- setting up and cleaning up ---- */

static int make_dir(struct demo *d)
{
    const char *tmp = getenv("TMPDIR");
    int n, rc = 0;

    if (!tmp || !tmp[0])
        tmp = "/tmp";
    d->where = tmp;
    n = snprintf(d->dir, sizeof(d->dir), "%s/tracewire-demo.XXXXXX", tmp);
    if (n >= (int)sizeof(d->dir))
        rc = -ENAMETOOLONG;
    else if (!mkdtemp(d->dir))
        rc = -errno;
    if (rc) {
        d->dir[0] = '\0';
        return rc;
    }
    for (int i = 0; i < FILE_MAX; i++)
        snprintf(d->file[i], sizeof(d->file[i]), "%s/%s", d->dir, file_names[i]);
    return 0;
}

static void remove_dir(const struct demo *d)
{
    if (!d->dir[0])
        return;
    for (int i = 0; i < FILE_MAX; i++)
        unlink(d->file[i]);
    rmdir(d->dir);
}

static int write_config(const struct demo *d)
{
    FILE *file = fopen(d->file[FILE_CONFIG], "we");

    if (!file)
        return -errno;
    fprintf(file,
            "buffers { size_kb: 16384 }\n"
            "data_sources { config { name: \"track_event\" target_buffer: 0 } }\n"
            "data_sources { config { name: \"tw.seq\" target_buffer: 0 } }\n"
            "duration_ms: %" PRIu64 "\n",
            d->duration_ms);
    return fclose(file) == 0 ? 0 : -errno;
}

static void on_notify(struct tw_io *io, uint32_t events)
{
    struct demo *d = TW_CONTAINER_OF(io, struct demo, notify);
    char text[256] = "";

    (void)events;
    if (recv(io->fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0 && strstr(text, "READY=1"))
        d->ready = true;
}

/* Where the service says that it is ready, as it does to a service manager. */
static int open_notify(struct demo *d)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t n = strlen(d->file[FILE_NOTIFY]);

    if (n >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, d->file[FILE_NOTIFY], n);
    d->notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (d->notify.fd < 0 || bind(d->notify.fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        setenv("NOTIFY_SOCKET", d->file[FILE_NOTIFY], 1) != 0)
        return -errno;
    return tw_loop_add(d->loop, &d->notify);
}

static void on_deadline(struct tw_timer *timer)
{
    TW_CONTAINER_OF(timer, struct demo, deadline)->late = true;
}

/* The consumer knows how to end in good order; before it runs there is nothing to save. */
static void on_signal(int signo, void *user)
{
    struct demo *d = user;

    (void)signo;
    if (d->consumer.pid && !d->interrupted)
        tw_demo_signal(&d->consumer, SIGINT);
    else
        d->late = true;
    d->interrupted = true;
}

static int set_up(struct demo *d)
{
    sigset_t signals;
    int rc = tw_loop_new(&d->loop);

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (!rc)
        rc = tw_loop_signals(d->loop, &signals, on_signal, d);
    if (!rc)
        rc = make_dir(d);
    if (!rc)
        rc = write_config(d);
    if (!rc)
        rc = open_notify(d);
    if (rc)
        return rc;
    d->log_fd = open(d->file[FILE_LOG], O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return d->log_fd < 0 ? -errno : 0;
}

static void tear_down(struct demo *d)
{
    tw_demo_reap(&d->consumer);
    tw_demo_reap(&d->producer);
    tw_demo_reap(&d->service);
    if (d->loop && d->notify.fd >= 0)
        tw_loop_del(d->loop, &d->notify);
    tw_fd_close(&d->notify.fd);
    tw_fd_close(&d->said_fd);
    tw_fd_close(&d->log_fd);
    tw_loop_free(d->loop);
    remove_dir(d);
}

/* What the processes said, for the one who has to find out what went wrong. */
static void show_log(const struct demo *d)
{
    char text[SAID_MAX];
    ssize_t n;

    if (d->log_fd < 0 || lseek(d->log_fd, 0, SEEK_SET) < 0)
        return;
    while ((n = read(d->log_fd, text, sizeof(text))) > 0)
        fwrite(text, 1, (size_t)n, stderr);
}

/* ---- the steps ---- */

/* Until *happened. What may not end meanwhile is watched, too. */
static int wait_for(struct demo *d, const bool *happened, uint64_t limit_ms, const char *what)
{
    int rc = tw_timer_set(tw_loop_timers(d->loop), &d->deadline,
                          tw_clock_ns(CLOCK_MONOTONIC) + limit_ms * TW_NS_PER_MS);

    while (!rc && !*happened && !d->late) {
        rc = tw_loop_once(d->loop, -1);
        if (!rc && !*happened && d->service.ended)
            return complain(what, TW_E_CLOSED);
    }
    tw_timer_clear(tw_loop_timers(d->loop), &d->deadline);
    if (!rc && !*happened)
        rc = -ETIMEDOUT;
    return rc ? complain(what, rc) : 0;
}

static int start_service(struct demo *d)
{
    const char *argv[] = {"tracewire",
                          "serve",
                          "--producer-socket",
                          d->file[FILE_PRODUCER],
                          "--consumer-socket",
                          d->file[FILE_CONSUMER],
                          NULL};
    struct tw_demo_stdio stdio = {.out = d->log_fd, .err = d->log_fd};
    int rc = tw_demo_spawn(&d->service, d->loop, argv, &stdio);

    if (rc)
        return complain("the service", rc);
    return wait_for(d, &d->ready, STEP_MS, "waiting for the service");
}

static int start_producer(struct demo *d)
{
    const char *argv[] = {"tracewire", "produce", "--socket",  d->file[FILE_PRODUCER],
                          "--rate",    "500",     "--threads", "2",
                          "--stall",   NULL};
    struct tw_demo_stdio stdio = {.err = d->log_fd};
    int pipe_fds[2];
    int rc;

    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return complain("the producer", -errno);
    stdio.out = pipe_fds[1];
    rc = tw_demo_spawn(&d->producer, d->loop, argv, &stdio);
    tw_fd_close(&pipe_fds[1]);
    d->said_fd = pipe_fds[0];
    return rc ? complain("the producer", rc) : 0;
}

static int record(struct demo *d)
{
    const char *argv[] = {"tracewire", "record", "--consumer-socket",  d->file[FILE_CONSUMER],
                          "--txt",     "-c",     d->file[FILE_CONFIG], "-o",
                          d->out,      NULL};
    struct tw_demo_stdio stdio = {.out = -1, .err = -1};
    int rc = tw_demo_spawn(&d->consumer, d->loop, argv, &stdio);

    if (rc)
        return complain("the consumer", rc);
    rc = wait_for(d, &d->consumer.ended, d->duration_ms + STEP_MS, "waiting for the trace");
    if (!rc && d->consumer.status == TW_EXIT_USAGE)
        return TW_E_INVALID; /* the trace file cannot be made: it has said so */
    if (!rc && d->consumer.status != TW_EXIT_OK) {
        tw_complain("demo", "the consumer ended with status %d", d->consumer.status);
        return TW_E_REFUSED;
    }
    return rc;
}

static int end_child(struct demo *d, struct tw_demo_child *child)
{
    int rc;

    tw_demo_signal(child, SIGTERM);
    rc = wait_for(d, &child->ended, STEP_MS, child->name);
    if (!rc && child->status != TW_EXIT_OK) {
        tw_complain("demo", "%s ended with status %d", child->name, child->status);
        return TW_E_REFUSED;
    }
    return rc;
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* The producer has ended: all of its line is in the pipe. */
static int read_said(const struct demo *d, struct said *ret_said)
{
    char text[SAID_MAX];
    ssize_t n = read(d->said_fd, text, sizeof(text));
    json_t *object = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;

    if (!json_is_object(object)) {
        json_decref(object);
        return complain("what the producer said", TW_E_INVALID);
    }
    *ret_said = (struct said){
        .packets = number_of(object, "packets"),
        .events = number_of(object, "events"),
        .lost = number_of(object, "lost"),
    };
    json_decref(object);
    return 0;
}

static int run(struct demo *d, struct said *ret_said)
{
    int rc = start_service(d);

    if (!rc)
        rc = start_producer(d);
    if (!rc)
        rc = record(d);
    if (!rc)
        rc = end_child(d, &d->producer);
    if (!rc)
        rc = read_said(d, ret_said);
    if (!rc)
        rc = end_child(d, &d->service);
    return rc;
}

static int print_summary(const char *path, const struct tw_summary *s, const struct said *said)
{
    bool whole = s->track_events == (uint64_t)said->events &&
                 s->test_packets == (uint64_t)said->packets && said->lost == 0 && s->gaps == 0;

    printf("trace          %s: %" PRIu64 " packets, %" PRIu64 " bytes, %zu sequences\n", path,
           s->packets, s->bytes, s->n_sequences);
    printf("time           %.3f s from the first event to the last\n",
           (double)(s->last_ns - s->first_ns) / (double)TW_NS_PER_S);
    printf("track events   %" PRIu64 " of %" JSON_INTEGER_FORMAT " written: %" PRIu64
           " slices, %" PRIu64 " instants, %" PRIu64 " counts\n",
           s->track_events, said->events, s->slices, s->instants, s->counters);
    printf("test packets   %" PRIu64 " of %" JSON_INTEGER_FORMAT " written\n", s->test_packets,
           said->packets);
    printf("descriptors    %" PRIu64 "\n", s->descriptors);
    printf("from service   %" PRIu64 "\n", s->by_service);
    printf("lost           %" JSON_INTEGER_FORMAT " by the producer, %" PRIu64 " gaps\n",
           said->lost, s->gaps);
    if (!whole)
        tw_complain("demo", "what was written and what arrived differ");
    return whole ? TW_EXIT_OK : TW_EXIT_FAILURE;
}

static int run_demo(const char *out, uint64_t duration_ms)
{
    struct demo d = {
        .out = out,
        .where = "setting up",
        .duration_ms = duration_ms,
        .log_fd = -1,
        .said_fd = -1,
        .notify = {.fd = -1, .events = EPOLLIN, .fn = on_notify},
        .deadline = {.fn = on_deadline},
        .service = TW_DEMO_CHILD_INIT("the service"),
        .producer = TW_DEMO_CHILD_INIT("the producer"),
        .consumer = TW_DEMO_CHILD_INIT("the consumer"),
    };
    struct tw_summary summary;
    struct said said = {0};
    int rc = set_up(&d);

    if (rc)
        complain(d.where, rc);
    else if ((rc = run(&d, &said)) && d.consumer.status != TW_EXIT_USAGE)
        show_log(&d);
    tear_down(&d);
    if (rc)
        return d.consumer.status == TW_EXIT_USAGE ? TW_EXIT_USAGE : TW_EXIT_FAILURE;
    rc = tw_summary_read(out, &summary);
    if (rc) {
        complain(out, rc);
        return TW_EXIT_FAILURE;
    }
    return print_summary(out, &summary, &said);
}

int tw_cmd_demo(int argc, char **argv)
{
    enum { OPT_VERSION = 256 };
    static const struct option long_options[] = {
        {"out", required_argument, NULL, 'o'},
        {"time", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0},
    };
    const char *out = "tracewire-demo.pftrace";
    uint64_t duration_ms = DURATION_MS;
    int opt;

    tw_options_begin();
    while ((opt = getopt_long(argc, argv, ":o:t:h", long_options, NULL)) != -1) {
        switch (opt) {
        case 'o':
            out = optarg;
            break;
        case 't':
            if (tw_parse_time_ms(optarg, DURATION_MAX_MS, &duration_ms) || !duration_ms)
                return tw_usage_error("demo", "'%s' is not a time from 1ms to 60s", optarg);
            break;
        case 'h':
            fputs(help, stdout);
            return TW_EXIT_OK;
        case OPT_VERSION:
            return tw_print_version();
        default:
            return tw_options_bad(opt, argv);
        }
    }
    if (optind < argc)
        return tw_usage_error("demo", "unexpected argument '%s'", argv[optind]);
    if (strcmp(out, "-") == 0)
        return tw_usage_error("demo", "the trace is read again: -o wants a file");
    return run_demo(out, duration_ms);
}
