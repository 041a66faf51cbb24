#include "supervise/notify/heard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/rand.h"

/* Reads a copy that ends where its heap block does. */
static bool read_bytes(struct cv_heard *ret, const void *bytes, size_t len)
{
    char *copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    bool is_read = cv_heard_read(ret, cv_span(copy, len));
    free(copy);
    return is_read;
}

static struct cv_heard heard(const char *text)
{
    struct cv_heard ret = {0};
    assert_true(read_bytes(&ret, text, strlen(text)));
    return ret;
}

static void test_what_is_understood(void **state)
{
    (void)state;
    struct cv_heard all =
        heard("READY=1\nSTATUS=so far\nEXTEND_TIMEOUT_USEC=1500000\nWATCHDOG=1\nSTOPPING=1\n");
    assert_true(all.is_ready && all.is_alive && all.is_stopping && all.has_status);
    assert_int_equal(all.extend, INT64_C(1500000000));
    assert_string_equal(all.status, "so far");
}

static void test_what_means_nothing_is_ignored(void **state)
{
    (void)state;
    struct cv_heard none = heard("READY=0\nWATCHDOG=trigger\nSTOPPING=\nMAINPID=1\nFDSTORE=1\n\n"
                                 "EXTEND_TIMEOUT_USEC=99999999999999999999\nX_VENDOR=a=b");
    assert_false(none.is_ready || none.is_alive || none.is_stopping || none.has_status);
    assert_int_equal(none.extend, 0);
    (void)heard("");
}

static void test_a_line_of_another_form_spoils_all(void **state)
{
    (void)state;
    static const char *const wrong[] = {"READY",   "=1",       "READY=1\nnonsense",
                                        "ready=1", " READY=1", "A B=1"};
    for (size_t i = 0; i < CV_COUNT(wrong); i++) {
        struct cv_heard ret = {.extend = 7};
        assert_false(read_bytes(&ret, wrong[i], strlen(wrong[i])));
        assert_int_equal(ret.extend, 7);
    }
}

static void test_a_status_is_fit_for_terminal_and_json(void **state)
{
    (void)state;
    assert_string_equal(heard("STATUS=\x1b[2J\x07 \xc2\x9b"
                              "31m")
                            .status,
                        "?[2J? ??31m");
    assert_string_equal(heard("STATUS=gr\xc3\xbc\xc3\x9f \xe2\x9c\x93 \xf0\x9f\x90\xa6").status,
                        "gr\xc3\xbc\xc3\x9f \xe2\x9c\x93 \xf0\x9f\x90\xa6");
    assert_string_equal(heard("STATUS=\xff\xc0\x80\xed\xa0\x80\xf5\xe2\x9c").status, "?????????");
    assert_string_equal(heard("STATUS=").status, "");
}

static void test_a_long_status_is_cut_between_characters(void **state)
{
    (void)state;
    char text[8 + 2 * 60 + 1] = "STATUS=x";
    for (size_t i = 0; i < 60; i++)
        memcpy(text + 8 + 2 * i, "\xc3\xbc", 2);
    struct cv_heard long_one = heard(text);
    assert_int_equal(strlen(long_one.status), CV_HEARD_STATUS_BYTES - 1);
    assert_memory_equal(long_one.status + CV_HEARD_STATUS_BYTES - 3, "\xc3\xbc", 3);
}

static void test_any_bytes_are_read_or_refused(void **state)
{
    (void)state;
    static const char letters[] = "READYSTOPINGWCH=1\n_\0\xff 0USEC";
    char bytes[128];
    uint64_t random = 3;
    unsigned n_read = 0;
    for (int round = 0; round < 200000; round++) {
        size_t len = (size_t)(cv_rand_next(&random) % sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            bytes[i] = round % 2 == 0 ? (char)cv_rand_next(&random)
                                      : letters[cv_rand_next(&random) % sizeof(letters)];
        struct cv_heard ret;
        if (!read_bytes(&ret, bytes, len))
            continue;
        n_read++;
        assert_true(memchr(ret.status, '\0', sizeof(ret.status)) != NULL && ret.extend >= 0);
    }
    assert_true(n_read > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_understood),
        cmocka_unit_test(test_what_means_nothing_is_ignored),
        cmocka_unit_test(test_a_line_of_another_form_spoils_all),
        cmocka_unit_test(test_a_status_is_fit_for_terminal_and_json),
        cmocka_unit_test(test_a_long_status_is_cut_between_characters),
        cmocka_unit_test(test_any_bytes_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
