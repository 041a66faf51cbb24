/* What is kept with connections: many of them, found, replaced, released once. */
#include "app/request/conns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static unsigned n_released;

static void release(void *ctx)
{
    (*(unsigned *)ctx)++;
    n_released++;
}

static void test_many_are_found_until_they_are_taken(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static unsigned things[MANY];
    struct cv_conns conns = {.at = NULL};
    n_released = 0;
    assert_null(cv_conns_find(&conns, 4096));
    assert_null(cv_conns_take(&conns, 4096));
    for (uintptr_t i = 0; i < MANY; i++) {
        struct cv_conn_ctx *kept = cv_conns_add(&conns, 4096 + i * 256);
        assert_non_null(kept);
        cv_conn_ctx_set(kept, &things[i], release);
    }
    for (uintptr_t i = 0; i < MANY; i++)
        assert_ptr_equal(cv_conns_find(&conns, 4096 + i * 256)->ctx, &things[i]);
    for (uintptr_t i = 0; i < MANY; i += 2)
        cv_conn_ctx_unref(cv_conns_take(&conns, 4096 + i * 256));
    assert_int_equal(n_released, MANY / 2);
    assert_int_equal(conns.n, MANY / 2);
    assert_null(cv_conns_find(&conns, 4096));
    assert_ptr_equal(cv_conns_find(&conns, 4096 + 256)->ctx, &things[1]);
    cv_conns_done(&conns);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(things[i], 1);
}

static void test_what_a_request_still_holds_is_released_by_it(void **state)
{
    (void)state;
    unsigned thing = 0;
    struct cv_conns conns = {.at = NULL};
    struct cv_conn_ctx *kept = cv_conns_add(&conns, 4096);
    kept->refs++;
    cv_conn_ctx_set(kept, &thing, release);
    cv_conn_ctx_unref(cv_conns_take(&conns, 4096));
    assert_int_equal(thing, 0);
    cv_conn_ctx_unref(kept);
    assert_int_equal(thing, 1);
    cv_conns_done(&conns);
}

static void test_another_thing_takes_its_place(void **state)
{
    (void)state;
    unsigned one = 0, two = 0;
    struct cv_conns conns = {.at = NULL};
    struct cv_conn_ctx *kept = cv_conns_add(&conns, 4096);
    cv_conn_ctx_set(kept, &one, release);
    cv_conn_ctx_set(kept, &one, release);
    assert_int_equal(one, 0);
    cv_conn_ctx_set(kept, &two, release);
    assert_int_equal(one, 1);
    cv_conn_ctx_set(kept, &two, NULL);
    cv_conns_done(&conns);
    assert_int_equal(two, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_are_found_until_they_are_taken),
        cmocka_unit_test(test_what_a_request_still_holds_is_released_by_it),
        cmocka_unit_test(test_another_thing_takes_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
