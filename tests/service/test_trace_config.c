/* SPDX-License-Identifier: Apache-2.0 */
/* docs/trace-config.md says of every field of a trace config what the service does with it: whether
 * it says so of every field, and whether it is true. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/textformat.h"
#include "tests/harness.h"
#include "tests/service/rig.h"
#include "wire/writer.h"

#define DOC "docs/trace-config.md"
/* What every example is put to. */
#define BASE    "buffers { size_kb: 4 } data_sources { config { name: \"source\" } }\n"
#define REFUSED "refused: `"

enum { LINE_MAX_BYTES = 400, ROWS_MAX = 300, MESSAGES_MAX = 40 };

struct row {
    const ProtobufCMessageDescriptor *message;
    const ProtobufCFieldDescriptor *field;
    char verdict[LINE_MAX_BYTES], example[LINE_MAX_BYTES];
};

/* The messages of the schema from TraceConfig down to DataSourceConfig, whose own sub-messages
 * belong to data sources. */
struct messages {
    const ProtobufCMessageDescriptor *list[MESSAGES_MAX];
    size_t n;
};

static struct row rows[ROWS_MAX];
static size_t n_rows;
static struct messages messages;

static void add_message(const ProtobufCMessageDescriptor *d)
{
    for (size_t i = 0; i < messages.n; i++)
        if (messages.list[i] == d)
            return;
    assert_true(messages.n < MESSAGES_MAX);
    messages.list[messages.n++] = d;
}

static void find_messages(void)
{
    add_message(&tw__trace_config__descriptor);
    for (size_t at = 0; at < messages.n; at++) {
        const ProtobufCMessageDescriptor *d = messages.list[at];

        for (size_t i = 0; i < d->n_fields && d != &tw__data_source_config__descriptor; i++)
            if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
                add_message(d->fields[i].descriptor);
    }
}

static const ProtobufCMessageDescriptor *message_named(const char *name)
{
    for (size_t i = 0; i < messages.n; i++)
        if (strcmp(messages.list[i]->name + strlen("tw."), name) == 0)
            return messages.list[i];
    fail_msg("%s: the schema has no message %s", DOC, name);
    return NULL;
}

/* The text of the next cell without the blanks and, if it is all code, the backticks around it. */
static char *next_cell(char **at)
{
    char *cell = strsep(at, "|"), *end;

    assert_non_null(cell);
    cell += strspn(cell, " ");
    end = cell + strlen(cell);
    while (end > cell && end[-1] == ' ')
        *--end = '\0';
    if (cell[0] == '`' && end[-1] == '`') {
        end[-1] = '\0';
        cell++;
    }
    return cell;
}

static void read_row(char *line, const ProtobufCMessageDescriptor *message)
{
    char *at = line + strlen("| ");
    const char *name = next_cell(&at);
    struct row *row = &rows[n_rows];

    assert_true(n_rows < ROWS_MAX);
    row->message = message;
    row->field = protobuf_c_message_descriptor_get_field_by_name(message, name);
    if (!row->field)
        fail_msg("%s: %s has no field %s", DOC, message->name, name);
    strcpy(row->verdict, next_cell(&at));
    next_cell(&at);
    strcpy(row->example, next_cell(&at));
    n_rows++;
}

static int read_document(void **state)
{
    const ProtobufCMessageDescriptor *message = NULL;
    char line[LINE_MAX_BYTES];
    FILE *f = fopen(DOC, "re");

    (void)state;
    assert_non_null(f);
    find_messages();
    while (fgets(line, sizeof(line), f)) {
        size_t n = strcspn(line, "\n");

        assert_int_equal(line[n], '\n');
        line[n] = '\0';
        if (strncmp(line, "## ", 3) == 0)
            message = message_named(line + 3);
        else if (strncmp(line, "| `", 3) == 0)
            read_row(line, message);
    }
    fclose(f);
    return 0;
}

static size_t rows_of(const ProtobufCMessageDescriptor *message,
                      const ProtobufCFieldDescriptor *field)
{
    size_t n = 0;

    for (size_t i = 0; i < n_rows; i++)
        n += rows[i].message == message && rows[i].field == field;
    return n;
}

static void every_field_has_one_row(void **state)
{
    size_t n_fields = 0;

    (void)state;
    for (size_t m = 0; m < messages.n; m++)
        for (size_t i = 0; i < messages.list[m]->n_fields; i++, n_fields++)
            if (rows_of(messages.list[m], &messages.list[m]->fields[i]) != 1)
                fail_msg("%s: not one row for %s of %s", DOC, messages.list[m]->fields[i].name,
                         messages.list[m]->name);
    assert_int_equal(n_rows, n_fields);
}

/* The base and the example as one config, in the rig's arena. */
static Tw__TraceConfig *config_of(struct rig *rig, const struct row *row)
{
    char text[sizeof(BASE) + LINE_MAX_BYTES];
    struct tw_buf bytes = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    struct tw_text_error error;
    ProtobufCMessage *msg;

    snprintf(text, sizeof(text), BASE "%s\n", row->example);
    if (tw_text_parse(&tw__trace_config__descriptor,
                      (struct tw_bytes){(const uint8_t *)text, strlen(text)}, &bytes, &error))
        fail_msg("%s: %s: %s", DOC, row->example, error.text);
    RIG_MUST(!tw_pbc_unpack(&tw__trace_config__descriptor, &rig->arena,
                            (struct tw_bytes){bytes.p, bytes.n}, &msg));
    tw_buf_deinit(&bytes);
    return (Tw__TraceConfig *)msg;
}

/* Examples are short: a search by name is enough. */
static void the_example_sets_the_field(const struct row *row)
{
    const char *at = row->example;
    size_t n = strlen(row->field->name);

    while ((at = strstr(at, row->field->name))) {
        bool whole_word = at == row->example || at[-1] == ' ';

        if (whole_word && (at[n] == ':' || at[n] == ' '))
            return;
        at += n;
    }
    fail_msg("%s: the example of %s of %s has it not", DOC, row->field->name, row->message->name);
}

struct trial {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__TraceConfig *config;
    const char *error; /* NULL: the session runs */
};

static void try_config(struct trial *t, Tw__TraceConfig *config)
{
    Tw__EnableTracingResponse *response;
    uint64_t id;

    t->producer = rig_producer(&t->rig, "p");
    rig_register(t->producer, "source");
    t->consumer = rig_consumer(&t->rig);
    t->config = config;
    id = rig_enable_with(t->consumer, config, open("/dev/null", O_WRONLY | O_CLOEXEC));
    response = rig_decode(t->consumer, rig_last(t->consumer, id),
                          &tw__enable_tracing_response__descriptor);
    t->error = response ? response->error : NULL;
    if (response && !t->error)
        t->error = "disabled at once";
}

static void equal_messages(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    struct tw_buf x = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX), y = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);

    assert_int_equal(tw_pbc_pack(a, &x), 0);
    assert_int_equal(tw_pbc_pack(b, &y), 0);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.p, y.p, x.n);
    tw_buf_deinit(&x);
    tw_buf_deinit(&y);
}

static void the_trace_has_the_config(struct trial *t)
{
    struct rig_trace trace = rig_read(t->consumer);
    Tw__TracePacket *packet = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_CONFIG, 0);

    assert_non_null(packet);
    equal_messages(&packet->trace_config->base, &t->config->base);
}

/* But for what the service sets itself, the producer has the config of its data source as it was
 * sent; inherits: one more field comes from TraceConfig. */
static void the_producer_has_the_config(struct trial *t, bool inherits)
{
    Tw__DataSourceConfig sent = *t->config->data_sources[0]->config;
    Tw__GetAsyncCommandResponse *setup =
        rig_command(t->producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE, 0);
    Tw__DataSourceConfig *got;

    assert_non_null(setup);
    got = setup->setup_data_source->config;
    assert_true(got->has_target_buffer && got->has_trace_duration_ms && got->has_stop_timeout_ms &&
                got->has_tracing_session_id && got->has_session_initiator &&
                got->has_enable_extra_guardrails);
    got->has_target_buffer = got->has_trace_duration_ms = got->has_stop_timeout_ms =
        got->has_tracing_session_id = got->has_session_initiator =
            got->has_enable_extra_guardrails = false;
    if (inherits)
        got->has_prefer_suspend_clock_for_duration = false;
    equal_messages(&got->base, &sent.base);
}

static void passed_through(struct trial *t, const struct row *row)
{
    if (row->message == &tw__data_source_config__descriptor) {
        /* The example is a second data source: it takes the first one's place, and name. */
        t->config->data_sources[0] = t->config->data_sources[--t->config->n_data_sources];
        t->config->data_sources[0]->config->name = tw_pbc_str("source");
        try_config(t, t->config);
        assert_null(t->error);
        the_producer_has_the_config(t, false);
    } else {
        try_config(t, t->config);
        if (t->error)
            fail_msg("%s: %s: %s", DOC, row->example, t->error);
        the_producer_has_the_config(t, t->config->has_prefer_suspend_clock_for_duration);
    }
    the_trace_has_the_config(t);
}

static void refused(struct trial *t, const struct row *row)
{
    const char *text = row->verdict + strlen(REFUSED);
    size_t n = strcspn(text, "`");

    try_config(t, t->config);
    if (!t->error)
        fail_msg("%s: accepted: %s", DOC, row->example);
    if (strlen(t->error) != n || strncmp(t->error, text, n) != 0)
        fail_msg("%s: %s: the error is \"%s\"", DOC, row->example, t->error);
}

static void honoured(struct trial *t, const struct row *row)
{
    try_config(t, t->config);
    if (t->error)
        fail_msg("%s: %s: %s", DOC, row->example, t->error);
}

static void every_row_is_true(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_rows; i++) {
        const struct row *row = &rows[i];
        struct trial t = {0};

        the_example_sets_the_field(row);
        rig_init(&t.rig);
        t.config = config_of(&t.rig, row);
        if (strcmp(row->verdict, "honoured") == 0)
            honoured(&t, row);
        else if (strcmp(row->verdict, "passed through") == 0)
            passed_through(&t, row);
        else if (strncmp(row->verdict, REFUSED, strlen(REFUSED)) == 0)
            refused(&t, row);
        else
            fail_msg("%s: no verdict: %s", DOC, row->verdict);
        rig_free(&t.rig);
    }
}

/* A string field of that number, which no schema has, as protobuf-c keeps it. */
static void add_unknown(struct rig *rig, ProtobufCMessage *msg, uint32_t number)
{
    ProtobufCMessageUnknownField *field = tw_arena_alloc(&rig->arena, sizeof(*field));
    static uint8_t data[] = "\003new";

    RIG_MUST(field);
    *field = (ProtobufCMessageUnknownField){
        .tag = number,
        .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
        .len = sizeof(data) - 1,
        .data = data,
    };
    msg->n_unknown_fields = 1;
    msg->unknown_fields = field;
}

static void fields_of_a_newer_schema_are_passed_through(void **state)
{
    static const uint32_t of_data_sources[] = {13, 99, 100, 126, 142, 150, 999, 20000};
    struct trial t = {0};

    (void)state;
    rig_init(&t.rig);
    t.config = rig_config(&t.rig, "source");
    add_unknown(&t.rig, &t.config->base, 1000);
    add_unknown(&t.rig, &t.config->buffers[0]->base, 1000);
    add_unknown(&t.rig, &t.config->data_sources[0]->base, 1000);
    try_config(&t, t.config);
    assert_null(t.error);
    the_trace_has_the_config(&t);
    rig_free(&t.rig);

    for (size_t i = 0; i < sizeof(of_data_sources) / sizeof(of_data_sources[0]); i++) {
        rig_init(&t.rig);
        t.config = rig_config(&t.rig, "source");
        add_unknown(&t.rig, &t.config->data_sources[0]->config->base, of_data_sources[i]);
        try_config(&t, t.config);
        assert_null(t.error);
        the_producer_has_the_config(&t, false);
        the_trace_has_the_config(&t);
        rig_free(&t.rig);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(every_field_has_one_row),
        tw_unit_test(every_row_is_true),
        tw_unit_test(fields_of_a_newer_schema_are_passed_through),
    };

    return cmocka_run_group_tests(tests, read_document, NULL);
}
