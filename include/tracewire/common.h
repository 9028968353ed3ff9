/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every public header of tracewire shares: results and runs of bytes.
 *
 * A function that can fail returns int:
 *   0         success
 *   negative  our own failure, a negated errno: fatal for the operation, forwarded unchanged
 *   positive  the peer's fault or a documented outcome (enum tw_outcome): handled where it is met
 *
 * Out-parameters are named ret_..., are untouched unless 0 is returned, and are always set then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Compilers warn of a result that nobody looks at. */
#define TW_MUST_USE __attribute__((warn_unused_result))

/* Results that are not the process's own failure. */
enum tw_outcome {
    TW_MORE = 1,   /* not an error: more input is needed, or nothing is left to hand out */
    TW_E_PROTOCOL, /* the peer broke a rule of the protocol */
    TW_E_LIMIT,    /* a named limit would be passed */
    TW_E_REFUSED,  /* the other side answered no */
    TW_E_CLOSED,   /* the connection is gone */
    TW_E_NOT_FOUND,
    TW_E_EXISTS,
    TW_E_INVALID,   /* a value that is not allowed: nothing was changed */
    TW_E_TRUNCATED, /* input ends in the middle of something */
    TW_E_FULL,      /* too much waits for the peer to read it */
    TW_AGAIN,       /* not an error: there is more to do, after others have had a turn */
    TW_OUTCOME_MAX,
};

/* A run of bytes that somebody else owns. p may be NULL when n is 0. */
struct tw_bytes {
    const uint8_t *p;
    size_t n;
};
