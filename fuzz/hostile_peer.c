/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/hostile_peer.h"

#include <stdalign.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sock.h"
#include "frame/ports.h"
#include "frame/pump.h"
#include "fuzz/faults.h"
#include "fuzz/script.h"
#include "smb/shm.h"
#include "tests/producer/memories.h"

static struct {
    int conn; /* -1: none */
    uint8_t how;
    struct tw_rx rx;
    struct tw_tx tx;
    uint64_t ids[TW_PRODUCER_METHOD_MAX]; /* of the last call of each method */
    struct tw_shm shm;
} peer;

static int listener = -1;

const char *peer_address(void)
{
    static char address[64];
    struct tw_sock_access access = {0600, (gid_t)-1};

    if (listener < 0) {
        snprintf(address, sizeof(address), "@tracewire-hostile-%d", (int)getpid());
        CHECK(tw_sock_listen(address, &access, &listener) == 0);
    }
    return address;
}

void peer_reset(void)
{
    memset(&peer, 0, sizeof(peer));
    peer.conn = -1;
    peer.shm = TW_SHM_INIT;
}

void peer_behave(uint8_t how)
{
    peer.how = how;
}

void peer_hang_up(void)
{
    if (peer.conn < 0)
        return;
    tw_fd_close(&peer.conn);
    tw_rx_deinit(&peer.rx);
    tw_tx_deinit(&peer.tx);
    tw_shm_deinit(&peer.shm);
    memset(peer.ids, 0, sizeof(peer.ids));
}

static void welcome(void)
{
    int conn = peer.conn < 0 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

    if (conn < 0)
        return;
    if (tw_rx_init(&peer.rx)) {
        CHECK(faults_fired());
        tw_fd_close(&conn);
        return;
    }
    peer.tx = TW_TX_INIT;
    peer.conn = conn;
}

/* Takes fd. Frames that the socket takes no more of are kept, and given up with the rest. */
static void send_frame(const struct tw_frame *frame, int fd)
{
    if (peer.conn < 0 || tw_tx_frame(&peer.tx, frame, fd)) {
        tw_fd_close(&fd);
        return;
    }
    if (tw_pump_out(peer.conn, &peer.tx) == TW_E_CLOSED)
        peer_hang_up();
}

static void send_reply(uint64_t id, uint8_t how, struct tw_bytes body, int fd)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE_REPLY, .request_id = id};

    frame.invoke_reply.success = how & REPLY_SUCCESS;
    frame.invoke_reply.has_more = how & REPLY_MORE;
    frame.invoke_reply.has_reply = how & REPLY_BODY;
    frame.invoke_reply.reply = body;
    send_frame(&frame, fd);
}

static void answer_bind(uint64_t id)
{
    struct tw_method_info methods[TW_METHOD_MAX];
    struct tw_frame frame = {.kind = TW_FRAME_BIND_REPLY, .request_id = id};
    uint32_t n = peer.how & PEER_FEW ? TW_PRODUCER_GET_ASYNC_COMMAND : tw_producer_port.n_methods;

    for (uint32_t i = 0; i < n; i++) {
        const char *name = tw_producer_port.method[i + 1].name;

        methods[i] = (struct tw_method_info){
            .id = i + 1, .name = {.p = (const uint8_t *)name, .n = strlen(name)}};
    }
    frame.bind_reply.success = !(peer.how & PEER_NO_BIND);
    frame.bind_reply.service_id = 1;
    frame.bind_reply.method = methods;
    frame.bind_reply.n_methods = n;
    send_frame(&frame, -1);
}

static void answer(const struct tw_frame *frame)
{
    static const uint8_t adopted[] = {1 << 3, 1}, patch[] = {2 << 3, 1}, emulate[] = {3 << 3, 1};
    uint32_t method = frame->invoke.method_id;
    struct tw_bytes body = {0};

    CHECK(method > 0 && method < TW_PRODUCER_METHOD_MAX);
    peer.ids[method] = frame->request_id;
    if (frame->invoke.drop_reply || method == TW_PRODUCER_GET_ASYNC_COMMAND)
        return;
    if (method == TW_PRODUCER_INITIALIZE_CONNECTION && peer.how & PEER_EMULATION)
        body = (struct tw_bytes){emulate, sizeof(emulate)};
    else if (method == TW_PRODUCER_INITIALIZE_CONNECTION && peer.how & PEER_ADOPTED)
        body = (struct tw_bytes){adopted, sizeof(adopted)};
    else if (method == TW_PRODUCER_INITIALIZE_CONNECTION && peer.how & PEER_PATCH)
        body = (struct tw_bytes){patch, sizeof(patch)};
    send_reply(frame->request_id, REPLY_SUCCESS | REPLY_BODY, body, -1);
}

/* Our producer keeps the rules, whatever was done to it. */
static void take_frame(struct tw_bytes payload)
{
    struct tw_frame frame;

    CHECK(!tw_frame_decode(payload, &frame, NULL));
    CHECK(frame.kind == TW_FRAME_BIND || frame.kind == TW_FRAME_INVOKE);
    if (peer.how & PEER_MUTE)
        return;
    if (frame.kind == TW_FRAME_BIND)
        answer_bind(frame.request_id);
    else
        answer(&frame);
}

void peer_serve(void)
{
    struct tw_bytes payload;
    int in = 0;

    welcome();
    while (peer.conn >= 0 && !(peer.how & PEER_DEAF) && in == 0) {
        if (tw_rx_next(&peer.rx, &payload) == 0)
            take_frame(payload);
        else
            in = tw_pump_in(peer.conn, &peer.rx);
    }
    CHECK(in == 0 || in == TW_MORE || in == TW_E_CLOSED || faults_fired());
    if (in && in != TW_MORE)
        peer_hang_up();
}

/* Its end of what it hands over as memory, to change it by. */
static int hand_over(enum memory kind)
{
    int fd = memory_open(kind), own = -1;

    if (fd >= 0 && kind <= MEMORY_SMALL && peer.conn >= 0 && !peer.shm.p)
        own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own >= 0 && tw_shm_adopt(&peer.shm, &own, TW_SHM_SEALS_SHRINK))
        CHECK(faults_fired());
    return fd;
}

void peer_write(struct tw_bytes bytes)
{
    size_t at = (size_t)script_u16(&bytes) * 4;

    if (peer.shm.p && at < peer.shm.size)
        memcpy(tw_shared_own(peer.shm.p) + at, bytes.p, tw_min(bytes.n, peer.shm.size - at));
}

/* Bytes of the input, as they are, with up to two descriptors. */
void peer_foreign(uint8_t how, struct tw_bytes bytes)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int fds[2] = {-1, -1};
    size_t n = 0;

    while (n < (how >> 6) % 3U && (fds[n] = memory_open((enum memory)(how % MEMORY_MAX))) >= 0)
        n++;
    if (n) {
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, n * sizeof(int));
    }
    if (peer.conn >= 0 && bytes.n)
        TW_IGNORE(sendmsg(peer.conn, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0);
    tw_fd_close(&fds[0]);
    tw_fd_close(&fds[1]);
}

void peer_command(uint8_t how, struct tw_bytes body)
{
    uint8_t more = how & COMMAND_LAST ? 0 : REPLY_MORE;

    send_reply(peer.ids[TW_PRODUCER_GET_ASYNC_COMMAND], REPLY_SUCCESS | REPLY_BODY | more, body,
               hand_over((enum memory)((how & COMMAND_MEMORY) % MEMORY_MAX)));
}

void peer_reply(uint8_t how, struct tw_bytes body)
{
    send_reply(peer.ids[(how & REPLY_METHOD) % TW_PRODUCER_METHOD_MAX], how, body,
               how & REPLY_FD ? hand_over(MEMORY_SMALL) : -1);
}

void peer_hang_up_all(void)
{
    peer_hang_up();
    for (welcome(); peer.conn >= 0; welcome())
        peer_hang_up();
}
