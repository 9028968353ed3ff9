/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "tool/tool.h"

/* Bytes of a message; what a service says may be a long line. */
enum { TEXT_MAX = 1200 };

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
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    tw_make_printable(text);
    fprintf(stderr, "%stracewire: %s\n", progress->shown ? CLEAR_LINE : "", text);
    progress->shown = false;
}
