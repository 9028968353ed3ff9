/* SPDX-License-Identifier: Apache-2.0 */
/* The trace file of a session, and the last line that says what became of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tool/recorder.h"

int tw_recorder_open(struct tw_recorder *r)
{
    struct tw_trace_file_options options = {.no_clobber = r->options->no_clobber};
    int rc;

    if (!r->options->out)
        return 0;
    rc = tw_trace_file_open(r->options->out, &options, &r->out);
    if (rc)
        tw_recorder_fail(r, TW_EXIT_USAGE, r->options->out, tw_err_str(rc));
    return rc;
}

static bool is_stdout(const struct tw_recorder *r)
{
    return strcmp(r->options->out, "-") == 0;
}

static const char *out_name(const struct tw_recorder *r)
{
    return is_stdout(r) ? "standard output" : r->options->out;
}

/* What became of a file that is not whole. Without a single packet it helps nobody who finds it
 * later; what the service has written into it itself nobody has told of yet. */
static void say_what_is_left(struct tw_recorder *r)
{
    const char *where = tw_trace_file_where(r->out);
    struct stat st;

    if (!where && !is_stdout(r))
        tw_progress_say(&r->progress, "nothing was recorded, and %s is as it was", r->options->out);
    else if (where && stat(where, &st) == 0 && S_ISREG(st.st_mode))
        tw_progress_say(&r->progress, "what came is kept in %s, %jd bytes", where,
                        (intmax_t)st.st_size);
}

/* What the service has told of losses, "" if it has not. */
static const char *losses(const struct tw_recorder *r, char text[40])
{
    if (r->counted && r->n_lost)
        snprintf(text, 40, ", %" PRIu64 " losses", r->n_lost);
    else
        snprintf(text, 40, "%s", r->counted ? ", no losses" : "");
    return text;
}

static void say_what_was_written(struct tw_recorder *r)
{
    char lost[40];

    if (r->options->action == TW_RECORD_DETACH)
        tw_progress_say(&r->progress, "detached; the service goes on, see --attach");
    else if (r->into_file)
        tw_progress_say(&r->progress, "the service wrote the trace%s", losses(r, lost));
    else
        tw_progress_say(&r->progress, "wrote %" PRIu64 " bytes, %" PRIu64 " packets to %s%s",
                        tw_trace_file_bytes(r->out), tw_trace_file_packets(r->out), out_name(r),
                        losses(r, lost));
}

static void close_file(struct tw_recorder *r)
{
    int rc = tw_trace_file_close(r->out, r->whole);

    if (rc)
        tw_progress_say(&r->progress, "%s: %s", out_name(r), tw_err_str(rc));
    if (rc && r->status == TW_EXIT_OK)
        r->status = TW_EXIT_FAILURE;
    if (r->whole && !rc)
        say_what_was_written(r);
    else
        say_what_is_left(r);
    tw_trace_file_free(r->out);
}

void tw_recorder_close(struct tw_recorder *r)
{
    if (r->out)
        close_file(r);
    else if (r->whole) /* into a file that somebody else has named */
        say_what_was_written(r);
}
