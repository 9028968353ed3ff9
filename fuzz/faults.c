/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

static struct {
    unsigned left; /* allocations until one fails, 0: none does */
    bool fired;
} faults;

void faults_arm(unsigned nth)
{
    faults.left = nth;
}

bool faults_disarm(void)
{
    bool fired = faults.fired;

    faults.left = 0;
    faults.fired = false;
    return fired;
}

bool faults_fired(void)
{
    return faults.fired;
}

static bool fails(void)
{
    if (faults.left == 0 || --faults.left > 0)
        return false;
    faults.fired = true;
    errno = ENOMEM;
    return true;
}

/* The linker's --wrap=f sends calls of f to __wrap_f and those of __real_f to f. */
#define WRAP(type, failed, name, params, args)                                                     \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        return fails() ? (failed) : __real_##name args;                                            \
    }

WRAP(void *, NULL, malloc, (size_t n), (n))
WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, realloc, (void *p, size_t n), (p, n))
WRAP(void *, NULL, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, NULL, strndup, (const char *s, size_t n), (s, n))
WRAP(void *, MAP_FAILED, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at),
     (p, n, prot, flags, fd, at))
WRAP(int, -1, mprotect, (void *p, size_t n, int prot), (p, n, prot))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))

/* Random numbers that are the same every time, so that an input does the same every time. */
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags)
{
    (void)flags;
    memset(p, 1, n);
    return (ssize_t)n;
}
