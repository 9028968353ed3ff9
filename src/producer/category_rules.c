/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/category_rules.h"

#include <string.h>

#include "base/bytes.h"
#include "base/req.h"

/* How closely a pattern fits. Of all that fit the closest counts, and of those that are as close
 * the one in the first list: the lowest rank. */
enum fit { EXACTLY, BY_PATTERN, BY_WILDCARD, NOT_AT_ALL };

static unsigned rank_of(enum fit fit, enum tw_category_list list)
{
    return (unsigned)fit * TW_CATEGORY_LISTS + (unsigned)list;
}

static enum tw_category_list list_of(unsigned rank)
{
    return (enum tw_category_list)(rank % TW_CATEGORY_LISTS);
}

bool tw_next_part(struct tw_bytes *rest, struct tw_bytes *ret_part)
{
    const uint8_t *comma;
    size_t n;

    if (rest->n == 0)
        return false;
    comma = memchr(rest->p, ',', rest->n);
    n = comma ? (size_t)(comma - rest->p) : rest->n;
    *ret_part = (struct tw_bytes){.p = rest->p, .n = n};
    n += comma != NULL;
    rest->p += n;
    rest->n -= n;
    return true;
}

static bool begins_with(struct tw_bytes text, struct tw_bytes start)
{
    return start.n <= text.n && (start.n == 0 || memcmp(text.p, start.p, start.n) == 0);
}

static enum fit fit_of(struct tw_bytes pattern, struct tw_bytes text)
{
    const uint8_t *star = pattern.n ? memchr(pattern.p, '*', pattern.n) : NULL;

    if (!star)
        return pattern.n == text.n && begins_with(text, pattern) ? EXACTLY : NOT_AT_ALL;
    pattern.n = (size_t)(star - pattern.p);
    if (pattern.n == 0)
        return BY_WILDCARD;
    return begins_with(text, pattern) ? BY_PATTERN : NOT_AT_ALL;
}

static enum fit fit_of_tags(struct tw_bytes pattern, struct tw_bytes tags)
{
    enum fit best = NOT_AT_ALL, fit;
    struct tw_bytes tag;

    while (tw_next_part(&tags, &tag)) {
        fit = fit_of(pattern, tag);
        best = fit < best ? fit : best;
    }
    return best;
}

/* What goes for it before any list is looked at. */
static unsigned rank_by_default(const struct tw_event_config *config, struct tw_bytes tags)
{
    REQ("TW-EVT-003");
    if (!config->about_tags && (fit_of_tags(tw_bytes_of_str("slow"), tags) == EXACTLY ||
                                fit_of_tags(tw_bytes_of_str("debug"), tags) == EXACTLY))
        return rank_of(EXACTLY, TW_DISABLED_TAG);
    return rank_of(NOT_AT_ALL, TW_ENABLED_CATEGORY);
}

bool tw_category_is_wanted(const struct tw_event_config *config, struct tw_bytes name,
                           struct tw_bytes tags)
{
    REQ("TW-EVT-002");
    struct tw_reader at = tw_reader_of(config->message);
    unsigned best = rank_by_default(config, tags), rank;
    struct tw_category_rule rule;

    while (tw_event_config_rule(&at, &rule)) {
        if (tw_list_is_about_tags(rule.list))
            rank = rank_of(fit_of_tags(rule.pattern, tags), rule.list);
        else
            rank = rank_of(fit_of(rule.pattern, name), rule.list);
        best = rank < best ? rank : best;
    }
    return list_of(best) == TW_ENABLED_CATEGORY || list_of(best) == TW_ENABLED_TAG;
}
