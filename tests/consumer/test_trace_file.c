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
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/req.h"
#include "fuzz/faults.h"
#include "place.h"

static void packets_come_back_as_written(void **state)
{
    static const size_t sizes[] = {0, 1, 127, 128, PLACE_LARGE, 20000, 16383, 16384, 262140, 5};
    struct tw_trace_file *file = place_opened(NULL);
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++)
        assert_int_equal(tw_trace_file_packet(file, place_filled(sizes[i], (uint8_t)(i + 1))), 0);
    assert_int_equal(tw_trace_file_close(file, true), 0);
    assert_int_equal(tw_trace_file_close(file, true), TW_E_INVALID);
    assert_int_equal(tw_trace_file_fd(file), -1);
    assert_int_equal(tw_trace_file_packets(file), TW_ARRAY_LEN(sizes));
    assert_int_equal(tw_trace_file_bytes(file), place_size_of(place_path));
    assert_string_equal(tw_trace_file_where(file), place_path);

    assert_int_equal(tw_trace_reader_open(place_path, &reader), 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++) {
        uint64_t offset = tw_trace_reader_offset(reader);

        assert_int_equal(tw_trace_reader_next(reader, &packet), 0);
        assert_int_equal(packet.packet.n, sizes[i]);
        assert_int_equal(packet.offset, offset);
        place_filled(sizes[i], (uint8_t)(i + 1));
        if (packet.packet.n)
            assert_memory_equal(packet.packet.p, place_bytes, packet.packet.n);
    }
    assert_int_equal(tw_trace_reader_next(reader, &packet), TW_MORE);
    assert_int_equal(tw_trace_reader_next(reader, &packet), TW_MORE);
    assert_int_equal(tw_trace_reader_offset(reader), tw_trace_file_bytes(file));
    tw_trace_reader_free(reader);
    tw_trace_file_free(file);
}

static void a_new_file_is_its_owners_alone(void **state)
{
    struct tw_trace_file *file = place_opened(NULL);
    struct stat st;

    (void)state;
    assert_int_equal(stat(tw_trace_file_where(file), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(tw_trace_file_close(file, true), 0);
    tw_trace_file_free(file);
    assert_int_equal(stat(place_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 0);
}

static void a_file_that_cannot_be_made_is_an_error(void **state)
{
    struct tw_trace_file *file = NULL;

    (void)state;
    assert_int_equal(tw_trace_file_open("/nonexistent/trace", NULL, &file), -ENOENT);
    assert_int_equal(tw_trace_file_open("/dev/null/trace", NULL, &file), -ENOTDIR);
    assert_int_equal(tw_trace_file_open("", NULL, &file), -ENOENT);
    assert_int_equal(tw_trace_file_open(place_folder, NULL, &file), -EISDIR);
    assert_null(file);
}

static void the_older_file_stays_until_the_new_one_is_whole(void **state)
{
    REQ("TW-TRACE-070");
    struct tw_trace_file *file;
    char other[NAME_MAX + 1];

    (void)state;
    place_put_old();
    file = place_opened(NULL);
    place_put(file, PLACE_LARGE);
    place_put(file, 5);
    place_assert_old();
    assert_int_equal(tw_trace_file_close(file, true), 0);
    tw_trace_file_free(file);
    assert_int_equal(place_names(other), 1);
    assert_int_equal(place_packets_in(place_path), 2);
}

static void what_is_not_whole_stays_beside_its_name(void **state)
{
    struct tw_trace_file *file;
    char other[NAME_MAX + 1];
    int at = 0, length = 0;

    (void)state;
    place_put_old();
    file = place_opened(NULL);
    place_put(file, 5);
    assert_int_equal(tw_trace_file_close(file, false), 0);
    place_assert_old();
    assert_int_equal(place_packets_in(tw_trace_file_where(file)), 1);
    assert_int_equal(place_names(other), 2);
    assert_int_equal(sscanf(other, "trace.%*6[a-zA-Z0-9]%n.partial%n", &at, &length), 0);
    assert_int_equal(at, 12);
    assert_int_equal(length, strlen(other));
    tw_trace_file_free(file);
}

static void without_a_packet_nothing_stays(void **state)
{
    struct tw_trace_file *file;
    char other[NAME_MAX + 1];

    (void)state;
    place_put_old();
    file = place_opened(NULL);
    assert_int_equal(tw_trace_file_close(file, false), 0);
    assert_null(tw_trace_file_where(file));
    tw_trace_file_free(file);
    tw_trace_file_free(place_opened(NULL));
    tw_trace_file_free(NULL);
    assert_int_equal(place_names(other), 1);
    place_assert_old();
}

static void what_the_service_wrote_is_kept_and_named(void **state)
{
    struct tw_trace_file *file;

    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        file = place_opened(NULL);
        assert_int_equal(write(tw_trace_file_fd(file), "\x0a\x01x", 3), 3);
        assert_int_equal(tw_trace_file_close(file, whole), 0);
        assert_int_equal(strcmp(tw_trace_file_where(file), place_path) == 0, whole);
        assert_int_equal(place_packets_in(tw_trace_file_where(file)), 1);
        tw_trace_file_free(file);
    }
}

static void a_killed_writer_leaves_no_file_by_the_name(void **state)
{
    REQ("TW-TRACE-070");
    char other[NAME_MAX + 1], c;
    int ready[2], status;
    pid_t child;

    (void)state;
    place_put_old();
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct tw_trace_file *file = place_opened(NULL);

        place_put(file, PLACE_LARGE);
        place_put(file, 5);
        TW_IGNORE(write(ready[1], "", 1));
        for (;;)
            pause();
    }
    tw_fd_close(&ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    tw_fd_close(&ready[0]);
    place_assert_old();
    assert_int_equal(place_names(other), 2);
}

static void a_device_is_written_where_it_is(void **state)
{
    struct tw_trace_file *file;
    struct stat st;

    (void)state;
    assert_int_equal(tw_trace_file_open("/dev/null", NULL, &file), 0);
    place_put(file, PLACE_LARGE);
    assert_int_equal(tw_trace_file_close(file, true), 0);
    assert_string_equal(tw_trace_file_where(file), "/dev/null");
    tw_trace_file_free(file);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void a_link_is_followed(void **state)
{
    char to[sizeof(place_path) + 8];
    struct tw_trace_file *file;
    struct stat st;

    (void)state;
    snprintf(to, sizeof(to), "%s.there", place_path);
    assert_int_equal(symlink(to, place_path), 0);
    file = place_opened(NULL);
    place_put(file, 5);
    assert_int_equal(tw_trace_file_close(file, true), 0);
    tw_trace_file_free(file);
    assert_int_equal(lstat(place_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(place_packets_in(to), 1);
}

static void nothing_is_clobbered(void **state)
{
    REQ("TW-TRACE-072");
    const struct tw_trace_file_options options = {.no_clobber = true};
    /* How the file gets its name: in one step, or where that cannot be done in two. */
    const struct fault_plan in_one = {.what = FAULT_renameat2},
                            in_two = {.what = FAULT_renameat2, .nth = 1, .error = EINVAL};
    struct tw_trace_file *file = NULL;

    (void)state;
    place_put_old();
    assert_int_equal(tw_trace_file_open(place_path, &options, &file), -EEXIST);
    assert_int_equal(tw_trace_file_open("/dev/null", &options, &file), -EEXIST);
    assert_null(file);
    for (int two = 0; two < 2; two++) {
        unlink(place_path);
        file = place_opened(&options);
        place_put(file, 5);
        place_put_old(); /* meanwhile */
        faults_plan(two ? &in_two : &in_one);
        assert_int_equal(tw_trace_file_close(file, true), -EEXIST);
        place_assert_old();
        assert_int_equal(place_packets_in(tw_trace_file_where(file)), 1);
        tw_trace_file_free(file);

        unlink(place_path);
        file = place_opened(&options);
        place_put(file, 5);
        faults_plan(two ? &in_two : &in_one);
        assert_int_equal(tw_trace_file_close(file, true), 0);
        assert_int_equal(faults_disarm(), two);
        assert_int_equal(place_packets_in(place_path), 1);
        assert_string_equal(tw_trace_file_where(file), place_path);
        tw_trace_file_free(file);
    }
}

static void what_was_set_aside_is_given_back(void **state)
{
    const struct tw_trace_file_options options = {.preallocate = 16 << 20};
    struct stat st;

    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct tw_trace_file *file = place_opened(&options);

        place_put(file, 5);
        assert_int_equal(fstat(tw_trace_file_fd(file), &st), 0);
        assert_int_equal(st.st_size, 0);
        assert_true(st.st_blocks * 512 >= 16 << 20);
        assert_int_equal(tw_trace_file_close(file, whole), 0);
        assert_int_equal(stat(tw_trace_file_where(file), &st), 0);
        assert_int_equal(st.st_size, 7);
        assert_true(st.st_blocks * 512 <= 64 << 10);
        tw_trace_file_free(file);
    }
}

static void no_room_is_told_before_anything_is_written(void **state)
{
    static const uint64_t sizes[] = {UINT64_MAX, INT64_MAX};
    const struct tw_trace_file_options options = {.preallocate = 1};
    /* Where a long has 32 bits, it is fallocate64() that is called, which nobody refuses. */
    bool refuses = sizeof(off_t) == sizeof(long);
    struct tw_trace_file *file = NULL;
    char other[NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++) {
        int rc = tw_trace_file_open(
            place_path, &(struct tw_trace_file_options){.preallocate = sizes[i]}, &file);

        assert_true(rc == -EFBIG || rc == -ENOSPC);
    }
    assert_int_equal(place_names(other), 0);
    if (!refuses)
        return;
    faults_plan(&(struct fault_plan){.what = FAULT_fallocate, .nth = 1, .error = ENOSPC});
    assert_int_equal(tw_trace_file_open(place_path, &options, &file), -ENOSPC);
    assert_int_equal(place_names(other), 0);
    faults_plan(&(struct fault_plan){.what = FAULT_fallocate, .nth = 1, .error = EOPNOTSUPP});
    tw_trace_file_free(place_opened(&options));
    assert_true(faults_disarm());
}

static void the_disk_is_waited_for(void **state)
{
    static const struct tw_trace_file_options options = {.sync = true};
    static const char *const relative[] = {"trace", "./trace"};
    struct tw_trace_file *file;
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(chdir(place_folder), 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(relative); i++) {
        assert_int_equal(tw_trace_file_open(relative[i], &options, &file), 0);
        place_put(file, 5);
        faults_plan(&(struct fault_plan){.what = FAULT_fdatasync});
        assert_int_equal(tw_trace_file_close(file, true), 0);
        assert_int_equal(faults_calls(FAULT_fdatasync), 1);
        assert_int_equal(faults_calls(FAULT_fsync), 1);
        tw_trace_file_free(file);
    }
    assert_int_equal(fchdir(here), 0);
    tw_fd_close(&here);
}

static void a_full_disk_is_told_and_stays_told(void **state)
{
    struct tw_trace_file *file;
    int rc = 0;

    (void)state;
    assert_int_equal(tw_trace_file_open("/dev/full", NULL, &file), 0);
    for (int i = 0; i < 1000 && !rc; i++)
        rc = tw_trace_file_packet(file, place_filled(1000, 1));
    assert_int_equal(rc, -ENOSPC);
    assert_int_equal(tw_trace_file_packet(file, place_filled(1, 1)), -ENOSPC);
    assert_int_equal(tw_trace_file_close(file, true), -ENOSPC);
    assert_int_equal(tw_trace_file_bytes(file), 0);
    assert_int_equal(tw_trace_file_packets(file), 0);
    tw_trace_file_free(file);
}

static void a_full_disk_is_told_at_the_end_too(void **state)
{
    struct tw_trace_file *file;

    (void)state;
    assert_int_equal(tw_trace_file_open("/dev/full", NULL, &file), 0);
    place_put(file, 10);
    assert_int_equal(tw_trace_file_packets(file), 1);
    assert_int_equal(tw_trace_file_close(file, true), -ENOSPC);
    assert_int_equal(tw_trace_file_packets(file), 0);
    tw_trace_file_free(file);
}

/* The limit on the size of files makes the disk full after some packets of this size; how many of
 * them are whole then. */
static void fill_disk(size_t size, int whole)
{
    struct rlimit before, limit;
    struct tw_trace_file *file;
    int rc = 0;

    place_put_old();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 1000000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    file = place_opened(NULL);
    for (size_t n = 0; n < 2000000 && !rc; n += size)
        rc = tw_trace_file_packet(file, place_filled(size, 7));
    assert_int_equal(rc, -EFBIG);
    assert_int_equal(tw_trace_file_close(file, true), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(tw_trace_file_packets(file), whole);
    assert_int_equal(tw_trace_file_bytes(file), place_size_of(tw_trace_file_where(file)));
    assert_int_equal(place_packets_in(tw_trace_file_where(file)), whole);
    place_assert_old();
    tw_trace_file_free(file);
}

static void what_came_before_a_full_disk_is_kept(void **state)
{
    REQ("TW-TRACE-071");
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    fill_disk(PLACE_LARGE, 3);
    fill_disk(1000, 997); /* of 1003 bytes, cut inside of what was gathered */
}

static void a_write_is_tried_again(void **state)
{
    static const int errors[] = {EINTR, EAGAIN};
    struct tw_trace_file *file;

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(errors); i++) {
        file = place_opened(NULL);
        place_put(file, 5);
        faults_plan(&(struct fault_plan){.what = FAULT_write, .nth = 1, .error = errors[i]});
        assert_int_equal(tw_trace_file_close(file, true), 0);
        assert_true(faults_disarm());
        tw_trace_file_free(file);
        assert_int_equal(place_packets_in(place_path), 1);
    }
}

static void a_descriptor_is_written_from_where_it_stands(void **state)
{
    struct tw_trace_file *file;
    int fd;

    (void)state;
    place_put_old();
    fd = open(place_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(tw_trace_file_new(fd, &file), 0);
    place_put(file, 5);
    assert_null(tw_trace_file_where(file));
    tw_trace_file_free(file); /* not whole, but nobody's to cut */
    assert_int_equal(place_size_of(place_path), PLACE_OLD + 7);
}

static void standard_output_is_written_and_stays_open(void **state)
{
    int was, to;

    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct tw_trace_file *file;
        int rc;

        fflush(stdout);
        was = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
        to = open(place_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(dup2(to, STDOUT_FILENO), STDOUT_FILENO);
        rc = tw_trace_file_open("-", NULL, &file);
        rc = rc ? rc : tw_trace_file_packet(file, place_filled(5, 1));
        rc = rc ? rc : tw_trace_file_close(file, whole);
        assert_int_equal(dup2(was, STDOUT_FILENO), STDOUT_FILENO);
        tw_fd_close(&was);
        tw_fd_close(&to);
        assert_int_equal(rc, 0);
        assert_null(tw_trace_file_where(file));
        tw_trace_file_free(file);
        assert_int_equal(place_packets_in(place_path), 1);
    }
}

/* ---- what the system refuses ---- */

static int write_whole(const struct tw_trace_file_options *options, struct tw_trace_file **ret_file)
{
    int rc = tw_trace_file_open(place_path, options, ret_file);

    for (int i = 0; i < 3 && !rc; i++)
        rc = tw_trace_file_packet(*ret_file, place_filled(i == 1 ? PLACE_LARGE : 100, 7));
    return rc ? rc : tw_trace_file_close(*ret_file, true);
}

/* Errors that say how the same is done another way. */
static bool may_be_no_failure(int error)
{
    return error == EINTR || error == EAGAIN || error == EOPNOTSUPP || error == EINVAL;
}

/* By the name there is the older file or the whole of the new one, and where the rest is is told.
 */
static void assert_safe(struct tw_trace_file *file, bool whole, bool clobbers)
{
    const char *where = file ? tw_trace_file_where(file) : NULL;
    bool beside = where && strcmp(where, place_path) != 0;
    char other[NAME_MAX + 1];

    if (whole)
        assert_int_equal(place_packets_in(place_path), 3);
    else if (clobbers && (beside || !file))
        place_assert_old();
    assert_int_equal(place_names(other), (place_size_of(place_path) >= 0) + beside);
    if (beside) {
        TW_IGNORE(place_packets_in(where));
        unlink(where);
    }
}

static void refuse(const struct tw_trace_file_options *options, const struct fault_plan *plan)
{
    struct tw_trace_file *file = NULL;
    int rc;

    if (!options->no_clobber)
        place_put_old();
    faults_plan(plan);
    rc = write_whole(options, &file);
    assert_true(faults_disarm());
    assert_true(rc == -plan->error || (rc == 0 && may_be_no_failure(plan->error)));
    if (file)
        TW_IGNORE(tw_trace_file_close(file, false));
    assert_safe(file, rc == 0, !options->no_clobber);
    tw_trace_file_free(file);
    unlink(place_path);
}

static void whatever_is_refused_the_name_is_safe(void **state)
{
    static const struct tw_trace_file_options options[] = {
        {.sync = true, .preallocate = 1 << 20},
        {.no_clobber = true},
    };
    unsigned calls[FAULT_MAX];

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(options); i++) {
        struct tw_trace_file *file;

        faults_plan(&(struct fault_plan){.nth = 0});
        assert_int_equal(write_whole(&options[i], &file), 0);
        for (enum fault what = 0; what < FAULT_MAX; what++)
            calls[what] = faults_calls(what);
        tw_trace_file_free(file);
        unlink(place_path);
        for (enum fault what = 0; what < FAULT_MAX; what++)
            for (unsigned nth = 1; nth <= calls[what]; nth++)
                for (const int *error = fault_rows[what].errors; *error; error++)
                    refuse(&options[i],
                           &(struct fault_plan){.what = what, .nth = nth, .error = *error});
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, place_begin, place_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packets_come_back_as_written),
        TEST(a_new_file_is_its_owners_alone),
        TEST(a_file_that_cannot_be_made_is_an_error),
        TEST(the_older_file_stays_until_the_new_one_is_whole),
        TEST(what_is_not_whole_stays_beside_its_name),
        TEST(without_a_packet_nothing_stays),
        TEST(what_the_service_wrote_is_kept_and_named),
        TEST(a_killed_writer_leaves_no_file_by_the_name),
        TEST(a_device_is_written_where_it_is),
        TEST(a_link_is_followed),
        TEST(nothing_is_clobbered),
        TEST(what_was_set_aside_is_given_back),
        TEST(no_room_is_told_before_anything_is_written),
        TEST(the_disk_is_waited_for),
        TEST(a_full_disk_is_told_and_stays_told),
        TEST(a_full_disk_is_told_at_the_end_too),
        TEST(what_came_before_a_full_disk_is_kept),
        TEST(a_write_is_tried_again),
        TEST(a_descriptor_is_written_from_where_it_stands),
        TEST(standard_output_is_written_and_stays_open),
        TEST(whatever_is_refused_the_name_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
