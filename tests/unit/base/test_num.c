#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rand.h"

#define UNTOUCHED 424242

/* Every reader leaves its result alone when it fails. */
#define ASSERT_READS(reader, text, want_rc, want)                                                  \
    do {                                                                                           \
        int64_t got = UNTOUCHED;                                                                   \
        int rc = reader(cv_span_str(text), &got);                                                  \
        if (rc != (want_rc) || got != (rc < 0 ? UNTOUCHED : (want)))                               \
            fail_msg(#reader "(\"%s\"): %d, %" PRId64, text, rc, got);                             \
    } while (0)
#define ASSERT_FAILS(reader, text, want_rc) ASSERT_READS(reader, text, want_rc, 0)

static void assert_u64(const char *text, uint64_t max, int want_rc, uint64_t want)
{
    uint64_t got = UNTOUCHED;
    int rc = cv_num_u64(cv_span_str(text), max, &got);
    if (rc != want_rc || got != (rc < 0 ? UNTOUCHED : want))
        fail_msg("\"%s\" up to %" PRIu64 ": %d, %" PRIu64, text, max, rc, got);
}

static void test_what_is_not_all_digits_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    " ",   "1 ",  " 1",  "+1", "-1", "0x10", "1e3",
        "1.0", "1_0", "\t1", "1\n", "٣",  "a",  "--1",  "99999999999999999999x"};
    for (size_t i = 0; i < CV_COUNT(bad); i++)
        assert_u64(bad[i], UINT64_MAX, -EINVAL, 0);
    uint64_t got = UNTOUCHED;
    assert_int_equal(cv_num_u64(cv_span("1\0", 2), 10, &got), -EINVAL);
    assert_int_equal(cv_num_u64(cv_span(NULL, 0), 10, &got), -EINVAL);
    assert_int_equal(got, UNTOUCHED);
}

static void test_numbers_past_max_are_out_of_range(void **state)
{
    (void)state;
    assert_u64("18446744073709551616", UINT64_MAX, -ERANGE, 0);
    assert_u64("18446744073709551620", UINT64_MAX, -ERANGE, 0);
    assert_u64("99999999999999999999999999999", UINT64_MAX, -ERANGE, 0);
    assert_u64("65536", 65535, -ERANGE, 0);
    assert_u64("1", 0, -ERANGE, 0);
    assert_u64("10", 9, -ERANGE, 0);
    assert_u64("100", 9, -ERANGE, 0);
    assert_u64("8", 7, -ERANGE, 0);
    assert_u64("900", 100, -ERANGE, 0);
}

static void test_numbers_up_to_max_are_read(void **state)
{
    (void)state;
    assert_u64("18446744073709551615", UINT64_MAX, 0, UINT64_MAX);
    assert_u64("65535", 65535, 0, 65535);
    assert_u64("0", 0, 0, 0);
    assert_u64("000", 0, 0, 0);
    assert_u64("00065535", 65535, 0, 65535);
    assert_u64("9", 9, 0, 9);
}

static void test_every_small_number_against_every_small_max(void **state)
{
    (void)state;
    for (uint64_t max = 0; max < 130; max++)
        for (uint64_t n = 0; n < 130; n++) {
            char text[8];
            (void)snprintf(text, sizeof(text), "%" PRIu64, n);
            assert_u64(text, max, n <= max ? 0 : -ERANGE, n);
        }
}

static void test_signed_numbers_have_their_ends(void **state)
{
    (void)state;
    ASSERT_READS(cv_num_i64, "9223372036854775807", 0, INT64_MAX);
    ASSERT_READS(cv_num_i64, "-9223372036854775808", 0, INT64_MIN);
    ASSERT_READS(cv_num_i64, "-0", 0, 0);
    ASSERT_READS(cv_num_i64, "-17", 0, -17);
    ASSERT_FAILS(cv_num_i64, "9223372036854775808", -ERANGE);
    ASSERT_FAILS(cv_num_i64, "-9223372036854775809", -ERANGE);
    ASSERT_FAILS(cv_num_i64, "-", -EINVAL);
    ASSERT_FAILS(cv_num_i64, "--1", -EINVAL);
    ASSERT_FAILS(cv_num_i64, "+1", -EINVAL);
    ASSERT_FAILS(cv_num_i64, "", -EINVAL);
}

static void test_sizes_are_powers_of_1024(void **state)
{
    (void)state;
    ASSERT_READS(cv_num_size, "0", 0, 0);
    ASSERT_READS(cv_num_size, "64", 0, 64);
    ASSERT_READS(cv_num_size, "64k", 0, 65536);
    ASSERT_READS(cv_num_size, "1K", 0, 1024);
    ASSERT_READS(cv_num_size, "10M", 0, 10485760);
    ASSERT_READS(cv_num_size, "2g", 0, INT64_C(2147483648));
    ASSERT_READS(cv_num_size, "8589934591G", 0, INT64_C(8589934591) << 30);
    ASSERT_READS(cv_num_size, "9223372036854775807", 0, INT64_MAX);
}

static void test_sizes_that_are_none_are_refused(void **state)
{
    (void)state;
    ASSERT_FAILS(cv_num_size, "", -EINVAL);
    ASSERT_FAILS(cv_num_size, "k", -EINVAL);
    ASSERT_FAILS(cv_num_size, "-1", -EINVAL);
    ASSERT_FAILS(cv_num_size, "-1k", -EINVAL);
    ASSERT_FAILS(cv_num_size, "1kb", -EINVAL);
    ASSERT_FAILS(cv_num_size, "1kk", -EINVAL);
    ASSERT_FAILS(cv_num_size, "1.5k", -EINVAL);
    ASSERT_FAILS(cv_num_size, "1 k", -EINVAL);
    ASSERT_FAILS(cv_num_size, "1T", -EINVAL);
    ASSERT_FAILS(cv_num_size, "8589934592g", -ERANGE);
    ASSERT_FAILS(cv_num_size, "9007199254740992k", -ERANGE);
    ASSERT_FAILS(cv_num_size, "9223372036854775808", -ERANGE);
}

static void test_durations_know_their_units(void **state)
{
    (void)state;
    ASSERT_READS(cv_num_duration_ms, "0", 0, 0);
    ASSERT_READS(cv_num_duration_ms, "30", 0, 30000);
    ASSERT_READS(cv_num_duration_ms, "90s", 0, 90000);
    ASSERT_READS(cv_num_duration_ms, "250ms", 0, 250);
    ASSERT_READS(cv_num_duration_ms, "2m", 0, 120000);
    ASSERT_READS(cv_num_duration_ms, "1h", 0, 3600000);
    ASSERT_READS(cv_num_duration_ms, "1.5", 0, 1500);
    ASSERT_READS(cv_num_duration_ms, "0.25m", 0, 15000);
    ASSERT_READS(cv_num_duration_ms, "1.5ms", 0, 1);
    ASSERT_READS(cv_num_duration_ms, "0.999999999h", 0, 3599999);
    ASSERT_READS(cv_num_duration_ms, "0.0", 0, 0);
}

static void test_durations_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    "s",   "ms",           "m",
        ".",   ".5",  "1.",           "1.s",
        "-1",  "-1s", "1.-5",         "1..5",
        "1 s", "1S",  "1d",           "1.2.3",
        "1e3", "1sm", "0.0000000001", "0.00000000000000000000000000000000001"};
    for (size_t i = 0; i < CV_COUNT(bad); i++)
        ASSERT_FAILS(cv_num_duration_ms, bad[i], -EINVAL);
}

static void test_durations_do_not_overflow(void **state)
{
    (void)state;
    ASSERT_READS(cv_num_duration_ms, "9223372036854775s", -ERANGE, 0);
    ASSERT_READS(cv_num_duration_ms, "9223372036854774.999999999", 0, INT64_C(9223372036854774999));
    ASSERT_READS(cv_num_duration_ms, "2562047788014.999999999h", 0, INT64_C(9223372036853999999));
    ASSERT_FAILS(cv_num_duration_ms, "2562047788016h", -ERANGE);
    ASSERT_FAILS(cv_num_duration_ms, "9223372036854775807", -ERANGE);
    ASSERT_FAILS(cv_num_duration_ms, "99999999999999999999999ms", -ERANGE);
}

static void test_written_numbers_read_back(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int i = 0; i < 10000; i++) {
        uint64_t value = cv_rand_next(&random) >> (i % 64);
        value = i == 0 ? UINT64_MAX : i == 1 ? 0 : value;
        char text[20];
        size_t len = cv_num_write_u64(text, value);
        uint64_t back;
        assert_int_equal(cv_num_u64(cv_span(text, len), UINT64_MAX, &back), 0);
        assert_true(back == value);
        assert_true(text[0] != '0' || len == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_all_digits_is_refused),
        cmocka_unit_test(test_numbers_past_max_are_out_of_range),
        cmocka_unit_test(test_numbers_up_to_max_are_read),
        cmocka_unit_test(test_every_small_number_against_every_small_max),
        cmocka_unit_test(test_signed_numbers_have_their_ends),
        cmocka_unit_test(test_sizes_are_powers_of_1024),
        cmocka_unit_test(test_sizes_that_are_none_are_refused),
        cmocka_unit_test(test_durations_know_their_units),
        cmocka_unit_test(test_durations_that_are_none_are_refused),
        cmocka_unit_test(test_durations_do_not_overflow),
        cmocka_unit_test(test_written_numbers_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
