/* SPDX-License-Identifier: Apache-2.0 */
/* An image of a shared memory buffer as text: the pages in use, their chunks and packets. */
#pragma once

#include <stdio.h>

#include "base/macros.h"

/* image is n bytes, aligned as malloc() does it; it is not changed. TW_E_INVALID when n and
 * page_size do not fit together. */
TW_MUST_USE int tw_print_smb(FILE *out, uint8_t *image, size_t n, size_t page_size, int indent);
