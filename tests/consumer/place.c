/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/harness.h"

char place_folder[128], place_path[160];
uint8_t place_bytes[PLACE_LARGE];

int place_begin(void **state)
{
    const char *dir = getenv("TMPDIR");

    snprintf(place_folder, sizeof(place_folder), "%s/tracewire-test-XXXXXX", dir ? dir : "/tmp");
    assert_non_null(mkdtemp(place_folder));
    snprintf(place_path, sizeof(place_path), "%s/trace", place_folder);
    return tw_test_fds_before(state);
}

int place_names(char ret_other[NAME_MAX + 1])
{
    DIR *dir = opendir(place_folder);
    struct dirent *entry;
    int n = 0;

    assert_non_null(dir);
    ret_other[0] = '\0';
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (strcmp(entry->d_name, "trace") != 0)
            snprintf(ret_other, NAME_MAX + 1, "%s", entry->d_name);
    }
    closedir(dir);
    return n;
}

int place_end(void **state)
{
    char other[NAME_MAX + 1], full[sizeof(place_folder) + sizeof(other)];

    unlink(place_path);
    while (place_names(other)) {
        snprintf(full, sizeof(full), "%s/%s", place_folder, other);
        assert_int_equal(unlink(full), 0);
    }
    assert_int_equal(rmdir(place_folder), 0);
    return tw_test_fds_after(state);
}

struct tw_bytes place_filled(size_t n, uint8_t value)
{
    memset(place_bytes, value, n);
    return (struct tw_bytes){.p = place_bytes, .n = n};
}

struct tw_trace_file *place_opened(const struct tw_trace_file_options *options)
{
    struct tw_trace_file *file;

    assert_int_equal(tw_trace_file_open(place_path, options, &file), 0);
    return file;
}

void place_put(struct tw_trace_file *file, size_t n)
{
    assert_int_equal(tw_trace_file_packet(file, place_filled(n, 7)), 0);
}

void place_put_old(void)
{
    int fd = open(place_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "old", PLACE_OLD), PLACE_OLD);
    tw_fd_close(&fd);
}

off_t place_size_of(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 ? st.st_size : -1;
}

void place_assert_old(void)
{
    char text[PLACE_OLD + 1] = "";
    int fd = open(place_path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, PLACE_OLD), PLACE_OLD);
    tw_fd_close(&fd);
    assert_string_equal(text, "old");
    assert_int_equal(place_size_of(place_path), PLACE_OLD);
}

int place_packets_in(const char *name)
{
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;
    int rc, n = 0;

    assert_int_equal(tw_trace_reader_open(name, &reader), 0);
    while (!(rc = tw_trace_reader_next(reader, &packet)))
        n++;
    assert_int_equal(rc, TW_MORE);
    tw_trace_reader_free(reader);
    return n;
}
