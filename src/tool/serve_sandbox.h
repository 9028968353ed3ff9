/* SPDX-License-Identifier: Apache-2.0 */
/* tracewire serve --sandbox: whether, and how that is said. */
#pragma once

#include "service/daemon.h"

enum tw_sandbox_wish { TW_SANDBOX_AUTO, TW_SANDBOX_REQUIRE, TW_SANDBOX_OFF };

/* "auto", "require" or "off"; TW_E_INVALID. */
TW_MUST_USE int tw_sandbox_parse(const char *text, enum tw_sandbox_wish *ret_wish);
/* Enters the sandbox and says what holds in words that go behind "sandbox ". The paths are
 * those the service listens on and removes. TW_E_REFUSED: not all of it holds, and it has to. */
TW_MUST_USE int tw_sandbox_serve(enum tw_sandbox_wish wish,
                                 const char *const paths[TW_LISTENERS_MAX], const char *output_dir,
                                 const char **ret_text);
