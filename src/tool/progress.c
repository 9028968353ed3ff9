/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tool/tool.h"

/* Bytes of a message; what a service says may be a long line. Columns of a terminal that does not
 * say how many it has. */
enum { TEXT_MAX = 1200, COLUMNS = 80 };

#define CLEAR_LINE "\r\033[K"

void tw_progress_init(struct tw_progress *progress)
{
    *progress = (struct tw_progress){.terminal = isatty(STDERR_FILENO) == 1};
}

static size_t columns(void)
{
    struct winsize size = {0};

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : COLUMNS;
}

/* A line that wraps could not be replaced; in the last column some terminals wrap already. */
void tw_progress_show(struct tw_progress *progress, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;
    size_t room = columns() - 1;

    if (!progress->terminal)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    tw_make_printable(text);
    room -= tw_min(room, sizeof("tracewire: ") - 1);
    fprintf(stderr, CLEAR_LINE "tracewire: %.*s", (int)room, text);
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
