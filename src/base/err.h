/* SPDX-License-Identifier: Apache-2.0 */
/* Texts for results; the results themselves are explained in tracewire/common.h. */
#pragma once

#include "base/macros.h"

/* A short text for any result; a static string, never NULL. */
const char *tw_err_str(int r);
