/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `tracewire serve`. */
#pragma once

#include "base/log.h"
#include "service/daemon.h"
#include "tool/serve_sandbox.h"

struct tw_serve_options {
    struct tw_daemon_options daemon;
    enum tw_sandbox_wish sandbox;
    enum tw_log_level log_level;
};

enum { TW_SERVE_GO_ON = -1 };

/* TW_SERVE_GO_ON, or the status to end with. */
int tw_serve_parse(int argc, char **argv, struct tw_serve_options *ret_options);
