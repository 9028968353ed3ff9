/* SPDX-License-Identifier: Apache-2.0 */
/* output_path: where the service makes files, and where it does not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/service/file_scene.h"

struct place {
    char dir[32];
};

static void make_place(struct place *p)
{
    strcpy(p->dir, "/tmp/tw-output-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
}

/* Which error an output_path is answered with; "" is none, and then the file is there. */
static void assert_path(const struct place *p, const char *path, const char *error)
{
    struct file_scene s;

    file_scene(&s, p->dir);
    s.config->output_path = tw_pbc_str(path);
    file_enable(&s, -1);
    if (error[0]) {
        assert_non_null(strstr(file_error(&s), error));
    } else {
        assert_null(file_ended(&s));
        file_emit(&s, "one");
        file_disable(&s);
        assert_string_equal(file_error(&s), "");
    }
    file_end(&s, -1);
}

static void files_are_made_inside_the_directory_only(void **state)
{
    REQ("TW-TRACE-014");
    struct place p;
    char path[64];

    (void)state;
    make_place(&p);
    assert_path(&p, "trace", "");
    assert_path(&p, "trace", "cannot be made"); /* it exists */
    snprintf(path, sizeof(path), "%s/absolute", p.dir);
    assert_path(&p, path, "");
    assert_path(&p, "../outside", "cannot be made");
    assert_path(&p, "/tmp/outside", "cannot be made");
    assert_path(&p, "no/such/directory", "cannot be made");
    snprintf(path, sizeof(path), "%s/link", p.dir);
    assert_int_equal(symlink("target", path), 0);
    assert_path(&p, "link", "cannot be made");
    unlink(path);
    snprintf(path, sizeof(path), "%s/trace", p.dir);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/absolute", p.dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(p.dir), 0);
}

static void no_files_are_made_unless_allowed(void **state)
{
    REQ("TW-TRACE-014");
    struct file_scene s;
    int fd;

    (void)state;
    file_scene(&s, NULL);
    s.config->output_path = tw_pbc_str("trace");
    file_enable(&s, -1);
    assert_non_null(strstr(file_error(&s), "makes no files"));
    file_end(&s, -1);
    file_scene(&s, NULL);
    s.config->output_path = tw_pbc_str("trace");
    file_enable(&s, file_new(&fd));
    assert_non_null(strstr(file_error(&s), "either a descriptor"));
    file_end(&s, fd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(files_are_made_inside_the_directory_only),
        tw_unit_test(no_files_are_made_unless_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
