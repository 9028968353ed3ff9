/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/print_smb.h"

#include <inttypes.h>

#include "smb/smb.h"
#include "wire/reader.h"

/* Sizes shown of a chunk; the rest is counted. */
enum { SIZES_MAX = 16 };

static const char *const state_names[] = {
    [TW_CHUNK_FREE] = "free",
    [TW_CHUNK_BEING_WRITTEN] = "being written",
    [TW_CHUNK_BEING_READ] = "being read",
    [TW_CHUNK_COMPLETE] = "complete",
};

static const char *const flag_names[] = {"first-continues", "last-continues", "needs-patching"};

static void print_flags(FILE *out, uint8_t flags)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(flag_names); i++)
        if (flags & 1u << i)
            fprintf(out, " %s", flag_names[i]);
    if (flags >> TW_ARRAY_LEN(flag_names))
        fprintf(out, " flags 0x%x", flags);
}

/* The payload is a size and as many bytes for each packet, the last one perhaps unfinished. */
static void print_sizes(FILE *out, struct tw_bytes payload, uint32_t n_packets)
{
    struct tw_reader r = tw_reader_of(payload);
    uint32_t i;

    for (i = 0; i < n_packets; i++) {
        uint64_t size;

        if (tw_read_varint(&r, &size))
            break;
        if (i < SIZES_MAX)
            fprintf(out, "%s%" PRIu64, i ? " " : ", sizes ", size);
        if (size == TW_PACKET_SIZE_DROP && i < SIZES_MAX)
            fputs("(dropped)", out);
        if (size > tw_reader_left(&r)) { /* dropped, or nonsense: no packet can follow */
            i++;
            break;
        }
        r.p += size;
    }
    if (i > SIZES_MAX)
        fprintf(out, " and %" PRIu32 " more", i - SIZES_MAX);
    if (i < n_packets)
        fprintf(out, ", %" PRIu32 " do not fit the chunk", n_packets - i);
}

static void print_chunk(FILE *out, const struct tw_smb_chunk *chunk, uint32_t state, int indent)
{
    struct tw_chunk_header header = tw_chunk_load(chunk->header);

    fprintf(out, "%*schunk %" PRIu32 ": %s", indent, "", chunk->idx, state_names[state]);
    if (header.writer_id || header.chunk_id || header.n_packets || header.flags) {
        fprintf(out, ", writer %u, id %" PRIu32 ", %u packets", header.writer_id, header.chunk_id,
                header.n_packets);
        print_flags(out, header.flags);
        print_sizes(out,
                    (struct tw_bytes){.p = tw_shared_own(chunk->payload), .n = chunk->payload_size},
                    header.n_packets);
    }
    fputc('\n', out);
}

static void print_page(FILE *out, const struct tw_smb *smb, uint32_t page, int indent)
{
    uint32_t bitmap = tw_page_load(tw_shared_at(smb->base, page * smb->page_size));
    uint32_t n_chunks = tw_layout_chunks(tw_bitmap_layout(bitmap));
    struct tw_smb_chunk chunk;

    fprintf(out, "%*spage %" PRIu32 ": layout %" PRIu32 ", %" PRIu32 " chunks\n", indent, "", page,
            tw_bitmap_layout(bitmap), n_chunks);
    for (uint32_t i = 0; i < n_chunks; i++)
        if (!tw_smb_chunk_locate(smb, page, i, &chunk))
            print_chunk(out, &chunk, tw_bitmap_state(bitmap, i), indent + 2);
}

int tw_print_smb(FILE *out, uint8_t *image, size_t n, size_t page_size, int indent)
{
    struct tw_smb smb;
    uint32_t used = 0;
    int rc = tw_smb_init(&smb, tw_shared_of(image), n, page_size);

    if (rc)
        return rc;
    for (uint32_t page = 0; page < smb.n_pages; page++) {
        if (!tw_page_load(tw_shared_at(smb.base, page * page_size)))
            continue;
        print_page(out, &smb, page, indent);
        used++;
    }
    fprintf(out, "%*s%" PRIu32 " of %zu pages of %zu bytes in use\n", indent, "", used, smb.n_pages,
            page_size);
    return 0;
}
