/* The pool of stacks: order, trimming, measuring. */
#include "unit/loop/rig.h"

#include <sys/mman.h>

#include "loop/stack.h"

enum { SIZE = 256 * 1024, PAGE = 4096 };

static size_t resident(const char *low)
{
    unsigned char pages[SIZE / PAGE];
    size_t count = 0;
    assert_int_equal(mincore((void *)(uintptr_t)low, SIZE, pages), 0);
    for (size_t i = 0; i < sizeof pages; i++)
        count += pages[i] & 1;
    return count;
}

static void test_size_is_rounded_up_to_pages_and_a_minimum(void **state)
{
    (void)state;
    struct cv_stacks stacks;
    cv_stacks_init(&stacks, 1);
    assert_in_range(stacks.size, 16 * 1024, 64 * 1024);
    cv_stacks_init(&stacks, 100001);
    assert_int_equal(stacks.size % PAGE, 0);
    assert_in_range(stacks.size, 100001, 100001 + 65536);
    cv_stacks_done(&stacks);
}

static void test_last_given_is_the_first_taken(void **state)
{
    (void)state;
    struct cv_stacks stacks;
    cv_stacks_init(&stacks, SIZE);
    char *a = cv_stacks_take(&stacks);
    char *b = cv_stacks_take(&stacks);
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    cv_stacks_give(&stacks, a);
    cv_stacks_give(&stacks, b);
    assert_ptr_equal(cv_stacks_take(&stacks), b);
    assert_ptr_equal(cv_stacks_take(&stacks), a);
    cv_stacks_give(&stacks, a);
    cv_stacks_give(&stacks, b);
    cv_stacks_done(&stacks);
}

static void test_hottest_stacks_keep_their_memory_and_the_others_give_it_back(void **state)
{
    (void)state;
    enum { N = 100 };
    char *all[N];
    struct cv_stacks stacks;
    cv_stacks_init(&stacks, SIZE);
    for (int i = 0; i < N; i++) {
        all[i] = cv_stacks_take(&stacks);
        memset(all[i] + SIZE - 2 * PAGE, 1, 2 * PAGE);
    }
    for (int i = 0; i < N; i++)
        cv_stacks_give(&stacks, all[i]);
    assert_int_equal(resident(all[0]), 0);
    assert_int_equal(resident(all[N - 33]), 0);
    assert_int_equal(resident(all[N - 32]), 2);
    assert_int_equal(resident(all[N - 1]), 2);
    for (int i = N - 1; i >= 0; i--)
        assert_ptr_equal(cv_stacks_take(&stacks), all[i]);
    for (int i = 0; i < N; i++)
        cv_stacks_give(&stacks, all[i]);
    cv_stacks_done(&stacks);
}

static void test_use_is_remembered_after_trimming(void **state)
{
    (void)state;
    enum { N = 40 };
    char *all[N];
    struct cv_stacks stacks;
    cv_stacks_init(&stacks, SIZE);
    assert_int_equal(cv_stacks_used(&stacks), 0);
    for (int i = 0; i < N; i++)
        all[i] = cv_stacks_take(&stacks);
    memset(all[0] + SIZE - 10 * PAGE, 1, PAGE);
    memset(all[N - 1] + SIZE - 5 * PAGE, 1, PAGE);
    for (int i = 0; i < N; i++)
        cv_stacks_give(&stacks, all[i]);
    assert_int_equal(resident(all[0]), 0);
    assert_int_equal(cv_stacks_used(&stacks), 10 * PAGE);
    cv_stacks_done(&stacks);
}

static void test_guard_lies_right_below(void **state)
{
    (void)state;
    struct cv_stacks stacks;
    cv_stacks_init(&stacks, SIZE);
    char *low = cv_stacks_take(&stacks);
    assert_true(cv_stack_guards(low, low - 1));
    assert_true(cv_stack_guards(low, low - 64 * 1024));
    assert_false(cv_stack_guards(low, low));
    assert_false(cv_stack_guards(low, low - 64 * 1024 - 1));
    assert_false(cv_stack_guards(low, NULL));
    cv_stacks_give(&stacks, low);
    cv_stacks_done(&stacks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size_is_rounded_up_to_pages_and_a_minimum),
        cmocka_unit_test(test_last_given_is_the_first_taken),
        cmocka_unit_test(test_hottest_stacks_keep_their_memory_and_the_others_give_it_back),
        cmocka_unit_test(test_use_is_remembered_after_trimming),
        cmocka_unit_test(test_guard_lies_right_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
