/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/harness.h"

static char text[64 * 1024];

/* What fn writes to standard error. */
static const char *told(void (*fn)(void))
{
    int ends[2], saved = dup(STDERR_FILENO);
    ssize_t n;

    assert_true(saved >= 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    fn();
    dup2(saved, STDERR_FILENO);
    n = read(ends[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    close(saved);
    close(ends[0]);
    close(ends[1]);
    return text;
}

static void one_of_each(void)
{
    tw_log(TW_LOG_ERROR, "e%d", 1);
    tw_log(TW_LOG_WARN, "w");
    tw_log(TW_LOG_INFO, "i");
    tw_log(TW_LOG_DEBUG, "d");
}

static void lines_have_levels(void **state)
{
    enum tw_log_level level;

    (void)state;
    assert_string_equal(told(one_of_each), "tracewire: e1\ntracewire: w\ntracewire: i\n");
    assert_int_equal(tw_log_parse_level("error", &level), 0);
    tw_log_set_level(level);
    assert_string_equal(told(one_of_each), "tracewire: e1\n");
    assert_int_equal(tw_log_parse_level("debug", &level), 0);
    tw_log_set_level(level);
    assert_non_null(strstr(told(one_of_each), "tracewire: d\n"));
    assert_int_equal(tw_log_parse_level("loud", &level), TW_E_INVALID);
    tw_log_set_level(TW_LOG_INFO);
}

static void to_the_journal(void)
{
    char stream[64];
    struct stat st;

    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    tw_log_for_journal();
    one_of_each();
}

/* The variable alone is no proof: it is inherited with another standard error. */
static void to_another(void)
{
    setenv("JOURNAL_STREAM", "1:1", 1);
    tw_log_for_journal();
    one_of_each();
}

static void the_journal_is_told_levels_its_own_way(void **state)
{
    (void)state;
    assert_string_equal(told(to_the_journal), "<3>e1\n<4>w\n<6>i\n");
    assert_string_equal(told(to_another), "tracewire: e1\ntracewire: w\ntracewire: i\n");
    unsetenv("JOURNAL_STREAM");
    tw_log_for_journal();
}

static void a_long_line(void)
{
    static char words[2000];

    memset(words, 'x', sizeof(words) - 1);
    tw_log(TW_LOG_INFO, "%s", words);
}

static void a_line_is_cut_and_stays_one(void **state)
{
    const char *line = told(a_long_line);

    (void)state;
    assert_int_equal(strlen(line), 512);
    assert_ptr_equal(strchr(line, '\n'), line + 511);
}

static void a_bucket_runs_dry_and_fills(void **state)
{
    struct tw_log_bucket bucket = {0};
    uint64_t suppressed = 99, now = 5 * TW_NS_PER_S;

    REQ("TW-LIM-069");
    REQ("TW-LIM-070");
    (void)state;
    for (int i = 0; i < TW_LOG_BURST; i++) {
        assert_true(tw_log_bucket_take(&bucket, now, &suppressed));
        assert_int_equal(suppressed, 0);
    }
    for (int i = 0; i < 7; i++)
        assert_false(tw_log_bucket_take(&bucket, now, &suppressed));
    now += TW_LOG_PERIOD_MS * TW_NS_PER_MS;
    assert_true(tw_log_bucket_take(&bucket, now, &suppressed));
    assert_int_equal(suppressed, 7);
    assert_false(tw_log_bucket_take(&bucket, now, &suppressed));
    now += 2 * TW_LOG_BURST * TW_LOG_PERIOD_MS * TW_NS_PER_MS; /* more than a burst is not saved */
    for (int i = 0; i < TW_LOG_BURST; i++)
        assert_true(tw_log_bucket_take(&bucket, now, &suppressed));
    assert_false(tw_log_bucket_take(&bucket, now, &suppressed));
}

static void peers_talk(void)
{
    for (int i = 0; i < 10 * TW_LOG_BURST; i++)
        tw_log_peer(TW_LOG_WARN, "peer");
}

static void a_peer_cannot_fill_a_log(void **state)
{
    const char *lines = told(peers_talk);
    int n = 0;

    REQ("TW-LIM-069");
    (void)state;
    for (const char *at = lines; (at = strchr(at, '\n')); at++)
        n++;
    assert_in_range(n, TW_LOG_BURST, 2 * TW_LOG_BURST); /* more when the test takes seconds */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(lines_have_levels),
        tw_unit_test(the_journal_is_told_levels_its_own_way),
        tw_unit_test(a_line_is_cut_and_stays_one),
        tw_unit_test(a_bucket_runs_dry_and_fills),
        tw_unit_test(a_peer_cannot_fill_a_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
