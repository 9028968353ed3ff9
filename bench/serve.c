/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/serve.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "frame/pump.h"
#include "producer_port.pb-c.h"
#include "wire/pbc.h"

enum { PATIENCE_MS = 20000 }; /* for an answer, on a machine with much else to do */

void serve_must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

void serve_many_descriptors(size_t n)
{
    struct rlimit limit;

    serve_must(!getrlimit(RLIMIT_NOFILE, &limit), "no limit of descriptors");
    limit.rlim_cur = limit.rlim_max;
    serve_must(limit.rlim_max >= n + 64 && !setrlimit(RLIMIT_NOFILE, &limit),
               "too few descriptors are allowed");
}

static void await_input(int fd, const char *what)
{
    struct pollfd waits = {.fd = fd, .events = POLLIN};

    serve_must(poll(&waits, 1, PATIENCE_MS) == 1, what);
}

static void address(const char *name, struct sockaddr_un *addr, socklen_t *len)
{
    serve_must(!tw_sock_address(name, addr, len), "a socket's name is no address");
}

/* Where the command says that it is ready. */
static int listen_for_ready(const char *name)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un addr;
    socklen_t len;

    address(name, &addr, &len);
    serve_must(fd >= 0 && !bind(fd, (const struct sockaddr *)&addr, len), "cannot be notified");
    return fd;
}

void serve_start(struct serve *s, const char *argv0)
{
    char command[4096], said[16] = "";
    const char *slash = strrchr(argv0, '/');

    snprintf(s->folder, sizeof(s->folder), "/tmp/tracewire-bench-XXXXXX");
    serve_must(mkdtemp(s->folder), "no folder for the sockets");
    snprintf(s->producer, sizeof(s->producer), "%s/p", s->folder);
    snprintf(s->consumer, sizeof(s->consumer), "%s/c", s->folder);
    snprintf(s->notify, sizeof(s->notify), "%s/n", s->folder);
    snprintf(command, sizeof(command), "%.*stracewire", slash ? (int)(slash + 1 - argv0) : 0,
             argv0);
    s->notify_fd = listen_for_ready(s->notify);
    s->pid = fork();
    serve_must(s->pid >= 0, "cannot fork");
    if (s->pid == 0) {
        setenv("NOTIFY_SOCKET", s->notify, 1);
        execl(command, command, "serve", "--producer-socket", s->producer, "--consumer-socket",
              s->consumer, (char *)NULL);
        _exit(127);
    }
    await_input(s->notify_fd, "the service does not start");
    serve_must(recv(s->notify_fd, said, sizeof(said) - 1, 0) > 0 && !strcmp(said, "READY=1"),
               "the service is not ready");
}

void serve_stop(struct serve *s)
{
    int status = -1;

    serve_must(!kill(s->pid, SIGTERM) && waitpid(s->pid, &status, 0) == s->pid, "cannot end it");
    serve_must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the service did not end well");
    tw_fd_close(&s->notify_fd);
    unlink(s->notify);
    serve_must(!rmdir(s->folder), "the service left something behind");
}

/* The third word of its stat, behind its name in brackets: S is asleep. */
static bool sleeps(const struct serve *s)
{
    char path[64], line[256] = "";
    const char *name_end;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", s->pid);
    f = fopen(path, "re");
    serve_must(f && fgets(line, sizeof(line), f), path);
    fclose(f);
    name_end = strrchr(line, ')');
    return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

void serve_settle(const struct serve *s)
{
    while (!sleeps(s))
        sched_yield();
}

long serve_figure(const struct serve *s, const char *file, const char *key)
{
    char path[64], line[256];
    size_t n = strlen(key);
    long figure = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/%s", s->pid, file);
    f = fopen(path, "re");
    serve_must(f, path);
    while (figure < 0 && fgets(line, sizeof(line), f))
        if (!strncmp(line, key, n) && line[n] == ':')
            figure = strtol(line + n + 1, NULL, 10);
    fclose(f);
    serve_must(figure >= 0, key);
    return figure;
}

long serve_descriptors(const struct serve *s)
{
    char path[64];
    long n = -2; /* . and .. */
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", s->pid);
    dir = opendir(path);
    serve_must(dir, path);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void next_event(struct peer *peer)
{
    for (;;) {
        int rc = tw_client_next(&peer->client, &peer->event);

        if (!rc)
            return;
        serve_must(rc == TW_MORE, peer->client.why ? peer->client.why : "the connection ended");
        rc = tw_pump_out(peer->fd, &peer->client.tx);
        serve_must(!rc || rc == TW_MORE, "the service does not read");
        await_input(peer->fd, "the service does not answer");
        serve_must(!tw_pump_in(peer->fd, &peer->client.rx), "the service hung up");
    }
}

void peer_open(struct peer *peer, const struct serve *s, const struct tw_port *port)
{
    struct sockaddr_un addr;
    socklen_t len;

    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address(port == &tw_producer_port ? s->producer : s->consumer, &addr, &len);
    serve_must(peer->fd >= 0 && !connect(peer->fd, (const struct sockaddr *)&addr, len),
               "cannot connect");
    serve_must(!tw_client_init(&peer->client, port), "no memory for a client");
    serve_must(!tw_client_bind(&peer->client), "cannot bind");
    next_event(peer);
    serve_must(peer->event.kind == TW_CLIENT_BOUND, "the port was refused");
}

void peer_close(struct peer *peer)
{
    tw_fd_close(&peer->fd);
    tw_client_deinit(&peer->client);
}

void peer_call(struct peer *peer, uint32_t method, const ProtobufCMessage *request, bool drop_reply)
{
    struct tw_buf buf = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    int rc;

    serve_must(!tw_pbc_pack(request, &buf), "cannot encode a request");
    rc = tw_client_call(&peer->client, method, tw_buf_bytes(&buf), drop_reply, -1, NULL, NULL);
    serve_must(!rc, "cannot send a request");
    tw_buf_deinit(&buf);
    rc = tw_pump_out(peer->fd, &peer->client.tx);
    serve_must(!rc || rc == TW_MORE, "the service does not read");
}

void peer_await(struct peer *peer, uint32_t method)
{
    do
        next_event(peer);
    while (peer->event.kind == TW_CLIENT_REPLY && peer->event.method != method);
    serve_must(peer->event.kind == TW_CLIENT_REPLY && peer->event.success, "a request was refused");
}

void peer_ask(struct peer *peer, uint32_t method, const ProtobufCMessage *request)
{
    peer_call(peer, method, request, false);
    peer_await(peer, method);
}

void producer_open(struct peer *peer, const struct serve *s)
{
    static char name[] = "bench";
    Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;

    hello.producer_name = name;
    hello.has_shared_memory_size_hint_bytes = hello.has_shared_memory_page_size_hint_bytes = true;
    hello.shared_memory_size_hint_bytes = hello.shared_memory_page_size_hint_bytes = 4096;
    peer_open(peer, s, &tw_producer_port);
    peer_ask(peer, TW_PRODUCER_INITIALIZE_CONNECTION, &hello.base);
}

void producer_register(struct peer *peer)
{
    static char name[] = SERVE_DATA_SOURCE;
    Tw__RegisterDataSourceRequest request = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    descriptor.name = name;
    request.data_source_descriptor = &descriptor;
    peer_ask(peer, TW_PRODUCER_REGISTER_DATA_SOURCE, &request.base);
}

void producer_listen(struct peer *peer)
{
    Tw__GetAsyncCommandRequest commands = TW__GET_ASYNC_COMMAND_REQUEST__INIT;

    peer_call(peer, TW_PRODUCER_GET_ASYNC_COMMAND, &commands.base, false);
    producer_sync(peer);
}

void producer_sync(struct peer *peer)
{
    Tw__SyncRequest sync = TW__SYNC_REQUEST__INIT;

    peer_ask(peer, TW_PRODUCER_SYNC, &sync.base);
}
