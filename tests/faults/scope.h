/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that stand before those of the service, by the linker's --wrap. tests/faults/CMake
 * finds their names in the sources. */
#pragma once

#include "fuzz/faults.h"

#define SCOPE(type, name, params, args)                                                            \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        type result;                                                                               \
                                                                                                   \
        faults_enter();                                                                            \
        result = __real_##name args;                                                               \
        faults_leave();                                                                            \
        return result;                                                                             \
    }

#define SCOPE_VOID(name, params, args)                                                             \
    void __real_##name params;                                                                     \
    void __wrap_##name params;                                                                     \
    void __wrap_##name params                                                                      \
    {                                                                                              \
        faults_enter();                                                                            \
        __real_##name args;                                                                        \
        faults_leave();                                                                            \
    }
