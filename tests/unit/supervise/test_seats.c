#include "supervise/sockets/seats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CAPACITY 6

static struct cv_seats seats;

/* "0 1 - 1": the seat of each slot; "x": it goes. */
static void assert_seated(const char *text)
{
    char found[2 * CAPACITY] = "";
    for (unsigned i = 0; i < CAPACITY; i++) {
        const struct cv_seated *at = &seats.slot[i];
        found[2 * i] = (char)(at->seat < 0 ? '-' : at->is_going ? 'x' : '0' + at->seat);
        found[2 * i + 1] = i + 1 < CAPACITY ? ' ' : '\0';
    }
    assert_string_equal(found, text);
}

static void open_up_to(unsigned wanted)
{
    int seat;
    while ((seat = cv_seats_missing(&seats, wanted)) >= 0)
        cv_seats_open(&seats, (unsigned)seat);
}

static int start(void **state)
{
    (void)state;
    return cv_seats_init(&seats, CAPACITY);
}

static int finish(void **state)
{
    (void)state;
    cv_seats_done(&seats);
    return 0;
}

static void seat_all(unsigned n)
{
    open_up_to(n);
    for (unsigned i = 0; i < n; i++)
        (void)cv_seats_take(&seats, i, -1);
}

static void test_everybody_has_a_seat(void **state)
{
    (void)state;
    seat_all(3);
    assert_seated("0 1 2 - - -");
    assert_int_equal(cv_seats_missing(&seats, 3), -1);
    assert_int_equal(cv_seats_superfluous(&seats, 3), -1);
}

static void test_the_next_takes_the_seat_of_one_that_died(void **state)
{
    (void)state;
    seat_all(3);
    cv_seats_leave(&seats, 1);
    assert_int_equal(cv_seats_superfluous(&seats, 3), -1);
    assert_int_equal(cv_seats_take(&seats, 4, -1), 1);
    assert_seated("0 - 2 - 1 -");
}

static void test_one_that_goes_keeps_nobody_out(void **state)
{
    (void)state;
    seat_all(2);
    cv_seats_going(&seats, 0);
    cv_seats_going(&seats, 0);
    assert_int_equal(cv_seats_take(&seats, 2, -1), 0);
    assert_seated("x 1 0 - - -");
    cv_seats_leave(&seats, 0);
    assert_seated("- 1 0 - - -");
    assert_int_equal(seats.seat[0].staying, 1);
}

static void test_a_roll_leaves_no_seat_empty(void **state)
{
    (void)state;
    seat_all(3);
    static const unsigned old[] = {2, 1, 0};
    static const unsigned new[] = {3, 2, 1};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(cv_seats_take(&seats, new[i], (int)old[i]), old[i]);
        cv_seats_going(&seats, old[i]);
        for (unsigned seat = 0; seat < 3; seat++)
            assert_int_equal(seats.seat[seat].staying, 1);
        cv_seats_leave(&seats, old[i]);
    }
    assert_seated("- 0 1 2 - -");
}

static void test_an_empty_seat_comes_before_that_of_the_one_who_goes(void **state)
{
    (void)state;
    seat_all(3);
    cv_seats_leave(&seats, 0);
    assert_int_equal(cv_seats_take(&seats, 3, 2), 0);
}

static void test_one_that_goes_already_has_no_seat_to_give(void **state)
{
    (void)state;
    seat_all(2);
    cv_seats_going(&seats, 1);
    (void)cv_seats_take(&seats, 2, -1);
    assert_int_equal(cv_seats_take(&seats, 3, 1), 0);
}

static void test_fewer_wanted_closes_the_seat_that_nobody_stays_in(void **state)
{
    (void)state;
    seat_all(3);
    assert_int_equal(cv_seats_superfluous(&seats, 2), -1);
    cv_seats_going(&seats, 2);
    assert_int_equal(cv_seats_superfluous(&seats, 2), 2);
    cv_seats_close(&seats, 2);
    assert_int_equal(cv_seats_superfluous(&seats, 2), -1);
    assert_seated("0 1 x - - -");
    cv_seats_leave(&seats, 2);
    assert_int_equal(seats.n_open, 2);
}

static void test_a_closed_seat_may_be_opened_while_its_last_member_goes(void **state)
{
    (void)state;
    seat_all(2);
    cv_seats_going(&seats, 1);
    cv_seats_close(&seats, 1);
    open_up_to(2);
    assert_int_equal(cv_seats_take(&seats, 2, -1), 1);
    cv_seats_leave(&seats, 1);
    assert_int_equal(seats.seat[1].staying, 1);
}

static void test_without_enough_seats_they_are_shared(void **state)
{
    (void)state;
    open_up_to(2);
    for (unsigned i = 0; i < 4; i++)
        (void)cv_seats_take(&seats, i, -1);
    assert_seated("0 1 0 1 - -");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everybody_has_a_seat, start, finish),
        cmocka_unit_test_setup_teardown(test_the_next_takes_the_seat_of_one_that_died, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_one_that_goes_keeps_nobody_out, start, finish),
        cmocka_unit_test_setup_teardown(test_a_roll_leaves_no_seat_empty, start, finish),
        cmocka_unit_test_setup_teardown(test_an_empty_seat_comes_before_that_of_the_one_who_goes,
                                        start, finish),
        cmocka_unit_test_setup_teardown(test_one_that_goes_already_has_no_seat_to_give, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_fewer_wanted_closes_the_seat_that_nobody_stays_in,
                                        start, finish),
        cmocka_unit_test_setup_teardown(test_a_closed_seat_may_be_opened_while_its_last_member_goes,
                                        start, finish),
        cmocka_unit_test_setup_teardown(test_without_enough_seats_they_are_shared, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
