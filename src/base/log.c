/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/req.h"

enum { LOG_LINE = 512 }; /* bytes; a longer line is cut so that one write carries it whole */

static const struct {
    const char *name;
    const char *journal; /* how the journal wants to be told */
} levels[] = {
    [TW_LOG_ERROR] = {"error", "<3>"},
    [TW_LOG_WARN] = {"warn", "<4>"},
    [TW_LOG_INFO] = {"info", "<6>"},
    [TW_LOG_DEBUG] = {"debug", "<7>"},
};

static enum tw_log_level threshold = TW_LOG_INFO;
static bool to_journal;
static struct tw_log_bucket peers;

void tw_log_set_level(enum tw_log_level level)
{
    threshold = level;
}

int tw_log_parse_level(const char *text, enum tw_log_level *ret_level)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(levels); i++)
        if (strcmp(text, levels[i].name) == 0) {
            *ret_level = (enum tw_log_level)i;
            return 0;
        }
    return TW_E_INVALID;
}

/* The variable is inherited by programs whose standard error goes elsewhere: it names the one. */
void tw_log_for_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    /* NOLINTNEXTLINE(cert-err34-c): a number too large is that of no file */
    to_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                 fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void write_line(enum tw_log_level level, const char *fmt, va_list args) TW_PRINTF(2, 0);
static void write_line(enum tw_log_level level, const char *fmt, va_list args)
{
    char line[LOG_LINE];
    int n = snprintf(line, sizeof(line), "%s", to_journal ? levels[level].journal : "tracewire: ");
    int len = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, args);
    size_t end;

    if (len < 0)
        return;
    end = tw_min((size_t)n + (size_t)len, sizeof(line) - 1);
    line[end++] = '\n';
    if (write(STDERR_FILENO, line, end) < 0)
        return; /* nobody left to tell */
}

void tw_log(enum tw_log_level level, const char *fmt, ...)
{
    va_list args;

    if (level > threshold)
        return;
    va_start(args, fmt);
    write_line(level, fmt, args);
    va_end(args);
}

bool tw_log_bucket_take(struct tw_log_bucket *bucket, uint64_t now_ns, uint64_t *ret_suppressed)
{
    REQ("TW-LIM-069");
    REQ("TW-LIM-070");
    const uint64_t period_ns = TW_LOG_PERIOD_MS * TW_NS_PER_MS;

    if (bucket->full_ns < now_ns)
        bucket->full_ns = now_ns;
    if (bucket->full_ns - now_ns > (TW_LOG_BURST - 1) * period_ns) {
        bucket->suppressed++;
        return false;
    }
    bucket->full_ns += period_ns;
    *ret_suppressed = bucket->suppressed;
    bucket->suppressed = 0;
    return true;
}

void tw_log_peer(enum tw_log_level level, const char *fmt, ...)
{
    uint64_t suppressed;
    va_list args;

    if (level > threshold || !tw_log_bucket_take(&peers, tw_clock_ns(CLOCK_MONOTONIC), &suppressed))
        return;
    if (suppressed)
        tw_log(level, "%llu lines about peers were left out", (unsigned long long)suppressed);
    va_start(args, fmt);
    write_line(level, fmt, args);
    va_end(args);
}
