/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data sources are those that upstream's command asks for, in its order, and track_event behind
 * them: a service with upstream's probes gives the same trace, and one without any gives what
 * programs say of themselves.
 */
#include "tool/record_short.h"

#include <string.h>

#include "base/req.h"

/* How often the short form lets producers hand over what they hold. */
enum { FLUSH_PERIOD_MS = 30 * 1000, DISK_PERIOD_MS = 1000 };

/* Field numbers (spec/proto/trace_config.proto; those of ftrace and sys_stats are upstream's). */
enum {
    CONFIG_BUFFERS = 1,
    CONFIG_DATA_SOURCES = 2,
    CONFIG_DURATION_MS = 3,
    CONFIG_WRITE_INTO_FILE = 8,
    CONFIG_MAX_FILE_SIZE = 10,
    CONFIG_FLUSH_PERIOD_MS = 13,
    BUFFER_SIZE_KB = 1,
    SOURCE_CONFIG = 1,
    SOURCE_NAME = 1,
    SOURCE_FTRACE = 100,
    SOURCE_SYS_STATS = 104,
    SOURCE_TRACK_EVENT = 113,
    FTRACE_EVENTS = 1,
    FTRACE_ATRACE_CATEGORIES = 2,
    FTRACE_ATRACE_APPS = 3,
    FTRACE_SYMBOLIZE_KSYMS = 13,
    FTRACE_INSTANCE_NAME = 25,
    SYS_STATS_DISK_PERIOD_MS = 10,
    TRACK_EVENT_DISABLED = 1,
    TRACK_EVENT_ENABLED = 2,
};

enum kind { KIND_FTRACE, KIND_HYPERVISOR, KIND_CATEGORY };

static enum kind kind_of(const char *name)
{
    if (strchr(name, '/'))
        return KIND_FTRACE;
    return strcmp(name, "hyp") == 0 || strcmp(name, "hypervisor") == 0 ? KIND_HYPERVISOR
                                                                       : KIND_CATEGORY;
}

/* A data source that is open: its DataSource and its DataSourceConfig. */
struct source {
    uint8_t *source, *config;
};

static struct source begin_source(struct tw_writer *w, const char *name)
{
    struct source s = {.source = tw_put_begin(w, CONFIG_DATA_SOURCES)};

    s.config = tw_put_begin(w, SOURCE_CONFIG);
    tw_put_str(w, SOURCE_NAME, name);
    return s;
}

static void end_source(struct tw_writer *w, struct source s)
{
    tw_put_end(w, s.config);
    tw_put_end(w, s.source);
}

static void put_source(struct tw_writer *w, const char *name)
{
    end_source(w, begin_source(w, name));
}

static size_t put_names(struct tw_writer *w, const struct tw_record_short_form *form,
                        enum kind kind, uint32_t field)
{
    size_t n = 0;

    for (size_t i = 0; i < form->n_categories; i++) {
        if (kind_of(form->categories[i]) != kind)
            continue;
        tw_put_str(w, field, form->categories[i]);
        n++;
    }
    return n;
}

/* What belongs to a category besides its events. */
static void put_companion(struct tw_writer *w, const char *category)
{
    struct source s;
    uint8_t *config;

    if (strcmp(category, "gfx") == 0)
        put_source(w, "android.surfaceflinger.frametimeline");
    if (strcmp(category, "disk") != 0)
        return;
    s = begin_source(w, "linux.sys_stats");
    config = tw_put_begin(w, SOURCE_SYS_STATS);
    tw_put_u64(w, SYS_STATS_DISK_PERIOD_MS, DISK_PERIOD_MS);
    tw_put_end(w, config);
    end_source(w, s);
}

static void put_ftrace(struct tw_writer *w, const struct tw_record_short_form *form)
{
    struct tw_writer before = *w;
    struct source s = begin_source(w, "linux.ftrace");
    uint8_t *config = tw_put_begin(w, SOURCE_FTRACE);
    size_t n = put_names(w, form, KIND_FTRACE, FTRACE_EVENTS);

    n += put_names(w, form, KIND_CATEGORY, FTRACE_ATRACE_CATEGORIES);
    for (size_t i = 0; i < form->n_apps; i++)
        tw_put_str(w, FTRACE_ATRACE_APPS, form->apps[i]);
    tw_put_bool(w, FTRACE_SYMBOLIZE_KSYMS, true);
    tw_put_end(w, config);
    end_source(w, s);
    if (n + form->n_apps == 0)
        *w = before;
}

/* Events of a hypervisor come from an instance of ftrace that has its name. */
static void put_hypervisor(struct tw_writer *w, const char *name)
{
    struct source s = begin_source(w, "linux.ftrace");
    uint8_t *config = tw_put_begin(w, SOURCE_FTRACE);

    tw_put_str(w, FTRACE_EVENTS, strcmp(name, "hyp") == 0 ? "hyp/*" : "hypervisor/*");
    tw_put_str(w, FTRACE_INSTANCE_NAME, name);
    tw_put_end(w, config);
    end_source(w, s);
}

/* Without a name, all of them; with names that are only ftrace's, none. */
static void put_track_event(struct tw_writer *w, const struct tw_record_short_form *form)
{
    struct tw_writer before = *w;
    struct source s = begin_source(w, "track_event");
    uint8_t *config = tw_put_begin(w, SOURCE_TRACK_EVENT);
    bool all = form->n_categories == 0;

    tw_put_str(w, all ? TRACK_EVENT_ENABLED : TRACK_EVENT_DISABLED, "*");
    if (!put_names(w, form, KIND_CATEGORY, TRACK_EVENT_ENABLED) && !all) {
        *w = before;
        return;
    }
    tw_put_end(w, config);
    end_source(w, s);
}

static void put_sources(struct tw_writer *w, const struct tw_record_short_form *form)
{
    const char *hypervisor = NULL;

    for (size_t i = 0; i < form->n_categories; i++) {
        put_companion(w, form->categories[i]);
        if (kind_of(form->categories[i]) == KIND_HYPERVISOR)
            hypervisor = form->categories[i];
    }
    put_ftrace(w, form);
    if (hypervisor)
        put_hypervisor(w, hypervisor);
    put_source(w, "linux.process_stats");
    put_source(w, "linux.system_info");
    put_track_event(w, form);
}

void tw_record_short_put(struct tw_writer *w, const struct tw_record_short_form *form)
{
    uint8_t *buffer = tw_put_begin(w, CONFIG_BUFFERS);

    REQ("TW-TRACE-080");
    tw_put_u64(w, BUFFER_SIZE_KB, form->buffer_kb);
    tw_put_end(w, buffer);
    put_sources(w, form);
    tw_put_u64(w, CONFIG_DURATION_MS, form->duration_ms);
    if (form->file_kb) {
        tw_put_bool(w, CONFIG_WRITE_INTO_FILE, true);
        tw_put_u64(w, CONFIG_MAX_FILE_SIZE, form->file_kb * 1024);
    }
    tw_put_u64(w, CONFIG_FLUSH_PERIOD_MS, FLUSH_PERIOD_MS);
}
