/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon gives up once its sockets are open: whoever takes it over through a peer's bytes
 * gets a process that can talk to the peers it has, and nothing else. No new privileges, no core
 * dumps with what others traced, no files (Landlock), no calls but those of the loop (seccomp).
 *
 * A call that is merely not needed fails with EPERM: a C library of tomorrow that tries a new one
 * must not take the service down. One that nobody but an intruder makes ends the process at once.
 * Both are told to the kernel's audit log.
 */
#pragma once

#include "service/daemon.h"

enum tw_sandbox_part {
    TW_SANDBOX_PRIVILEGES = 1, /* no_new_privs, no core dumps, not dumpable */
    TW_SANDBOX_FILES = 2,      /* Landlock */
    TW_SANDBOX_CALLS = 4,      /* seccomp */
    TW_SANDBOX_ALL = 7,
};

struct tw_sandbox {
    const char *paths[TW_LISTENERS_MAX]; /* may be unlinked at the end; NULL for none */
    const char *output_dir;              /* where files may be made; NULL: nowhere */
};

/* Enters it, for good, as far as the kernel knows it. Returns the parts that hold, a set of
 * tw_sandbox_part. For a process with one thread. */
unsigned tw_sandbox_enter(const struct tw_sandbox *sandbox);

/* The parts of their own, 0 or negative: -EOPNOTSUPP and the like when the kernel has no such
 * thing. tw_sandbox_enter() has set no_new_privs before, which both need. */
TW_MUST_USE int tw_sandbox_files(const struct tw_sandbox *sandbox);
TW_MUST_USE int tw_sandbox_calls(const struct tw_sandbox *sandbox);
