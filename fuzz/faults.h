/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out where an input says so, and chance that is none. In a target that is made
 * with FAULTS our calls of malloc() and its kind, mmap(), mprotect(), memfd_create() and
 * getrandom() come here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The nth allocation from now fails, once; 0: none does. */
void faults_arm(unsigned nth);
/* Nothing fails from now on. Returns whether something did since this was last asked. */
bool faults_disarm(void);
/* Whether something failed since faults_disarm() was last called. */
bool faults_fired(void);
