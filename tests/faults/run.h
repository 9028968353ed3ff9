/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every test of a program again and again, each time with one thing that the system refuses. What
 * a test asserts may fail then; but whatever happens, the service must not crash, hang or keep
 * anything, and must serve the next peers that come (tests/faults/rigs.c).
 *
 * tw_test() links this into all tests of the service but those of tests/faults/apart.tsv, and ctest
 * runs them as faults_NAME with TW_FAULTS set: see tests/faults/run.c. Without that they are what
 * they are.
 */
#pragma once

#include <stdbool.h>

/* Ends the run of a test with a failure that is the service's. */
_Noreturn void faults_blame(const char *what);
/* After a test, however it ended: gives back what it could not, with faults_blame() where the
 * service did wrong. Returns whether all that the service had should be given back now. */
bool faults_clean_up(void) __attribute__((weak));
