/* Lines of addresses: of this very file, and of what has none. */
#include "base/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void here(void)
{
}
static const int here_line = __LINE__ - 1;

static void test_what_is_no_code_has_no_line(void **state)
{
    (void)state;
    char file[64] = "untouched";
    int line = 0, on_the_stack = 0;
    assert_false(cv_source_find(&on_the_stack, file, sizeof(file), &line));
    assert_false(cv_source_find(NULL, file, sizeof(file), &line));
    assert_string_equal(file, "untouched");
}

static void test_a_function_of_this_file(void **state)
{
    (void)state;
    char file[1024];
    int line = 0;
    assert_true(cv_source_find((const void *)(uintptr_t)here, file, sizeof(file), &line));
    assert_int_equal(line, here_line);
    assert_int_equal(file[0], '/');
    assert_non_null(strstr(file, "tests/unit/base/test_source.c"));
}

static void test_a_long_name_is_cut(void **state)
{
    (void)state;
    char file[8];
    int line = 0;
    assert_true(cv_source_find((const void *)(uintptr_t)here, file, sizeof(file), &line));
    assert_int_equal(strlen(file), sizeof(file) - 1);
}

int main(void)
{
    here();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_code_has_no_line),
        cmocka_unit_test(test_a_function_of_this_file),
        cmocka_unit_test(test_a_long_name_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
