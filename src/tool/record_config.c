/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/record_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fd.h"
#include "consumer/textformat.h"
#include "trace_config.pb-c.h"
#include "tracewire/frame.h"
#include "wire/pbc.h"
#include "wire/writer.h"

/* Bytes an encoded config may have: it travels in one frame, whose own fields need some. */
#define CONFIG_MAX (TW_FRAME_PAYLOAD_MAX - 64)
/* Bytes that decoding it may cost; protobuf-c needs a few for each byte. */
#define CONFIG_DECODED_MAX ((size_t)8 * 1024 * 1024)
/* Bytes read at a time. */
enum { READ_STEP = 64 * 1024 };
/* Bytes of the two fields that make a trace uuid. */
enum { UUID_FIELDS_MAX = 2 * (2 + 10) };
/* Field numbers (spec/proto/trace_config.proto). */
enum {
    CONFIG_UUID_MSB = 27,
    CONFIG_UUID_LSB = 28,
    CONFIG_ATTRIBUTES = 48,
    ATTRIBUTES_ATTRIBUTE = 1,
    ATTRIBUTE_KEY = 1,
    ATTRIBUTE_STRING = 3,
};

static int fail(char why[TW_RECORD_WHY_MAX], int rc, const char *what, const char *path)
{
    snprintf(why, TW_RECORD_WHY_MAX, "%.255s: %s", path, what);
    return rc;
}

static int read_all(int fd, struct tw_buf *buf)
{
    for (;;) {
        ssize_t n;
        int rc = tw_buf_reserve(buf, READ_STEP);

        if (rc)
            return rc;
        n = read(fd, buf->p + buf->n, READ_STEP);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return 0;
        if (n > 0)
            buf->n += (size_t)n;
    }
}

static int read_file(const char *path, struct tw_buf *buf)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -errno;
    rc = read_all(fd, buf);
    if (!is_stdin)
        tw_fd_close(&fd);
    return rc;
}

static int parse_text(const char *path, struct tw_bytes text, struct tw_buf *out,
                      char why[TW_RECORD_WHY_MAX])
{
    struct tw_text_error error;
    int rc = tw_text_parse(&tw__trace_config__descriptor, text, out, &error);

    if (rc == TW_E_INVALID) {
        snprintf(why, TW_RECORD_WHY_MAX, "%.255s:%u:%u: %s", path, error.line, error.column,
                 error.text);
        return rc;
    }
    if (rc == TW_E_LIMIT)
        return fail(why, rc, "the config is too large", path);
    return rc ? fail(why, rc, tw_err_str(rc), path) : 0;
}

/* A session is known by its uuid; a service makes one only for clients that send none. */
static int add_uuid(struct tw_buf *encoded)
{
    uint64_t half[2];
    struct tw_writer w;
    int rc;

    if (getrandom(half, sizeof(half), 0) != (ssize_t)sizeof(half))
        return -EIO;
    half[0] = (half[0] & ~UINT64_C(0xf000)) | UINT64_C(0x4000); /* version 4: random */
    half[1] = (half[1] & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
    rc = tw_buf_reserve(encoded, UUID_FIELDS_MAX);
    if (rc)
        return rc;
    w = tw_writer_of(encoded->p + encoded->n, UUID_FIELDS_MAX);
    tw_put_u64(&w, CONFIG_UUID_MSB, half[0]);
    tw_put_u64(&w, CONFIG_UUID_LSB, half[1]);
    encoded->n += tw_writer_size(&w);
    return 0;
}

static void learn(const Tw__TraceConfig *from, struct tw_record_config *config)
{
    const Tw__TraceConfig__TriggerConfig *triggers = from->trigger_config;
    const Tw__TraceConfig__CmdTraceStartDelay *delay = from->cmd_trace_start_delay;

    config->duration_ms = from->duration_ms;
    config->delay_min_ms = delay ? delay->min_delay_ms : 0;
    config->delay_max_ms = delay ? delay->max_delay_ms : 0;
    config->patience_ms = (uint64_t)from->flush_timeout_ms + from->data_source_stop_timeout_ms;
    config->waits_for_trigger = from->trigger_config != NULL;
    config->clones_on_trigger =
        triggers &&
        triggers->trigger_mode == TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__CLONE_SNAPSHOT;
    config->fires_triggers = from->n_activate_triggers > 0;
    config->into_file = from->write_into_file;
    config->names_file = from->write_into_file && from->output_path && *from->output_path;
    config->deferred_start = from->deferred_start;
}

/* Looks into the encoded config, and completes it. */
static int finish(struct tw_record_config *config)
{
    struct tw_arena arena = TW_ARENA_INIT(CONFIG_DECODED_MAX);
    ProtobufCMessage *msg;
    const Tw__TraceConfig *decoded;
    int rc =
        tw_pbc_unpack(&tw__trace_config__descriptor, &arena, tw_buf_bytes(&config->encoded), &msg);

    if (!rc) {
        decoded = (const Tw__TraceConfig *)msg;
        learn(decoded, config);
        if (!decoded->trace_uuid_msb && !decoded->trace_uuid_lsb)
            rc = add_uuid(&config->encoded);
    }
    tw_arena_deinit(&arena);
    return rc;
}

static int read_and_parse(const char *path, bool text, struct tw_record_config *config,
                          char why[TW_RECORD_WHY_MAX])
{
    struct tw_buf raw = TW_BUF_INIT(text ? TW_TEXT_MAX : CONFIG_MAX + READ_STEP);
    int rc = read_file(path, &raw);

    if (rc)
        rc = fail(why, rc, rc == TW_E_LIMIT ? "the config is too large" : tw_err_str(rc), path);
    else if (text)
        rc = parse_text(path, tw_buf_bytes(&raw), &config->encoded, why);
    else if ((rc = tw_buf_append(&config->encoded, raw.p, raw.n)))
        rc = fail(why, rc, "the config is too large", path);
    tw_buf_deinit(&raw);
    return rc;
}

int tw_record_config_read(const char *path, bool text, struct tw_record_config *ret,
                          char ret_why[TW_RECORD_WHY_MAX])
{
    struct tw_record_config config = {.encoded = TW_BUF_INIT(CONFIG_MAX)};
    int rc = read_and_parse(path, text, &config, ret_why);

    if (!rc && config.encoded.n == 0) {
        rc = fail(ret_why, TW_E_INVALID, "the config is empty", path);
    } else if (!rc && (rc = finish(&config))) {
        fail(ret_why, rc,
             rc == TW_E_PROTOCOL ? "not a trace config (is it text? see --txt)" : tw_err_str(rc),
             path);
    }
    if (rc) {
        tw_record_config_deinit(&config);
        return rc;
    }
    *ret = config;
    return 0;
}

static int encode_short_form(const struct tw_record_short_form *form, struct tw_buf *out)
{
    struct tw_writer w;
    int rc = tw_buf_reserve(out, CONFIG_MAX);

    if (rc)
        return rc;
    w = tw_writer_of(out->p, CONFIG_MAX - UUID_FIELDS_MAX);
    tw_record_short_put(&w, form);
    out->n = tw_writer_size(&w);
    return w.overflow ? TW_E_LIMIT : 0;
}

int tw_record_config_make(const struct tw_record_short_form *form, struct tw_record_config *ret,
                          char ret_why[TW_RECORD_WHY_MAX])
{
    struct tw_record_config config = {.encoded = TW_BUF_INIT(CONFIG_MAX)};
    int rc = encode_short_form(form, &config.encoded);

    if (!rc)
        rc = finish(&config);
    if (rc) {
        snprintf(ret_why, TW_RECORD_WHY_MAX, "%s",
                 rc == TW_E_LIMIT ? "too many categories" : tw_err_str(rc));
        tw_record_config_deinit(&config);
        return rc;
    }
    *ret = config;
    return 0;
}

/* The field is a message given once more, which adds to what the config has. */
static void put_attribute(struct tw_writer *w, struct tw_bytes key, const char *value)
{
    uint8_t *attributes = tw_put_begin(w, CONFIG_ATTRIBUTES);
    uint8_t *attribute = tw_put_begin(w, ATTRIBUTES_ATTRIBUTE);

    tw_put_bytes(w, ATTRIBUTE_KEY, key);
    tw_put_str(w, ATTRIBUTE_STRING, value);
    tw_put_end(w, attribute);
    tw_put_end(w, attributes);
}

int tw_record_config_attribute(struct tw_record_config *config, const char *text)
{
    struct tw_buf *out = &config->encoded;
    size_t room = CONFIG_MAX - out->n;
    struct tw_bytes key = {.p = (const uint8_t *)text, .n = strcspn(text, "=")};
    struct tw_writer w;
    int rc;

    if (key.n == 0)
        return TW_E_INVALID;
    rc = tw_buf_reserve(out, room);
    if (rc)
        return rc;
    w = tw_writer_of(out->p + out->n, room);
    put_attribute(&w, key, text[key.n] ? text + key.n + 1 : "");
    if (w.overflow)
        return TW_E_LIMIT;
    out->n += tw_writer_size(&w);
    return 0;
}

void tw_record_config_deinit(struct tw_record_config *config)
{
    if (config)
        tw_buf_deinit(&config->encoded);
}
