/* SPDX-License-Identifier: Apache-2.0 */
/* A regular expression of a consumer, a NUL, and the name of a producer. However the two are
 * chosen, compiling and matching ends soon. A name that is quoted matches itself and nothing
 * longer. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/check.h"
#include "service/patterns.h"

enum { INPUT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 0: compiled, and *ret_matches says whether it matches the name. */
static int try(char *pattern, const char *name, bool *ret_matches)
{
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
    Tw__TraceConfig__DataSource source = TW__TRACE_CONFIG__DATA_SOURCE__INIT, *sources = &source;
    struct tw_patterns patterns = {.n = 0};
    const char *error = NULL;
    int rc;

    source.n_producer_name_regex_filter = 1;
    source.producer_name_regex_filter = &pattern;
    config.n_data_sources = 1;
    config.data_sources = &sources;
    rc = tw_patterns_init(&patterns, &config, &error);
    CHECK(rc == 0 || (rc == TW_E_REFUSED && error));
    if (rc == 0)
        *ret_matches = tw_patterns_match(&patterns, pattern, name, 1);
    tw_patterns_deinit(&patterns);
    return rc;
}

static void quoted_names_match_themselves(char *name)
{
    char pattern[TW_PATTERN_MAX + 1];
    size_t n = strlen(name);
    bool matches = false;

    if (n > TW_PATTERN_MAX - strlen("\\Q\\E") || strstr(name, "\\E"))
        return;
    strcpy(stpcpy(stpcpy(pattern, "\\Q"), name), "\\E");
    CHECK(try(pattern, name, &matches) == 0 && matches);
    name[n] = 'x'; /* where the NUL was; there is another behind it */
    CHECK(try(pattern, name, &matches) == 0 && !matches);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *pattern = calloc(1, size + 3), *name;
    bool matches;

    if (!pattern || size > INPUT_MAX) {
        free(pattern);
        return 0;
    }
    memcpy(pattern, data, size);
    name = pattern + strlen(pattern) + 1;
    name = name > pattern + size ? pattern + size : name;
    (void)try(pattern, name, &matches);
    quoted_names_match_themselves(name);
    free(pattern);
    return 0;
}
