#include "cli/doctor/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static const struct cv_doctor_proc parent = {
    .pid = 10, .state = 'T', .comm = "app", .args = {"python3\0app.py\0", 15}};
static const struct cv_doctor_proc worker = {.pid = 11,
                                             .ppid = 10,
                                             .comm = "python3",
                                             .start = 100,
                                             .args = {"python3\0\x1b[2J\xff\n", 14},
                                             .uid = 4000000000U};
static struct cv_doctor_listen listens[] = {
    {11, "127.0.0.1:8000"}, {12, "0.0.0.0:1"}, {11, "unix:/run/x\x1b"}};
static const struct cv_doctor_sight sight = {.listens = listens,
                                             .n_listens = 3,
                                             .now = 100 + 100 * 7300,
                                             .ticks_per_s = 100,
                                             .wall_s = 1000};

/* The line of the finding, to be freed by nobody. */
static const char *say(const struct cv_doctor_finding *finding)
{
    static char text[1024];
    struct cv_buf line;
    cv_buf_init(&line, sizeof(text));
    assert_int_equal(cv_doctor_say(&sight, finding, &line), 0);
    (void)snprintf(text, sizeof(text), "%.*s", (int)line.len, line.at);
    cv_buf_done(&line);
    return text;
}

static void assert_says(const char *line, const char *part)
{
    assert_non_null(strstr(line, part));
}

static void test_orphan_is_told_with_user_age_ports_and_what_to_do(void **state)
{
    (void)state;
    struct cv_doctor_finding finding = {CV_DOCTOR_MP_WORKER, &worker, &parent, NULL};
    const char *line = say(&finding);
    assert_says(line, "orphan 11 python3 ");
    assert_says(line,
                "(4000000000, 2 h): a worker of Python's multiprocessing whose parent is gone");
    assert_says(line, "10 (python3 app.py) has taken it in");
    assert_says(line, "It still listens on 127.0.0.1:8000, unix:/run/x?. To do: kill 11");
}

static void test_zombie_names_who_should_have_asked(void **state)
{
    (void)state;
    struct cv_doctor_proc dead = {.pid = 11, .ppid = 10, .comm = "sleep", .state = 'Z'};
    struct cv_doctor_finding finding = {CV_DOCTOR_ZOMBIE, &dead, &parent, NULL};
    const char *line = say(&finding);
    assert_says(line, "zombie 11 [sleep] (root, started before");
    assert_says(line, "its parent 10 (python3 app.py), which is stopped, has not asked");
    assert_says(line, "this is a bug of 10");
}

static void test_what_others_chose_cannot_steer_a_terminal(void **state)
{
    (void)state;
    const struct cv_doctor_file file = {.is_socket = true, .path = "/tmp/\x1b]0;\n\xc2\x9b\x7f"};
    struct cv_doctor_finding findings[] = {{CV_DOCTOR_MP_WORKER, &worker, &parent, NULL},
                                           {CV_DOCTOR_SOCKET, NULL, NULL, &file}};
    for (size_t i = 0; i < CV_COUNT(findings); i++) {
        const char *line = say(&findings[i]);
        for (const char *at = line; *at != '\0'; at++)
            assert_in_range(*at, 0x20, 0x7E);
    }
    assert_says(say(&findings[1]), "socket /tmp/?]0;????");
}

static void test_foreign_letters_stay_and_long_lines_are_cut_between_them(void **state)
{
    (void)state;
    char args[400] = "";
    for (int i = 0; i < 60; i++)
        (void)snprintf(args + i * 3, 4, "\xe6\xb5\x8b");
    for (size_t shift = 0; shift < 3; shift++) {
        char shifted[400];
        (void)snprintf(shifted, sizeof(shifted), "%.*s%s", (int)shift, "ab", args);
        struct cv_doctor_proc proc = worker;
        proc.pid = 13; /* listens on nothing */
        proc.args = cv_span_str(shifted);
        struct cv_doctor_finding finding = {CV_DOCTOR_HINT, &proc, &parent, NULL};
        const char *line = say(&finding);
        assert_says(line, "\xe6\xb5\x8b... (");
        assert_null(strchr(line, '?'));
    }
}

static void test_json_survives_bytes_that_are_no_text(void **state)
{
    (void)state;
    struct cv_doctor_finding finding = {CV_DOCTOR_MP_WORKER, &worker, &parent, NULL};
    json_t *all = cv_doctor_json(&sight, &finding, 1);
    assert_non_null(all);
    const json_t *one = json_array_get(json_object_get(all, "findings"), 0);
    assert_int_equal(json_integer_value(json_object_get(one, "pid")), 11);
    assert_int_equal(json_integer_value(json_object_get(one, "age_s")), 7300);
    assert_int_equal(json_integer_value(json_object_get(one, "uid")), 4000000000U);
    assert_string_equal(json_string_value(json_object_get(one, "command")), "python3 ?[2J??");
    assert_int_equal(json_array_size(json_object_get(one, "listens")), 2);
    json_decref(all);
}

static void test_sum_counts_each_kind(void **state)
{
    (void)state;
    struct cv_doctor_sight some = {.n_hidden = 3};
    struct cv_doctor_finding findings[] = {{CV_DOCTOR_ZOMBIE, &worker, NULL, NULL},
                                           {CV_DOCTOR_STRAY, &worker, NULL, NULL},
                                           {CV_DOCTOR_MP_TRACKER, &worker, NULL, NULL},
                                           {CV_DOCTOR_HINT, &worker, NULL, NULL}};
    struct cv_buf line;
    cv_buf_init(&line, 1024);
    assert_int_equal(cv_doctor_sum_up(&some, findings, 4, &line), 0);
    assert_true(strncmp(line.at, "1 zombie, 2 orphans, 1 hint (3 processes", 40) == 0);
    cv_buf_done(&line);
    assert_int_equal(cv_doctor_sum_up(&sight, NULL, 0, &line), 0);
    assert_true(cv_span_eq(cv_buf_span(&line), CV_SPAN("nothing is left behind")));
    cv_buf_done(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orphan_is_told_with_user_age_ports_and_what_to_do),
        cmocka_unit_test(test_zombie_names_who_should_have_asked),
        cmocka_unit_test(test_what_others_chose_cannot_steer_a_terminal),
        cmocka_unit_test(test_foreign_letters_stay_and_long_lines_are_cut_between_them),
        cmocka_unit_test(test_json_survives_bytes_that_are_no_text),
        cmocka_unit_test(test_sum_counts_each_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
