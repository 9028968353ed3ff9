/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each user holds of the service. Whatever a peer can pin is charged to the account of its
 * uid, by a charge that is embedded in what pins it and closed with it; so one user who takes too
 * much is refused while others are served. Not thread-safe.
 *
 * An account lives while it has charges. There are at most TW_ACCOUNTS_MAX: whoever comes later,
 * and whoever the kernel does not vouch for, shares one more account. So somebody with many uids
 * (a range of subordinate ones, say) makes newcomers share, and cannot lock them out for nothing.
 */
#pragma once

#include <sys/queue.h>

#include "tracewire/service.h"

struct tw_account {
    TAILQ_ENTRY(tw_account) next;
    struct tw_accounts *accounts;
    int32_t uid;
    size_t n_charges;
    uint64_t used[TW_QUOTAS];
};

struct tw_accounts {
    TAILQ_HEAD(, tw_account) list;
    size_t n;
    uint64_t limit[TW_QUOTAS];
    struct tw_account shared;
};

/* limits as in tw_service_options: 0 is the usual one. */
void tw_accounts_init(struct tw_accounts *accounts, const uint64_t limits[TW_QUOTAS]);
/* Whether nothing at all is charged, and no account is left. */
bool tw_accounts_empty(const struct tw_accounts *accounts);

struct tw_quota_info {
    const char *name;   /* as `tracewire serve --limit` has it */
    const char *passed; /* a static text for whoever is refused: the rule and the reason */
    uint64_t usual;     /* limit of one user when nothing else is said */
};

extern const struct tw_quota_info tw_quotas[TW_QUOTAS];

/* What one object holds. All zero, it is one of nobody, in which setting anything is a mistake and
 * closing is fine. */
struct tw_charge {
    struct tw_account *account;
    uint64_t held[TW_QUOTAS];
};

/* A charge to the account of uid, of nothing so far; -1 is whoever is not known. -ENOMEM. */
TW_MUST_USE int tw_charge_open(struct tw_charge *charge, struct tw_accounts *accounts, int32_t uid);
/* From now on it holds n of it. TW_E_LIMIT: that would be more than the user may have, and the
 * charge is as before. Less than before is always possible. */
TW_MUST_USE int tw_charge_set(struct tw_charge *charge, enum tw_quota quota, uint64_t n);
/* Gives everything back, and frees the account when it was the last. */
void tw_charge_close(struct tw_charge *charge);
