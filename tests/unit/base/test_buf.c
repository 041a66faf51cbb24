#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A malloc that cannot serve answers NULL, also under the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void assert_holds(const struct cv_buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->at, text, strlen(text));
}

static void test_append_past_max_leaves_buffer_unchanged(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, 8);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("12345")), 0);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("6789")), -EMSGSIZE);
    assert_holds(&buf, "12345");
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("678")), 0);
    assert_holds(&buf, "12345678");
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("9")), -EMSGSIZE);
    cv_buf_done(&buf);
}

static void test_printf_past_max_leaves_buffer_unchanged(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, 8);
    assert_int_equal(cv_buf_printf(&buf, "%s", "12345"), 0);
    assert_int_equal(cv_buf_printf(&buf, "%d", 6789), -EMSGSIZE);
    assert_holds(&buf, "12345");
    cv_buf_done(&buf);
}

/* The NUL that vsnprintf() writes is nobody's byte. */
static void test_printf_may_fill_up_to_max(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, 8);
    assert_int_equal(cv_buf_printf(&buf, "%s", "12345"), 0);
    assert_int_equal(cv_buf_printf(&buf, "%d", 678), 0);
    assert_holds(&buf, "12345678");
    cv_buf_done(&buf);
}

static void test_room_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, SIZE_MAX);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("kept")), 0);
    assert_int_equal(cv_buf_reserve(&buf, SIZE_MAX), -EMSGSIZE);
    assert_int_equal(cv_buf_reserve(&buf, SIZE_MAX - 4), -ENOMEM);
    assert_int_equal(cv_buf_reserve(&buf, SIZE_MAX / 4), -ENOMEM);
    assert_holds(&buf, "kept");
    cv_buf_done(&buf);
}

static void test_a_buffer_without_room_takes_nothing_but_nothing(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, 0);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("x")), -EMSGSIZE);
    assert_int_equal(cv_buf_append(&buf, cv_span(NULL, 0)), 0);
    assert_int_equal(cv_buf_printf(&buf, "%s", ""), 0);
    assert_int_equal(cv_buf_reserve(&buf, 0), 0);
    assert_int_equal(cv_buf_span(&buf).len, 0);
    cv_buf_done(&buf);
}

static void test_nothing_may_be_printed_into_an_empty_buffer(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, 100);
    assert_int_equal(cv_buf_printf(&buf, "%s", ""), 0);
    assert_int_equal(buf.len, 0);
    cv_buf_done(&buf);
}

static void test_reserved_room_is_room(void **state)
{
    (void)state;
    for (size_t more = 0; more < 1100; more++) {
        struct cv_buf buf;
        cv_buf_init(&buf, 1100);
        assert_int_equal(cv_buf_reserve(&buf, more), 0);
        if (more > 0)
            memset(buf.at, 'r', more);
        assert_int_equal(buf.len, 0);
        cv_buf_done(&buf);
    }
}

static void test_growth_keeps_what_is_there(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, 100000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(cv_buf_printf(&buf, "%04d ", i), 0);
    assert_int_equal(buf.len, 50000);
    for (int i = 0; i < 10000; i++) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%04d ", i);
        assert_memory_equal(buf.at + i * 5, number, 5);
    }
    cv_buf_done(&buf);
}

static void test_consume_drops_from_the_front(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, 100);
    cv_buf_consume(&buf, 0); /* of an empty one */
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("abcdef")), 0);
    cv_buf_consume(&buf, 0);
    assert_holds(&buf, "abcdef");
    cv_buf_consume(&buf, 4);
    assert_holds(&buf, "ef");
    cv_buf_consume(&buf, 2);
    assert_int_equal(buf.len, 0);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("again")), 0);
    assert_holds(&buf, "again");
    cv_buf_done(&buf);
}

static void test_consuming_makes_room_below_max(void **state)
{
    (void)state;
    struct cv_buf buf;
    cv_buf_init(&buf, 4);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("abcd")), 0);
    cv_buf_consume(&buf, 3);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("efg")), 0);
    assert_holds(&buf, "defg");
    cv_buf_done(&buf);
}

static void test_done_is_fine_on_a_zeroed_and_a_finished_buffer(void **state)
{
    (void)state;
    struct cv_buf buf = {0};
    cv_buf_done(&buf);
    cv_buf_init(&buf, 10);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("x")), 0);
    cv_buf_done(&buf);
    cv_buf_done(&buf);
    assert_int_equal(cv_buf_append(&buf, CV_SPAN("0123456789")), 0); /* max is as before */
    cv_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_past_max_leaves_buffer_unchanged),
        cmocka_unit_test(test_printf_past_max_leaves_buffer_unchanged),
        cmocka_unit_test(test_printf_may_fill_up_to_max),
        cmocka_unit_test(test_room_that_cannot_be_is_refused),
        cmocka_unit_test(test_a_buffer_without_room_takes_nothing_but_nothing),
        cmocka_unit_test(test_nothing_may_be_printed_into_an_empty_buffer),
        cmocka_unit_test(test_reserved_room_is_room),
        cmocka_unit_test(test_growth_keeps_what_is_there),
        cmocka_unit_test(test_consume_drops_from_the_front),
        cmocka_unit_test(test_consuming_makes_room_below_max),
        cmocka_unit_test(test_done_is_fine_on_a_zeroed_and_a_finished_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
