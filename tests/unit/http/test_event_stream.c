/* Server-sent events as text. */
#include "http/event_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct cv_span span(const char *text)
{
    return text != NULL ? cv_span_str(text) : cv_span(NULL, 0);
}

static const char *written(const char *data, const char *name, const char *id, int64_t retry)
{
    static char text[1024];
    struct cv_event_text event = {span(data), span(name), span(id), retry};
    assert_true(cv_event_text_is_sound(&event));
    size_t max = cv_event_text_max(&event);
    assert_true(max < sizeof(text));
    size_t len = cv_event_text_write(&event, text);
    assert_true(len <= max);
    text[len] = '\0';
    return text;
}

static bool is_sound(struct cv_span name, struct cv_span id)
{
    struct cv_event_text event = {CV_SPAN("x"), name, id, -1};
    return cv_event_text_is_sound(&event);
}

static void test_names_and_ids_are_one_line(void **state)
{
    (void)state;
    assert_true(is_sound(span("tick"), span("7")));
    assert_false(is_sound(span("tick\ndata: x"), span(NULL)));
    assert_false(is_sound(span("tick\r"), span(NULL)));
    assert_false(is_sound(span(NULL), span("7\n\n")));
    assert_false(is_sound(span(NULL), CV_SPAN("7\0")));
}

static void test_each_line_of_the_data_is_one(void **state)
{
    (void)state;
    assert_string_equal(written("a", NULL, NULL, -1), "data: a\n\n");
    assert_string_equal(written("", NULL, NULL, -1), "data: \n\n");
    assert_string_equal(written("a\nb", NULL, NULL, -1), "data: a\ndata: b\n\n");
    assert_string_equal(written("a\r\nb\rc", NULL, NULL, -1), "data: a\ndata: b\ndata: c\n\n");
    assert_string_equal(written("a\n", NULL, NULL, -1), "data: a\ndata: \n\n");
    assert_string_equal(written("\n\r", NULL, NULL, -1), "data: \ndata: \ndata: \n\n");
    assert_string_equal(written("event: forged\n\nid: 9", NULL, NULL, -1),
                        "data: event: forged\ndata: \ndata: id: 9\n\n");
}

static void test_the_other_fields(void **state)
{
    (void)state;
    assert_string_equal(written("a", "tick", "7", 1500),
                        "event: tick\nid: 7\nretry: 1500\ndata: a\n\n");
    assert_string_equal(written(NULL, NULL, "7", -1), "id: 7\n\n");
    assert_string_equal(written(NULL, NULL, "", -1), "id: \n\n");
    assert_string_equal(written(NULL, NULL, NULL, INT64_MAX), "retry: 9223372036854775807\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_ids_are_one_line),
        cmocka_unit_test(test_each_line_of_the_data_is_one),
        cmocka_unit_test(test_the_other_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
