/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory by itself: both halves of its operations, the service's and the producer's, with
 * whatever arguments, against a model of what each page says; words of pages that change between
 * them; and descriptors of every kind that are to be adopted, also when the system refuses.
 *
 *   script := operation*      (fuzz/script.h; the operations are in enum what)
 */
#include <errno.h>

#include "base/req.h"
#include "fuzz/faults.h"
#include "fuzz/kinds.h"
#include "fuzz/script.h"
#include "smb/shm.h"
#include "smb/smb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGES = 4, HELD = 4, STEPS_MAX = 200, SIZES_SHIFT_MAX = 48 };

static struct run {
    struct tw_shm shm;
    struct tw_smb smb;
    uint32_t word[PAGES];           /* what the first word of each page is */
    struct tw_smb_chunk held[HELD]; /* acquired, perhaps not any more */
    struct kinds kinds;
} run;

/* Which page, chunk and slot of held an argument means; one more of each than there is. */
static uint32_t page_of(uint8_t arg)
{
    return arg % (PAGES + 1U);
}

static uint32_t chunk_of(uint8_t arg)
{
    return arg / (PAGES + 1U) % (TW_PAGE_CHUNKS_MAX + 1U);
}

static size_t chunk_size_of(uint32_t word)
{
    return tw_chunk_size(run.smb.page_size, tw_bitmap_layout(word));
}

/* What has to become of a chunk whose state is to be changed. size: that of the layout which it
 * was acquired in, 0: any. */
static int model_change(uint32_t page, uint32_t chunk, size_t size, enum tw_chunk_state from,
                        enum tw_chunk_state to)
{
    static const uint8_t chunks[TW_PAGE_LAYOUTS] = {0, 1, 2, 4, 7, 14};
    uint32_t *word, shift = 2 * chunk;

    if (page >= PAGES)
        return TW_E_INVALID;
    word = &run.word[page];
    if (chunk >= chunks[*word >> 28 & 7] || (size && size != chunk_size_of(*word)))
        return TW_E_INVALID;
    if ((*word >> shift & 3) != (uint32_t)from)
        return TW_E_REFUSED;
    *word = (*word & ~(UINT32_C(3) << shift)) | (uint32_t)to << shift;
    if (to == TW_CHUNK_FREE && !(*word & UINT32_C(0x0fffffff)))
        *word = 0;
    return 0;
}

static void check_chunk(const struct tw_smb_chunk *chunk)
{
    size_t at = (size_t)(tw_shared_own(chunk->payload) - tw_shared_own(run.shm.p));
    uint8_t copy[TW_PAGE_SIZE_MIN];

    REQ("TW-SHM-040");
    CHECK(chunk->payload_size > 0 && at <= run.shm.size &&
          chunk->payload_size <= run.shm.size - at);
    tw_shared_copy(copy, chunk->payload, tw_min(chunk->payload_size, sizeof(copy)));
    tw_shared_copy(copy, chunk->payload, 0);
}

static void acquire(uint8_t arg, uint8_t slot, bool writing)
{
    struct tw_chunk_header header = {.chunk_id = arg, .writer_id = 1, .n_packets = slot};
    struct tw_smb_chunk *held = &run.held[slot % HELD];
    uint32_t page = page_of(arg), chunk = chunk_of(arg);
    enum tw_chunk_state from = writing ? TW_CHUNK_FREE : TW_CHUNK_COMPLETE;
    enum tw_chunk_state to = writing ? TW_CHUNK_BEING_WRITTEN : TW_CHUNK_BEING_READ;
    int want = model_change(page, chunk, 0, from, to);

    REQ("TW-SHM-041");
    CHECK(want == (writing ? tw_smb_acquire_for_writing(&run.smb, page, chunk, &header, held)
                           : tw_smb_acquire_for_reading(&run.smb, page, chunk, held)));
    if (!want)
        check_chunk(held);
}

static void release(uint8_t slot, uint8_t how)
{
    static const struct {
        int (*fn)(const struct tw_smb *smb, const struct tw_smb_chunk *chunk);
        enum tw_chunk_state from, to;
    } hows[] = {
        {tw_smb_release_as_complete, TW_CHUNK_BEING_WRITTEN, TW_CHUNK_COMPLETE},
        {tw_smb_release_as_free, TW_CHUNK_BEING_READ, TW_CHUNK_FREE},
        {tw_smb_release_as_sent, TW_CHUNK_COMPLETE, TW_CHUNK_FREE},
    };
    const struct tw_smb_chunk *held = &run.held[slot % HELD];
    size_t i = how % TW_ARRAY_LEN(hows);

    if (!held->header)
        return;
    REQ("TW-SHM-042");
    CHECK(hows[i].fn(&run.smb, held) == model_change(held->page, held->idx,
                                                     held->payload_size + TW_CHUNK_HEADER_SIZE,
                                                     hows[i].from, hows[i].to));
}

static void locate(uint8_t arg)
{
    uint32_t page = page_of(arg), chunk = chunk_of(arg);
    struct tw_smb_chunk found;
    bool there = page < PAGES && chunk < tw_layout_chunks(tw_bitmap_layout(run.word[page]));

    CHECK(tw_smb_chunk_locate(&run.smb, page, chunk, &found) == (there ? 0 : TW_E_INVALID));
    if (there)
        check_chunk(&found);
}

static void partition(uint8_t arg, uint8_t layout)
{
    uint32_t page = page_of(arg);
    int want = 0;

    if (page >= PAGES || !chunk_size_of((uint32_t)layout << 28))
        want = TW_E_INVALID;
    else if (run.word[page])
        want = TW_E_REFUSED;
    else
        run.word[page] = (uint32_t)layout << 28;
    REQ("TW-SHM-041");
    CHECK(tw_smb_partition(&run.smb, page, (enum tw_page_layout)layout) == want);
}

/* As the other process may, at any time. */
static void write_word(uint8_t arg, struct tw_bytes body)
{
    uint32_t page = arg % PAGES, word = script_u16(&body);

    word |= (uint32_t)script_u16(&body) << 16;
    run.word[page] = word;
    tw_shared_store32(tw_shared_at(run.shm.p, page * run.smb.page_size), word);
}

static void walk(void)
{
    struct tw_smb_walk at = {0};
    struct tw_smb_scrape scrape;
    size_t n = 0;

    while (!tw_smb_walk_next(&run.smb, &at, &scrape)) {
        uint32_t state = tw_bitmap_state(run.word[scrape.chunk.page], scrape.chunk.idx);

        REQ("TW-SHM-020");
        CHECK(n++ < (size_t)PAGES * TW_PAGE_CHUNKS_MAX);
        CHECK(state == TW_CHUNK_COMPLETE || state == TW_CHUNK_BEING_WRITTEN);
        CHECK(scrape.complete == (state == TW_CHUNK_COMPLETE));
        check_chunk(&scrape.chunk);
    }
}

static uint64_t size_from(struct tw_bytes *body)
{
    uint64_t size = script_u16(body);

    return size << input_byte(body) % SIZES_SHIFT_MAX;
}

/* Sizes that nobody has to believe; the memory is not looked at. */
static void check_sizes(struct tw_bytes body)
{
    size_t size = (size_t)size_from(&body), page_size = (size_t)size_from(&body);
    bool odd = input_byte(&body) & 1;
    struct tw_shm_sizes sizes = tw_shm_sizes_for(size, page_size);
    struct tw_smb smb;

    REQ("TW-SHM-035");
    CHECK(tw_shm_sizes_valid(sizes.size, sizes.page_size));
    CHECK(sizes.size % sizes.page_size == 0 && sizes.size <= TW_SHM_SIZE_MAX);
    if (!tw_smb_init(&smb, tw_shared_at(run.shm.p, odd), size, page_size))
        CHECK(!odd && smb.n_pages * page_size == size);
}

static void create(struct tw_bytes body)
{
    size_t size = (size_t)size_from(&body);
    bool good = size && size % TW_PAGE_SIZE_MIN == 0 && size <= TW_SHM_SIZE_MAX;
    struct tw_shm shm = TW_SHM_INIT;
    int rc = tw_shm_create(&shm, size);

    CHECK(good ? !rc || faults_fired() : rc == TW_E_INVALID);
    CHECK(!rc == (shm.fd >= 0));
    tw_shm_deinit(&shm);
}

/* Of any size, sealed as the bits say. */
static int open_sealed(struct tw_bytes body)
{
    static const int all[] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE};
    uint64_t size = size_from(&body);
    uint8_t bits = input_byte(&body);
    int fd = kind_open(&run.kinds, KIND_FILE), seals = 0;

    for (size_t i = 0; i < TW_ARRAY_LEN(all); i++)
        seals |= bits >> i & 1 ? all[i] : 0;
    TW_IGNORE(ftruncate(fd, (off_t)size)); /* sizes that cannot be leave it empty */
    TW_IGNORE(fcntl(fd, F_ADD_SEALS, seals));
    return fd;
}

static void adopt(uint8_t arg, struct tw_bytes body)
{
    enum tw_shm_seals seals = arg & 1 ? TW_SHM_SEALS_ALL : TW_SHM_SEALS_SHRINK;
    enum kind kind = (enum kind)(arg >> 1) % KIND_MAX;
    struct tw_shm shm = TW_SHM_INIT;
    int fd = -1, rc;

    if (kind != KIND_MEMORY)
        fd = kind == KIND_FILE ? open_sealed(body) : kind_open(&run.kinds, kind);
    else if (arg & 0x10) /* a file, and none in memory */
        fd = kind_keep(&run.kinds, open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
    rc = tw_shm_adopt(&shm, &fd, seals);
    REQ("TW-SHM-010");
    CHECK(fd == -1);
    CHECK(!rc == (shm.fd >= 0));
    if (!rc)
        CHECK(shm.size % TW_PAGE_SIZE_MIN == 0 && fcntl(shm.fd, F_GET_SEALS) & F_SEAL_SHRINK);
    tw_shm_deinit(&shm);
}

static void arm(uint8_t arg, struct tw_bytes body)
{
    static const enum fault calls[] = {FAULT_fstat, FAULT_fstatfs, FAULT_ftruncate,
                                       FAULT_fcntl, FAULT_mmap,    FAULT_memfd_create};
    struct fault_plan plan = {.what = calls[arg % TW_ARRAY_LEN(calls)]};

    plan.nth = input_byte(&body);
    plan.error = fault_rows[plan.what].errors[input_byte(&body) % FAULT_ERRORS_MAX];
    faults_plan(&plan);
}

enum what {
    OP_PARTITION,
    OP_WRITE,
    OP_READ,
    OP_RELEASE,
    OP_LOCATE,
    OP_WORD,
    OP_WALK,
    OP_SIZES,
    OP_CREATE,
    OP_ADOPT,
    OP_FAULT,
    OP_MAX,
};

static void step(struct script_op op)
{
    enum what what = (enum what)(op.what % OP_MAX);

    switch (what) {
    case OP_PARTITION:
        partition(op.arg, input_byte(&op.body) % TW_PAGE_LAYOUTS);
        return;
    case OP_WRITE:
    case OP_READ:
        acquire(op.arg, input_byte(&op.body), what == OP_WRITE);
        return;
    case OP_RELEASE:
        release(op.arg, input_byte(&op.body));
        return;
    case OP_LOCATE:
        locate(op.arg);
        return;
    case OP_WORD:
        write_word(op.arg, op.body);
        return;
    case OP_WALK:
        walk();
        return;
    case OP_SIZES:
        check_sizes(op.body);
        return;
    case OP_CREATE:
        create(op.body);
        break;
    case OP_ADOPT:
        adopt(op.arg, op.body);
        break;
    case OP_FAULT:
        arm(op.arg, op.body);
        return;
    default:
        return;
    }
    (void)faults_disarm(); /* a fault is for one of these */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes input = {data, size};
    size_t page_size = (size_t)TW_PAGE_SIZE_MIN << (input_byte(&input) & 1);
    struct script_op op;

    run = (struct run){.shm = TW_SHM_INIT};
    CHECK(!tw_shm_create(&run.shm, PAGES * page_size));
    CHECK(!tw_smb_init(&run.smb, run.shm.p, run.shm.size, page_size));
    for (int i = 0; i < STEPS_MAX && script_next(&input, &op); i++) {
        step(op);
        for (size_t k = 0; k < PAGES; k++)
            CHECK(tw_page_load(tw_shared_at(run.shm.p, k * page_size)) == run.word[k]);
    }
    (void)faults_disarm();
    tw_shm_deinit(&run.shm);
    tw_shm_deinit(NULL);
    kinds_far(&run.kinds, true);
    REQ("TW-FD-004");
    input_check_closed(&run.kinds.fds);
    return 0;
}
