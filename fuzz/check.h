/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CHECK: assert() for targets, also in a build with NDEBUG.
 *
 * With TW_CANARY a target is its own canary: it notes which of its checks were reached, and when
 * the last of them is, that one fails. So the canary crashes when, and only when, the corpus takes
 * the harness to everything that it is there to check; one that lives on has a dead harness, and
 * says which checks no input came to.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef TW_CANARY

struct check_site {
    const char *file;
    int line;
    bool reached;
};

/* The linker's names for the ends of what CHECK puts into the section. */
extern struct check_site *const __start_check_sites[], *const __stop_check_sites[];

static inline bool check_is_last(struct check_site *site)
{
    if (site->reached)
        return false;
    site->reached = true;
    for (struct check_site *const *s = __start_check_sites; s < __stop_check_sites; s++)
        if (!(*s)->reached)
            return false;
    fprintf(stderr, "the canary sings\n");
    return true;
}

__attribute__((destructor)) static void check_tell_unreached(void)
{
    for (struct check_site *const *s = __start_check_sites; s < __stop_check_sites; s++)
        if (!(*s)->reached)
            fprintf(stderr, "%s:%d: no input reached this check\n", (*s)->file, (*s)->line);
}

/* A pointer to each site goes into the section: sanitizers put nothing between pointers. The names
 * are such as no condition has. */
#define CHECK_FAILS(cond)                                                                          \
    __extension__({                                                                                \
        static struct check_site check_here = {__FILE__, __LINE__, false};                         \
        static struct check_site *const check_at                                                   \
            __attribute__((section("check_sites"), used, no_sanitize("address"))) = &check_here;   \
        !(cond) || check_is_last(check_at);                                                        \
    })
#else
#define CHECK_FAILS(cond) (!(cond))
#endif

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (CHECK_FAILS(cond)) {                                                                   \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
