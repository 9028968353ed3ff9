/* SPDX-License-Identifier: Apache-2.0 */
/* A survey as text for people, and as JSON (docs/man/tracewire-trace.1 has its members). */
#pragma once

#include <stdio.h>

#include "tool/trace_survey.h"

/* What is in the trace. */
void tw_report_text(FILE *out, const struct tw_survey *survey);
/* What is wrong with it and what is missing, and the verdict. */
void tw_report_check(FILE *out, const char *path, const struct tw_survey *survey);
/* All of that. -ENOMEM. */
TW_MUST_USE int tw_report_json(FILE *out, const char *path, const struct tw_survey *survey);

/* The name of a clock of all; NULL when it has none. */
const char *tw_report_clock(uint32_t id);
/* A kind's name, or "field N" in the buffer. */
enum { TW_REPORT_KIND_MAX = 24 };
const char *tw_report_kind(const struct tw_survey *survey, size_t index,
                           char buffer[TW_REPORT_KIND_MAX]);
/* In five groups of hexadecimal digits. */
enum { TW_REPORT_UUID_MAX = 37 };
void tw_report_uuid(const struct tw_survey *survey, char ret_uuid[TW_REPORT_UUID_MAX]);
/* How the reading ended: a static text. */
const char *tw_report_said(int said);
