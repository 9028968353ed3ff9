/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define CLEAR_LINE "\r\033[K"

void tw_progress_init(struct tw_progress *progress)
{
    *progress = (struct tw_progress){.terminal = isatty(STDERR_FILENO) == 1};
}

void tw_progress_show(struct tw_progress *progress, const char *fmt, ...)
{
    va_list args;

    if (!progress->terminal)
        return;
    fputs(CLEAR_LINE "tracewire: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fflush(stderr);
    progress->shown = true;
}

void tw_progress_say(struct tw_progress *progress, const char *fmt, ...)
{
    va_list args;

    fputs(progress->shown ? CLEAR_LINE "tracewire: " : "tracewire: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    progress->shown = false;
}
