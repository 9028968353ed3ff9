/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracing in a program that has an event loop of its own, here poll(2): lines of standard input are
 * printed in capitals, and each is a slice with its text as an argument. Ends with the input.
 *
 * The producer brings no thread. Its descriptor is one more that the loop waits for, and when it is
 * readable tw_producer_dispatch() does what is to be done and waits for nothing.
 */
#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tracewire/track_event.h"

static struct tw_category categories[] = {
    TW_CATEGORY("lines", "Each line of the input", NULL),
    TW_CATEGORY("lines.bytes", "Each read of the input", "slow"),
};

/* What was read and is not a whole line yet. */
static char input[4096];
static size_t input_n;

static void serve_line(char *line)
{
    TW_EVENT_BEGIN_WITH(&categories[0], "line", tw_arg_str("text", line));
    for (char *c = line; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    puts(line);
    TW_EVENT_END(&categories[0]);
}

/* 0 at the end of the input. */
static ssize_t serve_input(void)
{
    ssize_t n = read(STDIN_FILENO, input + input_n, sizeof(input) - input_n);
    char *end;

    if (n <= 0)
        return 0;
    TW_EVENT_INSTANT_WITH(&categories[1], "read", tw_arg_uint("bytes", (uint64_t)n));
    input_n += (size_t)n;
    while ((end = memchr(input, '\n', input_n)) != NULL) {
        size_t used = (size_t)(end + 1 - input);

        *end = '\0';
        serve_line(input);
        input_n -= used;
        memmove(input, end + 1, input_n);
    }
    fflush(stdout);
    return input_n < sizeof(input) ? n : 0;
}

static void loop(struct tw_producer *producer)
{
    struct pollfd fds[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = tw_producer_fd(producer), .events = POLLIN},
    };

    while (poll(fds, 2, -1) > 0) {
        if (fds[1].revents && tw_producer_dispatch(producer, 0))
            fds[1].fd = -1; /* no memory, say: the program goes on, and is not traced any more */
        if (fds[0].revents && serve_input() == 0)
            return;
    }
}

int main(void)
{
    const struct tw_producer_config config = {.name = "own_event_loop"};
    const struct tw_events_config offer = {.categories = categories, .n_categories = 2};
    struct tw_producer *producer;
    struct tw_events *events;

    if (tw_producer_open(&producer, &config) || tw_events_new(&events, producer, &offer))
        return 1;
    loop(producer);
    tw_producer_close(producer); /* sends what was written last */
    tw_events_free(events);
    return 0;
}
