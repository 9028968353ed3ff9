/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/textnear.h"

#include <string.h>

/* Characters of a name that is worth comparing; the schema's longest has fewer. */
enum { NAME_MAX_COMPARED = 64 };

/* Levenshtein's distance, one row at a time. */
static size_t edit_distance(struct tw_bytes a, const char *b, size_t n)
{
    size_t row[NAME_MAX_COMPARED + 1];

    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; i < a.n; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t replace = diagonal + (a.p[i] != (uint8_t)b[j]);

            diagonal = row[j + 1];
            row[j + 1] = tw_min(replace, tw_min(row[j], diagonal) + 1);
        }
    }
    return row[n];
}

void tw_near_consider(struct tw_near *near, struct tw_bytes name, const char *candidate)
{
    size_t n = strlen(candidate), distance;

    if (n > NAME_MAX_COMPARED || name.n > NAME_MAX_COMPARED)
        return;
    distance = edit_distance(name, candidate, n);
    if (distance > 1 + n / 3 || (near->best && distance >= near->distance))
        return;
    *near = (struct tw_near){.best = candidate, .distance = distance};
}
