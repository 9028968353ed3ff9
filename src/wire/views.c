/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/views.h"

#include "consumer_port.pb-c.h"
#include "producer_port.pb-c.h"

/* Field numbers (spec/proto/producer_port.proto and consumer_port.proto). */
enum {
    COMMIT_MOVE = 1,
    COMMIT_PATCH = 2,
    COMMIT_FLUSH_ID = 3,
    MOVE_PAGE = 1,
    MOVE_CHUNK = 2,
    MOVE_BUFFER = 3,
    MOVE_DATA = 4,
    MOVE_INCOMPLETE = 5,
    PATCH_BUFFER = 1,
    PATCH_WRITER = 2,
    PATCH_CHUNK_ID = 3,
    PATCH_PATCHES = 4,
    PATCH_HAS_MORE = 5,
    PATCH_OFFSET = 1,
    PATCH_DATA = 2,
    RESPONSE_SLICES = 2,
    SLICE_DATA = 1,
    SLICE_LAST = 2,
};

/* The next field with this number. */
static bool next(struct tw_reader *at, uint32_t number, struct tw_field *field)
{
    while (!tw_read_field(at, field))
        if (field->number == number)
            return true;
    return false;
}

int tw_view_commit(struct tw_bytes message, uint64_t *ret_flush_id, struct tw_scan_fault *ret_fault)
{
    size_t cost;
    int rc = tw_scan(&tw__commit_data_request__descriptor, message, &cost, ret_fault);
    struct tw_reader at = tw_reader_of(message);
    struct tw_field field;

    if (rc)
        return rc;
    *ret_flush_id = 0;
    while (next(&at, COMMIT_FLUSH_ID, &field)) /* the last one counts */
        *ret_flush_id = field.value;
    return 0;
}

int tw_view_slices(struct tw_bytes message, struct tw_scan_fault *ret_fault)
{
    size_t cost;

    return tw_scan(&tw__read_buffers_response__descriptor, message, &cost, ret_fault);
}

bool tw_view_move(struct tw_reader *at, struct tw_move_view *view)
{
    struct tw_field field;
    struct tw_reader r;

    if (!next(at, COMMIT_MOVE, &field))
        return false;
    r = tw_reader_of(field.bytes);
    *view = (struct tw_move_view){0};
    while (!tw_read_field(&r, &field))
        if (field.number == MOVE_PAGE)
            view->page = (uint32_t)field.value;
        else if (field.number == MOVE_CHUNK)
            view->chunk = (uint32_t)field.value;
        else if (field.number == MOVE_BUFFER)
            view->target_buffer = (uint32_t)field.value;
        else if (field.number == MOVE_DATA)
            view->has_data = true, view->data = field.bytes;
        else if (field.number == MOVE_INCOMPLETE)
            view->incomplete = field.value != 0;
    return true;
}

bool tw_view_patches(struct tw_reader *at, struct tw_patches_view *view)
{
    struct tw_field field;
    struct tw_reader r;

    if (!next(at, COMMIT_PATCH, &field))
        return false;
    r = tw_reader_of(field.bytes);
    *view = (struct tw_patches_view){.message = field.bytes};
    while (!tw_read_field(&r, &field))
        if (field.number == PATCH_BUFFER)
            view->target_buffer = (uint32_t)field.value;
        else if (field.number == PATCH_WRITER)
            view->writer_id = (uint32_t)field.value;
        else if (field.number == PATCH_CHUNK_ID)
            view->chunk_id = (uint32_t)field.value;
        else if (field.number == PATCH_HAS_MORE)
            view->has_more = field.value != 0;
    return true;
}

bool tw_view_patch(struct tw_reader *at, struct tw_patch_view *view)
{
    struct tw_field field;
    struct tw_reader r;

    if (!next(at, PATCH_PATCHES, &field))
        return false;
    r = tw_reader_of(field.bytes);
    *view = (struct tw_patch_view){0};
    while (!tw_read_field(&r, &field))
        if (field.number == PATCH_OFFSET)
            view->offset = (uint32_t)field.value;
        else if (field.number == PATCH_DATA)
            view->data = field.bytes;
    return true;
}

bool tw_view_slice(struct tw_reader *at, struct tw_slice_view *view)
{
    struct tw_field field;
    struct tw_reader r;

    if (!next(at, RESPONSE_SLICES, &field))
        return false;
    r = tw_reader_of(field.bytes);
    *view = (struct tw_slice_view){0};
    while (!tw_read_field(&r, &field))
        if (field.number == SLICE_DATA)
            view->data = field.bytes;
        else if (field.number == SLICE_LAST)
            view->last = field.value != 0;
    return true;
}
