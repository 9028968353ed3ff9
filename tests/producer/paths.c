/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/producer/paths.h"

#include "tests/harness.h"
#include "wire/reader.h"

static uint64_t look(struct tw_bytes message, struct path path, size_t *ret_count)
{
    struct tw_reader r = tw_reader_of(message);
    uint64_t value = 0;
    struct tw_field f;
    int rc;

    while ((rc = tw_read_field(&r, &f)) == 0) {
        if (f.number != path.field[0])
            continue;
        if (path.n > 1) {
            struct path rest = {path.n - 1, {path.field[1], path.field[2]}};

            value = look(f.bytes, rest, ret_count);
            continue;
        }
        value = f.value;
        ++*ret_count;
    }
    assert_int_equal(rc, TW_MORE);
    return value;
}

uint64_t value_at(const struct fake_packet *p, struct path path)
{
    size_t count = 0;

    return look((struct tw_bytes){p->p, p->n}, path, &count);
}

size_t count_at(const struct fake_packet *p, struct path path)
{
    size_t count = 0;

    (void)look((struct tw_bytes){p->p, p->n}, path, &count);
    return count;
}

size_t count_all(const struct fake_packets *packets, struct path path)
{
    size_t count = 0;

    for (size_t i = 0; i < packets->n; i++)
        count += count_at(&packets->list[i], path);
    return count;
}
