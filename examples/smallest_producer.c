/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest producer: each turn of its loop is a slice in the trace of whoever asks for it. */
#include "tracewire/track_event.h"

static struct tw_category category = TW_CATEGORY("example", "What this program does", NULL);

int main(void)
{
    const struct tw_producer_config config = {.name = "smallest_producer"};
    const struct tw_events_config offer = {.categories = &category, .n_categories = 1};
    struct tw_producer *producer;
    struct tw_events *events;

    if (tw_producer_open(&producer, &config) || tw_events_new(&events, producer, &offer))
        return 1;
    for (int r = 0; r == 0;) {
        TW_EVENT_BEGIN(&category, "turn");
        r = tw_producer_dispatch(producer, 10);
        TW_EVENT_END(&category);
    }
    tw_producer_close(producer);
    tw_events_free(events);
    return 1;
}
