/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test runs in a process of its own, first as it is, to count what it calls inside the service;
 * then once for each call, each error that this call may have, and each length that a transfer may
 * be cut to: or for a sample of these, so that all runs of a test together make about as many calls
 * as TW_FAULTS (or TW_FAULTS_MS, which goes before) says. TW_FAULTS_TEST names one test alone.
 * When the test itself crashes, having not got what it takes for granted, another process goes on
 * behind the case; when the service does, that is the failure looked for.
 */
#include "tests/faults/run.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz/faults.h"
#include "tests/harness.h"

enum {
    CASE_SECONDS = 20,       /* of one case; a few milliseconds are usual */
    RUN_US = 1000,           /* of the processor, what a run costs at least */
    FRAME_ROOM = 512 * 1024, /* bytes: see in_its_own_place() */
    OUTPUT_MAX = 4000,       /* bytes shown of what a run said that went wrong */
    CUTS_MAX = 8,
};

static const size_t cuts[CUTS_MAX] = {1, 2, 3, 4, 5, 7, 8, 64};

/* What the processes tell each other. */
static struct shared {
    unsigned calls[FAULT_MAX + 1];
    size_t at; /* the case that runs, counted from 1; 0: none failing */
    size_t n_cases, n_failed_tests;
    size_t stride;
    bool finished;
    int inside; /* how deep in the service it is */
    struct fault_plan plan;
    char blame[256];
} * shared;

static const struct CMUnitTest *test; /* that runs */
static size_t budget_us;              /* of the processor, for all runs of a test */
static char folder[64];               /* made last by mkdtemp() */
static struct rlimit files_at_most;   /* before any test lowered it */
static size_t n_calls;                /* that could fail, of all tests */

_Noreturn void faults_blame(const char *what)
{
    snprintf(shared->blame, sizeof(shared->blame), "%s", what);
    _exit(2);
}

/* ---- one run ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* A test that failed leaves its folder, its descriptors, and how many of these there may be. */
static void tidy(int fds_before)
{
    if (folder[0] && !access(folder, F_OK))
        nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
    close_range((unsigned)fds_before, ~0U, 0);
    setrlimit(RLIMIT_NOFILE, &files_at_most);
    faults_forget();
}

char *__real_mkdtemp(char *template);
char *__wrap_mkdtemp(char *template);
char *__wrap_mkdtemp(char *template)
{
    char *made = __real_mkdtemp(template);

    if (made)
        snprintf(folder, sizeof(folder), "%s", made);
    return made;
}

static int before_test(void **state)
{
    return test->setup_func ? test->setup_func(state) : 0;
}

/* What a test has on the stack lives on when an assertion jumps out of it, until it is cleaned up:
 * that happens in the room left here. */
static void in_its_own_place(void **state)
{
    volatile char room[FRAME_ROOM];

    room[0] = 0;
    room[FRAME_ROOM - 1] = room[0];
    test->test_func(state);
}

static int after_test(void **state)
{
    (void)state;
    faults_disarm();
    return 0;
}

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);

static void run_once(const struct fault_plan *plan)
{
    struct CMUnitTest one = {test->name, in_its_own_place, before_test, after_test, NULL};
    int fds_before = dup(STDIN_FILENO), failed;
    bool accountable;

    close(fds_before);
    fflush(NULL);
    if (ftruncate(STDOUT_FILENO, 0) || lseek(STDOUT_FILENO, 0, SEEK_SET))
        faults_blame("its output cannot be kept");
    alarm(CASE_SECONDS);
    shared->plan = *plan;
    faults_plan(plan);
    failed = __real__cmocka_run_group_tests("", &one, 1, NULL, NULL);
    accountable = faults_clean_up ? faults_clean_up() : failed == 0;
    alarm(0);
    if (accountable && faults_live() > 0)
        faults_blame("the service kept memory that nobody has any more");
    if (accountable && faults_live_fds() > 0)
        faults_blame("the service kept a descriptor that nobody has any more");
    tidy(fds_before);
    shared->n_failed_tests += failed != 0;
}

/* ---- all runs of a test ---- */

static bool moves_bytes(size_t what)
{
    return what == FAULT_read || what == FAULT_pread || what == FAULT_write ||
           what == FAULT_writev || what == FAULT_recvmsg || what == FAULT_sendmsg;
}

/* Skips what earlier processes have done, and what is not in the sample. */
static void run_case(size_t *at, size_t from, const struct fault_plan *plan)
{
    if (++*at < from || *at % shared->stride != 0)
        return;
    shared->at = *at;
    run_once(plan);
    shared->n_cases++;
}

static void run_function(size_t *at, size_t from, enum fault what)
{
    struct fault_plan plan = {.what = what};

    for (plan.nth = 1; plan.nth <= shared->calls[what]; plan.nth++) {
        for (const int *error = fault_rows[what].errors; *error; error++) {
            plan.error = *error;
            run_case(at, from, &plan);
        }
        plan.error = 0;
        for (size_t i = 0; moves_bytes(what) && i < CUTS_MAX; i++) {
            plan.cut = cuts[i];
            run_case(at, from, &plan);
        }
    }
}

/* One case in so many, by what a run costs: a power of two, so that it is the same next time. */
static size_t stride_of_sample(clock_t cost)
{
    size_t n_cases = 0, a_run = RUN_US;

    while (a_run < (size_t)cost) /* CLOCKS_PER_SEC is a million */
        a_run *= 2;
    for (size_t i = 0; i < FAULT_MAX; i++)
        for (const int *error = fault_rows[i].errors; *error; error++)
            n_cases += shared->calls[i];
    return 1 + n_cases * a_run / budget_us;
}

/* In the child: all cases from this one on. */
static void run_cases(size_t from)
{
    size_t at = 0;

    faults_only_inside(&shared->inside);
    if (from == 0) {
        clock_t began = clock();

        run_once(&(struct fault_plan){0});
        if (shared->n_failed_tests)
            faults_blame("it fails as it is");
        for (size_t i = 0; i <= FAULT_MAX; i++)
            shared->calls[i] = faults_calls((enum fault)i);
        shared->stride = stride_of_sample(clock() - began);
    }
    for (size_t i = 0; i < FAULT_MAX; i++)
        run_function(&at, from, (enum fault)i);
    shared->finished = true;
    fflush(NULL);
    _exit(0);
}

static pid_t start(size_t from, FILE *output)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid)
        return pid;
    dup2(fileno(output), STDOUT_FILENO);
    dup2(fileno(output), STDERR_FILENO);
    run_cases(from);
    return 0;
}

static void show(FILE *output)
{
    char text[OUTPUT_MAX];
    long size;
    size_t n;

    fseek(output, 0, SEEK_END);
    size = ftell(output);
    fseek(output, size > OUTPUT_MAX ? size - OUTPUT_MAX : 0, SEEK_SET);
    n = fread(text, 1, sizeof(text), output);
    printf("%.*s\n", (int)n, text);
}

static int tell(const char *what, FILE *output)
{
    const struct fault_plan *plan = &shared->plan;

    show(output);
    printf("WRONG %s: %s", test->name, what);
    if (plan->nth && plan->error)
        printf(", when %s no. %u ends with %s", fault_rows[plan->what].name, plan->nth,
               strerrorname_np(plan->error));
    else if (plan->nth)
        printf(", when %s no. %u moves %zu bytes", fault_rows[plan->what].name, plan->nth,
               plan->cut);
    printf("\n");
    return 1;
}

/* Returns whether it went wrong. */
static int try_test(FILE *output)
{
    size_t from = 0;

    *shared = (struct shared){0};
    for (;;) {
        pid_t pid = start(from, output);

        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
            return tell("it cannot be started", output);
        if (shared->blame[0])
            return tell(shared->blame, output);
        if (shared->finished)
            break;
        if (shared->inside > 0)
            return tell("the service crashed or hung", output);
        if (shared->at < from || shared->at == 0)
            return tell("the test itself does not work", output);
        from = shared->at + 1; /* the test stumbled over what it did not get */
    }
    for (size_t i = 0; i < FAULT_MAX; i++)
        n_calls += shared->calls[i];
    printf("%-72s %6zu cases, one in %zu, fails in %zu\n", test->name, shared->n_cases,
           shared->stride, shared->n_failed_tests);
    return 0;
}

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
                                   CMFixtureFunction setup, CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
                                   CMFixtureFunction setup, CMFixtureFunction teardown)
{
    const char *ms = getenv("TW_FAULTS"), *only = getenv("TW_FAULTS_TEST");
    int wrong = 0;

    if (!ms)
        return __real__cmocka_run_group_tests(name, tests, n, setup, teardown);
    if (getenv("TW_FAULTS_MS"))
        ms = getenv("TW_FAULTS_MS");
    budget_us = (strtoul(ms, NULL, 10) + 1) * 1000;
    getrlimit(RLIMIT_NOFILE, &files_at_most);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < n; i++) {
        FILE *output = tmpfile();

        if (!output)
            return 1;
        test = &tests[i];
        if (!only || strcmp(only, test->name) == 0)
            wrong += try_test(output);
        fclose(output);
    }
    munmap(shared, sizeof(*shared));
    if (n_calls == 0 && !only) {
        printf("WRONG: nothing that any test calls can be refused\n");
        return 1;
    }
    return wrong;
}
