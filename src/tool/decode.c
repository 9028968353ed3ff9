/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "smb/shm.h"
#include "tool/decode_frame.h"
#include "tool/print_smb.h"
#include "tool/tool.h"

static const char help[] =
    "Usage: tracewire decode [--no-smb] FILE\n"
    "\n"
    "Prints a recorded connection as text: frames with the port messages in them, and\n"
    "the images of the shared memory. FILE is a recording NAME.jsonl, or\n"
    "NAME.jsonl.gz compressed by gzip; the images are beside it as\n"
    "NAME.smb.0000.bin.gz and so on.\n"
    "\n"
    "      --no-smb   leave the images out\n"
    "  -h, --help     this text\n"
    "      --version  the version\n"
    "\n"
    "Exit status: 0 success, 1 the recording is damaged, 2 bad command line or\n"
    "missing file.\n";

/* Bytes of a path to an image. */
enum { IMAGE_PATH_MAX = 4096 };

struct decode {
    const char *path;
    bool images;
    struct tw_recording *recording;
    struct tw_decoder decoder;
};

static int bad_line(const struct decode *d, const char *why)
{
    fflush(stdout);
    tw_complain("decode", "%s:%zu: %s", d->path, tw_recording_line(d->recording), why);
    return TW_EXIT_FAILURE;
}

/* NAME.jsonl.gz and NAME.jsonl have their images at NAME.smb.K.bin.gz. */
static int image_path(const char *path, uint32_t index, char ret_path[IMAGE_PATH_MAX])
{
    size_t n = strlen(path);
    int len;

    if (n > 3 && strcmp(path + n - 3, ".gz") == 0)
        n -= 3;
    if (n > 6 && strncmp(path + n - 6, ".jsonl", 6) == 0)
        n -= 6;
    len = snprintf(ret_path, IMAGE_PATH_MAX, "%.*s.smb.%04" PRIu32 ".bin.gz", (int)n, path, index);
    return len < IMAGE_PATH_MAX ? 0 : TW_E_LIMIT;
}

/* Exactly size bytes, into memory the caller frees. */
static int read_image(const char *path, size_t size, uint8_t **ret_image)
{
    gzFile file;
    uint8_t *image;
    int rc = 0;

    errno = 0; /* zlib leaves it alone when only memory is short */
    file = gzopen(path, "rbe");
    if (!file)
        return errno ? -errno : -ENOMEM;
    image = malloc(size);
    if (!image)
        rc = -ENOMEM;
    else if (gzread(file, image, (unsigned)size) != (int)size)
        rc = TW_E_TRUNCATED;
    gzclose(file);
    if (rc) {
        free(image);
        return rc;
    }
    *ret_image = image;
    return 0;
}

static int print_image(struct decode *d, const struct tw_recording_event *event)
{
    char path[IMAGE_PATH_MAX];
    uint8_t *image = NULL;
    int rc;

    if (event->smb_size == 0 || event->smb_size > TW_SHM_SIZE_MAX)
        return bad_line(d, "no size that shared memory can have");
    printf("%.6f shared memory, image %" PRIu32 ", %" PRIu64 " bytes\n", event->t, event->smb_index,
           event->smb_size);
    rc = image_path(d->path, event->smb_index, path);
    if (!rc)
        rc = read_image(path, (size_t)event->smb_size, &image);
    if (rc == -ENOENT) { /* recordings are passed on without their images, too */
        printf("  the image is not there\n");
        return TW_EXIT_OK;
    }
    if (rc)
        return bad_line(d, rc == TW_E_TRUNCATED ? "the image of the shared memory is too short"
                                                : "the image of the shared memory is unreadable");
    rc = tw_print_smb(stdout, image, (size_t)event->smb_size, d->decoder.page_size, 2);
    free(image);
    return rc ? bad_line(d, "the size of the image does not fit that of its pages") : TW_EXIT_OK;
}

static int print_eof(struct decode *d, const struct tw_recording_event *event)
{
    size_t pending = tw_decoder_pending(&d->decoder, event->dir);

    printf("%.6f %s end\n", event->t, event->dir == TW_RECORDING_FROM_CLIENT ? "c>s" : "s>c");
    if (pending)
        printf("  %zu bytes of a frame that is not whole\n", pending);
    return TW_EXIT_OK;
}

static int print_event(struct decode *d, const struct tw_recording_event *event)
{
    const char *why = NULL;
    int rc;

    switch (event->kind) {
    case TW_RECORDING_SMB:
        return d->images ? print_image(d, event) : TW_EXIT_OK;
    case TW_RECORDING_EOF:
        return print_eof(d, event);
    case TW_RECORDING_BYTES:
        break;
    }
    rc = tw_decoder_feed(&d->decoder, event, &why);
    return rc ? bad_line(d, why ? why : tw_err_str(rc)) : TW_EXIT_OK;
}

static int print_all(struct decode *d)
{
    struct tw_recording_event event;
    int status = TW_EXIT_OK;
    int rc = 0;

    while (status == TW_EXIT_OK && !(rc = tw_recording_next(d->recording, &event)))
        status = print_event(d, &event);
    if (status != TW_EXIT_OK || rc == TW_MORE)
        return status;
    return bad_line(d, rc == TW_E_INVALID ? "not a line of a recording" : tw_err_str(rc));
}

static int decode_file(const char *path, bool images)
{
    struct decode d = {.path = path, .images = images};
    struct stat st;
    int status, rc = tw_recording_open(path, &d.recording);

    if (rc || stat(path, &st) != 0) {
        tw_complain("decode", "%s: %s", path, tw_err_str(rc ? rc : -errno));
        tw_recording_close(d.recording);
        return TW_EXIT_USAGE;
    }
    if (S_ISDIR(st.st_mode)) {
        tw_complain("decode", "%s: %s", path, tw_err_str(-EISDIR));
        tw_recording_close(d.recording);
        return TW_EXIT_USAGE;
    }
    rc = tw_decoder_init(&d.decoder, stdout);
    if (rc) {
        tw_complain("decode", "%s", tw_err_str(rc));
        tw_recording_close(d.recording);
        return TW_EXIT_FAILURE;
    }
    status = print_all(&d);
    tw_decoder_deinit(&d.decoder);
    tw_recording_close(d.recording);
    return status;
}

int tw_cmd_decode(int argc, char **argv)
{
    enum { OPT_NO_SMB = 256, OPT_VERSION };
    static const struct option long_options[] = {
        {"no-smb", no_argument, NULL, OPT_NO_SMB},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0},
    };
    bool images = true;
    int opt;

    tw_options_begin();
    while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        switch (opt) {
        case OPT_NO_SMB:
            images = false;
            break;
        case 'h':
            fputs(help, stdout);
            return TW_EXIT_OK;
        case OPT_VERSION:
            return tw_print_version();
        default:
            return tw_options_bad(opt, argv);
        }
    }
    if (!tw_one_file("decode", optind, argc))
        return TW_EXIT_USAGE;
    return decode_file(argv[optind], images);
}
