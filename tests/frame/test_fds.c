/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a descriptor is: none to eight of them, come with any byte of two frames. */
#include "tests/frame/frames.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "frame/pump.h"

/* How bytes get from the peer into rx: by a socket, or straight. */
struct link {
    bool by_socket;
    int sock[2];
    struct tw_rx rx;
};

static void link_open(struct link *link, bool by_socket)
{
    *link = (struct link){.by_socket = by_socket, .sock = {-1, -1}};
    if (by_socket)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link->sock), 0);
    assert_int_equal(tw_rx_init(&link->rx), 0);
}

static void link_close(struct link *link)
{
    tw_rx_deinit(&link->rx);
    tw_fd_close(&link->sock[0]);
    tw_fd_close(&link->sock[1]);
}

static void send_with_fds(int sock, struct tw_bytes bytes, const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE((TW_RX_FDS_MAX + 1) * sizeof(int))];
    } control = {0};
    uint8_t copy[64];
    struct iovec iov = {.iov_base = copy, .iov_len = bytes.n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    assert_true(bytes.n <= sizeof(copy) && n_fds <= TW_RX_FDS_MAX + 1);
    memcpy(copy, bytes.p, bytes.n);
    if (n_fds) {
        struct cmsghdr *c = &control.align;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    assert_int_equal(sendmsg(sock, &msg, MSG_NOSIGNAL), bytes.n);
}

/* Brings bytes with n_fds new descriptors; returns the first one's inode. */
static ino_t bring(struct link *link, struct tw_bytes bytes, size_t n_fds)
{
    int fds[TW_RX_FDS_MAX] = {-1};
    struct stat st = {0};

    for (size_t i = 0; i < n_fds; i++)
        fds[i] = new_fd();
    if (n_fds)
        assert_int_equal(fstat(fds[0], &st), 0);
    if (!link->by_socket) {
        rx_put(&link->rx, bytes, fds, n_fds);
        return st.st_ino;
    }
    send_with_fds(link->sock[1], bytes, fds, n_fds);
    for (size_t i = 0; i < n_fds; i++)
        tw_fd_close(&fds[i]);
    assert_int_equal(tw_pump_in(link->sock[0], &link->rx), 0);
    return st.st_ino;
}

/* Two frames come in two parts, the first of end bytes with n_fds descriptors: the frame that holds
 * byte end - 1 has the first of them, and all others are closed. */
static void part_with_fds(bool by_socket, size_t end, size_t n_fds)
{
    static const uint8_t wire[] = {2, 0, 0, 0, 0x10, 1, 4, 0, 0, 0, 0x10, 2, 0x10, 3};
    const size_t first = 6;
    size_t owner = end <= first ? 0 : 1, frames = 0;
    struct tw_bytes payload;
    struct link link;
    int before;
    ino_t ino = 0;

    link_open(&link, by_socket);
    before = tw_fd_count_open();
    for (int part = 0; part < 2; part++) {
        if (part == 0)
            ino = bring(&link, (struct tw_bytes){wire, end}, n_fds);
        else if (end < sizeof(wire))
            (void)bring(&link, (struct tw_bytes){wire + end, sizeof(wire) - end}, 0);
        for (; !tw_rx_next(&link.rx, &payload); frames++) {
            int fd = tw_rx_take_fd(&link.rx);
            struct stat st;

            assert_int_equal(fd >= 0, n_fds > 0 && frames == owner);
            if (fd >= 0) {
                assert_int_equal(fstat(fd, &st), 0);
                assert_true(st.st_ino == ino);
                assert_int_equal(tw_fd_count_open(), before + 1);
            }
            tw_fd_close(&fd);
        }
    }
    assert_int_equal(frames, 2);
    assert_int_equal(tw_fd_count_open(), before);
    link_close(&link);
}

static void every_count_at_every_byte(void **state)
{
    (void)state;
    REQ("TW-FD-001");
    REQ("TW-FD-002");
    REQ("TW-FD-004");
    REQ("TW-LIM-003");
    for (int by_socket = 0; by_socket < 2; by_socket++)
        for (size_t end = 1; end <= 14; end++)
            for (size_t n_fds = 0; n_fds <= TW_RX_FDS_MAX; n_fds++)
                part_with_fds(by_socket, end, n_fds);
}

/* A connection that ends with descriptors waiting, or with some for nobody, closes them all. */
static void unclaimed_descriptors_close_with_the_connection(void **state)
{
    static const uint8_t half[] = {2, 0, 0, 0, 0x10};
    struct tw_bytes payload;

    (void)state;
    REQ("TW-FD-004");
    for (int by_socket = 0; by_socket < 2; by_socket++) {
        int before = tw_fd_count_open();
        struct link link;

        link_open(&link, by_socket);
        (void)bring(&link, (struct tw_bytes){half, sizeof(half)}, TW_RX_FDS_MAX);
        assert_int_equal(tw_rx_next(&link.rx, &payload), TW_MORE);
        link_close(&link);
        assert_int_equal(tw_fd_count_open(), before);
    }
}

/* One more than there is room for: the kernel cuts it off and says so, at whichever byte. */
static void truncation_ends_the_connection(void **state)
{
    static const uint8_t wire[] = {2, 0, 0, 0, 0x10, 1};

    (void)state;
    REQ("TW-FD-003");
    for (size_t end = 1; end <= sizeof(wire); end++) {
        int before = tw_fd_count_open(), fds[TW_RX_FDS_MAX + 1];
        struct link link;

        link_open(&link, true);
        for (size_t i = 0; i < TW_ARRAY_LEN(fds); i++)
            fds[i] = new_fd();
        send_with_fds(link.sock[1], (struct tw_bytes){wire, end}, fds, TW_ARRAY_LEN(fds));
        for (size_t i = 0; i < TW_ARRAY_LEN(fds); i++)
            tw_fd_close(&fds[i]);
        assert_int_equal(tw_pump_in(link.sock[0], &link.rx), TW_E_PROTOCOL);
        link_close(&link);
        assert_int_equal(tw_fd_count_open(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_count_at_every_byte),
        tw_unit_test(unclaimed_descriptors_close_with_the_connection),
        tw_unit_test(truncation_ends_the_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
