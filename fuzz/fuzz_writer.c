/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer, into memory of any size. What fits is read back field by field; what does not leaves
 * all that is behind the memory alone, and is told.
 *
 *   input := u8 room / 2, field*      field := u8 number << 3 | kind, u8 how often or how long,
 * value
 *
 * Without any field it is one message inside another that is as long as can be, or longer by one.
 */
#include "fuzz/input.h"

#include <sys/mman.h>

#include "wire/reader.h"
#include "wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS_MAX = 64 };

enum kind { KIND_U64, KIND_I64, KIND_BOOL, KIND_DOUBLE, KIND_STR, KIND_BYTES, KIND_NESTED };

struct expected {
    uint32_t number;
    enum tw_wire_type type;
    uint64_t value; /* of a LEN field its size */
};

struct script {
    struct tw_bytes input;
    struct expected fields[FIELDS_MAX];
    size_t n;
};

static void expect(struct script *s, uint32_t number, enum tw_wire_type type, uint64_t value)
{
    s->fields[s->n++] = (struct expected){number, type, value};
}

static void put_text(struct script *s, struct tw_writer *w, uint32_t number, enum kind kind)
{
    struct tw_bytes text = input_list(&s->input);
    char str[256] = {0};

    if (text.n)
        memcpy(str, text.p, text.n);
    if (kind == KIND_STR) {
        tw_put_str(w, number, str);
        text.n = strlen(str);
    } else {
        tw_put_bytes(w, number, text);
    }
    expect(s, number, TW_WIRE_LEN, text.n);
}

static void put_field(struct script *s, struct tw_writer *w)
{
    uint8_t what = input_byte(&s->input), value = input_byte(&s->input), *nested;
    uint64_t wide = (uint64_t)value << (value & 56), bits;
    uint32_t number = (what >> 3) + 1u;
    double real = (double)wide;

    switch ((enum kind)(what & 7)) {
    case KIND_U64:
        tw_put_u64(w, number, wide);
        expect(s, number, TW_WIRE_VARINT, wide);
        break;
    case KIND_I64:
        tw_put_i64(w, number, -(int64_t)value);
        expect(s, number, TW_WIRE_VARINT, (uint64_t) - (int64_t)value);
        break;
    case KIND_BOOL:
        tw_put_bool(w, number, value & 1);
        expect(s, number, TW_WIRE_VARINT, value & 1);
        break;
    case KIND_DOUBLE:
        tw_put_double(w, number, real);
        memcpy(&bits, &real, sizeof(bits));
        expect(s, number, TW_WIRE_FIXED64, bits);
        break;
    case KIND_NESTED:
        nested = tw_put_begin(w, number);
        tw_put_u64(w, 1, wide);
        tw_put_end(w, nested);
        expect(s, number, TW_WIRE_LEN, 1 + tw_varint_size(wide));
        break;
    default:
        put_text(s, w, number, what & 1 ? KIND_BYTES : KIND_STR);
        break;
    }
}

static void check_written(const struct script *s, struct tw_bytes written)
{
    struct tw_reader r = tw_reader_of(written);
    struct tw_field f;

    for (size_t i = 0; i < s->n; i++) {
        const struct expected *e = &s->fields[i];

        CHECK(!tw_read_field(&r, &f));
        CHECK(f.number == e->number && f.type == e->type);
        CHECK((f.type == TW_WIRE_LEN ? f.bytes.n : f.value) == e->value);
    }
    CHECK(tw_read_field(&r, &f) == TW_MORE);
}

/* Its bytes are only passed over, and take no memory. */
static void check_longest(bool longer)
{
    static uint8_t *memory;
    const size_t room = (size_t)TW_WIRE_SIZE_MAX + 64;
    struct tw_writer w;
    uint8_t *nested;

    if (!memory)
        memory = mmap(NULL, room, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    w = tw_writer_of(memory, room);
    nested = tw_put_begin(&w, 1);
    w.p += TW_WIRE_SIZE_MAX + (size_t)longer;
    tw_put_end(&w, nested);
    CHECK(w.overflow == longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct script s;
    size_t room;
    struct tw_writer w;
    uint8_t *memory;

    s = (struct script){.input = {data, size}};
    room = (size_t)input_byte(&s.input) * 2;
    if (size == 1)
        check_longest(room & 2);
    memory = malloc(room + 1); /* a sanitizer sees a write behind it, a mark sees it without one */
    CHECK(memory);
    memory[room] = 0xa5;
    w = tw_writer_of(memory, room);
    while (s.input.n && s.n < FIELDS_MAX)
        put_field(&s, &w);
    CHECK(memory[room] == 0xa5 && tw_writer_size(&w) <= room);
    if (!w.overflow)
        check_written(&s, (struct tw_bytes){memory, tw_writer_size(&w)});
    free(memory);
    return 0;
}
