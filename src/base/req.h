/* SPDX-License-Identifier: Apache-2.0 */
/*
 * REQ("TW-FRAME-002"); marks the place where a requirement of spec/ is enforced, or in a test or a
 * fuzz target where it is shown. It stands wherever a declaration may and costs nothing;
 * scripts/requirements collects the marks.
 */
#pragma once

#define REQ(id) _Static_assert(sizeof(id) >= sizeof("TW-X-000"), "identifier of a requirement")
