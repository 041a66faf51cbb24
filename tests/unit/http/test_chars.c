/* The classes of bytes, and the scan of sixteen bytes a step against the plain one. */
#include "http/chars.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t classes[] = {CV_CHAR_TOKEN, CV_CHAR_VALUE, CV_CHAR_TARGET, CV_CHAR_HOST};

static void test_the_fast_scan_stops_where_the_plain_one_does(void **state)
{
    (void)state;

    /* Every byte at every place, behind bytes of the class. */
    for (size_t len = 1; len <= 34; len++) {
        for (size_t i = 0; i < len * 256 * sizeof(classes); i++) {
            uint8_t class = classes[i % sizeof(classes)];
            char *text = malloc(len); /* exactly, for the sanitizer */
            memset(text, 'a', len);
            text[i / sizeof(classes) / 256] = (char)(i / sizeof(classes) % 256);
            assert_ptr_equal(cv_chars_skip(text, text + len, class),
                             cv_chars_skip_each(text, text + len, class));
            free(text);
        }
    }
}

static void test_bits_are_the_same_without_instructions_for_them(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 0xffff; bits++) {
        cv_chars_16 holds;
        for (unsigned i = 0; i < sizeof(holds); i++)
            holds[i] = (bits >> i & 1) != 0 ? 0xff : 0;
        assert_int_equal(cv_chars_bits_by_words(holds), bits);
        assert_int_equal(cv_chars_bits(holds), bits);
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

static void test_letters_and_digits_are_those_of_ascii(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        bool lower = strchr("abcdefghijklmnopqrstuvwxyz", c) != NULL;
        bool upper = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", c) != NULL;
        assert_int_equal(cv_chars_is_lower((char)c), lower);
        assert_int_equal(cv_chars_is_letter((char)c), lower || upper);
        assert_int_equal(cv_chars_is_digit((char)c), strchr("0123456789", c) != NULL);
    }
    assert_false(cv_chars_is_lower('\0') || cv_chars_is_letter('\0') || cv_chars_is_digit('\0'));
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
        cmocka_unit_test(test_bits_are_the_same_without_instructions_for_them),
        cmocka_unit_test(test_hexadecimal_digits_have_their_values),
        cmocka_unit_test(test_letters_and_digits_are_those_of_ascii),
        cmocka_unit_test(test_a_byte_of_a_target_or_token_is_one_of_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
