/* Named values: what is read, how much of it, and how it is found again. */
#include "http/args.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct cv_siphash_key key = {{1, 2}};
static struct cv_arena arena;
static struct cv_args args;

static int set_up(void **state)
{
    (void)state;
    cv_arena_init(&arena);
    cv_args_init(&args, &arena, &key, 1000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cv_arena_done(&arena);
    return 0;
}

/* "name=value|..." of all there are. */
static const char *listed(void)
{
    static char text[1024];
    size_t len = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < args.n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%s|", args.at[i].name,
                                args.at[i].value);
    return text;
}

static void test_names_and_values_are_decoded(void **state)
{
    (void)state;
    assert_int_equal(cv_args_read(&args, CV_SPAN("a=1&b=x+y%21&%63=%3D%26&d=p=q")), 0);
    assert_string_equal(listed(), "a=1|b=x y!|c==&|d=p=q|");
}

static void test_empty_pieces_are_none_empty_values_are(void **state)
{
    (void)state;
    assert_int_equal(cv_args_read(&args, CV_SPAN("&&a&&b=&=c&")), 0);
    assert_string_equal(listed(), "a=|b=|=c|");
    assert_int_equal(cv_args_read(&args, CV_SPAN("")), 0);
    assert_int_equal(args.n, 3);
}

static void test_what_cannot_be_decoded_is_refused(void **state)
{
    static const char *const wrong[] = {"a=%", "a=%2", "%zz=1", "a=%00", "%00", "b&a=%0"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(cv_args_read(&args, cv_span_str(wrong[i])), -400);
}

static void test_a_name_may_come_several_times(void **state)
{
    (void)state;
    assert_int_equal(cv_args_read(&args, CV_SPAN("a=1&b=2&a=3&c=4&a=5")), 0);
    const struct cv_arg *arg = cv_args_find(&args, "a");
    assert_string_equal(arg->value, "1");
    arg = cv_args_next(&args, arg);
    assert_string_equal(arg->value, "3");
    arg = cv_args_next(&args, arg);
    assert_string_equal(arg->value, "5");
    assert_null(cv_args_next(&args, arg));
    assert_null(cv_args_find(&args, "d"));
}

static void test_getters(void **state)
{
    const char *name, *value;
    size_t at = 0;

    (void)state;
    assert_int_equal(cv_args_read(&args, CV_SPAN("a=1&b=2&a=3")), 0);
    assert_string_equal(cv_args_value(&args, "a"), "1");
    assert_null(cv_args_value(&args, "c"));
    assert_string_equal(cv_args_list(&args, "a", &at), "1");
    assert_string_equal(cv_args_list(&args, "a", &at), "3");
    assert_null(cv_args_list(&args, "a", &at));
    assert_null(cv_args_list(&args, "a", &at));
    at = 0;
    for (int i = 0; i < 3; i++)
        assert_true(cv_args_each(&args, &at, &name, &value));
    assert_string_equal(value, "3");
    assert_false(cv_args_each(&args, &at, &name, &value));
    at = 0;
    assert_null(cv_args_value(NULL, "a"));
    assert_null(cv_args_list(NULL, "a", &at));
    assert_false(cv_args_each(NULL, &at, &name, &value));
}

static void test_more_than_the_most_are_refused(void **state)
{
    (void)state;
    cv_args_init(&args, &arena, &key, 3);
    assert_int_equal(cv_args_read(&args, CV_SPAN("a&b&c&d")), -E2BIG);
    assert_int_equal(args.n, 0);
    assert_int_equal(cv_args_read(&args, CV_SPAN("a&b")), 0);
    assert_int_equal(cv_args_read(&args, CV_SPAN("c&d")), -E2BIG);
    assert_int_equal(cv_args_add(&args, "c", "1"), 0);
    assert_int_equal(cv_args_add(&args, "d", "1"), -E2BIG);
}

/* Past a handful there is an index, which grows. */
static void test_many_are_found(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char *own = cv_arena_printf(&arena, "n%d", i % 400);
        assert_non_null(own);
        assert_int_equal(cv_args_add(&args, own, cv_arena_printf(&arena, "%d", i)), 0);
    }
    for (int i = 0; i < 400; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        const struct cv_arg *arg = cv_args_find(&args, name);
        for (int value = i; value < 1000; value += 400) {
            char text[32];
            (void)snprintf(text, sizeof(text), "%d", value);
            assert_non_null(arg);
            assert_string_equal(arg->value, text);
            arg = cv_args_next(&args, arg);
        }
        assert_null(arg);
    }
    assert_null(cv_args_find(&args, "n400"));
}

/* Slots looked at beyond the first, for all names together. */
static uint64_t collisions(const struct cv_siphash_key *with, char names[][16], uint32_t n)
{
    uint64_t sum = 0;
    cv_args_init(&args, &arena, with, n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(cv_args_add(&args, names[i], ""), 0);
    for (uint32_t slot = 0; slot < args.n_slots; slot++) {
        if (args.slots[slot] == 0)
            continue;
        uint64_t home = cv_siphash(with, cv_span_str(args.at[args.slots[slot] - 1].name));
        sum += (slot - home) & (args.n_slots - 1);
    }
    return sum;
}

/* Who knew the key could choose names that all belong into one slot; without it, the same names lie
 * as any others. */
static void test_names_that_collide_need_the_key(void **state)
{
    enum { N = 300 };
    static char names[N][16];
    const struct cv_siphash_key other = {{3, 4}};

    (void)state;
    uint32_t found = 0;
    for (uint32_t i = 0; found < N; i++) {
        (void)snprintf(names[found], sizeof(names[found]), "n%u", i);
        if ((cv_siphash(&key, cv_span_str(names[found])) & 1023) == 0)
            found++;
    }
    assert_true(collisions(&key, names, N) > (uint64_t)N * N / 4);
    assert_true(collisions(&other, names, N) < 2 * N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_and_values_are_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_pieces_are_none_empty_values_are, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_decoded_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_may_come_several_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_getters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_than_the_most_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_that_collide_need_the_key, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
