/* UTF-8: what is of it, and what stands where something is not. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NONE "\xef\xbf\xbd"

static void test_what_is_none_is_replaced_byte_by_byte(void **state)
{
    static const struct {
        const char *text;
        const char *repaired;
    } cases[] = {
        {"", ""},
        {"plain\r\n\x01\x7f", "plain\r\n\x01\x7f"},
        {"\xc2\x80\xdf\xbf", "\xc2\x80\xdf\xbf"},
        {"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80", "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"},
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        {"a\xff"
         "b\x80",
         "a" NONE "b" NONE},
        {"\xc0\xaf", NONE NONE},                   /* overlong */
        {"\xc1\xbf", NONE NONE},                   /* overlong */
        {"\xe0\x9f\xbf", NONE NONE NONE},          /* overlong */
        {"\xf0\x8f\xbf\xbf", NONE NONE NONE NONE}, /* overlong */
        {"\xed\xa0\x80", NONE NONE NONE},          /* a surrogate */
        {"\xf4\x90\x80\x80", NONE NONE NONE NONE}, /* past the last */
        {"\xff\xfe\xf8", NONE NONE NONE},          /* never begins one */
        {"\xc3\xa4\xc3", "\xc3\xa4" NONE},         /* cut */
        {"\xe2\x82", NONE NONE},                   /* cut */
        {"\xf0\x9f\x98", NONE NONE NONE},          /* cut */
        {"\xe2\x82x\xe2\x82\xac", NONE NONE "x\xe2\x82\xac"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char to[64];
        struct cv_span text = cv_span_str(cases[i].text);
        size_t len = cv_utf8_repair(text, to);
        assert_int_equal(len, strlen(cases[i].repaired));
        assert_memory_equal(to, cases[i].repaired, len);
        assert_int_equal(cv_utf8_valid(cv_span(to, len)), len);
        assert_int_equal(cv_utf8_valid(text) == text.len,
                         strcmp(cases[i].text, cases[i].repaired) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_none_is_replaced_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
