/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with what every test of ours wants: no descriptor may be left open by any test,
 * and a test names the requirements that it shows. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/req.h"

int tw_test_fds_before(void **state);
int tw_test_fds_after(void **state);

/* In place of cmocka_unit_test(): fails the test when it leaves a descriptor open. */
#define tw_unit_test(fn) cmocka_unit_test_setup_teardown(fn, tw_test_fds_before, tw_test_fds_after)
