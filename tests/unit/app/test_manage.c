/* Declarations of managed processes: what is right, and what is said about what is wrong. */
#include "app_rig.h"

#include <string.h>

static int work(covey_app *self)
{
    (void)self;
    return 0;
}

static void test_declarations_are_kept_in_order(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "exit", NULL};
    covey_manage(&app, "queue", work, .workers = 3, .restart = COVEY_RESTART_NEVER);
    covey_manage_command(&app, "shell", argv, .transient = true);
    assert_false(app.failed);
    const struct cv_process *queue = app.processes;
    assert_string_equal(queue->name, "queue");
    assert_int_equal(queue->workers, 3);
    assert_int_equal(queue->words.len, 0);
    assert_string_equal(queue->next->name, "shell");
    assert_int_equal(queue->next->workers, 1);
    assert_true(queue->next->is_transient);
    assert_int_equal(queue->next->words.len, 11);
    assert_memory_equal(queue->next->words.at, "sh\0-c\0exit", 11);
    assert_ptr_equal(cv_app_process(&app, "shell"), queue->next);
    assert_null(cv_app_process(&app, "nothing"));
}

static void test_names_must_be_names(void **state)
{
    (void)state;
    covey_manage(&app, NULL, work);
    assert_refused("no name");
    covey_manage(&app, "", work);
    assert_refused("no name");
    covey_manage(&app, "0123456789012345678901234567890x", work);
    assert_refused("longer than 31");
    covey_manage(&app, "a b", work);
    assert_refused("letters, digits");
    covey_manage(&app, "42", work);
    assert_refused("numbers mean workers");
    covey_manage(&app, "main", work);
    assert_refused("covey's own");
    covey_manage(&app, "twice", work);
    covey_manage(&app, "twice", work);
    assert_refused("declared before");
}

static void test_numbers_are_limited(void **state)
{
    (void)state;
    covey_manage(&app, "a", work, .workers = -1);
    assert_refused("one worker or more");
    covey_manage(&app, "b", work, .workers = COVEY_MANAGED_MAX);
    assert_false(app.failed);
    covey_manage(&app, "c", work);
    assert_refused("64 managed processes in all");
    covey_manage(&app, "d", work, .restart = (enum covey_restart)7);
    assert_true(app.failed);
}

static void test_there_must_be_something_to_run(void **state)
{
    (void)state;
    static char long_word[9000];
    memset(long_word, 'x', sizeof(long_word) - 1);
    const char *const empty[] = {NULL};
    const char *const nobody[] = {"/no/such/program", NULL};
    const char *const text[] = {"/etc/passwd", NULL};
    const char *const many[] = {"sh", long_word, NULL};
    covey_manage(&app, "a", NULL);
    assert_refused("its function is NULL");
    covey_manage_command(&app, "b", NULL);
    assert_refused("no command");
    covey_manage_command(&app, "c", empty);
    assert_refused("no command");
    covey_manage_command(&app, "d", nobody);
    assert_refused("no such program (\"/no/such/program\")");
    covey_manage_command(&app, "e", text);
    assert_refused("may not be executed");
    covey_manage_command(&app, "f", many);
    assert_refused("8192 bytes");
}

static void test_only_setup_may_declare(void **state)
{
    (void)state;
    app.phase = CV_APP_RUNNING;
    covey_manage(&app, "late", work);
    assert_null(app.processes);
    assert_false(app.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_declarations_are_kept_in_order, open_app, close_app),
        cmocka_unit_test_setup_teardown(test_names_must_be_names, open_app, close_app),
        cmocka_unit_test_setup_teardown(test_numbers_are_limited, open_app, close_app),
        cmocka_unit_test_setup_teardown(test_there_must_be_something_to_run, open_app, close_app),
        cmocka_unit_test_setup_teardown(test_only_setup_may_declare, open_app, close_app),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
