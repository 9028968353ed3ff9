/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of a trace file of anybody's. Whatever is in it, also compressed, each packet is
 * counted once: by its kind, and by its sequence or as one that has none.
 */
#include "base/req.h"
#include "fuzz/input.h"
#include "tool/trace_survey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_bytes(void *user, uint8_t *p, size_t n, size_t *ret_n)
{
    struct tw_bytes *left = user;

    *ret_n = tw_min(n, left->n);
    if (*ret_n > 0)
        memcpy(p, left->p, *ret_n);
    left->p += *ret_n;
    left->n -= *ret_n;
    return 0;
}

static void judge_kinds(const struct tw_survey *s)
{
    uint64_t packets = 0, bytes = 0;

    REQ("TW-LIM-197");
    CHECK(s->n_kinds <= TW_SURVEY_KINDS_MAX);
    for (size_t i = 0; i <= TW_SURVEY_KINDS_MAX; i++) {
        packets += s->kinds[i].packets;
        bytes += s->kinds[i].bytes;
    }
    CHECK(packets == s->packets);
    CHECK(bytes == s->bytes);
}

static void judge_sequences(const struct tw_survey *s)
{
    uint64_t packets = s->other_sequences, gaps = 0, stateless = 0;

    for (size_t i = 0; i < s->n_sequences; i++) {
        const struct tw_survey_sequence *q = s->sequences[i];

        CHECK(i == 0 || s->sequences[i - 1]->id < q->id);
        CHECK(q->packets > 0 && q->starts <= q->packets);
        CHECK(strnlen(q->process, sizeof(q->process)) < sizeof(q->process));
        packets += q->packets;
        gaps += q->gaps;
        stateless += q->stateless;
    }
    CHECK(packets <= s->packets);
    CHECK(gaps == s->losses[TW_LOSS_GAPS] && stateless == s->losses[TW_LOSS_STATE]);
}

static void judge_clocks(const struct tw_survey *s)
{
    uint64_t packets = s->untimed;

    for (size_t i = 0; i < TW_SURVEY_CLOCKS_MAX; i++) {
        CHECK(s->clocks[i].first_ns <= s->clocks[i].last_ns);
        packets += s->clocks[i].packets;
    }
    CHECK(packets <= s->packets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tw_survey survey; /* too large for a stack */
    struct tw_bytes left = {.p = data, .n = size};
    struct tw_trace_reader *reader;

    CHECK(tw_trace_reader_new(read_bytes, &left, SIZE_MAX, &reader) == 0);
    CHECK(tw_survey_read(&survey, reader) == 0);
    CHECK(survey.said > 0 && survey.offset <= size);
    judge_kinds(&survey);
    judge_sequences(&survey);
    judge_clocks(&survey);
    for (size_t i = 0; i < TW_FINDINGS; i++)
        CHECK(survey.found[i].packet <= survey.packets);
    tw_trace_reader_free(reader);
    tw_survey_deinit(&survey);
    return 0;
}
