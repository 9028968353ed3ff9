/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target without a fuzzer: gives every file of the folders named to it, once each. So the
 * corpus is a test of every build: plain, 32-bit, with each sanitizer, under valgrind.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

enum {
    INPUT_SECONDS = 60
}; /* a tenth of a second is usual; valgrind and a busy machine take more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *running; /* the input that a crash is to be blamed on */

static void blame(int signal_number)
{
    static const char what[] = "\nthe input is ";

    TW_IGNORE(write(STDERR_FILENO, what, sizeof(what) - 1));
    TW_IGNORE(write(STDERR_FILENO, running, strlen(running)));
    TW_IGNORE(write(STDERR_FILENO, "\n", 1));
    raise(signal_number); /* SA_RESETHAND: now it ends the program */
}

/* Signals that a sanitizer has taken are left to it. */
static void catch_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction ours = {.sa_handler = blame, .sa_flags = (int)SA_RESETHAND}, before;

    for (size_t i = 0; i < TW_ARRAY_LEN(signals); i++)
        if (!sigaction(signals[i], NULL, &before) && before.sa_handler == SIG_DFL)
            sigaction(signals[i], &ours, NULL);
}

/* An allocation of its own and of its exact size, so that a read past the end is seen. */
static uint8_t *read_whole(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size;

    if (!file)
        return NULL;
    if (!fseek(file, 0, SEEK_END) && (size = ftell(file)) >= 0 && !fseek(file, 0, SEEK_SET)) {
        data = malloc((size_t)size);
        if (data && fread(data, 1, (size_t)size, file) != (size_t)size) {
            free(data);
            data = NULL;
        }
        *ret_size = (size_t)size;
    }
    fclose(file);
    return data;
}

static int replay_file(const char *path)
{
    size_t size = 0;
    uint8_t *data = read_whole(path, &size);

    if (!data) {
        fprintf(stderr, "%s cannot be read\n", path);
        return -1;
    }
    running = path;
    alarm(INPUT_SECONDS);
    TW_IGNORE(LLVMFuzzerTestOneInput(data, size));
    alarm(0);
    free(data);
    return 0;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Returns how many inputs the folder holds, or -1. In order of their names: each run is the same.
 */
static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_input, alphasort), failed = 0;

    for (int i = 0; i < n; i++) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        failed |= replay_file(path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return failed ? -1 : n;
}

int main(int argc, char **argv)
{
    int status = argc > 1 ? 0 : 2;

    catch_crashes();
    for (int i = 1; i < argc; i++) {
        int n = replay_folder(argv[i]);

        printf("%s: %d inputs\n", argv[i], n);
        if (n <= 0) /* nothing replayed is nothing shown */
            status = 1;
    }
    return status;
}
