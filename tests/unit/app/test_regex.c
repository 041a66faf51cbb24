/* Regular expressions as types: what they take, what is refused, and that no client can keep them
 * busy. */
#include "router_rig.h"

#include "app/routing/regex.h"

static int match(const char *expression, const char *segment, char *value)
{
    char reason[256];
    struct cv_span part = {NULL, 0};
    struct cv_regex *regex = cv_regex_new(cv_span_str(expression), reason, sizeof(reason));
    assert_non_null(regex);
    int rc = cv_regex_match(regex, cv_span_str(segment), &part);
    if (rc == 1)
        snprintf(value, 64, "%.*s", (int)part.len, part.at);
    cv_regex_free(regex);
    return rc;
}

static void test_the_whole_segment_must_match(void **state)
{
    (void)state;
    char value[64];
    assert_int_equal(match("[a-z]{3}", "abc", value), 1);
    assert_string_equal(value, "abc");
    assert_int_equal(match("[a-z]{3}", "abcd", value), 0);
    assert_int_equal(match("[a-z]{3}", "1abc", value), 0);
    assert_int_equal(match("^[a-z]{3}$", "abc", value), 1);
    assert_int_equal(match("a|ab", "ab", value), 1);
    assert_string_equal(value, "ab");
    assert_int_equal(match("[a-z]{3}$", "abc\n", value), 0);
    assert_int_equal(match(".", "\xc3\xa9", value), 1); /* one letter */
    assert_int_equal(match(".*", "\xc3", value), 0);    /* no UTF-8 */
    assert_int_equal(match(".*", "", value), 1);
}

static void test_a_group_is_the_value(void **state)
{
    (void)state;
    char value[64];
    assert_int_equal(match("user-(\\d+)", "user-42", value), 1);
    assert_string_equal(value, "42");
    assert_int_equal(match("(?P<n>\\d+)px", "7px", value), 1);
    assert_string_equal(value, "7");
    assert_int_equal(match("a(b)?", "a", value), 1);
    assert_string_equal(value, "");
}

/* Each of them would take years without a limit. */
static void test_no_segment_takes_long(void **state)
{
    (void)state;
    static const char *const evil[] = {
        "(?:a+)+[bc]",   "(?:a|a)*[bc]", "(?:a?)*?[bc]", ".*.*.*.*.*[bc]", "(?:[a-z]+[a-z]+)+[bc]",
        "(?:a+)+b",      "(?:a|a)*b",    "(?:a*)*b",     "(?:.*){1,30}b",  "(?:a?){30}(?:a{30})b",
        "(?:(?:a+)*)*b", "(a*)*b"};
    static char segment[8001], value[8001];
    memset(segment, 'a', sizeof(segment) - 1);
    for (size_t i = 0; i < CV_COUNT(evil); i++) {
        int rc = match(evil[i], segment, value);
        if (rc != -E2BIG && rc != 0)
            fail_msg("%s: %d", evil[i], rc);
    }
    assert_int_equal(match("(?:a+)+b", segment, value), -E2BIG);
}

static void test_wrong_expressions_are_refused_with_their_place(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "/<x:[a-z>", "at byte 4 of the regular expression \"[a-z\"");
    assert_refused(f, "/<x:(a)(b)>", "more than one group");
    assert_refused(f, "/<x:(?P<y>a)>", "must have the name of its parameter");
    assert_refused(f, "/<x:\\Ca>", "regular expression");
}

static void test_a_route_with_an_expression(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "GET", "/a/<x:[a-z]{3}>/b", "three"), 0);
    assert_int_equal(add(f, "GET", "/a/<y:(?P<y>.+)-x>", "group"), 0);
    assert_int_equal(add(f, "GET", "/a/<z:[a-z]{3}>", "end"), 0);
    assert_int_equal(add(f, "GET", "/a/<s>", "str"), 0);
    assert_refused(f, "/a/<w:[a-z]{3}>", "conflicts with GET /a/<z:[a-z]{3}>");
    assert_string_equal(find(f, "GET", "/a/abc/b"), "three");
    assert_string_equal(find(f, "GET", "/a/abcd/b"), "-");
    assert_string_equal(find(f, "GET", "/a/abc"), "end");
    assert_string_equal(find(f, "GET", "/a/q%2fr-x"), "group");
    assert_value(f, 0, "q/r");
    assert_string_equal(find(f, "GET", "/a/abcd"), "str");
}

static void test_giving_up_is_no_match_and_is_told(void **state)
{
    struct fixture *f = *state;
    static char path[4001] = "/";
    memset(path + 1, 'a', sizeof(path) - 2);
    struct cv_span name = CV_SPAN("GET");
    assert_int_equal(add(f, "GET", "/<x:(?:a+)+[bc]>", "evil"), 0);
    assert_int_equal(add(f, "GET", "/<x>", "str"), 0);
    int rc = cv_router_find(&f->router, CV_METHOD_GET, name, cv_span_str(path), CV_SPAN(""),
                            &f->arena, &f->match);
    assert_int_equal(rc, CV_ROUTER_GAVE_UP);
    assert_string_equal(f->match.route->how.name, "str");
    assert_memory_equal(f->match.too_hard->text.at, ":(?:a+)+[bc]", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_segment_must_match),
        cmocka_unit_test(test_a_group_is_the_value),
        cmocka_unit_test(test_no_segment_takes_long),
        TEST(test_wrong_expressions_are_refused_with_their_place),
        TEST(test_a_route_with_an_expression),
        TEST(test_giving_up_is_no_match_and_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
