/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cells of a state table were used: a line of the file named by $TW_VISITS for each, in a
 * build with TW_COVERAGE (scripts/coverage); nothing in any other. Not for threads.
 */
#pragma once

#ifdef TW_COVERAGE
/* The strings are static; a cell is known by their addresses. */
void tw_visit(const char *side, const char *state, const char *event);
#define TW_VISIT(side, state, event)                                                               \
    tw_visit(#side, tw_##side##_state_names[state], tw_##side##_event_names[event])
#else
#define TW_VISIT(side, state, event) ((void)0)
#endif
