/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/serve_sandbox.h"

#include <string.h>

#include "base/macros.h"

int tw_sandbox_parse(const char *text, enum tw_sandbox_wish *ret_wish)
{
    static const char *const names[] = {"auto", "require", "off"};

    for (size_t i = 0; i < TW_ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret_wish = (enum tw_sandbox_wish)i;
            return 0;
        }
    return TW_E_INVALID;
}

#ifdef TW_NO_SANDBOX /* why this build has none: what its instruments need is forbidden there */

static unsigned enter(const char *const paths[TW_LISTENERS_MAX], const char *output_dir,
                      const char **ret_text)
{
    (void)paths;
    (void)output_dir;
    *ret_text = "off (" TW_NO_SANDBOX ")";
    return 0;
}

enum { EVERYTHING = 1 };

#else

#include "service/sandbox.h"

enum { EVERYTHING = TW_SANDBOX_ALL };

static unsigned enter(const char *const paths[TW_LISTENERS_MAX], const char *output_dir,
                      const char **ret_text)
{
    static const char *const texts[TW_SANDBOX_ALL + 1] = {
        [0] = "off (the kernel has none of it)",
        [TW_SANDBOX_PRIVILEGES] = "partly on (the kernel has neither Landlock nor seccomp)",
        [TW_SANDBOX_PRIVILEGES | TW_SANDBOX_FILES] = "partly on (the kernel has no seccomp)",
        [TW_SANDBOX_PRIVILEGES | TW_SANDBOX_CALLS] = "partly on (the kernel has no Landlock)",
        [TW_SANDBOX_ALL] = "on",
    };
    struct tw_sandbox sandbox = {.output_dir = output_dir};
    unsigned parts;

    memcpy(sandbox.paths, paths, sizeof(sandbox.paths));
    parts = tw_sandbox_enter(&sandbox);

    *ret_text = texts[parts] ? texts[parts] : "partly on";
    return parts;
}

#endif

int tw_sandbox_serve(enum tw_sandbox_wish wish, const char *const paths[TW_LISTENERS_MAX],
                     const char *output_dir, const char **ret_text)
{
    if (wish == TW_SANDBOX_OFF) {
        *ret_text = "off";
        return 0;
    }
    if (enter(paths, output_dir, ret_text) != EVERYTHING && wish == TW_SANDBOX_REQUIRE)
        return TW_E_REFUSED;
    return 0;
}
