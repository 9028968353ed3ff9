/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must crash: each program does one thing wrong when its input says so, and only the
 * sanitizer, or the time limit, that it is for can tell. Where one lives on, that sanitizer is not
 * there, or the fuzzer does not look.
 */
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile int heard; /* so that no compiler leaves the song out */

#if defined(CANARY_ADDRESS)
static int sing(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);
    volatile size_t past = size;
    int value;

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    value = copy[past];
    free(copy);
    return value;
}
#elif defined(CANARY_UNDEFINED)
static int sing(const uint8_t *data, size_t size)
{
    volatile int most = INT_MAX;

    return most + (int)size + data[0];
}
#elif defined(CANARY_LEAK)
static void *volatile lost;

static int sing(const uint8_t *data, size_t size)
{
    lost = malloc(size);
    lost = NULL;
    return data[0];
}
#elif defined(CANARY_MEMORY)
static int sing(const uint8_t *data, size_t size)
{
    uint8_t *volatile unwritten = malloc(size);
    int value = unwritten && unwritten[0] ? 1 : data[0];

    free(unwritten);
    return value;
}
#elif defined(CANARY_THREAD)
static void *count(void *counter)
{
    for (int i = 0; i < 1000; i++)
        ++*(volatile int *)counter;
    return NULL;
}

static int sing(const uint8_t *data, size_t size)
{
    int counter = data[0] + (int)size;
    pthread_t other;

    if (pthread_create(&other, NULL, count, &counter))
        return 0;
    count(&counter);
    pthread_join(other, NULL);
    return counter;
}
#elif defined(CANARY_HANG)
static int sing(const uint8_t *data, size_t size)
{
    volatile bool forever = size > 0;

    while (forever)
        ;
    return data[0];
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 4 && data[0] == 's' && data[1] == 'i' && data[2] == 'n' && data[3] == 'g')
        heard = sing(data, size);
    return 0;
}
