/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/req.h"
#include "smb/shm.h"

#define SEALS_ALL (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int memfd(off_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    if (seals)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void assert_adopt(int fd, enum tw_shm_seals seals, int expected)
{
    struct tw_shm shm = TW_SHM_INIT;

    assert_int_equal(tw_shm_adopt(&shm, &fd, seals), expected);
    assert_int_equal(fd, -1);
    if (expected)
        assert_null(shm.p);
    tw_shm_deinit(&shm);
}

static void created_memory_is_zero_sealed_and_close_on_exec(void **state)
{
    REQ("TW-SEC-004");
    struct tw_shm shm;

    (void)state;
    assert_int_equal(tw_shm_create(&shm, TW_SHM_SIZE_DEFAULT), 0);
    assert_int_equal(shm.size, TW_SHM_SIZE_DEFAULT);
    for (size_t i = 0; i < shm.size; i++)
        assert_int_equal(tw_shared_own(shm.p)[i], 0);
    assert_int_equal(fcntl(shm.fd, F_GET_SEALS) & SEALS_ALL, SEALS_ALL);
    assert_true(fcntl(shm.fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(ftruncate(shm.fd, 4096), -1);
    assert_int_equal(ftruncate(shm.fd, 1 << 20), -1);
    tw_shm_deinit(&shm);
    tw_shm_deinit(&shm);
    tw_shm_deinit(NULL);
}

static void bad_sizes_are_not_created(void **state)
{
    static const size_t bad[] = {0, 1, 4095, 4097, TW_SHM_SIZE_MAX + 4096, SIZE_MAX};
    struct tw_shm shm;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(tw_shm_create(&shm, bad[i]), TW_E_INVALID);
}

static void both_sides_see_the_same_bytes(void **state)
{
    struct tw_shm a, b;
    int fd;

    (void)state;
    assert_int_equal(tw_shm_create(&a, 8192), 0);
    fd = fcntl(a.fd, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(tw_shm_adopt(&b, &fd, TW_SHM_SEALS_ALL), 0);
    assert_int_equal(b.size, 8192);
    tw_shared_store32(tw_shared_at(a.p, 8188), 0x5a);
    assert_int_equal(tw_shared_load32(tw_shared_at(b.p, 8188)), 0x5a);
    tw_shm_deinit(&a);
    assert_int_equal(tw_shared_load32(tw_shared_at(b.p, 8188)), 0x5a);
    tw_shm_deinit(&b);
}

static void every_seal_that_is_asked_for_is_required(void **state)
{
    REQ("TW-SHM-010");
    (void)state;
    assert_adopt(memfd(4096, 0), TW_SHM_SEALS_ALL, TW_E_REFUSED);
    assert_adopt(memfd(4096, F_SEAL_SHRINK), TW_SHM_SEALS_ALL, TW_E_REFUSED);
    assert_adopt(memfd(4096, F_SEAL_SHRINK | F_SEAL_GROW), TW_SHM_SEALS_ALL, TW_E_REFUSED);
    assert_adopt(memfd(4096, F_SEAL_GROW | F_SEAL_SEAL), TW_SHM_SEALS_ALL, TW_E_REFUSED);
    assert_adopt(memfd(4096, SEALS_ALL), TW_SHM_SEALS_ALL, 0);
}

static void memory_that_can_shrink_is_never_mapped(void **state)
{
    REQ("TW-SHM-010");
    (void)state;
    assert_adopt(memfd(4096, 0), TW_SHM_SEALS_SHRINK, TW_E_REFUSED);
    assert_adopt(memfd(4096, F_SEAL_GROW), TW_SHM_SEALS_SHRINK, TW_E_REFUSED);
    assert_adopt(memfd(4096, F_SEAL_SHRINK), TW_SHM_SEALS_SHRINK, 0);
}

static void memory_sealed_against_writing_is_refused(void **state)
{
    (void)state;
    assert_adopt(memfd(4096, SEALS_ALL | F_SEAL_WRITE), TW_SHM_SEALS_ALL, TW_E_REFUSED);
}

static void wrong_sizes_are_refused(void **state)
{
    (void)state;
    assert_adopt(memfd(0, SEALS_ALL), TW_SHM_SEALS_ALL, TW_E_INVALID);
    assert_adopt(memfd(1, SEALS_ALL), TW_SHM_SEALS_ALL, TW_E_INVALID);
    assert_adopt(memfd(4095, SEALS_ALL), TW_SHM_SEALS_ALL, TW_E_INVALID);
    assert_adopt(memfd(4100, SEALS_ALL), TW_SHM_SEALS_ALL, TW_E_INVALID);
    assert_adopt(memfd((off_t)TW_SHM_SIZE_MAX, SEALS_ALL), TW_SHM_SEALS_ALL, 0);
    assert_adopt(memfd((off_t)TW_SHM_SIZE_MAX + 4096, SEALS_ALL), TW_SHM_SEALS_ALL, TW_E_INVALID);
    assert_adopt(memfd((off_t)1 << 40, SEALS_ALL), TW_SHM_SEALS_ALL, TW_E_INVALID);
}

static void what_is_no_memfd_is_refused(void **state)
{
    int pair[2], read_only;
    char path[64];

    (void)state;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_adopt(pair[0], TW_SHM_SEALS_ALL, TW_E_INVALID);
    assert_adopt(pair[1], TW_SHM_SEALS_SHRINK, TW_E_INVALID);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_adopt(pair[0], TW_SHM_SEALS_ALL, TW_E_INVALID);
    close(pair[1]);
    assert_adopt(open("/dev/zero", O_RDWR | O_CLOEXEC), TW_SHM_SEALS_SHRINK, TW_E_INVALID);
    assert_adopt(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), TW_SHM_SEALS_ALL, TW_E_INVALID);
    assert_adopt(-1, TW_SHM_SEALS_ALL, TW_E_INVALID);

    pair[0] = memfd(4096, SEALS_ALL);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", pair[0]);
    read_only = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read_only >= 0);
    assert_adopt(read_only, TW_SHM_SEALS_ALL, TW_E_REFUSED);
    close(pair[0]);
}

static void sizes_follow_upstreams_rules(void **state)
{
    static const struct {
        size_t size, page, ret_size, ret_page; /* KiB, page in bytes where odd */
    } cases[] = {
        {0, 0, 256 << 10, 4096},
        {1 << 20, 0, 1 << 20, 4096},
        {0, 8192, 256 << 10, 8192},
        {64 << 10, 65536, 64 << 10, 32768},  /* cut to the largest page */
        {64 << 20, 4096, 32 << 20, 4096},    /* cut to the largest buffer */
        {1 << 20, 4095, 256 << 10, 4096},    /* too small a page */
        {1 << 20, 5000, 256 << 10, 4096},    /* no multiple */
        {120 << 10, 12288, 256 << 10, 4096}, /* no power of two */
        {4096, 8192, 256 << 10, 4096},       /* no whole page */
        {20 << 10, 8192, 256 << 10, 4096},   /* no whole number of pages */
        {4096, 4096, 4096, 4096},
        {SIZE_MAX, SIZE_MAX, 32 << 20, 32768},
    };

    REQ("TW-SHM-035");
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct tw_shm_sizes s = tw_shm_sizes_for(cases[i].size, cases[i].page);
        bool same = cases[i].size == cases[i].ret_size && cases[i].page == cases[i].ret_page;

        assert_int_equal(s.size, cases[i].ret_size);
        assert_int_equal(s.page_size, cases[i].ret_page);
        assert_int_equal(tw_shm_sizes_valid(cases[i].size, cases[i].page), same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(created_memory_is_zero_sealed_and_close_on_exec),
        tw_unit_test(bad_sizes_are_not_created),
        tw_unit_test(both_sides_see_the_same_bytes),
        tw_unit_test(every_seal_that_is_asked_for_is_required),
        tw_unit_test(memory_that_can_shrink_is_never_mapped),
        tw_unit_test(memory_sealed_against_writing_is_refused),
        tw_unit_test(wrong_sizes_are_refused),
        tw_unit_test(what_is_no_memfd_is_refused),
        tw_unit_test(sizes_follow_upstreams_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
