/* SPDX-License-Identifier: Apache-2.0 */
#include "service/sandbox.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static bool give_up_privileges(void)
{
    const struct rlimit none = {0};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
           prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

unsigned tw_sandbox_enter(const struct tw_sandbox *sandbox)
{
    unsigned parts = give_up_privileges() ? TW_SANDBOX_PRIVILEGES : 0;

    if (!tw_sandbox_files(sandbox))
        parts |= TW_SANDBOX_FILES;
    if (!tw_sandbox_calls(sandbox)) /* the last: it forbids the calls of the others */
        parts |= TW_SANDBOX_CALLS;
    return parts;
}
