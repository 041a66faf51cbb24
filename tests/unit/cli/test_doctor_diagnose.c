#include "cli/doctor/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"

#define ROOM 16
#define SPAWN                                                                                      \
    "python3\0-c\0from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, "         \
    "pipe_handle=7)\0--multiprocessing-fork\0"
#define TRACKER "python3\0-c\0from multiprocessing.resource_tracker import main;main(5)\0"
#define FORKSERVER "python3\0-c\0from multiprocessing.forkserver import main; main(3, 4, [])\0"
#define FROZEN "/opt/app\0--multiprocessing-fork\0tracker_fd=5\0pipe_handle=7\0"
#define ARGS(literal) .args = {literal, sizeof(literal) - 1}
#define PIPES(...)                                                                                 \
    .has_known_pipes = true, .pipes = (const uint64_t[]){__VA_ARGS__},                             \
    .n_pipes = CV_COUNT(((const uint64_t[]){__VA_ARGS__}))
#define INIT                                                                                       \
    {                                                                                              \
        .pid = 1, .state = 'S', .threads = 1, .comm = "init", ARGS("/sbin/init\0"),                \
        .has_known_pipes = true                                                                    \
    }
#define PROC(id, parent) .pid = (id), .ppid = (parent), .pgrp = (id), .state = 'S', .threads = 1

static struct cv_doctor_finding found[ROOM];

static size_t diagnose(struct cv_doctor_proc *procs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (procs[i].comm == NULL)
            procs[i].comm = "python3";
        if (procs[i].args.at == NULL)
            procs[i].args = cv_span("", 0);
    }
    struct cv_doctor_sight sight = {.procs = procs, .n_procs = n};
    return cv_doctor_diagnose(&sight, found);
}

static size_t diagnose_files(struct cv_doctor_file *files, size_t n)
{
    struct cv_doctor_sight sight = {.files = files, .n_files = n};
    return cv_doctor_diagnose(&sight, found);
}

static void assert_found(size_t n, enum cv_doctor_kind kind, pid_t pid)
{
    assert_int_equal(n, 1);
    assert_int_equal(found[0].kind, kind);
    assert_int_equal(found[0].proc->pid, pid);
}

/* ---- Zombies ---- */

static void test_zombie_is_found_with_its_parent(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT, {PROC(10, 1)}, {PROC(11, 10)}};
    procs[2].state = 'Z';
    assert_found(diagnose(procs, 3), CV_DOCTOR_ZOMBIE, 11);
    assert_int_equal(found[0].parent->pid, 10);
}

static void test_zombie_whose_other_threads_live_is_none(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT, {PROC(11, 1)}};
    procs[1].state = 'Z';
    procs[1].threads = 2;
    assert_int_equal(diagnose(procs, 2), 0);
}

static void test_zombie_of_a_hidden_parent_is_found(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT, {PROC(11, 10)}};
    procs[1].state = 'Z';
    assert_found(diagnose(procs, 2), CV_DOCTOR_ZOMBIE, 11);
    assert_null(found[0].parent);
}

/* ---- Python's multiprocessing ---- */

static void test_worker_adopted_by_init_is_an_orphan(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT, {PROC(11, 1), ARGS(SPAWN), PIPES(70, 71)}};
    assert_found(diagnose(procs, 2), CV_DOCTOR_MP_WORKER, 11);
}

static void test_worker_adopted_by_any_subreaper_is_an_orphan(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT,
                                     {PROC(10, 1), ARGS("python3\0pytest\0"), PIPES(80)},
                                     {PROC(11, 10), ARGS(SPAWN), PIPES(70, 71)}};
    assert_found(diagnose(procs, 3), CV_DOCTOR_MP_WORKER, 11);
}

static void test_worker_that_shares_a_pipe_with_its_parent_is_none(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT,
                                     {PROC(10, 1), ARGS("python3\0app.py\0"), PIPES(70, 71, 72)},
                                     {PROC(11, 10), ARGS(SPAWN), PIPES(60, 71)}};
    assert_int_equal(diagnose(procs, 3), 0);
}

static void test_worker_of_a_program_that_is_pid_1_is_none(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT, {PROC(11, 1), ARGS(SPAWN), PIPES(71)}};
    procs[0] = (struct cv_doctor_proc){PROC(1, 0), ARGS("python3\0app.py\0"), PIPES(71)};
    assert_int_equal(diagnose(procs, 2), 0);
}

static void test_tracker_forkserver_and_frozen_worker_are_told_apart_trackers_last(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT,
                                     {PROC(11, 1), ARGS(TRACKER), PIPES(70)},
                                     {PROC(12, 1), ARGS(FORKSERVER), PIPES(70)},
                                     {PROC(13, 1), ARGS(FROZEN), PIPES(70)}};
    assert_int_equal(diagnose(procs, 4), 3);
    assert_int_equal(found[0].kind, CV_DOCTOR_MP_WORKER);
    assert_int_equal(found[1].kind, CV_DOCTOR_MP_FORKSERVER);
    assert_int_equal(found[2].kind, CV_DOCTOR_MP_TRACKER);
}

static void test_programs_that_only_mention_multiprocessing_are_none(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {
        INIT,
        {PROC(11, 1), ARGS("grep\0--multiprocessing-fork\0"), PIPES(70)},
        {PROC(12, 1), ARGS("grep\0--\0--multiprocessing-fork\0log\0"), PIPES(71)},
        {PROC(13, 1), ARGS("watch\0from multiprocessing.spawn import spawn_main\0"), PIPES(72)},
        {PROC(14, 1), ARGS("python3\0-c\0"), PIPES(73)},
        {PROC(15, 1), ARGS(""), PIPES(74)}};
    assert_int_equal(diagnose(procs, CV_COUNT(procs)), 0);
}

static void test_unreadable_worker_is_judged_by_its_parent(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT,
                                     {PROC(10, 1), ARGS("bash\0"), .comm = "bash"},
                                     {PROC(11, 1), ARGS(SPAWN)},
                                     {PROC(12, 10), ARGS(SPAWN)}};
    assert_found(diagnose(procs, 4), CV_DOCTOR_MP_WORKER, 11);
    procs[0].comm = "python3.11";
    assert_int_equal(diagnose(procs, 4), 0);
}

static void test_worker_of_a_hidden_parent_is_none(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT, {PROC(11, 0), ARGS(SPAWN), PIPES(70)}};
    assert_int_equal(diagnose(procs, 2), 0);
}

/* ---- Titles, tags, hints ---- */

static void test_worker_by_title_needs_its_master(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {
        INIT,
        {PROC(10, 1), ARGS("nginx: master process /usr/sbin/nginx\0")},
        {PROC(11, 10), ARGS("nginx: worker process\0")},
        {PROC(12, 1), ARGS("nginx: worker process is shutting down\0")},
        {PROC(13, 10), ARGS("gunicorn: worker [app]\0")}};
    assert_int_equal(diagnose(procs, 5), 2);
    assert_int_equal(found[0].proc->pid, 12);
    assert_int_equal(found[1].proc->pid, 13);
    assert_int_equal(found[0].kind, CV_DOCTOR_WORKER);
}

static void test_tagged_process_needs_a_master_somewhere_above(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT,
                                     {PROC(10, 1), ARGS("shop: guardian\0")},
                                     {PROC(11, 10), ARGS("shop: master\0")},
                                     {PROC(12, 11), ARGS("shop: worker 0\0"), .tag = "ab-1"},
                                     {PROC(13, 12), ARGS("sleep\0"), .tag = "ab-1"},
                                     {PROC(14, 1), ARGS("sleep\0"), .tag = "cd-1"}};
    assert_found(diagnose(procs, 6), CV_DOCTOR_STRAY, 14);
}

static void test_circle_of_parents_ends(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {{PROC(10, 11), .tag = "ab-1"}, {PROC(11, 10)}};
    assert_found(diagnose(procs, 2), CV_DOCTOR_STRAY, 10);
}

static void test_daemons_of_init_are_normal(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT,
                                     {PROC(11, 1), .comm = "sshd"},
                                     {PROC(12, 1), .comm = "daemon"},
                                     {PROC(13, 1), .comm = "other"}};
    procs[2].pgrp = procs[3].pgrp = 9; /* forked twice: its leader has gone on purpose */
    assert_int_equal(diagnose(procs, 4), 0);
}

static void test_several_alike_in_the_group_of_a_gone_leader_are_hints(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT, {PROC(11, 1)}, {PROC(12, 1)}, {PROC(13, 1)}};
    procs[1].pgrp = procs[2].pgrp = 9;
    assert_int_equal(diagnose(procs, 4), 2);
    assert_int_equal(found[0].kind, CV_DOCTOR_HINT);
    assert_int_equal(found[1].proc->pid, 12);
}

static void test_kernel_threads_are_nothing(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT, {PROC(2, 0), .comm = "kthreadd"}};
    procs[1].is_kernel = true;
    procs[1].state = 'Z';
    assert_int_equal(diagnose(procs, 2), 0);
}

/* ---- Files ---- */

static void test_files_in_use_are_left_out(void **state)
{
    (void)state;
    struct cv_doctor_file files[] = {{.path = "/dev/shm/psm_1"},
                                     {.path = "/run/b", .is_socket = true},
                                     {.path = "/run/a", .is_socket = true},
                                     {.path = "/run/c", .is_socket = true, .is_used = true}};
    assert_int_equal(diagnose_files(files, 4), 3);
    assert_string_equal(found[0].file->path, "/run/a");
    assert_string_equal(found[1].file->path, "/run/b");
    assert_int_equal(found[2].kind, CV_DOCTOR_MEMORY);
}

/* ---- Seen twice ---- */

static void test_only_what_was_found_both_times_is_kept(void **state)
{
    (void)state;
    const struct cv_doctor_proc a = {.pid = 5, .start = 1};
    const struct cv_doctor_proc reused = {.pid = 6, .start = 2};
    const struct cv_doctor_proc before_it = {.pid = 6, .start = 1};
    const struct cv_doctor_proc gone = {.pid = 4, .start = 1};
    const struct cv_doctor_file file = {.path = "/run/a", .ino = 3};
    const struct cv_doctor_file before_file = {.path = "/run/a", .ino = 2};
    const struct cv_doctor_finding before[] = {{.proc = &gone},
                                               {.proc = &a},
                                               {.proc = &before_it},
                                               {CV_DOCTOR_SOCKET, .file = &before_file}};
    struct cv_doctor_finding now[] = {
        {.proc = &a}, {.proc = &reused}, {CV_DOCTOR_SOCKET, .file = &file}};
    assert_int_equal(cv_doctor_confirm(now, 3, before, 4), 1);
    assert_ptr_equal(now[0].proc, &a);
    assert_int_equal(cv_doctor_confirm(now, 1, before, 0), 0);
}

/* ---- What is never ended ---- */

static void test_init_kernel_zombies_oneself_and_what_is_above_are_refused(void **state)
{
    (void)state;
    struct cv_doctor_proc procs[] = {INIT,           {PROC(10, 1)},
                                     {PROC(11, 10)}, {PROC(12, 11)},
                                     {PROC(13, 1)},  {PROC(14, 1), .is_kernel = true},
                                     {PROC(15, 1)}};
    procs[6].state = 'Z';
    struct cv_doctor_sight sight = {.procs = procs, .n_procs = CV_COUNT(procs)};
    for (size_t i = 0; i < CV_COUNT(procs); i++) {
        const char *refusal = cv_doctor_refusal(&sight, &procs[i], 12);
        if (procs[i].pid == 13)
            assert_null(refusal);
        else
            assert_non_null(refusal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zombie_is_found_with_its_parent),
        cmocka_unit_test(test_zombie_whose_other_threads_live_is_none),
        cmocka_unit_test(test_zombie_of_a_hidden_parent_is_found),
        cmocka_unit_test(test_worker_adopted_by_init_is_an_orphan),
        cmocka_unit_test(test_worker_adopted_by_any_subreaper_is_an_orphan),
        cmocka_unit_test(test_worker_that_shares_a_pipe_with_its_parent_is_none),
        cmocka_unit_test(test_worker_of_a_program_that_is_pid_1_is_none),
        cmocka_unit_test(test_tracker_forkserver_and_frozen_worker_are_told_apart_trackers_last),
        cmocka_unit_test(test_programs_that_only_mention_multiprocessing_are_none),
        cmocka_unit_test(test_unreadable_worker_is_judged_by_its_parent),
        cmocka_unit_test(test_worker_of_a_hidden_parent_is_none),
        cmocka_unit_test(test_worker_by_title_needs_its_master),
        cmocka_unit_test(test_tagged_process_needs_a_master_somewhere_above),
        cmocka_unit_test(test_circle_of_parents_ends),
        cmocka_unit_test(test_daemons_of_init_are_normal),
        cmocka_unit_test(test_several_alike_in_the_group_of_a_gone_leader_are_hints),
        cmocka_unit_test(test_kernel_threads_are_nothing),
        cmocka_unit_test(test_files_in_use_are_left_out),
        cmocka_unit_test(test_only_what_was_found_both_times_is_kept),
        cmocka_unit_test(test_init_kernel_zombies_oneself_and_what_is_above_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
