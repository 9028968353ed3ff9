/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "consumer/trace_file.h"
#include "tracewire/consumer.h"

static char path[] = "trace_file.XXXXXX.pftrace";

/* A fresh name in the directory for temporary files. */
static const char *fresh(char full[256])
{
    const char *dir = getenv("TMPDIR");
    int fd;

    snprintf(full, 256, "%s/%s", dir ? dir : "/tmp", path);
    fd = mkostemps(full, 8, O_CLOEXEC);
    assert_true(fd >= 0);
    tw_fd_close(&fd);
    return full;
}

static struct tw_bytes filled(uint8_t *p, size_t n, uint8_t value)
{
    memset(p, value, n);
    return (struct tw_bytes){.p = p, .n = n};
}

static void packets_come_back_as_written(void **state)
{
    static const size_t sizes[] = {0, 1, 127, 128, 300000, 20000, 16383, 16384, 5};
    uint8_t *bytes = malloc(300000);
    char name[256];
    struct tw_trace_out out;
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;
    struct stat st;

    (void)state;
    assert_int_equal(tw_trace_out_open(&out, fresh(name)), 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++)
        assert_int_equal(tw_trace_out_packet(&out, filled(bytes, sizes[i], (uint8_t)(i + 1))), 0);
    assert_int_equal(tw_trace_out_close(&out), 0);
    assert_int_equal(out.n_packets, TW_ARRAY_LEN(sizes));
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(out.n_bytes, st.st_size);

    assert_int_equal(tw_trace_reader_open(name, &reader), 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++) {
        uint64_t offset = tw_trace_reader_offset(reader);

        assert_int_equal(tw_trace_reader_next(reader, &packet), 0);
        assert_int_equal(packet.packet.n, sizes[i]);
        assert_int_equal(packet.offset, offset);
        filled(bytes, sizes[i], (uint8_t)(i + 1));
        if (packet.packet.n)
            assert_memory_equal(packet.packet.p, bytes, packet.packet.n);
    }
    assert_int_equal(tw_trace_reader_next(reader, &packet), TW_MORE);
    assert_int_equal(tw_trace_reader_next(reader, &packet), TW_MORE);
    assert_int_equal(tw_trace_reader_offset(reader), out.n_bytes);
    tw_trace_reader_free(reader);
    unlink(name);
    free(bytes);
}

static void a_new_file_is_its_owners_alone(void **state)
{
    char name[256];
    struct tw_trace_out out;
    struct stat st;

    (void)state;
    unlink(fresh(name));
    assert_int_equal(tw_trace_out_open(&out, name), 0);
    assert_int_equal(tw_trace_out_close(&out), 0);
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 0);
    unlink(name);
}

static void a_file_that_cannot_be_made_is_an_error(void **state)
{
    struct tw_trace_out out;

    (void)state;
    assert_int_equal(tw_trace_out_open(&out, "/nonexistent/trace"), -ENOENT);
}

static void a_full_disk_is_told_and_stays_told(void **state)
{
    uint8_t bytes[1000];
    struct tw_trace_out out;
    int rc = 0;

    (void)state;
    assert_int_equal(tw_trace_out_open(&out, "/dev/full"), 0);
    for (int i = 0; i < 1000 && !rc; i++)
        rc = tw_trace_out_packet(&out, filled(bytes, sizeof(bytes), 1));
    assert_int_equal(rc, -ENOSPC);
    assert_int_equal(tw_trace_out_packet(&out, filled(bytes, 1, 1)), -ENOSPC);
    assert_int_equal(tw_trace_out_close(&out), -ENOSPC);
    assert_int_equal(out.n_bytes, 0);
}

static void a_full_disk_is_told_at_the_end_too(void **state)
{
    uint8_t bytes[10];
    struct tw_trace_out out;

    (void)state;
    assert_int_equal(tw_trace_out_open(&out, "/dev/full"), 0);
    assert_int_equal(tw_trace_out_packet(&out, filled(bytes, sizeof(bytes), 1)), 0);
    assert_int_equal(tw_trace_out_close(&out), -ENOSPC);
}

/* The limit on the size of files makes the disk full after some packets. */
static void what_came_before_a_full_disk_is_kept(void **state)
{
    static uint8_t bytes[300000];
    struct rlimit before, limit;
    char name[256];
    struct tw_trace_out out;
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;
    int rc = 0, n = 0;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 1000000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(tw_trace_out_open(&out, fresh(name)), 0);
    for (int i = 0; i < 10 && !rc; i++)
        rc = tw_trace_out_packet(&out, filled(bytes, sizeof(bytes), 7));
    assert_int_equal(tw_trace_out_close(&out), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, -EFBIG);
    assert_int_equal(out.n_bytes, 1000000);

    assert_int_equal(tw_trace_reader_open(name, &reader), 0);
    while (!(rc = tw_trace_reader_next(reader, &packet)))
        n++;
    assert_int_equal(n, 3);
    assert_int_equal(rc, TW_E_TRUNCATED);
    tw_trace_reader_free(reader);
    unlink(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(packets_come_back_as_written),
        tw_unit_test(a_new_file_is_its_owners_alone),
        tw_unit_test(a_file_that_cannot_be_made_is_an_error),
        tw_unit_test(a_full_disk_is_told_and_stays_told),
        tw_unit_test(a_full_disk_is_told_at_the_end_too),
        tw_unit_test(what_came_before_a_full_disk_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
