#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    int number;
    struct cv_link link;
};

static int number_of(const struct cv_link *link)
{
    return CV_CONTAINER_OF(link, struct item, link)->number;
}

static void test_popping_an_empty_ring_gives_nothing(void **state)
{
    (void)state;
    struct cv_link head;
    cv_list_init(&head);
    assert_true(cv_list_empty(&head));
    assert_null(cv_list_pop(&head));
}

static void test_removing_twice_does_no_harm(void **state)
{
    (void)state;
    struct cv_link head;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    cv_list_init(&head);
    for (int i = 0; i < 3; i++)
        cv_list_push(&head, &items[i].link);
    cv_list_remove(&items[1].link);
    cv_list_remove(&items[1].link);
    assert_int_equal(number_of(cv_list_pop(&head)), 0);
    assert_int_equal(number_of(cv_list_pop(&head)), 2);
    assert_true(cv_list_empty(&head));
}

static void test_items_come_out_in_the_order_of_going_in(void **state)
{
    (void)state;
    struct cv_link head;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    cv_list_init(&head);
    for (int i = 0; i < 4; i++)
        cv_list_push(&head, &items[i].link);
    int next = 0;
    CV_LIST_EACH (link, &head)
        assert_int_equal(number_of(link), next++);
    assert_int_equal(next, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(number_of(cv_list_pop(&head)), i);
}

static void test_the_current_item_may_leave_while_walking(void **state)
{
    (void)state;
    struct cv_link head;
    struct item items[5];
    cv_list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        cv_list_push(&head, &items[i].link);
    }
    CV_LIST_EACH_SAFE (link, &head)
        if (number_of(link) % 2 == 0)
            cv_list_remove(link);
    assert_int_equal(number_of(cv_list_pop(&head)), 1);
    assert_int_equal(number_of(cv_list_pop(&head)), 3);
    assert_null(cv_list_pop(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_popping_an_empty_ring_gives_nothing),
        cmocka_unit_test(test_removing_twice_does_no_harm),
        cmocka_unit_test(test_items_come_out_in_the_order_of_going_in),
        cmocka_unit_test(test_the_current_item_may_leave_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
