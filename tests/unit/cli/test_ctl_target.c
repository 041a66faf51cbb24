#include "cli/ctl/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_files_that_are_no_servers_are_passed_over(void **state)
{
    (void)state;
    const char *const others[] = {"",
                                  ".",
                                  "..",
                                  ".sock",
                                  "-1.sock",
                                  "shop.sock",
                                  "shop-.sock",
                                  "shop-x.sock",
                                  "shop-0.sock",
                                  "shop-1x.sock",
                                  "shop-1.sock2",
                                  "shop-99999999999.sock"};
    struct cv_span name;
    pid_t pid;
    for (size_t i = 0; i < CV_COUNT(others); i++)
        if (cv_ctl_read_name(others[i], &name, &pid))
            fail_msg("\"%s\" is taken for a server", others[i]);
}

static void test_name_and_pid_are_read(void **state)
{
    (void)state;
    struct cv_span name;
    pid_t pid;
    assert_true(cv_ctl_read_name("my-web-shop-1234.sock", &name, &pid));
    assert_true(cv_span_eq(name, CV_SPAN("my-web-shop")));
    assert_int_equal(pid, 1234);
}

static void test_target_is_name_or_pid_or_any(void **state)
{
    (void)state;
    struct cv_span shop = CV_SPAN("shop");
    assert_true(cv_ctl_means(NULL, shop, 17));
    assert_true(cv_ctl_means("shop", shop, 17));
    assert_true(cv_ctl_means("17", shop, 17));
    assert_false(cv_ctl_means("sho", shop, 17));
    assert_false(cv_ctl_means("18", shop, 17));
    assert_false(cv_ctl_means("", shop, 17));
    assert_false(cv_ctl_means("017x", shop, 17));
    assert_true(cv_ctl_means("42", CV_SPAN("42"), 17)); /* a program of that name */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_that_are_no_servers_are_passed_over),
        cmocka_unit_test(test_name_and_pid_are_read),
        cmocka_unit_test(test_target_is_name_or_pid_or_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
