/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The regular expressions of a trace config, for names of producers. Both are somebody else's:
 * what a match may cost in time, memory and stack is bounded, and one that costs more is no match.
 */
#pragma once

#include "base/err.h"
#include "service/limits.h"
#include "trace_config.pb-c.h"

struct tw_patterns {
    struct tw_pattern {
        const char *text; /* in the config; its address is the key */
        void *code;
        uint64_t asked; /* who was asked about last, 0 is nobody, */
        bool answer;    /* and what came of it */
    } list[TW_PATTERNS_MAX];
    size_t n;
};

/* Compiles all that config has; it must outlive them. TW_E_REFUSED for one that is wrong or too
 * long and for too many, with a static text, -ENOMEM. deinit also after a failure. */
TW_MUST_USE int tw_patterns_init(struct tw_patterns *patterns, const Tw__TraceConfig *config,
                                 const char **ret_error);
void tw_patterns_deinit(struct tw_patterns *patterns);
/* Whether the pattern with this text, from that config, matches the whole name. whose is a number
 * that nobody else ever has, and who has it keeps the name: as long as the same one asks again and
 * again, only the first time costs a match. */
bool tw_patterns_match(struct tw_patterns *patterns, const char *text, const char *name,
                       uint64_t whose);
