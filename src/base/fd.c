/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

void tw_fd_close(int *fd)
{
    int saved = errno;

    if (!fd || *fd < 0)
        return;
    close(*fd); /* Linux frees the number even when close reports an error */
    *fd = -1;
    errno = saved;
}

int tw_fd_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

int tw_fd_count_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    if (!dir)
        return -errno;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 3; /* ".", ".." and the directory itself */
}
