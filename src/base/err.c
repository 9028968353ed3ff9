/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <string.h>

static const char *const outcome_text[TW_OUTCOME_MAX] = {
    [0] = "success",
    [TW_MORE] = "more input is needed",
    [TW_E_PROTOCOL] = "the peer broke the protocol",
    [TW_E_LIMIT] = "a limit was reached",
    [TW_E_REFUSED] = "refused",
    [TW_E_CLOSED] = "the connection is closed",
    [TW_E_NOT_FOUND] = "not found",
    [TW_E_EXISTS] = "exists already",
    [TW_E_INVALID] = "invalid value",
    [TW_E_TRUNCATED] = "input is cut short",
    [TW_E_FULL] = "the peer does not read",
    [TW_AGAIN] = "there is more to do",
};

const char *tw_err_str(int r)
{
    const char *text = NULL;

    if (r < 0)
        text = strerrordesc_np(-r);
    else if (r < TW_OUTCOME_MAX)
        text = outcome_text[r];
    return text ? text : "unknown error";
}
