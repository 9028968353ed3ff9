/* SPDX-License-Identifier: Apache-2.0 */
/* The ways into the daemon and its loop: what is called meanwhile can be made to fail. */
#include "base/loop.h"
#include "fuzz/faults.h"
#include "service/daemon.h"
#include "tests/faults/scope.h"

/* It takes the parameters for products. */
/* clang-format off */
SCOPE(int, tw_loop_new, (struct tw_loop **ret_loop), (ret_loop))
SCOPE(int, tw_loop_once, (struct tw_loop *loop, int timeout_ms), (loop, timeout_ms))
SCOPE_VOID(tw_loop_free, (struct tw_loop *loop), (loop))
SCOPE(int, tw_daemon_new,
      (struct tw_loop *loop, const struct tw_daemon_options *options,
       struct tw_daemon **ret_daemon, const char **ret_socket),
      (loop, options, ret_daemon, ret_socket))
SCOPE_VOID(tw_daemon_free, (struct tw_daemon *daemon), (daemon))
