/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks upstream's own trace processor about a trace: tw_tp [-l LIBRARY] TRACE SQL...
 *
 * Debian's chromium-shell ships the processor as a shared library whose only door is a C++ test
 * class. This program opens that door from C: it calls the class by its mangled names, with the
 * vectors and strings of libc++'s ABI version 1 laid out by hand.
 *
 * Prints the rows of every query, columns separated by '|', and a line "--" after each query.
 * Exit status: 0 all queries answered, 1 the processor refused the trace or a query, 2 usage, file
 * or library trouble.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TP_LIBRARY "/usr/lib/chromium/libtest_trace_processor.so"

/* Larger than any trace of the tests by far; keeps a wrong file name from filling the memory. */
#define TP_TRACE_MAX ((size_t)1 << 30)

enum tp_exit { TP_OK = 0, TP_REFUSED = 1, TP_TROUBLE = 2 };

/* std::__1::vector<T>: three pointers, whatever T is. */
struct cxx_vector {
    char *begin;
    char *end;
    char *end_of_storage;
};

/*
 * std::__1::string: the lowest bit of the first byte tells the long form (capacity with that bit
 * set, size, pointer) from the short one (size in the upper seven bits, then the characters).
 */
union cxx_string {
    struct {
        uint64_t capacity_and_flag;
        uint64_t size;
        char *data;
    } heap;
    uint8_t raw[24];
};

/* base::test::QueryResultOrError: the rows, then the error; the tail is room for its growth. */
struct cxx_result {
    struct cxx_vector rows; /* of vectors of strings */
    union cxx_string error;
    uint64_t spare[8];
};

/* absl::Status: one word. 1 is OK, even is a pointer to a heap representation. */
typedef uint64_t cxx_status;

struct text {
    const char *p;
    size_t n;
};

struct processor {
    void (*construct)(void *self);
    void (*destroy)(void *self);
    cxx_status *(*parse)(cxx_status *ret_status, void *self, const struct cxx_vector *bytes);
    void *(*query)(struct cxx_result *ret_result, const void *self, const union cxx_string *sql);
    void (*destroy_result)(struct cxx_result *result);
    uint64_t self[8]; /* the object; it holds one pointer today */
};

/* A line of the symbol table: which name goes into which member. */
struct symbol {
    const char *name;
    size_t offset;
};

#define TP_CLASS  "N4base4test22TestTraceProcessorImpl"
#define TP_STRING "NSt3__112basic_stringIcNS2_11char_traitsIcEENS2_9allocatorIcEEEE"

static const struct symbol tp_symbols[] = {
    {"_Z" TP_CLASS "C1Ev", offsetof(struct processor, construct)},
    {"_Z" TP_CLASS "D1Ev", offsetof(struct processor, destroy)},
    {"_Z" TP_CLASS "10ParseTraceERKNSt3__16vectorIcNS2_9allocatorIcEEEE",
     offsetof(struct processor, parse)},
    {"_ZNK4base4test22TestTraceProcessorImpl12ExecuteQueryERK" TP_STRING,
     offsetof(struct processor, query)},
    {"_ZN4base4test18QueryResultOrErrorD1Ev", offsetof(struct processor, destroy_result)},
};

static struct text text_of(const union cxx_string *s)
{
    if (s->raw[0] & 1u) {
        return (struct text){s->heap.data, (size_t)s->heap.size};
    }
    return (struct text){(const char *)s->raw + 1, s->raw[0] >> 1};
}

/* A long string over characters of ours: good for a const reference, never to be destroyed. */
static union cxx_string string_over(char *sql)
{
    union cxx_string s = {.heap = {.size = strlen(sql), .data = sql}};

    s.heap.capacity_and_flag = (s.heap.size + 1) | 1;
    return s;
}

static int processor_load(struct processor *tp, const char *library)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

    if (handle == NULL) {
        fprintf(stderr, "tp: %s\n", dlerror());
        return TP_TROUBLE;
    }
    for (size_t i = 0; i < sizeof(tp_symbols) / sizeof(tp_symbols[0]); i++) {
        void *found = dlsym(handle, tp_symbols[i].name);

        if (found == NULL) {
            fprintf(stderr, "tp: %s lacks %s\n", library, tp_symbols[i].name);
            return TP_TROUBLE;
        }
        memcpy((char *)tp + tp_symbols[i].offset, &found, sizeof(found));
    }
    return TP_OK;
}

static int file_size(FILE *f, size_t *ret_size)
{
    long end;

    if (fseek(f, 0, SEEK_END) != 0 || (end = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) {
        return -errno;
    }
    if ((size_t)end > TP_TRACE_MAX) {
        return -EFBIG;
    }
    *ret_size = (size_t)end;
    return 0;
}

/* The caller frees ret_bytes->begin. */
static int file_read(const char *path, struct cxx_vector *ret_bytes)
{
    FILE *f = fopen(path, "rbe");
    char *data = NULL;
    size_t size = 0;
    int r = f == NULL ? -errno : file_size(f, &size);

    if (r == 0) {
        data = malloc(size + 1);
        r = data == NULL ? -ENOMEM : fread(data, 1, size, f) != size ? -EIO : 0;
    }
    if (f != NULL) {
        fclose(f);
    }
    if (r < 0) {
        free(data);
        fprintf(stderr, "tp: %s: %s\n", path, strerror(-r));
        return TP_TROUBLE;
    }
    *ret_bytes = (struct cxx_vector){data, data + size, data + size};
    return TP_OK;
}

static int parse_trace(struct processor *tp, const struct cxx_vector *bytes)
{
    cxx_status status = 0;

    tp->parse(&status, tp->self, bytes);
    if (status == 1) {
        return TP_OK;
    }
    if (status != 0 && (status & 1u) == 0) {
        /* The heap representation begins with a reference count and a code; the message follows. */
        struct text why = text_of((const union cxx_string *)(uintptr_t)(status + 8));

        fprintf(stderr, "tp: not a trace: %.*s\n", (int)why.n, why.p);
    } else {
        fprintf(stderr, "tp: not a trace: status %#llx\n", (unsigned long long)status);
    }
    return TP_REFUSED;
}

static void print_row(const struct cxx_vector *row)
{
    const union cxx_string *begin = (const void *)row->begin;
    const union cxx_string *end = (const void *)row->end;

    for (const union cxx_string *cell = begin; cell < end; cell++) {
        struct text t = text_of(cell);

        printf("%s%.*s", cell == begin ? "" : "|", (int)t.n, t.p);
    }
    putchar('\n');
}

static int run_query(struct processor *tp, char *sql)
{
    const union cxx_string wanted = string_over(sql);
    struct cxx_result result = {0};

    tp->query(&result, tp->self, &wanted);
    struct text error = text_of(&result.error);
    if (error.n > 0) {
        fprintf(stderr, "tp: %s: %.*s\n", sql, (int)error.n, error.p);
    }
    const struct cxx_vector *end = (const void *)result.rows.end;
    for (const struct cxx_vector *row = (const void *)result.rows.begin; row < end; row++) {
        print_row(row);
    }
    puts("--");
    int exit_status = error.n > 0 ? TP_REFUSED : TP_OK;
    tp->destroy_result(&result);
    return exit_status;
}

static int answer(struct processor *tp, const struct cxx_vector *trace, char **queries)
{
    int r;

    tp->construct(tp->self);
    r = parse_trace(tp, trace);
    for (; *queries != NULL && r == TP_OK; queries++) {
        r = run_query(tp, *queries);
    }
    tp->destroy(tp->self);
    return r;
}

int main(int argc, char **argv)
{
    const char *library = TP_LIBRARY;
    struct processor tp = {0};
    struct cxx_vector trace = {0};
    int first = 1;
    int r;

    if (argc > 2 && strcmp(argv[1], "-l") == 0) {
        library = argv[2];
        first = 3;
    }
    if (argc < first + 2) {
        fprintf(stderr, "usage: %s [-l LIBRARY] TRACE SQL...\n", argv[0]);
        return TP_TROUBLE;
    }
    r = processor_load(&tp, library);
    if (r == TP_OK) {
        r = file_read(argv[first], &trace);
    }
    if (r == TP_OK) {
        r = answer(&tp, &trace, argv + first + 1);
    }
    free(trace.begin);
    if (fflush(stdout) != 0) {
        r = TP_TROUBLE;
    }
    return r;
}
