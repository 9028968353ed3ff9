/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOG_LINE = 512 }; /* bytes; a longer line is cut so that one write carries it whole */

static enum tw_log_level threshold = TW_LOG_INFO;

void tw_log_set_level(enum tw_log_level level)
{
    threshold = level;
}

void tw_log(enum tw_log_level level, const char *fmt, ...)
{
    static const char prefix[] = "tracewire: ";
    char line[LOG_LINE];
    size_t n = sizeof(prefix) - 1;
    va_list args;
    int len;

    if (level > threshold)
        return;
    memcpy(line, prefix, n);
    va_start(args, fmt);
    len = vsnprintf(line + n, sizeof(line) - n - 1, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    n += tw_min((size_t)len, sizeof(line) - n - 2);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* nobody left to tell */
}
