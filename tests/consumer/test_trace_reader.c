/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "tracewire/consumer.h"

/* A trace in memory that comes in pieces of some size. */
struct source {
    struct tw_bytes left;
    size_t piece;
    int end;     /* what is said behind the last byte */
    size_t room; /* the most that there was for it */
};

static int read_source(void *user, uint8_t *p, size_t n, size_t *ret_n)
{
    struct source *s = user;

    assert_true(n > 0);
    s->room = tw_max(s->room, n);
    n = tw_min(tw_min(n, s->piece), s->left.n);
    if (n == 0 && s->end)
        return s->end;
    if (n > 0) {
        memcpy(p, s->left.p, n);
        s->left.p += n;
        s->left.n -= n;
    }
    *ret_n = n;
    return 0;
}

static struct source source_of(const char *text, size_t n, size_t piece)
{
    return (struct source){.left = {.p = (const uint8_t *)text, .n = n}, .piece = piece};
}

/* How many packets there are, and what the reader says then. */
static size_t count(struct source s, size_t packet_max, int *ret_said, uint64_t *ret_offset)
{
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;
    size_t n = 0;

    assert_int_equal(tw_trace_reader_new(read_source, &s, packet_max, &reader), 0);
    while (!(*ret_said = tw_trace_reader_next(reader, &packet)))
        n++;
    assert_int_equal(tw_trace_reader_next(reader, &packet), *ret_said);
    *ret_offset = tw_trace_reader_offset(reader);
    tw_trace_reader_free(reader);
    return n;
}

#define TEXT(s) s, sizeof(s) - 1

static void ends_and_damage_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        int said;
        uint64_t offset;
        size_t packets;
    } cases[] = {
        {TEXT(""), TW_MORE, 0, 0},
        {TEXT("\x0a\x02xy"), TW_MORE, 4, 1},
        {TEXT("\x0a\x00\x0a\x00"), TW_MORE, 4, 2},
        {TEXT("\x8a\x00\x82\x80\x00xy"), TW_MORE, 7, 1}, /* longer than need be */
        {TEXT("\x0a"), TW_E_TRUNCATED, 0, 0},
        {TEXT("\x0a\x80"), TW_E_TRUNCATED, 0, 0},
        {TEXT("\x0a\x00\x0a\x02x"), TW_E_TRUNCATED, 2, 1},
        {TEXT("\x08\x01"), TW_E_PROTOCOL, 0, 0},
        {TEXT("\x0a\x01x\x12\x00"), TW_E_PROTOCOL, 3, 1},
        {TEXT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), TW_E_PROTOCOL, 0, 0},
        {TEXT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), TW_E_LIMIT, 0, 0},
        {TEXT("\x0a\x81\x80\x80\x20"), TW_E_LIMIT, 0, 0}, /* 64 MiB + 1 */
        {TEXT("\x0a\x80\x80\x80\x20"), TW_E_TRUNCATED, 0, 0},
    };

    (void)state;
    REQ("TW-TRACE-061");
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++)
        for (size_t piece = 1; piece < 8; piece++) {
            int said;
            uint64_t offset;
            size_t n = count(source_of(cases[i].text, cases[i].n, piece), SIZE_MAX, &said, &offset);

            assert_int_equal(said, cases[i].said);
            assert_int_equal(offset, cases[i].offset);
            assert_int_equal(n, cases[i].packets);
        }
}

static void the_largest_packet_is_for_the_caller_to_say(void **state)
{
    struct source three = source_of(TEXT("\x0a\x03xyz"), 1);
    uint64_t offset;
    int said;

    (void)state;
    REQ("TW-TRACE-060");
    assert_int_equal(count(three, 3, &said, &offset), 1);
    assert_int_equal(said, TW_MORE);
    assert_int_equal(count(three, 2, &said, &offset), 0);
    assert_int_equal(said, TW_E_LIMIT);
}

/* A claim of 64 MiB, and three bytes of it. */
static void memory_comes_from_bytes_not_from_claims(void **state)
{
    struct source s = source_of(TEXT("\x0a\x80\x80\x80\x20xyz"), 8);
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;

    (void)state;
    REQ("TW-TRACE-060");
    assert_int_equal(tw_trace_reader_new(read_source, &s, SIZE_MAX, &reader), 0);
    assert_int_equal(tw_trace_reader_next(reader, &packet), TW_E_TRUNCATED);
    assert_in_range(s.room, 1, 1 << 20);
    tw_trace_reader_free(reader);
}

static void what_reading_says_is_passed_on(void **state)
{
    struct source s = source_of(TEXT("\x0a\x01x\x0a\x05"), 2);
    uint64_t offset;
    int said;

    (void)state;
    s.end = -EIO;
    assert_int_equal(count(s, 100, &said, &offset), 1);
    assert_int_equal(said, -EIO);
    assert_int_equal(offset, 3);
    s.left.n = 3;
    s.end = TW_E_TRUNCATED; /* also between two packets */
    assert_int_equal(count(s, 100, &said, &offset), 1);
    assert_int_equal(said, TW_E_TRUNCATED);
}

static struct tw_trace_packet only_packet(const char *text, size_t n)
{
    static struct tw_trace_reader *reader; /* the packet is in it */
    struct source s = source_of(text, n, 100);
    struct tw_trace_packet packet;

    tw_trace_reader_free(reader);
    reader = NULL;
    if (n == 0)
        return (struct tw_trace_packet){0};
    assert_int_equal(tw_trace_reader_new(read_source, &s, 100, &reader), 0);
    assert_int_equal(tw_trace_reader_next(reader, &packet), 0);
    return packet;
}

static void compressed_packets_are_told_apart(void **state)
{
    struct tw_trace_packet packet;

    (void)state;
    REQ("TW-TRACE-062");
    packet = only_packet(TEXT("\x0a\x05\x92\x03\x02xy"));
    assert_int_equal(packet.coding, TW_TRACE_DEFLATE);
    assert_int_equal(packet.packed.n, 2);
    assert_memory_equal(packet.packed.p, "xy", 2);
    packet = only_packet(TEXT("\x0a\x04\xaa\x08\x01z"));
    assert_int_equal(packet.coding, TW_TRACE_ZSTD);
    assert_memory_equal(packet.packed.p, "z", 1);
    packet = only_packet(TEXT("\x0a\x03\x90\x03\x02")); /* the number, but no bytes */
    assert_int_equal(packet.coding, TW_TRACE_PLAIN);
    packet = only_packet(TEXT("\x0a\x02\x40\x05"));
    assert_int_equal(packet.coding, TW_TRACE_PLAIN);
    assert_int_equal(packet.packed.n, 0);
    only_packet("", 0);
}

static void a_file_is_read_from_its_path(void **state)
{
    int fd = memfd_create("trace", MFD_CLOEXEC);
    char path[64];
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "\x0a\x02xy", 4), 4);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(tw_trace_reader_open(path, &reader), 0);
    tw_fd_close(&fd);
    assert_int_equal(tw_trace_reader_next(reader, &packet), 0);
    assert_memory_equal(packet.packet.p, "xy", 2);
    assert_int_equal(tw_trace_reader_next(reader, &packet), TW_MORE);
    tw_trace_reader_free(reader);

    assert_int_equal(tw_trace_reader_open("/nonexistent/trace", &reader), -ENOENT);
    assert_int_equal(tw_trace_reader_open("/tmp", &reader), 0);
    assert_int_equal(tw_trace_reader_next(reader, &packet), -EISDIR);
    tw_trace_reader_free(reader);
    tw_trace_reader_free(NULL);
}

static void standard_input_is_read_and_left_open(void **state)
{
    int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), ends[2];
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;

    (void)state;
    assert_true(saved >= 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "\x0a\x01x", 3), 3);
    tw_fd_close(&ends[1]);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    tw_fd_close(&ends[0]);
    assert_int_equal(tw_trace_reader_open("-", &reader), 0);
    assert_int_equal(tw_trace_reader_next(reader, &packet), 0);
    assert_int_equal(tw_trace_reader_next(reader, &packet), TW_MORE);
    tw_trace_reader_free(reader);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    tw_fd_close(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(ends_and_damage_are_told_apart),
        tw_unit_test(the_largest_packet_is_for_the_caller_to_say),
        tw_unit_test(memory_comes_from_bytes_not_from_claims),
        tw_unit_test(what_reading_says_is_passed_on),
        tw_unit_test(compressed_packets_are_told_apart),
        tw_unit_test(a_file_is_read_from_its_path),
        tw_unit_test(standard_input_is_read_and_left_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
