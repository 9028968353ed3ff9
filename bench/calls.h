/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of a process, told by the kernel. Whatever goes wrong ends the program. */
#pragma once

#include <sys/types.h>

enum { CALLS = 512, CALL_NONE = -2 }; /* numbers of system calls are below */

/* From now on a child and the threads that it begins stop whenever they call. */
void calls_trace(pid_t pid);
/* What waitpid() said of one that stopped; it goes on. The number of the call that begins, which
 * may be one that there is none of, or CALL_NONE. */
long calls_go_on(pid_t pid, int status);
/* The child is running, or stopped by calls_trace(). */
void calls_leave(pid_t pid);
