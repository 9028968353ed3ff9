/* SPDX-License-Identifier: Apache-2.0 */
/* The trace buffer and the model of it do the same, whatever is done to them. */
#include "fuzz/buffer_script.h"
#include "tests/harness.h"

enum {
    SCRIPTS = 800,
    SCRIPT_MAX = 600, /* bytes */
};

/* A fixed sequence of numbers that look random. */
static uint32_t roll(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static void does_what_its_model_does(void **state)
{
    uint8_t script[SCRIPT_MAX];
    uint32_t seed = 1;
    size_t packets = 0;

    (void)state;
    for (int i = 0; i < SCRIPTS; i++) {
        size_t n = roll(&seed) % SCRIPT_MAX;

        for (size_t k = 0; k < n; k++)
            script[k] = (uint8_t)roll(&seed);
        packets += buffer_script_run((struct tw_bytes){.p = script, .n = n});
    }
    assert_in_range(packets, SCRIPTS, SIZE_MAX); /* they do come to something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(does_what_its_model_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
