#include "supervise/control/message.h"

#include <errno.h>
#include <stdio.h>

#include "base/rand.h"
#include "brood.h"

static struct cv_message message;
static struct cv_control_request got;
static struct cv_listeners listeners;

static void write_command(enum cv_control_command command, uint32_t number)
{
    memset(&message, 0xa5, sizeof(message));
    cv_control_write(&message, &(struct cv_control_request){command, number});
}

/* ---- Commands ---- */

static void test_any_bytes_are_refused_or_a_valid_command(void **state)
{
    (void)state;
    uint64_t random = 7;
    unsigned valid = 0;
    for (int round = 0; round < 200000; round++) {
        message.kind = (uint32_t)(cv_rand_next(&random) % 256);
        message.body_len = (uint32_t)(cv_rand_next(&random) % 3);
        message.word[0] = (uint32_t)(cv_rand_next(&random) % 8);
        message.word[3] = (uint32_t)(cv_rand_next(&random) % (CV_CONTROL_VERSION + 1));
        if (cv_control_read(&got, &message) < 0)
            continue;
        valid++;
        assert_in_range(got.command, CV_CONTROL_STATUS, CV_CONTROL_METRICS);
        assert_int_equal(message.body_len, 0);
    }
    assert_true(valid > 100);
}

static void test_command_with_a_body_is_refused(void **state)
{
    (void)state;
    write_command(CV_CONTROL_RELOAD, 0);
    message.body_len = 1;
    assert_int_equal(cv_control_read(&got, &message), -EBADMSG);
}

static void test_command_of_another_version_is_told_from_nonsense(void **state)
{
    (void)state;
    write_command(CV_CONTROL_RELOAD, 0);
    message.word[3]++;
    assert_int_equal(cv_control_read(&got, &message), -EPROTO);
}

static void test_stop_knows_two_kinds(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < 10; kind++) {
        write_command(CV_CONTROL_STOP, kind);
        int expected = kind == CV_STOP_TERM || kind == CV_STOP_QUIT ? 0 : -EBADMSG;
        assert_int_equal(cv_control_read(&got, &message), expected);
    }
}

static void test_messages_of_workers_are_no_commands(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < CV_CONTROL_STATUS; kind++) {
        write_command((enum cv_control_command)kind, 0);
        assert_int_equal(cv_control_read(&got, &message), -EBADMSG);
    }
}

static void test_command_is_read_as_it_was_written(void **state)
{
    (void)state;
    write_command(CV_CONTROL_SCALE, 17);
    assert_int_equal(cv_control_read(&got, &message), 0);
    assert_int_equal(got.command, CV_CONTROL_SCALE);
    assert_int_equal(got.number, 17);
}

/* ---- Answers ---- */

static void write_fleet(void)
{
    listeners.n = 2;
    (void)snprintf(listeners.item[0].text, sizeof(listeners.item[0].text), "http://127.0.0.1:1");
    (void)snprintf(listeners.item[1].text, sizeof(listeners.item[1].text), "unix:/s");
    struct cv_control_fleet fleet = {.name = "shop", .wanted = 3, .reload = "none"};
    cv_control_write_fleet(&message, &fleet, &listeners);
}

static void test_listeners_with_an_owner_are_not_the_servers(void **state)
{
    (void)state;
    struct cv_control_fleet fleet;
    const char *texts;
    (void)snprintf(listeners.item[0].owner, sizeof(listeners.item[0].owner), "inspector");
    write_fleet();
    listeners.item[0].owner[0] = '\0';
    assert_int_equal(cv_control_read_fleet(&fleet, &texts, &message), 0);
    assert_int_equal(fleet.n_listeners, 1);
    assert_string_equal(texts, "unix:/s");
}

static void test_fleet_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct cv_control_fleet fleet;
    const char *texts;
    write_fleet();
    for (uint32_t len = 0; len < message.body_len; len++) {
        struct cv_message cut = message;
        cut.body_len = len;
        assert_int_equal(cv_control_read_fleet(&fleet, &texts, &cut), -EBADMSG);
    }
}

static void test_fleet_with_more_listeners_than_it_has_is_refused(void **state)
{
    (void)state;
    struct cv_control_fleet fleet;
    const char *texts;
    write_fleet();
    memcpy(&fleet, message.body, sizeof(fleet));
    fleet.n_listeners = UINT32_MAX;
    memcpy(message.body, &fleet, sizeof(fleet));
    assert_int_equal(cv_control_read_fleet(&fleet, &texts, &message), -EBADMSG);
}

static void test_names_without_an_end_get_one(void **state)
{
    (void)state;
    struct cv_control_fleet fleet;
    struct cv_control_slot slot;
    const char *texts;
    write_fleet();
    memset(message.body, 'x', sizeof(fleet.name));
    assert_int_equal(cv_control_read_fleet(&fleet, &texts, &message), 0);
    assert_int_equal(strlen(fleet.name), sizeof(fleet.name) - 1);

    memset(&slot, 'x', sizeof(slot));
    cv_control_write_slots(&message);
    assert_true(cv_control_add_slot(&message, &slot));
    assert_true(cv_control_read_slot(&slot, &message, 0));
    assert_int_equal(strlen(slot.state), sizeof(slot.state) - 1);
}

static void test_fleet_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct cv_control_fleet fleet;
    const char *texts;
    write_fleet();
    assert_int_equal(cv_control_read_fleet(&fleet, &texts, &message), 0);
    assert_string_equal(fleet.name, "shop");
    assert_int_equal(fleet.wanted, 3);
    assert_int_equal(fleet.n_listeners, 2);
    assert_string_equal(texts, "http://127.0.0.1:1");
    assert_string_equal(texts + strlen(texts) + 1, "unix:/s");
}

static void test_slots_fill_a_message_and_no_more(void **state)
{
    (void)state;
    struct cv_control_slot slot = {.state = "READY"};
    cv_control_write_slots(&message);
    size_t n = 0;
    for (; cv_control_add_slot(&message, &slot); n++)
        slot.slot++;
    assert_int_equal(n, CV_CONTROL_SLOTS_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_true(cv_control_read_slot(&slot, &message, i));
        assert_int_equal(slot.slot, i);
    }
    assert_false(cv_control_read_slot(&slot, &message, n));
}

static void test_sentence_that_is_too_long_is_cut(void **state)
{
    (void)state;
    static char sentence[2 * CV_MESSAGE_BODY_MAX];
    memset(sentence, 's', sizeof(sentence) - 1);
    cv_control_write_done(&message, false, sentence);
    assert_int_equal(message.word[0], 1);
    assert_in_range(message.body_len, 1, CV_MESSAGE_BODY_MAX);
}

static void test_regions_are_read_as_they_were_written(void **state)
{
    (void)state;
    uint32_t slot;
    cv_control_write_regions(&message, 7);
    for (uint32_t i = 0; i < CV_CHANNEL_FILES_MAX; i++)
        cv_control_add_region(&message, 100 + i);
    assert_int_equal(cv_control_layout(&message), 7);
    for (uint32_t i = 0; i < CV_CHANNEL_FILES_MAX; i++) {
        assert_true(cv_control_read_region(&slot, &message, i));
        assert_int_equal(slot, 100 + i);
    }
    assert_false(cv_control_read_region(&slot, &message, CV_CHANNEL_FILES_MAX));
    cv_control_write_slots(&message);
    assert_false(cv_control_read_region(&slot, &message, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bytes_are_refused_or_a_valid_command),
        cmocka_unit_test(test_command_with_a_body_is_refused),
        cmocka_unit_test(test_command_of_another_version_is_told_from_nonsense),
        cmocka_unit_test(test_stop_knows_two_kinds),
        cmocka_unit_test(test_messages_of_workers_are_no_commands),
        cmocka_unit_test(test_command_is_read_as_it_was_written),
        cmocka_unit_test(test_listeners_with_an_owner_are_not_the_servers),
        cmocka_unit_test(test_fleet_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(test_fleet_with_more_listeners_than_it_has_is_refused),
        cmocka_unit_test(test_names_without_an_end_get_one),
        cmocka_unit_test(test_fleet_is_read_as_it_was_written),
        cmocka_unit_test(test_slots_fill_a_message_and_no_more),
        cmocka_unit_test(test_regions_are_read_as_they_were_written),
        cmocka_unit_test(test_sentence_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
