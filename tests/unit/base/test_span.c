#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool is_same_letter(int a, int b)
{
    bool is_letter = (a >= 'A' && a <= 'Z') || (a >= 'a' && a <= 'z');
    return a == b || (is_letter && (a ^ b) == 'a' - 'A');
}

static void test_only_ascii_letters_have_a_case(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char one[] = {'x', (char)a}, other[] = {'X', (char)b};
            if (cv_span_ieq(cv_span(one, 2), cv_span(other, 2)) != is_same_letter(a, b))
                fail_msg("%d and %d", a, b);
        }
    }
}

static void test_spans_of_other_lengths_differ(void **state)
{
    (void)state;
    assert_false(cv_span_ieq(CV_SPAN("host"), CV_SPAN("hosts")));
    assert_false(cv_span_ieq(CV_SPAN("hosts"), CV_SPAN("host")));
    assert_true(cv_span_ieq(cv_span(NULL, 0), CV_SPAN("")));
    assert_true(cv_string_ieq("If-Match", "iF-mATCH"));
    assert_false(cv_string_ieq("If-Match", "If-Matc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_ascii_letters_have_a_case),
        cmocka_unit_test(test_spans_of_other_lengths_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
