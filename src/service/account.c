/* SPDX-License-Identifier: Apache-2.0 */
#include "service/account.h"

#include <errno.h>
#include <stdlib.h>

#include "base/req.h"
#include "service/limits.h"

const struct tw_quota_info tw_quotas[TW_QUOTAS] = {
    [TW_QUOTA_CONNECTIONS] = {"connections", "TW-LIM-062: this user has too many connections",
                              TW_ACCOUNT_CONNECTIONS},
    [TW_QUOTA_SESSIONS] = {"sessions", "TW-LIM-011: this user has too many sessions",
                           TW_SESSIONS_PER_UID_MAX},
    [TW_QUOTA_SHM] = {"shared-memory", "TW-LIM-063: this user has too much shared memory",
                      TW_ACCOUNT_SHM_BYTES},
    [TW_QUOTA_MEMORY] = {"memory", "TW-LIM-178: too much is remembered of this user's producers",
                         TW_ACCOUNT_MEMORY_BYTES},
    [TW_QUOTA_OUTPUT] = {"output", "TW-LIM-064: too much waits for this user's peers to read it",
                         TW_ACCOUNT_OUTPUT_BYTES},
    [TW_QUOTA_REQUESTS] = {"requests", "TW-LIM-065: this user has too many calls outstanding",
                           TW_ACCOUNT_REQUESTS},
    [TW_QUOTA_DESCRIPTORS] = {"descriptors", "TW-LIM-066: this user has too many descriptors open",
                              TW_ACCOUNT_DESCRIPTORS},
};

void tw_accounts_init(struct tw_accounts *accounts, const uint64_t limits[TW_QUOTAS])
{
    *accounts = (struct tw_accounts){.shared = {.uid = -1}};
    TAILQ_INIT(&accounts->list);
    accounts->shared.accounts = accounts;
    for (size_t i = 0; i < TW_QUOTAS; i++)
        accounts->limit[i] = limits[i] ? limits[i] : tw_quotas[i].usual;
}

bool tw_accounts_empty(const struct tw_accounts *accounts)
{
    uint64_t used = 0;

    for (size_t i = 0; i < TW_QUOTAS; i++)
        used |= accounts->shared.used[i];
    return (used | accounts->shared.n_charges | accounts->n) == 0;
}

static struct tw_account *find(struct tw_accounts *accounts, int32_t uid)
{
    struct tw_account *account;

    TAILQ_FOREACH (account, &accounts->list, next)
        if (account->uid == uid)
            return account;
    return NULL;
}

/* The account of uid, perhaps a new one. NULL: no memory. */
static struct tw_account *account_of(struct tw_accounts *accounts, int32_t uid)
{
    REQ("TW-LIM-067");
    struct tw_account *account;

    if (uid == -1)
        return &accounts->shared;
    account = find(accounts, uid);
    if (account)
        return account;
    if (accounts->n == TW_ACCOUNTS_MAX)
        return &accounts->shared;
    account = calloc(1, sizeof(*account));
    if (!account)
        return NULL;
    account->accounts = accounts;
    account->uid = uid;
    TAILQ_INSERT_HEAD(&accounts->list, account, next);
    accounts->n++;
    return account;
}

int tw_charge_open(struct tw_charge *charge, struct tw_accounts *accounts, int32_t uid)
{
    struct tw_account *account = account_of(accounts, uid);

    if (!account)
        return -ENOMEM;
    account->n_charges++;
    *charge = (struct tw_charge){.account = account};
    return 0;
}

int tw_charge_set(struct tw_charge *charge, enum tw_quota quota, uint64_t n)
{
    REQ("TW-SEC-005");
    struct tw_account *account = charge->account;
    uint64_t held = charge->held[quota], limit, others;

    if (n == held)
        return 0;
    others = account->used[quota] - held;
    limit = account->accounts->limit[quota];
    if (n > held && (n > limit || others > limit - n))
        return TW_E_LIMIT;
    account->used[quota] = others + n;
    charge->held[quota] = n;
    return 0;
}

void tw_charge_close(struct tw_charge *charge)
{
    struct tw_account *account = charge->account;

    if (!account)
        return;
    for (size_t i = 0; i < TW_QUOTAS; i++)
        account->used[i] -= charge->held[i];
    *charge = (struct tw_charge){0};
    if (--account->n_charges > 0 || account == &account->accounts->shared)
        return;
    TAILQ_REMOVE(&account->accounts->list, account, next);
    account->accounts->n--;
    free(account);
}
