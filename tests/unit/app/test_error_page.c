/* Error pages: nothing in them is what an attacker makes of it, and without DEBUG nothing is shown
 * that only a developer may see. */
#include "app/response/error_page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static const struct cv_frame frames[] = {
    {"handler (app+0x12)", "/src/<app>.c", 12, "one\nif (a < b)\nthree\n", 11},
    {.symbol = "run (lib+0x1)"},
};

static const struct cv_error_page debug = {
    .status = 500,
    .text = "<b> & \"c\"",
    .request = "GET /a<script>",
    .route = "/<name>",
    .route_file = "app.c",
    .route_line = 7,
    .frames = frames,
    .n_frames = 2,
};

static char text[65536];
static struct cv_span type;

static const char *written(enum cv_format format, const struct cv_error_page *page)
{
    struct cv_buf buf;
    cv_buf_init(&buf, sizeof(text) - 1);
    assert_int_equal(cv_error_page_write(&buf, format, page, &type), 0);
    memcpy(text, buf.at, buf.len);
    text[buf.len] = '\0';
    cv_buf_done(&buf);
    return text;
}

static void assert_has(const char *page, const char *part)
{
    if (strstr(page, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, page);
}

static void assert_lacks(const char *page, const char *part)
{
    if (strstr(page, part) != NULL)
        fail_msg("\"%s\" is in: %s", part, page);
}

static json_t *read_json(const char *page)
{
    json_error_t error;
    json_t *json = json_loads(page, 0, &error);
    if (json == NULL)
        fail_msg("%s: %s", error.text, page);
    return json;
}

static void test_no_room_is_no_page(void **state)
{
    (void)state;
    for (enum cv_format format = CV_FORMAT_TEXT; format <= CV_FORMAT_PROBLEM; format++) {
        size_t len = strlen(written(format, &debug));
        for (size_t max = 0; max < len; max++) {
            struct cv_buf buf;
            cv_buf_init(&buf, max);
            assert_int_equal(cv_error_page_write(&buf, format, &debug, &type), -EMSGSIZE);
            cv_buf_done(&buf);
        }
    }
}

static void test_html_is_escaped(void **state)
{
    (void)state;
    const char *page = written(CV_FORMAT_HTML, &debug);
    assert_has(page, "<p>&lt;b&gt; &amp; &quot;c&quot;</p>");
    assert_has(page, "GET /a&lt;script&gt;");
    assert_has(page, "<b>   12  if (a &lt; b)</b>\n");
    assert_has(page, "<span>   13  three</span>\n");
    assert_has(page, "<i>/src/&lt;app&gt;.c:12</i>");
    assert_has(page, "/&lt;name&gt; <i>app.c:7</i>");
    assert_lacks(page, "<script>");
    assert_true(cv_span_eq(type, CV_SPAN("text/html; charset=utf-8")));
}

static void test_json_is_sanics(void **state)
{
    (void)state;
    const struct cv_error_page page = {404, .text = "\"\\\n\xff \xc3\xa4"};
    json_t *json = read_json(written(CV_FORMAT_JSON, &page));
    assert_string_equal(json_string_value(json_object_get(json, "description")), "Not Found");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 404);
    assert_string_equal(json_string_value(json_object_get(json, "message")),
                        "\"\\\n\xef\xbf\xbd \xc3\xa4");
    assert_int_equal(json_object_size(json), 3);
    json_decref(json);
    assert_true(cv_span_eq(type, CV_SPAN("application/json")));

    json = read_json(written(CV_FORMAT_JSON, &(struct cv_error_page){404}));
    assert_string_equal(json_string_value(json_object_get(json, "message")), "Not Found");
    json_decref(json);
}

/* What a path may have in it once it is decoded. */
static void test_no_bytes_break_the_json(void **state)
{
    (void)state;
    for (int first = 1; first < 256; first++) {
        for (int second = 1; second < 256; second++) {
            const char bytes[] = {(char)first, (char)second, '\x80', '\x80', '\0'};
            const struct cv_error_page page = {404, .text = bytes};
            json_decref(read_json(written(CV_FORMAT_JSON, &page)));
        }
    }
}

static void test_problems_are_rfc_9457s(void **state)
{
    (void)state;
    json_t *json = read_json(written(CV_FORMAT_PROBLEM, &(struct cv_error_page){409, "taken"}));
    assert_string_equal(json_string_value(json_object_get(json, "type")), "about:blank");
    assert_string_equal(json_string_value(json_object_get(json, "title")), "Conflict");
    assert_string_equal(json_string_value(json_object_get(json, "detail")), "taken");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 409);
    assert_int_equal(json_object_size(json), 4);
    json_decref(json);
    json = read_json(written(CV_FORMAT_PROBLEM, &(struct cv_error_page){409}));
    assert_null(json_object_get(json, "detail"));
    json_decref(json);
    assert_true(cv_span_eq(type, CV_SPAN("application/problem+json")));
}

static void test_the_stack_in_json(void **state)
{
    (void)state;
    for (enum cv_format format = CV_FORMAT_JSON; format <= CV_FORMAT_PROBLEM; format++) {
        json_t *json = read_json(written(format, &debug));
        json_t *all = json_object_get(json, "frames");
        assert_int_equal(json_array_size(all), 2);
        json_t *first = json_array_get(all, 0);
        assert_string_equal(json_string_value(json_object_get(first, "file")), "/src/<app>.c");
        assert_int_equal(json_integer_value(json_object_get(first, "line")), 12);
        assert_true(json_is_null(json_object_get(json_array_get(all, 1), "src")));
        assert_string_equal(json_string_value(json_object_get(json, "route_file")), "app.c");
        json_decref(json);
    }
}

static void test_text(void **state)
{
    (void)state;
    assert_string_equal(written(CV_FORMAT_TEXT, &(struct cv_error_page){404}), "404 Not Found\n");
    assert_string_equal(written(CV_FORMAT_TEXT, &(struct cv_error_page){404, "no"}),
                        "404 Not Found: no\n");
    assert_string_equal(written(CV_FORMAT_TEXT, &debug), "500 Internal Server Error: <b> & \"c\"\n"
                                                         "Request: GET /a<script>\n"
                                                         "Route: /<name> app.c:7\n"
                                                         "The error was reported here:\n"
                                                         "  handler (app+0x12) /src/<app>.c:12\n"
                                                         "  run (lib+0x1)\n");
}

static void test_without_a_route(void **state)
{
    (void)state;
    const struct cv_error_page page = {404, .request = "GET /"};
    assert_has(written(CV_FORMAT_HTML, &page), "<p>Route: none</p>");
    assert_lacks(written(CV_FORMAT_HTML, &page), "<ol>");
    json_t *json = read_json(written(CV_FORMAT_JSON, &page));
    assert_true(json_is_null(json_object_get(json, "route")));
    json_decref(json);
    assert_lacks(written(CV_FORMAT_TEXT, &page), "Route");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_room_is_no_page),
        cmocka_unit_test(test_html_is_escaped),
        cmocka_unit_test(test_no_bytes_break_the_json),
        cmocka_unit_test(test_json_is_sanics),
        cmocka_unit_test(test_problems_are_rfc_9457s),
        cmocka_unit_test(test_the_stack_in_json),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_without_a_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
