/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "consumer/textformat.h"
#include "trace_config.pb-c.h"

enum { OUT_MAX = 1 << 16 };

static const ProtobufCMessageDescriptor *const config = &tw__trace_config__descriptor;
static const ProtobufCMessageDescriptor *const dummy = &tw__test_config__dummy_fields__descriptor;

/* Parses an exact-size copy, so that a read past the end is seen. */
static int parse(const ProtobufCMessageDescriptor *d, const char *text, size_t n,
                 struct tw_buf *out, struct tw_text_error *error)
{
    uint8_t *copy = malloc(n ? n : 1);
    int r;

    assert_non_null(copy);
    memcpy(copy, text, n);
    r = tw_text_parse(d, (struct tw_bytes){copy, n}, out, error);
    free(copy);
    return r;
}

static void expect(const ProtobufCMessageDescriptor *d, const char *text, const void *want,
                   size_t n)
{
    struct tw_buf out = TW_BUF_INIT(OUT_MAX);
    struct tw_text_error error = {0};
    int r = parse(d, text, strlen(text), &out, &error);

    if (r)
        print_error("%s\n%u:%u: %s\n", text, error.line, error.column, error.text);
    assert_int_equal(r, 0);
    assert_int_equal(out.n, n);
    if (n)
        assert_memory_equal(out.p, want, n);
    tw_buf_deinit(&out);
}

#define EXPECT(d, text, ...)                                                                       \
    expect(d, text, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void refuse(const ProtobufCMessageDescriptor *d, const char *text, uint32_t line,
                   uint32_t column, const char *want)
{
    struct tw_buf out = TW_BUF_INIT(OUT_MAX);
    struct tw_text_error error = {0};

    assert_int_equal(tw_buf_append(&out, "kept", 4), 0);
    assert_int_equal(parse(d, text, strlen(text), &out, &error), TW_E_INVALID);
    assert_string_equal(error.text, want);
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
    assert_int_equal(out.n, 4);
    tw_buf_deinit(&out);
}

static void read_file(const char *dir, const char *name, const char *ext, struct tw_buf *out)
{
    char path[128];
    FILE *f;
    int c;

    snprintf(path, sizeof(path), "%s/%s.%s", dir, name, ext);
    f = fopen(path, "re");
    assert_non_null(f);
    while ((c = fgetc(f)) != EOF)
        assert_int_equal(tw_buf_append(out, &(uint8_t){(uint8_t)c}, 1), 0);
    fclose(f);
}

/* The .bin files were made by protoc --encode. */
static void configs_encode_as_protoc_encodes_them(void **state)
{
    static const char *const names[] = {"attach",     "basic",   "big",  "clone",
                                        "everything", "startup", "trig", "wif"};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(names); i++) {
        struct tw_buf text = TW_BUF_INIT(OUT_MAX), want = TW_BUF_INIT(OUT_MAX),
                      got = TW_BUF_INIT(OUT_MAX);
        struct tw_text_error error;

        read_file("corpus/textformat", names[i], "txtpb", &text);
        read_file("tests/data/textformat", names[i], "bin", &want);
        assert_int_equal(tw_text_parse(config, tw_buf_bytes(&text), &got, &error), 0);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.p, want.p, want.n);
        tw_buf_deinit(&text);
        tw_buf_deinit(&want);
        tw_buf_deinit(&got);
    }
}

static void the_empty_text_is_the_empty_message(void **state)
{
    (void)state;
    expect(config, "", NULL, 0);
    expect(config, " \t\r\n# nothing", NULL, 0);
    expect(config, "activate_triggers: []", NULL, 0);
}

static void fields_are_written_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    EXPECT(config, "flush_period_ms: 1 duration_ms: 2 buffers { fill_policy: DISCARD size_kb: 3 }",
           0x0a, 4, 0x08, 3, 0x20, 2, 0x18, 2, 0x68, 1);
    EXPECT(config, "duration_ms: 2 activate_triggers: 'b' buffers {} activate_triggers: 'a'", 0x0a,
           0, 0x18, 2, 0x92, 1, 1, 'b', 0x92, 1, 1, 'a');
}

static void both_brackets_and_every_separator_are_read(void **state)
{
    (void)state;
    EXPECT(config, "buffers { size_kb: 1 }, buffers < size_kb: 2 >; buffers: { size_kb: 3, }", 0x0a,
           2, 8, 1, 0x0a, 2, 8, 2, 0x0a, 2, 8, 3);
    EXPECT(config, "buffers [ { size_kb: 1 }, <> ] buffers: [{}]", 0x0a, 2, 8, 1, 0x0a, 0, 0x0a, 0);
    EXPECT(config, "duration_ms\n:\n5#x\n", 0x18, 5);
    refuse(config, "buffers { size_kb: 1 >", 1, 22, "expected the name of a field, found \">\"");
    refuse(config, "duration_ms: 5;;", 1, 16, "expected the name of a field, found \";\"");
    refuse(config, "duration_ms 5", 1, 13, "expected \":\", found \"5\"");
}

static void lists_end_where_they_should(void **state)
{
    (void)state;
    refuse(config, "buffers: [ {}, ]", 1, 16, "expected \"{\", found \"]\"");
    refuse(config, "activate_triggers: ['a' 'b'; 'c']", 1, 28,
           "expected \",\" or \"]\", found \";\"");
    refuse(config, "activate_triggers: [['a']]", 1, 21, "expected a string, found \"[\"");
    refuse(config, "unique_session_name: ['a']", 1, 22, "expected a string, found \"[\"");
}

static void escapes_are_resolved(void **state)
{
    (void)state;
    EXPECT(dummy, "field_bytes: '\\a\\b\\f\\n\\r\\t\\v\\\\\\'\\\"\\?'", 0x72, 11, 7, 8, 12, 10, 13,
           9, 11, '\\', '\'', '"', '?');
    EXPECT(dummy, "field_bytes: '\\0\\12\\1018\\x4\\x41G\\377'", 0x72, 8, 0, 10, 'A', '8', 4, 'A',
           'G', 0xff);
    EXPECT(dummy, "field_string: '\\u00e9\\u20ac\\U0001F600\\ud83d\\ude00z'", 0x6a, 14, 0xc3, 0xa9,
           0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0xf0, 0x9f, 0x98, 0x80, 'z');
    EXPECT(dummy, "field_string: 'a\"' \"b'\"\n'c' # and\n''", 0x6a, 5, 'a', '"', 'b', '\'', 'c');
    refuse(dummy, "field_string: 'ab\\q'", 1, 18, "an unknown escape");
    refuse(dummy, "field_string: '\\X41'", 1, 16, "an unknown escape");
    refuse(dummy, "field_string: '\\x'", 1, 16, "a \\x without digits");
    refuse(dummy, "field_string: '\\777'", 1, 16, "an octal escape larger than a byte");
    refuse(dummy, "field_string: '\\u12'", 1, 16, "a Unicode escape with too few digits");
    refuse(dummy, "field_string: '\\ud800'", 1, 16, "an escape that is no Unicode character");
    refuse(dummy, "field_string: '\\ud800\\u0041'", 1, 16, "half a surrogate pair");
    refuse(dummy, "field_string: '\\U00110000'", 1, 16, "an escape that is no Unicode character");
}

static void strings_hold_no_nul(void **state)
{
    static const char text[] = "unique_session_name: \"a\" \"b\0\"";
    struct tw_buf out = TW_BUF_INIT(100);
    struct tw_text_error error;

    (void)state;
    REQ("TW-ENC-008");
    refuse(config, "unique_session_name: \"a\\0b\"", 1, 22,
           "\"unique_session_name\" with a NUL character");
    assert_int_equal(parse(config, text, sizeof(text) - 1, &out, &error), TW_E_INVALID);
    assert_int_equal(out.n, 0);
    tw_buf_deinit(&out);
}

static void strings_end_on_their_line(void **state)
{
    (void)state;
    refuse(config, "unique_session_name: \"a", 1, 22, "a string that does not end on its line");
    refuse(config, "unique_session_name: \"a\\", 1, 22, "a string that does not end on its line");
    refuse(config, "unique_session_name: 'a\nb'", 1, 22, "a string that does not end on its line");
}

static void integers_are_read_in_three_bases(void **state)
{
    (void)state;
    EXPECT(dummy, "field_uint32: 0x1F", 8, 31);
    EXPECT(dummy, "field_uint32: 017", 8, 15);
    EXPECT(dummy, "field_int32: -1", 0x10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1);
    EXPECT(dummy, "field_sint32: -2147483648", 0x60, 255, 255, 255, 255, 15);
    EXPECT(dummy, "field_sint64: - 0x1", 0x58, 1);
    EXPECT(dummy, "field_sfixed32: -2", 0x45, 0xfe, 255, 255, 255);
    EXPECT(dummy, "field_sfixed64: -2", 0x31, 0xfe, 255, 255, 255, 255, 255, 255, 255);
    refuse(dummy, "field_uint32: 08", 1, 15, "a digit that octal numbers do not have");
    refuse(dummy, "field_uint32: 0x", 1, 15, "a number without digits");
    refuse(dummy, "field_uint32: 5x", 1, 15, "a space is missing behind a number");
    refuse(dummy, "field_uint32: 1.0", 1, 15, "expected an integer without sign, found \"1.0\"");
    refuse(dummy, "field_uint32: -1", 1, 15, "expected an integer without sign, found \"-\"");
}

static void integers_have_ranges(void **state)
{
    static const struct {
        const char *type, *min, *max, *below, *above;
    } ranges[] = {
        {"int32", "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {"sint32", "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {"sfixed32", "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {"int64", "-9223372036854775808", "9223372036854775807", "-9223372036854775809",
         "9223372036854775808"},
        {"sint64", "-9223372036854775808", "9223372036854775807", "-9223372036854775809",
         "9223372036854775808"},
        {"uint32", "0", "4294967295", NULL, "4294967296"},
        {"fixed32", "0", "0xffffffff", NULL, "0x100000000"},
        {"uint64", "0", "18446744073709551615", NULL, "18446744073709551616"},
        {"fixed64", "0", "0xffffffffffffffff", NULL, "0x10000000000000000"},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(ranges); i++) {
        const char *const values[] = {ranges[i].min, ranges[i].max, ranges[i].below,
                                      ranges[i].above};

        for (size_t j = 0; j < TW_ARRAY_LEN(values); j++) {
            struct tw_buf out = TW_BUF_INIT(OUT_MAX);
            struct tw_text_error error;
            char text[64];

            if (!values[j])
                continue;
            snprintf(text, sizeof(text), "field_%s: %s", ranges[i].type, values[j]);
            assert_int_equal(parse(dummy, text, strlen(text), &out, &error),
                             j < 2 ? 0 : TW_E_INVALID);
            if (j >= 2)
                assert_string_equal(error.text, "the integer is out of range");
            tw_buf_deinit(&out);
        }
    }
}

static void real_numbers_are_read(void **state)
{
    (void)state;
    EXPECT(dummy, "field_double: -1.5", 0x49, 0, 0, 0, 0, 0, 0, 0xf8, 0xbf);
    EXPECT(dummy, "field_double: .5e+1f", 0x49, 0, 0, 0, 0, 0, 0, 0x14, 0x40);
    EXPECT(dummy, "field_double: -Infinity", 0x49, 0, 0, 0, 0, 0, 0, 0xf0, 0xff);
    EXPECT(dummy, "field_double: nan", 0x49, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f);
    EXPECT(dummy, "field_double: 3", 0x49, 0, 0, 0, 0, 0, 0, 0x08, 0x40);
    EXPECT(dummy, "field_float: 1e39", 0x55, 0, 0, 0x80, 0x7f);
    EXPECT(dummy, "field_float: 0.1", 0x55, 0xcd, 0xcc, 0xcc, 0x3d);
    refuse(dummy, "field_float: 0x1", 1, 14, "expected a decimal number, found \"0x1\"");
    refuse(dummy, "field_float: 1e", 1, 14, "a number without digits");
    refuse(dummy, "field_float: 1.2.3", 1, 14, "a space is missing behind a number");
    refuse(dummy, "field_float: yes", 1, 14, "expected a decimal number, found \"yes\"");
}

static void truth_values_are_read(void **state)
{
    (void)state;
    EXPECT(config, "write_into_file: true", 0x40, 1);
    EXPECT(config, "write_into_file: f", 0x40, 0);
    EXPECT(config, "write_into_file: 1", 0x40, 1);
    refuse(config, "write_into_file: 2", 1, 18, "the integer is out of range");
    refuse(config, "write_into_file: yes", 1, 18, "expected true or false, found \"yes\"");
}

static void enum_values_are_read_by_name_and_number(void **state)
{
    (void)state;
    EXPECT(config, "lockdown_mode: LOCKDOWN_SET", 0x28, 2);
    EXPECT(config, "lockdown_mode: 1", 0x28, 1);
    refuse(config, "lockdown_mode: LOCKDOWN_SETT", 1, 16,
           "LockdownModeOperation has no value \"LOCKDOWN_SETT\"; did you mean \"LOCKDOWN_SET\"?");
    refuse(config, "lockdown_mode: -1", 1, 16, "LockdownModeOperation has no value of that number");
    refuse(config, "lockdown_mode: 'x'", 1, 16, "expected the name of a value, found a string");
}

static void unknown_fields_are_named_with_their_place(void **state)
{
    (void)state;
    refuse(config, "duration_ms: 5\n  buffers { siz_kb: 1 }", 2, 13,
           "BufferConfig has no field \"siz_kb\"; did you mean \"size_kb\"?");
    refuse(config, "quite_another_thing: 1", 1, 1,
           "TraceConfig has no field \"quite_another_thing\"");
    refuse(config, "[ext.field]: 1", 1, 1, "extensions are not supported");
    refuse(config, "7: 1", 1, 1, "expected the name of a field, found \"7\"");
}

static void what_may_be_given_once_is_refused_twice(void **state)
{
    (void)state;
    refuse(config, "duration_ms: 1 duration_ms: 1", 1, 16, "\"duration_ms\" is given twice");
    refuse(config, "trace_attributes { attribute { long_value: 1 string_value: '' } }", 1, 46,
           "\"long_value\" and \"string_value\" exclude each other");
}

static void what_is_not_text_is_refused(void **state)
{
    struct tw_buf out = TW_BUF_INIT(OUT_MAX);
    struct tw_text_error error;

    (void)state;
    refuse(config, "\x01", 1, 1, "unexpected byte 0x01");
    refuse(config, "duration_ms: \xff", 1, 14, "unexpected byte 0xff");
    refuse(config, "duration_ms: @", 1, 14, "unexpected character \"@\"");
    refuse(config, "buffers {", 1, 10, "expected the name of a field, found the end of the text");
    assert_int_equal(parse(config, "\0", 1, &out, &error), TW_E_INVALID);
    assert_string_equal(error.text, "unexpected byte 0x00");
    assert_int_equal(parse(config, "# \0\n", 4, &out, &error), TW_E_INVALID);
    assert_string_equal(error.text, "unexpected byte 0x00");
    tw_buf_deinit(&out);
}

static void limits_are_kept(void **state)
{
    struct tw_buf out = TW_BUF_INIT(8);
    struct tw_text_error error;
    size_t n = (size_t)TW_TEXT_MAX + 1;
    char *blanks = malloc(n);

    (void)state;
    assert_int_equal(parse(config, "unique_session_name: 'far too long'", 35, &out, &error),
                     TW_E_LIMIT);
    assert_int_equal(out.n, 0);
    assert_non_null(blanks);
    memset(blanks, ' ', n);
    assert_int_equal(parse(config, blanks, n, &out, &error), TW_E_LIMIT);
    assert_int_equal(parse(config, blanks, n - 1, &out, &error), 0);
    free(blanks);
    tw_buf_deinit(&out);
}

/* A message type that contains itself, which the schema has none of. */
static void depth_is_bounded(void **state)
{
    static const unsigned by_name[] = {0};
    static const ProtobufCIntRange ranges[] = {{1, 0}, {0, 1}};
    ProtobufCFieldDescriptor field = {
        .name = "m", .id = 1, .label = PROTOBUF_C_LABEL_OPTIONAL, .type = PROTOBUF_C_TYPE_MESSAGE};
    ProtobufCMessageDescriptor d = {.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
                                    .short_name = "M",
                                    .n_fields = 1,
                                    .fields = &field,
                                    .fields_sorted_by_name = by_name,
                                    .n_field_ranges = 1,
                                    .field_ranges = ranges};
    char text[4 * (TW_TEXT_DEPTH_MAX + 1) + 1] = "";
    struct tw_buf out = TW_BUF_INIT(OUT_MAX);
    struct tw_text_error error;

    (void)state;
    field.descriptor = &d;
    for (int i = 0; i < TW_TEXT_DEPTH_MAX; i++)
        strcat(text, "m{");
    for (int i = 0; i < TW_TEXT_DEPTH_MAX; i++)
        strcat(text, "}");
    assert_int_equal(parse(&d, text, strlen(text), &out, &error), 0);
    assert_int_equal(out.n, 2 * TW_TEXT_DEPTH_MAX);
    text[0] = '\0';
    for (int i = 0; i <= TW_TEXT_DEPTH_MAX; i++)
        strcat(text, "m{");
    assert_int_equal(parse(&d, text, strlen(text), &out, &error), TW_E_INVALID);
    assert_string_equal(error.text, "messages nested more than 32 deep");
    tw_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(configs_encode_as_protoc_encodes_them),
        tw_unit_test(the_empty_text_is_the_empty_message),
        tw_unit_test(fields_are_written_in_the_order_of_their_numbers),
        tw_unit_test(both_brackets_and_every_separator_are_read),
        tw_unit_test(lists_end_where_they_should),
        tw_unit_test(escapes_are_resolved),
        tw_unit_test(strings_hold_no_nul),
        tw_unit_test(strings_end_on_their_line),
        tw_unit_test(integers_are_read_in_three_bases),
        tw_unit_test(integers_have_ranges),
        tw_unit_test(real_numbers_are_read),
        tw_unit_test(truth_values_are_read),
        tw_unit_test(enum_values_are_read_by_name_and_number),
        tw_unit_test(unknown_fields_are_named_with_their_place),
        tw_unit_test(what_may_be_given_once_is_refused_twice),
        tw_unit_test(what_is_not_text_is_refused),
        tw_unit_test(limits_are_kept),
        tw_unit_test(depth_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
