/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_buffer_internal.h"

#include "base/req.h"
#include "service/limits.h"

/* What one look at the first chunk of a sequence led to. */
enum step {
    STEP_PACKET, /* one was put together and is read now */
    STEP_AGAIN,  /* something was passed over */
    STEP_WAIT,   /* nothing more of this sequence in this pass */
};

/* A packet being put together; its slices are in tb->slices. */
struct assembly {
    size_t n_slices, size;
    struct tw_tb_rec *end; /* the last record it has something of */
    size_t end_off;        /* and where in that one it ends */
    uint32_t losses;       /* enum tw_loss: why it cannot be had */
};

enum part {
    PART_GOES_ON,
    PART_LAST,
    PART_MISSING, /* may still come */
    PART_LOST,
};

static void slice_add(struct tw_trace_buffer *tb, struct assembly *packet, struct tw_bytes bytes)
{
    if (!bytes.n)
        return;
    tb->slices[packet->n_slices++] = bytes;
    packet->size += bytes.n;
}

/* Whether to go on to this record over something in front of it that is not there. */
static bool gives_up_for(const struct tw_trace_buffer *tb, tw_tb_ref waiting)
{
    REQ("TW-BUF-023");
    return waiting && (tb->last_read || tw_tb_is_old(tb, tw_tb_at(tb, waiting)));
}

/* Whether reading stands inside this record. */
static bool is_entered(const struct tw_tb_seq *seq, const struct tw_tb_rec *rec)
{
    return seq->pos_set && !seq->pos_done && rec->chunk_id == seq->pos_id;
}

/* Whether ids are missing in front of the first record that were not overwritten. */
static bool is_behind_hole(const struct tw_tb_seq *seq, const struct tw_tb_rec *rec)
{
    if (!seq->pos_set || seq->lost_after & TW_LOSS_OVERWRITE || is_entered(seq, rec))
        return false;
    return !seq->pos_done || rec->chunk_id != seq->pos_id + 1;
}

static void enter(const struct tw_trace_buffer *tb, struct tw_tb_seq *seq,
                  const struct tw_tb_rec *rec)
{
    REQ("TW-BUF-051");
    if (rec->next) /* it lies elsewhere, is probably about as large, and its turn comes soon */
        tw_tb_fetch(tw_tb_at(tb, rec->next), (size_t)rec->units * TW_TB_ALIGN);
    if (is_behind_hole(seq, rec))
        seq->dropped |= TW_LOSS_READ_GAP;
    seq->dropped |= seq->lost_after;
    seq->lost_after = 0;
    seq->pos_id = rec->chunk_id;
    seq->pos_set = true;
    seq->pos_done = false;
}

static void leave(struct tw_trace_buffer *tb, struct tw_tb_seq *seq, struct tw_tb_rec *rec)
{
    seq->pos_done = true;
    seq->lost_after |= rec->lost_after;
    tb->stats.chunks_read++;
    tb->stats.bytes_read += (uint64_t)rec->units * TW_TB_ALIGN;
    tw_tb_unlink(tb, rec);
}

/* Everything up to off of the first record is read; a record that has no more leaves. */
static inline void consume(struct tw_trace_buffer *tb, struct tw_tb_rec *rec, size_t off)
{
    struct tw_tb_seq *seq = &tb->seqs[rec->seq];

    if (!is_entered(seq, rec))
        enter(tb, seq, rec);
    rec->read_off = seq->pos_off = (uint16_t)off;
    if (off == rec->payload && !(rec->flags & TW_TB_REC_INCOMPLETE))
        leave(tb, seq, rec);
}

void tw_tb_settle(struct tw_trace_buffer *tb, struct tw_tb_rec *rec)
{
    if (rec->read_off && rec->read_off == rec->payload)
        consume(tb, rec, rec->read_off);
}

/* A patch made what was sound unsound: the rest of the chunk is gone. */
static enum step cut(struct tw_trace_buffer *tb, struct tw_tb_rec *rec, uint32_t loss)
{
    REQ("TW-BUF-043");
    if (loss & TW_LOSS_WRITER_ABORT)
        tb->stats.trace_writer_packet_loss++;
    else
        tb->stats.abi_violations++;
    rec->lost_after |= (uint16_t)loss;
    rec->payload = rec->read_off;
    rec->flags &= (uint8_t) ~(TW_CHUNK_LAST_CONTINUES | TW_CHUNK_NEEDS_PATCHING);
    return STEP_AGAIN;
}

/* Every fragment of the first record is read. */
static enum step end_chunk(struct tw_trace_buffer *tb, struct tw_tb_rec *rec)
{
    REQ("TW-BUF-021");
    if (rec->flags & TW_TB_REC_INCOMPLETE) {
        if (!gives_up_for(tb, rec->next))
            return STEP_WAIT;
        rec->flags &= (uint8_t)~TW_TB_REC_INCOMPLETE;
        rec->lost_after |= TW_LOSS_READ_GAP;
    }
    consume(tb, rec, rec->read_off);
    return STEP_AGAIN;
}

static bool is_unpatched(const struct tw_tb_rec *rec, const struct tw_fragment *fragment)
{
    REQ("TW-BUF-022");
    return fragment->end == rec->payload && rec->flags & TW_CHUNK_NEEDS_PATCHING;
}

static enum part lost(struct assembly *packet, uint32_t losses)
{
    packet->losses = losses;
    return PART_LOST;
}

static enum part missing(const struct tw_trace_buffer *tb, struct assembly *packet,
                         tw_tb_ref waiting)
{
    REQ("TW-BUF-054");
    return gives_up_for(tb, waiting) ? lost(packet, TW_LOSS_REASSEMBLY_GAP) : PART_MISSING;
}

/* A chunk without fragments, between two parts or in the place of one. */
static enum part empty_part(const struct tw_trace_buffer *tb, struct assembly *packet,
                            struct tw_tb_rec *rec)
{
    uint32_t broken = rec->lost_after & (TW_LOSS_WRITER_ABORT | TW_LOSS_CHUNK_CORRUPTED);

    if (broken)
        return lost(packet, broken);
    if (rec->flags & TW_TB_REC_INCOMPLETE)
        return missing(tb, packet, rec->next);
    packet->end = rec;
    packet->end_off = 0;
    return PART_GOES_ON;
}

/* Adds the part that the record behind packet->end has. */
static enum part next_part(struct tw_trace_buffer *tb, struct assembly *packet)
{
    REQ("TW-BUF-011");
    REQ("TW-BUF-020");
    REQ("TW-BUF-055");
    struct tw_tb_rec *rec = packet->end->next ? tw_tb_at(tb, packet->end->next) : NULL;
    struct tw_fragment fragment;
    int rc;

    if (!rec || rec->chunk_id != packet->end->chunk_id + 1) {
        if (packet->end->lost_after & TW_LOSS_OVERWRITE)
            return lost(packet, TW_LOSS_OVERWRITE);
        return missing(tb, packet, packet->end->next);
    }
    rc = tw_fragment_read(tw_tb_sound(rec), 0, &fragment);
    if (rc == TW_MORE)
        return empty_part(tb, packet, rec);
    if (rc)
        return lost(packet, tw_fragment_loss(rc));
    if (!(rec->flags & TW_CHUNK_FIRST_CONTINUES))
        return lost(packet, TW_LOSS_REASSEMBLY_BROKEN_CHAIN);
    if (is_unpatched(rec, &fragment))
        return missing(tb, packet, rec->next);
    packet->end = rec;
    packet->end_off = fragment.end;
    slice_add(tb, packet, fragment.bytes);
    if (fragment.end == rec->payload && rec->flags & TW_CHUNK_LAST_CONTINUES)
        return PART_GOES_ON;
    return PART_LAST;
}

/* Consumes all records from rec on that the packet lies in. */
static void consume_parts(struct tw_trace_buffer *tb, struct tw_tb_rec *rec,
                          const struct assembly *packet)
{
    while (rec != packet->end) {
        struct tw_tb_rec *next = tw_tb_at(tb, rec->next);

        consume(tb, rec, rec->payload);
        rec = next;
    }
    consume(tb, rec, packet->end_off);
}

/* A packet that begins with the last fragment of rec. */
static enum step assemble(struct tw_trace_buffer *tb, struct tw_tb_rec *rec,
                          struct assembly *packet)
{
    REQ("TW-LIM-164");
    struct tw_tb_seq *seq = &tb->seqs[rec->seq];
    enum part part;
    size_t n = 0;

    do
        part = ++n < TW_PACKET_FRAGMENTS_MAX ? next_part(tb, packet)
                                             : lost(packet, TW_LOSS_CHUNK_CORRUPTED);
    while (part == PART_GOES_ON);
    tb->steps += n;
    if (part == PART_LAST) {
        tb->stats.readaheads_succeeded++;
        consume_parts(tb, rec, packet);
        return packet->size ? STEP_PACKET : STEP_AGAIN;
    }
    tb->stats.readaheads_failed++;
    if (part == PART_MISSING)
        return STEP_WAIT;
    consume_parts(tb, rec, packet);
    seq->dropped |= (uint16_t)packet->losses;
    return STEP_AGAIN;
}

/* Passes over the fragment at the end of the first record. */
static enum step pass_over(struct tw_trace_buffer *tb, struct tw_tb_rec *rec, size_t end,
                           uint16_t loss)
{
    struct tw_tb_seq *seq = &tb->seqs[rec->seq];

    consume(tb, rec, end);
    seq->dropped |= loss;
    return STEP_AGAIN;
}

/* Makes it the first slice of the packet. */
static inline void take_fragment(struct tw_trace_buffer *tb, struct assembly *packet,
                                 const struct tw_fragment *fragment)
{
    slice_add(tb, packet, fragment->bytes);
    __builtin_prefetch(fragment->bytes.p + fragment->bytes.n + TW_TB_AHEAD);
}

static enum step read_fragment(struct tw_trace_buffer *tb, struct tw_tb_rec *rec,
                               const struct tw_fragment *fragment, struct assembly *packet)
{
    REQ("TW-BUF-053");
    bool at_end = fragment->end == rec->payload;

    if (is_unpatched(rec, fragment)) {
        if (!gives_up_for(tb, rec->next))
            return STEP_WAIT;
        return pass_over(tb, rec, fragment->end, TW_LOSS_REASSEMBLY_GAP);
    }
    if (rec->read_off == 0 && rec->flags & TW_CHUNK_FIRST_CONTINUES)
        return pass_over(tb, rec, fragment->end, TW_LOSS_ORPHAN_CONTINUATION);
    take_fragment(tb, packet, fragment);
    packet->end = rec;
    packet->end_off = fragment->end;
    if (at_end && rec->flags & TW_CHUNK_LAST_CONTINUES)
        return assemble(tb, rec, packet);
    consume(tb, rec, fragment->end);
    return packet->size ? STEP_PACKET : STEP_AGAIN;
}

static enum step read_step(struct tw_trace_buffer *tb, struct tw_tb_seq *seq,
                           struct assembly *packet)
{
    struct tw_fragment fragment;
    struct tw_tb_rec *rec;
    int rc;

    *packet = (struct assembly){0};
    if (!seq->head)
        return STEP_WAIT;
    rec = tw_tb_at(tb, seq->head);
    if (is_behind_hole(seq, rec) && !gives_up_for(tb, seq->head))
        return STEP_WAIT;
    rc = tw_fragment_read(tw_tb_sound(rec), rec->read_off, &fragment);
    if (rc == TW_MORE)
        return end_chunk(tb, rec);
    if (rc)
        return cut(tb, rec, tw_fragment_loss(rc));
    return read_fragment(tb, rec, &fragment, packet);
}

/*
 * The usual packet: a fragment with others of its chunk in front of it and behind it. Reading
 * stands in the chunk and stays there, so nothing that is said about a chunk's ends is about this
 * packet. False when it is not of that kind; nothing has happened then.
 */
static inline bool read_inner(struct tw_trace_buffer *tb, struct tw_tb_seq *seq,
                              struct assembly *packet)
{
    struct tw_fragment fragment;
    struct tw_tb_rec *rec;

    if (!seq->head)
        return false;
    rec = tw_tb_at(tb, seq->head);
    if (!rec->read_off || tw_fragment_read(tw_tb_sound(rec), rec->read_off, &fragment) ||
        !fragment.bytes.n || fragment.end == rec->payload)
        return false;
    take_fragment(tb, packet, &fragment);
    rec->read_off = seq->pos_off = (uint16_t)fragment.end;
    return true;
}

static void hand_out(struct tw_trace_buffer *tb, struct tw_tb_seq *seq,
                     const struct assembly *packet, struct tw_packet_out *ret_packet)
{
    REQ("TW-BUF-050");
    *ret_packet = (struct tw_packet_out){
        .seq = seq->key,
        .peer = seq->peer,
        .dropped = seq->dropped ? seq->dropped | (uint32_t)TW_LOSS_PRESENT : 0,
        .slices = tb->slices,
        .n_slices = packet->n_slices,
        .size = packet->size,
    };
    seq->dropped = 0;
}

void tw_trace_buffer_begin_read(struct tw_trace_buffer *tb, bool last)
{
    tb->cursor = tb->busy.head;
    tb->last_read = last;
}

/* Wherever the next packet is. */
static int search(struct tw_trace_buffer *tb, struct tw_packet_out *ret_packet)
{
    REQ("TW-LIM-163");
    tb->steps = 0;
    while (tb->cursor && tb->steps++ < TW_READ_STEPS) {
        uint32_t at = tb->cursor;
        struct tw_tb_seq *seq = &tb->seqs[at];
        struct assembly packet = {0};
        enum step step = read_step(tb, seq, &packet);

        if (step == STEP_PACKET) {
            hand_out(tb, seq, &packet, ret_packet);
            return 0;
        }
        /* One that became empty is in another list, and its successor's turn has come. */
        if (step == STEP_WAIT && tb->cursor == at)
            tb->cursor = seq->list_next;
    }
    return tb->cursor ? TW_AGAIN : TW_MORE;
}

int tw_trace_buffer_next_packet(struct tw_trace_buffer *tb, struct tw_packet_out *ret_packet)
{
    REQ("TW-BUF-070");
    struct tw_tb_seq *seq = &tb->seqs[tb->cursor];
    struct assembly packet = {0};

    if (!tb->cursor || !read_inner(tb, seq, &packet))
        return search(tb, ret_packet);
    hand_out(tb, seq, &packet, ret_packet);
    return 0;
}
