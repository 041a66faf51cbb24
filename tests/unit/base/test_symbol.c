#include "base/symbol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

__attribute__((noinline)) static int a_static_function(int n)
{
    return n + (int)strtol("1", NULL, 10);
}

static void test_static_functions_have_their_names(void **state)
{
    (void)state;
    char name[256];
    assert_int_equal(a_static_function(1), 2);
    cv_symbol_write((const void *)((uintptr_t)a_static_function + 4), name, sizeof(name));
    assert_ptr_equal(strstr(name, "a_static_function ("), name);
    assert_non_null(strstr(name, "test_symbol+0x"));
}

static void test_functions_of_libraries_have_their_names(void **state)
{
    (void)state;
    char name[256];
    cv_symbol_write((const void *)((uintptr_t)getppid + 1), name, sizeof(name));
    assert_non_null(strstr(name, "libc.so"));
    assert_null(strstr(name, "??"));
}

static void test_an_address_in_no_file_has_no_name(void **state)
{
    (void)state;
    char name[256];
    cv_symbol_write((const void *)16, name, sizeof(name));
    assert_string_equal(name, "??");
}

static void test_a_name_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    char name[8];
    cv_symbol_write((const void *)((uintptr_t)a_static_function + 4), name, sizeof(name));
    assert_string_equal(name, "a_stati");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_functions_have_their_names),
        cmocka_unit_test(test_functions_of_libraries_have_their_names),
        cmocka_unit_test(test_an_address_in_no_file_has_no_name),
        cmocka_unit_test(test_a_name_that_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
