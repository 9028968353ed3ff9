/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of recorded connections: what it accepts, and what it says of files that are not. */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fd.h"
#include "base/macros.h"
#include "tool/recording.h"

/* A file with these bytes, compressed or not, that goes when it is closed. */
static int file_of(const void *bytes, size_t n, bool compressed)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);

    assert_true(fd >= 0);
    if (compressed) {
        gzFile gz = gzdopen(fcntl(fd, F_DUPFD_CLOEXEC, 3), "wb");

        assert_non_null(gz);
        assert_int_equal(gzwrite(gz, bytes, (unsigned)n), (int)n);
        assert_int_equal(gzclose(gz), Z_OK);
    } else {
        assert_int_equal(write(fd, bytes, n), n);
    }
    return fd;
}

/* A recording that reads this file, which is closed here. */
static struct tw_recording *open_file(int fd)
{
    struct tw_recording *rec;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(tw_recording_open(path, &rec), 0);
    tw_fd_close(&fd);
    return rec;
}

static struct tw_recording *open_text(const char *text, bool compressed)
{
    return open_file(file_of(text, strlen(text), compressed));
}

static void reads_every_kind_of_line(void **state)
{
    static const char text[] =
        "{\"t\": 0.25, \"dir\": \"c>s\", \"hex\": \"00ffAb\", \"fds\": 2}\n"
        "{\"t\": 0.5, \"smb\": 7, \"size\": 262144}\n"
        "{\"t\": 1, \"dir\": \"s>c\", \"hex\": \"\", \"fds\": 0}\n"
        "{\"t\": 2, \"dir\": \"s>c\", \"eof\": true}"; /* no newline at the end */

    (void)state;
    for (int compressed = 0; compressed < 2; compressed++) {
        struct tw_recording *rec = open_text(text, compressed);
        struct tw_recording_event e;

        assert_int_equal(tw_recording_next(rec, &e), 0);
        assert_int_equal(e.kind, TW_RECORDING_BYTES);
        assert_int_equal(e.dir, TW_RECORDING_FROM_CLIENT);
        assert_true(e.t > 0.24 && e.t < 0.26);
        assert_int_equal(e.n_fds, 2);
        assert_int_equal(e.bytes.n, 3);
        assert_memory_equal(e.bytes.p, "\x00\xff\xab", 3);
        assert_int_equal(tw_recording_next(rec, &e), 0);
        assert_int_equal(e.kind, TW_RECORDING_SMB);
        assert_int_equal(e.smb_index, 7);
        assert_int_equal(e.smb_size, 262144);
        assert_int_equal(tw_recording_next(rec, &e), 0);
        assert_int_equal(e.kind, TW_RECORDING_BYTES);
        assert_int_equal(e.dir, TW_RECORDING_FROM_SERVICE);
        assert_int_equal(e.bytes.n, 0);
        assert_int_equal(tw_recording_next(rec, &e), 0);
        assert_int_equal(e.kind, TW_RECORDING_EOF);
        assert_int_equal(tw_recording_line(rec), 4);
        assert_int_equal(tw_recording_next(rec, &e), TW_MORE);
        assert_int_equal(tw_recording_next(rec, &e), TW_MORE);
        tw_recording_close(rec);
    }
}

static void other_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "no json",
        "[]",
        "{}",
        "{\"t\": 1}",
        "{\"t\": 1, \"dir\": \"c>s\"}",
        "{\"t\": 1, \"dir\": \"c>c\", \"hex\": \"00\", \"fds\": 0}",
        "{\"t\": 1, \"hex\": \"00\", \"fds\": 0}",
        "{\"t\": 1, \"dir\": \"c>s\", \"hex\": \"0\", \"fds\": 0}",
        "{\"t\": 1, \"dir\": \"c>s\", \"hex\": \"0g\", \"fds\": 0}",
        "{\"t\": 1, \"dir\": \"c>s\", \"hex\": \"00\", \"fds\": -1}",
        "{\"t\": 1, \"dir\": \"c>s\", \"eof\": false}",
        "{\"t\": 1, \"smb\": -1, \"size\": 4096}",
        "{\"t\": 1, \"smb\": 4294967296, \"size\": 4096}",
        "{\"t\": 1, \"dir\": \"c>s\", \"hex\": \"00",
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(lines); i++) {
        struct tw_recording_event e;
        struct tw_recording *rec;
        char text[128];

        (void)snprintf(text, sizeof(text), "{\"t\": 0, \"dir\": \"c>s\", \"eof\": true}\n%s\n",
                       lines[i]);
        rec = open_text(text, false);
        assert_int_equal(tw_recording_next(rec, &e), 0);
        assert_int_equal(tw_recording_next(rec, &e), TW_E_INVALID);
        assert_int_equal(tw_recording_line(rec), 2);
        tw_recording_close(rec);
    }
}

/* A line that only a file made to harm has: refused, not read into memory without end. */
static void endless_lines_are_refused(void **state)
{
    const size_t n = (size_t)16 * 1024 * 1024;
    char *bytes = malloc(n);
    struct tw_recording_event e;
    struct tw_recording *rec;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, ' ', n);
    rec = open_file(file_of(bytes, n, true));
    assert_int_equal(tw_recording_next(rec, &e), TW_E_INVALID);
    tw_recording_close(rec);
    memset(bytes, 0, 100);
    rec = open_file(file_of(bytes, 100, false));
    assert_int_equal(tw_recording_next(rec, &e), TW_E_INVALID);
    tw_recording_close(rec);
    free(bytes);
}

static void damaged_files_are_told_from_ended_ones(void **state)
{
    static const char line[] = "{\"t\": 0, \"dir\": \"c>s\", \"eof\": true}\n";
    struct tw_recording_event e;
    struct tw_recording *rec;
    int fd = file_of(line, strlen(line), true), rc;

    (void)state;
    assert_int_equal(ftruncate(fd, 20), 0);
    rec = open_file(fd);
    do
        rc = tw_recording_next(rec, &e);
    while (rc == 0);
    assert_int_equal(rc, TW_E_TRUNCATED);
    tw_recording_close(rec);
}

static void missing_file_says_so(void **state)
{
    struct tw_recording *rec = NULL;

    (void)state;
    assert_int_equal(tw_recording_open("tests/data/captures/none", &rec), -ENOENT);
    assert_null(rec);
    tw_recording_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(reads_every_kind_of_line),
        tw_unit_test(other_lines_are_refused),
        tw_unit_test(endless_lines_are_refused),
        tw_unit_test(damaged_files_are_told_from_ended_ones),
        tw_unit_test(missing_file_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
