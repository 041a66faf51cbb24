#include "cli/tester/jar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW 1000000

static struct cv_jar jar;

static void take(const char *cookie, const char *path)
{
    assert_int_equal(cv_jar_take(&jar, cookie, path, NOW), 0);
}

static const char *sent_at(const char *path, int64_t now)
{
    static struct cv_buf text;
    cv_buf_done(&text);
    cv_buf_init(&text, 1000);
    assert_int_equal(cv_jar_write(&jar, path, now, &text), 0);
    assert_int_equal(cv_buf_append(&text, cv_span("", 1)), 0);
    return text.at;
}

static const char *sent(const char *path)
{
    return sent_at(path, NOW);
}

static void test_what_was_set_is_sent(void **state)
{
    (void)state;
    assert_string_equal(sent("/"), "");
    take("a=1", "/");
    take("b = \"2 3\" ; HttpOnly; Secure; Domain=example.com", "/");
    assert_string_equal(sent("/x?y"), "a=1; b=\"2 3\"");
    assert_string_equal(cv_jar_find(&jar, "a", NOW), "1");
    assert_null(cv_jar_find(&jar, "c", NOW));
}

static void test_another_value_replaces_it(void **state)
{
    (void)state;
    take("a=1", "/");
    take("b=2", "/");
    take("a=", "/");
    assert_string_equal(sent("/"), "a=; b=2");
    assert_int_equal(cv_jar_set(&jar, "b", "3"), 0);
    assert_string_equal(sent("/"), "a=; b=3");
    cv_jar_drop(&jar, "a");
    assert_string_equal(sent("/"), "b=3");
}

static void test_paths_bound_it(void **state)
{
    (void)state;
    take("a=1; Path=/shop", "/");
    take("b=2; path=/shop/", "/");
    take("c=3", "/shop/cart?x=/y/");
    take("d=4; Path=shop", "/");
    assert_string_equal(sent("/shop"), "a=1; c=3; d=4");
    assert_string_equal(sent("/shop/cart"), "a=1; b=2; c=3; d=4");
    assert_string_equal(sent("/shopping"), "d=4");
}

static void test_same_name_of_two_paths_are_two(void **state)
{
    (void)state;
    take("a=1; Path=/x", "/");
    take("a=2; Path=/", "/");
    assert_string_equal(sent("/x"), "a=1; a=2");
    take("a=0; Path=/x; Max-Age=0", "/");
    assert_string_equal(sent("/x"), "a=2");
    assert_string_equal(cv_jar_find(&jar, "a", NOW), "2");
}

static void test_ends_are_kept(void **state)
{
    (void)state;
    take("a=1; Max-Age=10", "/");
    take("b=2; Expires=Sun, 06 Nov 1994 08:49:37 GMT", "/");
    take("c=3; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "/");
    take("d=4; Expires=never", "/");
    take("e=5; Max-Age=-1", "/");
    assert_string_equal(sent_at("/", NOW + 9), "a=1; b=2; c=3; d=4");
    assert_string_equal(sent_at("/", NOW + 10), "b=2; d=4");
    assert_string_equal(sent_at("/", 784111777), "d=4");
}

static void test_what_has_no_name_is_ignored(void **state)
{
    (void)state;
    take("", "/");
    take("=1", "/");
    take("nothing; a=1", "/");
    take(";", "/");
    assert_string_equal(sent("/"), "");
}

static int tear_down(void **state)
{
    (void)state;
    cv_jar_done(&jar);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_was_set_is_sent, tear_down),
        cmocka_unit_test_teardown(test_another_value_replaces_it, tear_down),
        cmocka_unit_test_teardown(test_paths_bound_it, tear_down),
        cmocka_unit_test_teardown(test_same_name_of_two_paths_are_two, tear_down),
        cmocka_unit_test_teardown(test_ends_are_kept, tear_down),
        cmocka_unit_test_teardown(test_what_has_no_name_is_ignored, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
