/* What is found by a text, and that keys as apps have them lie apart. */
#include "app/routing/table.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define N 20000
#define RUN_MAX 64 /* taken slots beside each other; a good sum has some 30 at most */

static void test_keys_of_every_length_are_told_apart(void **state)
{
    (void)state;
    static char keys[64][64];
    struct cv_arena arena;
    struct cv_table table = {0};
    cv_arena_init(&arena);
    for (size_t len = 0; len < 64; len++) {
        memset(keys[len], 'a', len);
        assert_null(cv_table_find(&table, cv_span(keys[len], len)));
        assert_int_equal(cv_table_put(&table, &arena, cv_span(keys[len], len), keys[len]), 0);
    }
    assert_int_equal(table.n, 64);
    for (size_t len = 0; len < 64; len++) {
        char other[64];
        memcpy(other, keys[len], len);
        assert_ptr_equal(cv_table_find(&table, cv_span(other, len)), keys[len]);
        for (size_t at = 0; at < len; at++) {
            other[at] = 'b';
            assert_null(cv_table_find(&table, cv_span(other, len)));
            other[at] = 'a';
        }
    }
    assert_int_equal(cv_table_put(&table, &arena, cv_span(keys[5], 5), keys[6]), 0);
    assert_ptr_equal(cv_table_find(&table, cv_span(keys[5], 5)), keys[6]);
    assert_int_equal(table.n, 64);
    cv_arena_done(&arena);
}

static size_t longest_run(const struct cv_table *table)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < table->n_slots; i++) {
        run = table->slots[i].key.at != NULL ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void test_numbered_keys_lie_apart(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        int digits;
        const char *behind;
    } shapes[] = {{"", 1, ""},         {"", 5, ""},          {"r", 1, ""},     {"/exact/", 5, ""},
                  {"/api/v1/", 1, ""}, {"", 1, "/abcdefgh"}, {"/u", 8, "/me"}, {"item-", 1, "-of"}};
    for (size_t s = 0; s < CV_COUNT(shapes); s++) {
        struct cv_arena arena;
        struct cv_table table = {0};
        cv_arena_init(&arena);
        for (int i = 0; i < N; i++) {
            char text[64];
            snprintf(text, sizeof(text), "%s%0*d%s", shapes[s].before, shapes[s].digits, i,
                     shapes[s].behind);
            char *key = cv_arena_strndup(&arena, cv_span_str(text));
            assert_int_equal(cv_table_put(&table, &arena, cv_span_str(key), key), 0);
        }
        if (longest_run(&table) > RUN_MAX)
            fail_msg("%s0%s: a run of %zu", shapes[s].before, shapes[s].behind,
                     longest_run(&table));
        cv_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_every_length_are_told_apart),
        cmocka_unit_test(test_numbered_keys_lie_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
