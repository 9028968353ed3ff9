/* SPDX-License-Identifier: Apache-2.0 */
/* Fields into the order of their numbers, as protobuf libraries write them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/textfields.h"

struct span {
    uint32_t number;
    size_t offset, n;
};

/* Equal numbers keep the order that they had. */
static int compare(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Finds the fields; with spans NULL only counts them. */
static size_t find_spans(struct tw_bytes all, struct span *spans)
{
    struct tw_reader r = tw_reader_of(all);
    struct tw_field f;
    size_t count = 0;

    for (size_t at = 0; !tw_read_field(&r, &f); count++) {
        size_t end = all.n - tw_reader_left(&r);

        if (spans)
            spans[count] = (struct span){.number = f.number, .offset = at, .n = end - at};
        at = end;
    }
    return count;
}

int tw_text_sort(struct tw_buf *out, size_t start)
{
    struct tw_bytes all = {.p = out->p + start, .n = out->n - start};
    size_t count = find_spans(all, NULL), at = 0;
    struct span *spans;
    uint8_t *sorted;

    if (count == 0)
        return 0;
    spans = calloc(count, sizeof(*spans));
    sorted = malloc(all.n);
    if (!spans || !sorted) {
        free(spans);
        free(sorted);
        return -ENOMEM;
    }
    find_spans(all, spans);
    qsort(spans, count, sizeof(*spans), compare);
    for (size_t i = 0; i < count; i++) {
        memcpy(sorted + at, all.p + spans[i].offset, spans[i].n);
        at += spans[i].n;
    }
    memcpy(out->p + start, sorted, at);
    free(spans);
    free(sorted);
    return 0;
}
