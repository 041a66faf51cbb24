/* The classes of bytes, and the eight-byte scan against the plain one. */
#include "http/chars.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_the_fast_scan_stops_where_the_plain_one_does(void **state)
{
    const char specials[] = {'\0', '\t', '\r',       '\n',       0x1f,      0x20,
                             0x7e, 0x7f, (char)0x80, (char)0x9f, (char)0xff};
    (void)state;

    /* Two special bytes at all distances: a borrow of one must not hide or invent the other. */
    for (size_t len = 2; len <= 20; len++) {
        for (size_t i = 0; i < len * len * sizeof(specials) * sizeof(specials); i++) {
            size_t rest = i;
            char *text = malloc(len); /* exactly, for the sanitizer */
            memset(text, 'a', len);
            text[rest % len] = specials[rest / len % sizeof(specials)];
            rest /= len * sizeof(specials);
            text[rest % len] = specials[rest / len];
            assert_ptr_equal(cv_chars_skip_value(text, text + len),
                             cv_chars_skip(text, text + len, CV_CHAR_VALUE));
            free(text);
        }
    }
}

static void test_hexadecimal_digits_have_their_values(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *digits = "0123456789abcdef";
        char lower = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        const char *at = c != 0 ? strchr(digits, lower) : NULL;
        assert_int_equal(cv_chars_hex((char)c), at != NULL ? (int)(at - digits) : -1);
    }
}

static void test_a_byte_of_a_target_or_token_is_one_of_a_value(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        if (cv_chars[c] != 0)
            assert_true((cv_chars[c] & CV_CHAR_VALUE) != 0);
        if ((cv_chars[c] & CV_CHAR_HOST) != 0)
            assert_true((cv_chars[c] & CV_CHAR_TARGET) != 0);
        assert_int_equal((cv_chars[c] & CV_CHAR_TARGET) != 0,
                         c > 0x20 && c < 0x7f && strchr("\"#<>", c) == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fast_scan_stops_where_the_plain_one_does),
        cmocka_unit_test(test_hexadecimal_digits_have_their_values),
        cmocka_unit_test(test_a_byte_of_a_target_or_token_is_one_of_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
