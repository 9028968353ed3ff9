/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock: no file but those that are open, except to remove our own sockets. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "service/sandbox.h"

/* How many kinds of access each version of Landlock knows, one bit each from the lowest: headers
 * are older than kernels. A kernel that knows more is told of those. */
static const unsigned n_kinds[] = {0, 13, 14, 15, 15, 16};

/* glibc has no wrappers. 0 when the kernel has no Landlock, or is told not to use it. */
static unsigned landlock_version(void)
{
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);

    return version < 0 ? 0 : (unsigned)tw_min((size_t)version, TW_ARRAY_LEN(n_kinds) - 1);
}

/* The directory a path is in; the caller frees it. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int allow(int ruleset, uint64_t access, const char *folder)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access};
    int rc = 0, folder_fd;

    rule.parent_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rule.parent_fd < 0 ||
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        rc = -errno;
    folder_fd = rule.parent_fd;
    tw_fd_close(&folder_fd);
    return rc;
}

static int allow_unlink(int ruleset, const char *path)
{
    char *folder = folder_of(path);
    int rc = folder ? allow(ruleset, LANDLOCK_ACCESS_FS_REMOVE_FILE, folder) : -ENOMEM;

    free(folder);
    return rc;
}

int tw_sandbox_files(const struct tw_sandbox *sandbox)
{
    unsigned version = landlock_version();
    struct landlock_ruleset_attr attr = {.handled_access_fs =
                                             (UINT64_C(1) << n_kinds[version]) - 1};
    int rc = 0, ruleset;

    if (!version)
        return -EOPNOTSUPP;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0)
        return -errno;
    for (size_t i = 0; !rc && i < TW_ARRAY_LEN(sandbox->paths); i++)
        if (sandbox->paths[i])
            rc = allow_unlink(ruleset, sandbox->paths[i]);
    if (!rc && sandbox->output_dir)
        rc = allow(ruleset,
                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_WRITE_FILE |
                       LANDLOCK_ACCESS_FS_READ_FILE, /* for clones: what was written, again */
                   sandbox->output_dir);
    if (!rc && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        rc = -errno;
    tw_fd_close(&ruleset);
    return rc;
}
