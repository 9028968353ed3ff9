/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/allocations.h"

struct tw_allocations tw_allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *__wrap_malloc(size_t n)
{
    tw_allocations.n += tw_allocations.counted;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    tw_allocations.n += tw_allocations.counted;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    tw_allocations.n += tw_allocations.counted;
    return __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    tw_allocations.n += tw_allocations.counted;
    return __real_reallocarray(p, n, size);
}
