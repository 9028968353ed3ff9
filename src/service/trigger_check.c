/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trigger_check.h"

#include <string.h>

#include "base/req.h"
#include "service/guardrails.h"

#define STOP TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__STOP_TRACING

static const Tw__TraceConfig__TriggerConfig *triggers_of(const struct tw_session *s)
{
    static const Tw__TraceConfig__TriggerConfig none = TW__TRACE_CONFIG__TRIGGER_CONFIG__INIT;

    return s->config->trigger_config ? s->config->trigger_config : &none;
}

static bool no_trigger_mode(const struct tw_session *s)
{
    REQ("TW-TRIG-021");
    return triggers_of(s)->n_triggers && !triggers_of(s)->trigger_mode;
}

static bool unknown_trigger_mode(const struct tw_session *s)
{
    REQ("TW-TRIG-021");
    return triggers_of(s)->trigger_mode &&
           !protobuf_c_enum_descriptor_get_value(
               &tw__trace_config__trigger_config__trigger_mode__descriptor,
               (int)triggers_of(s)->trigger_mode);
}

static bool clone_of_other_mode(const struct tw_session *s)
{
    REQ("TW-TRIG-020");
    return triggers_of(s)->use_clone_snapshot_if_available && triggers_of(s)->trigger_mode != STOP;
}

static bool bad_trigger_timeout(const struct tw_session *s)
{
    REQ("TW-TRIG-020");
    const Tw__TraceConfig__TriggerConfig *t = triggers_of(s);

    return t->trigger_mode && (t->trigger_timeout_ms == 0 ||
                               t->trigger_timeout_ms > tw_guardrails_duration_max_ms(s->config));
}

static bool duration_with_triggers(const struct tw_session *s)
{
    REQ("TW-TRIG-020");
    return triggers_of(s)->trigger_mode && s->config->duration_ms;
}

static bool stop_trigger_into_file(const struct tw_session *s)
{
    REQ("TW-TRIG-020");
    return s->config->write_into_file && triggers_of(s)->trigger_mode &&
           triggers_of(s)->trigger_mode !=
               TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__START_TRACING;
}

static bool too_many_triggers(const struct tw_session *s)
{
    REQ("TW-LIM-100");
    return triggers_of(s)->n_triggers > TW_TRIGGERS_MAX;
}

static bool long_trigger_name(const struct tw_session *s)
{
    REQ("TW-LIM-019");
    for (size_t i = 0; i < triggers_of(s)->n_triggers; i++) {
        const char *name = triggers_of(s)->triggers[i]->name;

        if (name && strlen(name) > TW_NAME_MAX)
            return true;
    }
    return false;
}

static bool long_stop_delay(const struct tw_session *s)
{
    REQ("TW-TRIG-021");
    for (size_t i = 0; i < triggers_of(s)->n_triggers; i++)
        if (triggers_of(s)->triggers[i]->stop_delay_ms > TW_DURATION_MAX_MS)
            return true;
    return false;
}

static bool same_trigger_name(const struct tw_session *s)
{
    REQ("TW-TRIG-020");
    Tw__TraceConfig__TriggerConfig__Trigger *const *list = triggers_of(s)->triggers;

    for (size_t i = 0; i < triggers_of(s)->n_triggers; i++)
        for (size_t k = 0; k < i; k++)
            if (s->triggers.name_hashes[i] == s->triggers.name_hashes[k] &&
                strcmp(list[i]->name ? list[i]->name : "", list[k]->name ? list[k]->name : "") == 0)
                return true;
    return false;
}

static const struct {
    bool (*bad)(const struct tw_session *session);
    const char *text;
} checks[] = {
    {no_trigger_mode, "trigger_config has triggers and no trigger_mode"},
    {unknown_trigger_mode, "trigger_mode is unknown"},
    {clone_of_other_mode, "use_clone_snapshot_if_available without trigger_mode STOP_TRACING"},
    {bad_trigger_timeout, "trigger_timeout_ms is 0 or over seven days"},
    {duration_with_triggers, "duration_ms and trigger_mode together"},
    {stop_trigger_into_file, "write_into_file with a trigger_mode other than START_TRACING"},
    {too_many_triggers, "trigger_config has more than 256 triggers"},
    {long_trigger_name, "the name of a trigger is over 1024 bytes"},
    {long_stop_delay, "stop_delay_ms of a trigger is over seven days"},
    {same_trigger_name, "two triggers have the same name"},
};

int tw_trigger_check(const struct tw_session *session, const char **ret_error)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(checks); i++)
        if (checks[i].bad(session)) {
            *ret_error = checks[i].text;
            return TW_E_REFUSED;
        }
    return 0;
}
