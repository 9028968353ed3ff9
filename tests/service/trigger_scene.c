/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/trigger_scene.h"

#include <stdlib.h>

#include "tests/harness.h"

void trigger_scene(struct trigger_scene *s, Tw__TraceConfig__TriggerConfig__TriggerMode mode)
{
    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    rig_register(s->producer, "source");
    s->caller = rig_producer(&s->rig, "caller");
    s->consumer = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
    tw__trace_config__trigger_config__init(&s->triggers);
    s->triggers.has_trigger_mode = s->triggers.has_trigger_timeout_ms = true;
    s->triggers.trigger_mode = mode;
    s->triggers.trigger_timeout_ms = TIMEOUT_MS;
    for (size_t i = 0; i < 2; i++) {
        tw__trace_config__trigger_config__trigger__init(&s->list[i]);
        s->list[i].name = tw_pbc_str(i ? "too" : "go");
        s->list[i].has_stop_delay_ms = true;
        s->list[i].stop_delay_ms = DELAY_MS;
        s->pointers[i] = &s->list[i];
    }
    s->triggers.n_triggers = 2;
    s->triggers.triggers = s->pointers;
    s->config->trigger_config = &s->triggers;
}

const struct rig_reply *trigger_call(struct rig_peer *producer, const char *const *names, size_t n)
{
    Tw__ActivateTriggersRequest req = TW__ACTIVATE_TRIGGERS_REQUEST__INIT;
    char **list = calloc(n + 1, sizeof(*list));
    const struct rig_reply *reply;

    assert_non_null(list);
    for (size_t i = 0; i < n; i++)
        list[i] = tw_pbc_str(names[i]);
    req.n_trigger_names = n;
    req.trigger_names = list;
    reply = rig_call(producer, TW_PRODUCER_ACTIVATE_TRIGGERS, &req.base);
    free(list);
    return reply;
}

void trigger_once(struct trigger_scene *s, const char *name)
{
    const struct rig_reply *reply = trigger_call(s->caller, &name, 1);

    assert_non_null(reply);
    assert_true(reply->success && !reply->has_more);
}
