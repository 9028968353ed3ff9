/* SPDX-License-Identifier: Apache-2.0 */
#include "service/config_check.h"

#include <string.h>

#include "base/req.h"
#include "service/compress.h"
#include "service/guardrails.h"
#include "service/trigger_check.h"

typedef bool (*bad_fn)(const struct tw_session *session);

static bool too_long(const struct tw_session *s)
{
    REQ("TW-LIM-030");
    return s->config->has_duration_ms &&
           s->config->duration_ms > tw_guardrails_duration_max_ms(s->config);
}

static bool no_buffers(const struct tw_session *s)
{
    return s->config->n_buffers == 0;
}

static bool too_many_buffers(const struct tw_session *s)
{
    REQ("TW-LIM-012");
    return s->config->n_buffers > TW_SESSION_BUFFERS_MAX;
}

static bool bad_buffer_size(const struct tw_session *s)
{
    REQ("TW-CONS-080");
    for (size_t i = 0; i < s->config->n_buffers; i++) {
        const Tw__TraceConfig__BufferConfig *b = s->config->buffers[i];

        if (!b->has_size_kb || b->size_kb == 0 ||
            (uint64_t)b->size_kb * 1024 > TW_TRACE_BUFFER_SIZE_MAX)
            return true;
    }
    return false;
}

static bool too_many_data_sources(const struct tw_session *s)
{
    REQ("TW-LIM-014");
    return s->config->n_data_sources > TW_CONFIG_DATA_SOURCES_MAX;
}

static bool large_data_source(const struct tw_session *s)
{
    REQ("TW-LIM-034");
    for (size_t i = 0; i < s->config->n_data_sources; i++) {
        const Tw__DataSourceConfig *c = s->config->data_sources[i]->config;

        if (c && protobuf_c_message_get_packed_size(&c->base) > TW_NESTED_MAX)
            return true;
    }
    return false;
}

static bool same_buffer_name(const struct tw_session *s)
{
    for (size_t i = 0; i < s->config->n_buffers; i++)
        for (size_t k = 0; k < i; k++) {
            const char *a = s->config->buffers[i]->name, *b = s->config->buffers[k]->name;

            if (a && b && a[0] && strcmp(a, b) == 0)
                return true;
        }
    return false;
}

/* It becomes part of a path on systems that have bug reports. */
static bool bad_file_name(const struct tw_session *s)
{
    const char *name = s->config->bugreport_filename;

    return name && (strlen(name) > TW_NAME_MAX ||
                    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_.")] != '\0');
}

/* The index of the buffer of that name, or how many buffers there are. */
static size_t index_of(const Tw__TraceConfig *config, const char *name)
{
    size_t i = 0;

    while (i < config->n_buffers &&
           !(config->buffers[i]->name && strcmp(config->buffers[i]->name, name) == 0))
        i++;
    return i;
}

static bool has_target(const Tw__TraceConfig *config, const Tw__DataSourceConfig *source)
{
    size_t index = source->has_target_buffer ? source->target_buffer : 0;
    const char *name = source->target_buffer_name;

    if (name && name[0]) {
        size_t named = index_of(config, name);

        return named < config->n_buffers && (index == 0 || index == named);
    }
    return index < config->n_buffers;
}

static bool bad_target_buffer(const struct tw_session *s)
{
    REQ("TW-CONS-080");
    for (size_t i = 0; i < s->config->n_data_sources; i++) {
        const Tw__DataSourceConfig *source = s->config->data_sources[i]->config;

        if (source && !has_target(s->config, source))
            return true;
    }
    return false;
}

static bool boost(const struct tw_session *s)
{
    return s->config->priority_boost != NULL;
}

static bool unknown_compression(const struct tw_session *s)
{
    REQ("TW-TRACE-021");
    return tw_compression_of(s->config).codec == TW_CODEC_UNKNOWN;
}

static bool filtering(const struct tw_session *s)
{
    return s->config->trace_filter != NULL;
}

static bool long_name(const struct tw_session *s)
{
    REQ("TW-LIM-019");
    const char *name = s->config->unique_session_name;

    return name && strlen(name) > TW_NAME_MAX;
}

static const struct {
    bad_fn bad;
    const char *text;
} checks[] = {
    {too_long, "duration_ms is over seven days, or over one with enable_extra_guardrails"},
    {no_buffers, "the trace config has no buffers"},
    {too_many_buffers, "the trace config has more than 128 buffers"},
    {bad_buffer_size, "a buffer's size_kb is 0 or over 4 GiB"},
    {too_many_data_sources, "the trace config has more than 1024 data sources"},
    {large_data_source, "the config of a data source is over 120 KiB"},
    {same_buffer_name, "two buffers of the trace config have the same name"},
    {bad_target_buffer, "a data source's target_buffer names no buffer of the trace config"},
    {bad_file_name,
     "bugreport_filename has more than letters, digits and -_., or is over 1024 bytes"},
    {boost, "priority_boost of the service is not supported"},
    {unknown_compression, "no compression but deflate and zstd is supported"},
    {filtering, "trace_filter is not supported"},
    {long_name, "unique_session_name is over 1024 bytes"},
};

int tw_config_check(const struct tw_session *session, const char **ret_error)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(checks); i++)
        if (checks[i].bad(session)) {
            *ret_error = checks[i].text;
            return TW_E_REFUSED;
        }
    return tw_trigger_check(session, ret_error);
}
