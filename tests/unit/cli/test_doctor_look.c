#include "cli/doctor/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_stat_with_a_hostile_name_is_read(void **state)
{
    (void)state;
    char text[] = "12 (a) Z 1 (b)) S 7 8 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 4711 1000 50\n";
    struct cv_doctor_proc proc = {0};
    assert_int_equal(cv_doctor_read_stat(text, &proc), 0);
    assert_int_equal(proc.pid, 12);
    assert_string_equal(proc.comm, "a) Z 1 (b)");
    assert_int_equal(proc.state, 'S');
    assert_int_equal(proc.ppid, 7);
    assert_int_equal(proc.pgrp, 8);
    assert_int_equal(proc.threads, 3);
    assert_int_equal(proc.start, 4711);
    assert_false(proc.is_kernel);
}

static void test_broken_stat_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    char texts[][32] = {"",         "12", "12 (a", ")12(", "12 (a) S", "12 (a) S 7 8 9 0 -1 x",
                        "x (a) S 1"};
    for (size_t i = 0; i < CV_COUNT(texts); i++) {
        struct cv_doctor_proc proc = {.pid = 77};
        assert_int_equal(cv_doctor_read_stat(texts[i], &proc), -EINVAL);
        assert_int_equal(proc.pid, 77);
    }
}

static bool has_pipe(const struct cv_doctor_proc *proc, int fd)
{
    struct stat about;
    assert_int_equal(fstat(fd, &about), 0);
    for (size_t i = 0; i < proc->n_pipes; i++)
        if (proc->pipes[i] == about.st_ino)
            return true;
    return false;
}

static void test_this_process_is_seen_with_its_pipe_and_listener(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "127.0.0.1:%d", ntohs(address.sin_port));

    struct cv_doctor_sight sight;
    assert_int_equal(cv_doctor_look(&sight), 0);
    const struct cv_doctor_proc *self = cv_doctor_find(&sight, getpid());
    assert_non_null(self);
    assert_int_equal(self->ppid, getppid());
    assert_int_equal(self->uid, geteuid());
    assert_true(self->has_known_pipes);
    assert_true(has_pipe(self, fds[0]));
    assert_true(self->start <= sight.now && self->start > 0);
    assert_non_null(strstr(self->args.at, "doctor_look"));
    size_t n = 0;
    for (size_t i = 0; i < sight.n_listens; i++)
        n += sight.listens[i].pid == getpid() && strcmp(sight.listens[i].address, wanted) == 0;
    assert_int_equal(n, 1);
    cv_doctor_sight_done(&sight);
    (void)close(listener);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_tag_in_the_environment_is_seen(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char name[] = "cat";
        char other[] = "A=1";
        char tag[] = "_COVEY_TAG=0123456789abcdef-1";
        char *argv[] = {name, NULL};
        char *envp[] = {other, tag, NULL};
        (void)dup2(fds[0], 0);
        (void)close(fds[1]);
        (void)execve("/bin/cat", argv, envp);
        _exit(127);
    }
    (void)close(fds[0]);
    const char *tag = NULL;
    for (int i = 0; i < 500 && tag == NULL; i++) { /* until it has called execve() */
        struct cv_doctor_sight sight;
        assert_int_equal(cv_doctor_look(&sight), 0);
        const struct cv_doctor_proc *child = cv_doctor_find(&sight, pid);
        assert_non_null(child);
        tag = child->tag;
        if (tag != NULL)
            assert_string_equal(tag, "0123456789abcdef-1");
        cv_doctor_sight_done(&sight);
    }
    assert_non_null(tag);
    (void)close(fds[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stat_with_a_hostile_name_is_read),
        cmocka_unit_test(test_broken_stat_is_refused_and_changes_nothing),
        cmocka_unit_test(test_this_process_is_seen_with_its_pipe_and_listener),
        cmocka_unit_test(test_tag_in_the_environment_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
