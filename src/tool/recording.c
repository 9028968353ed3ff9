/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/recording.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"

/* Bytes of a line. One receive call returns 128 KiB at most and hex doubles it; this leaves room
 * for recorders with larger buffers and still bounds what a wrong file can cost. */
#define LINE_MAX_BYTES ((size_t)8 * 1024 * 1024)
/* Bytes that are asked of zlib at a time. */
enum { LINE_STEP = 64 * 1024 };

struct tw_recording {
    gzFile file;
    size_t line;
    struct tw_buf text;  /* the line read last */
    struct tw_buf bytes; /* what its hex says */
};

int tw_recording_open(const char *path, struct tw_recording **ret_recording)
{
    struct tw_recording *rec = calloc(1, sizeof(*rec));

    if (!rec)
        return -ENOMEM;
    errno = ENOMEM; /* zlib leaves it alone when only memory is short */
    rec->file = gzopen(path, "rbe");
    if (!rec->file) {
        int r = -errno;

        free(rec);
        return r;
    }
    rec->text = TW_BUF_INIT(LINE_MAX_BYTES);
    rec->bytes = TW_BUF_INIT(LINE_MAX_BYTES / 2);
    *ret_recording = rec;
    return 0;
}

void tw_recording_close(struct tw_recording *recording)
{
    if (!recording)
        return;
    gzclose(recording->file);
    tw_buf_deinit(&recording->text);
    tw_buf_deinit(&recording->bytes);
    free(recording);
}

size_t tw_recording_line(const struct tw_recording *recording)
{
    return recording->line;
}

/* What gzgets() giving nothing means: the end, or a file that is not whole. */
static int end_of_file(struct tw_recording *rec)
{
    int code = Z_OK;

    gzerror(rec->file, &code);
    if (code == Z_ERRNO)
        return errno ? -errno : -EIO;
    return code == Z_OK || code == Z_STREAM_END ? TW_MORE : TW_E_TRUNCATED;
}

static int read_line(struct tw_recording *rec)
{
    struct tw_buf *text = &rec->text;

    text->n = 0;
    do {
        int rc = tw_buf_reserve(text, LINE_STEP);

        if (rc)
            return rc == TW_E_LIMIT ? TW_E_INVALID : rc;
        if (!gzgets(rec->file, (char *)text->p + text->n, LINE_STEP)) {
            rc = end_of_file(rec);
            return rc == TW_MORE && text->n > 0 ? 0 : rc;
        }
        text->n += strlen((char *)text->p + text->n);
        if (text->n == 0)
            return TW_E_INVALID; /* a NUL byte: this is no text */
    } while (text->p[text->n - 1] != '\n');
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int read_hex(struct tw_recording *rec, const json_t *hex)
{
    const char *digits = json_string_value(hex);
    size_t n = json_string_length(hex);
    int rc;

    rec->bytes.n = 0;
    if (n % 2)
        return TW_E_INVALID;
    rc = tw_buf_reserve(&rec->bytes, n / 2);
    if (rc)
        return rc == TW_E_LIMIT ? TW_E_INVALID : rc;
    for (size_t i = 0; i < n; i += 2) {
        int high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);

        if (high < 0 || low < 0)
            return TW_E_INVALID;
        rec->bytes.p[rec->bytes.n++] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int read_dir(const json_t *line, struct tw_recording_event *event)
{
    const char *dir = json_string_value(json_object_get(line, "dir"));

    if (dir && !strcmp(dir, "c>s"))
        event->dir = TW_RECORDING_FROM_CLIENT;
    else if (dir && !strcmp(dir, "s>c"))
        event->dir = TW_RECORDING_FROM_SERVICE;
    else
        return TW_E_INVALID;
    return 0;
}

static int read_smb(const json_t *line, struct tw_recording_event *event)
{
    json_int_t index = json_integer_value(json_object_get(line, "smb"));
    json_int_t size = json_integer_value(json_object_get(line, "size"));

    if (index < 0 || index > UINT32_MAX || size < 0)
        return TW_E_INVALID;
    event->kind = TW_RECORDING_SMB;
    event->smb_index = (uint32_t)index;
    event->smb_size = (uint64_t)size;
    return 0;
}

static int read_bytes(struct tw_recording *rec, const json_t *line,
                      struct tw_recording_event *event)
{
    json_int_t fds = json_integer_value(json_object_get(line, "fds"));
    int rc = read_hex(rec, json_object_get(line, "hex"));

    if (rc)
        return rc;
    if (fds < 0)
        return TW_E_INVALID;
    event->kind = TW_RECORDING_BYTES;
    event->bytes = tw_buf_bytes(&rec->bytes);
    event->n_fds = (size_t)fds;
    return read_dir(line, event);
}

static int read_event(struct tw_recording *rec, const json_t *line,
                      struct tw_recording_event *event)
{
    event->t = json_number_value(json_object_get(line, "t"));
    if (json_is_integer(json_object_get(line, "smb")))
        return read_smb(line, event);
    if (json_is_string(json_object_get(line, "hex")))
        return read_bytes(rec, line, event);
    if (!json_is_true(json_object_get(line, "eof")))
        return TW_E_INVALID;
    event->kind = TW_RECORDING_EOF;
    return read_dir(line, event);
}

int tw_recording_next(struct tw_recording *recording, struct tw_recording_event *ret_event)
{
    struct tw_recording_event event = {0};
    json_t *line;
    int rc = read_line(recording);

    if (rc)
        return rc;
    recording->line++;
    line = json_loadb((const char *)recording->text.p, recording->text.n, 0, NULL);
    rc = line ? read_event(recording, line, &event) : TW_E_INVALID;
    json_decref(line);
    if (!rc)
        *ret_event = event;
    return rc;
}
