#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

/* While a test runs, standard error is one end of a pipe (or socket pair), the other is `out`.
 * Nothing is asserted meanwhile: cmocka's own words would land in there. */
struct stage {
    int saved;
    int out;
    char text[1 << 19];
    size_t len;
};

static struct stage stage;

static void stage_open_on(int out, int err, enum cv_log_level least)
{
    stage.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    stage.out = out;
    stage.len = 0;
    (void)dup2(err, STDERR_FILENO);
    (void)close(err);
    cv_log_open("test", least);
    int flags = fcntl(out, F_GETFL);
    (void)fcntl(out, F_SETFL, flags | O_NONBLOCK);
}

static void stage_open(enum cv_log_level least)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) == 0)
        stage_open_on(fds[0], fds[1], least);
}

/* Takes in what has been written so far. */
static void stage_read(void)
{
    ssize_t got;
    while (stage.len < sizeof(stage.text) - 1 &&
           (got = read(stage.out, stage.text + stage.len, sizeof(stage.text) - 1 - stage.len)) > 0)
        stage.len += (size_t)got;
    stage.text[stage.len] = '\0';
}

static void stage_close(void)
{
    stage_read();
    (void)dup2(stage.saved, STDERR_FILENO);
    cv_log_open("covey", CV_LOG_INFO);
    (void)close(stage.saved);
    (void)close(stage.out);
}

static unsigned count_of(const char *what)
{
    unsigned n = 0;
    for (const char *at = stage.text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

/* ---- A descriptor that takes nothing ---- */

/* Whoever does not read loses lines but stops nobody, and is told how many they were. */
static void test_lines_that_do_not_fit_are_dropped_and_counted(void **state)
{
    (void)state;
    uint64_t before = cv_log_dropped();
    stage_open(CV_LOG_INFO);
    for (int i = 0; i < 10000; i++)
        cv_info("a line of the kind that is written quite often");
    uint64_t dropped = cv_log_dropped() - before;
    stage_read();
    unsigned kept = count_of("quite often");
    cv_info("back again");
    stage_close();

    char told[64];
    (void)snprintf(told, sizeof(told), ": %llu lines were dropped", (unsigned long long)dropped);
    assert_true(dropped > 0);
    assert_int_equal(kept + dropped, 10000);
    assert_non_null(strstr(stage.text, told));
    assert_non_null(strstr(stage.text, "back again\n"));
    assert_int_equal(count_of("were dropped"), 1);
}

static void test_dropped_lines_are_told_of_once(void **state)
{
    (void)state;
    stage_open(CV_LOG_INFO);
    for (int i = 0; i < 2000; i++)
        cv_info("a line of the kind that is written quite often");
    stage_read();
    cv_info("first");
    cv_info("second");
    stage_close();
    assert_int_equal(count_of("were dropped"), 1);
}

/* A socket cannot be opened anew, so the description is everybody's and may block. */
static void test_a_full_blocking_socket_does_not_block(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    uint64_t before = cv_log_dropped();
    stage_open_on(fds[0], fds[1], CV_LOG_INFO);
    for (int i = 0; i < 10000; i++)
        cv_info("a line of the kind that is written quite often, and this one is longer than that");
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    stage_close();
    assert_true(cv_log_dropped() > before);
    assert_int_equal(flags & O_NONBLOCK, 0); /* it is the shell's: not touched */
}

static void test_a_reader_that_has_gone_changes_nothing(void **state)
{
    (void)state;
    uint64_t before = cv_log_dropped();
    stage_open(CV_LOG_INFO);
    (void)close(stage.out);
    stage.out = -1;
    errno = EXDEV;
    cv_error("nobody reads this");
    int saved = errno;
    stage_close();
    assert_int_equal(saved, EXDEV);
    assert_int_equal(cv_log_dropped() - before, 1);
}

static void test_a_closed_standard_error_changes_nothing(void **state)
{
    (void)state;
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    (void)close(STDERR_FILENO);
    cv_log_open("test", CV_LOG_INFO);
    cv_error("into the void");
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    cv_log_open("test", CV_LOG_INFO);
    assert_int_equal(cv_log_reopen(-1), -EBADF);
}

/* ---- Interruptions ---- */

static void interrupt(int signal)
{
    (void)signal;
}

static void test_signals_cost_no_line(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = interrupt};
    struct sigaction old;
    (void)sigaction(SIGALRM, &action, &old);
    struct itimerval often = {{0, 20}, {0, 20}};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    uint64_t before = cv_log_dropped();
    stage_open_on(fds[0], fds[1], CV_LOG_INFO);
    (void)setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 2000; i++) {
        cv_info("line %d", i);
        stage_read();
    }
    (void)setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    (void)sigaction(SIGALRM, &old, NULL);
    stage_close();
    assert_int_equal(cv_log_dropped() - before, 0);
    assert_non_null(strstr(stage.text, "line 1999\n"));
}

/* ---- What a line looks like ---- */

static void test_an_event_is_one_line_whatever_it_holds(void **state)
{
    (void)state;
    stage_open(CV_LOG_INFO);
    cv_info("a\nb\rc\033[31md\x7f"
            "e\tf");
    cv_info("%s", "");
    stage_close();
    assert_non_null(strstr(stage.text, ": a b c [31md e\tf\n"));
    assert_int_equal(count_of("\n"), 2);
}

static void test_a_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    stage_open(CV_LOG_INFO);
    cv_info("%0*d", 3 * CV_LOG_LINE_MAX, 7);
    for (int len = CV_LOG_LINE_MAX - 80; len < CV_LOG_LINE_MAX + 3; len++) {
        cv_info("%0*d", len, 7);
        stage_read();
    }
    stage_close();
    size_t longest = 0;
    for (const char *at = stage.text; *at != '\0'; at += strcspn(at, "\n") + 1) {
        assert_non_null(strchr(at, '\n'));
        size_t len = strcspn(at, "\n") + 1;
        longest = len > longest ? len : longest;
    }
    assert_int_equal(count_of("\n"), 84);
    assert_in_range(longest, CV_LOG_LINE_MAX - 1, CV_LOG_LINE_MAX);
}

static void test_a_line_says_when_how_bad_and_who(void **state)
{
    (void)state;
    stage_open(CV_LOG_DEBUG);
    cv_debug("one");
    cv_warn("two");
    cv_error("three");
    stage_close();
    int year, month, day, hour, minute, second, ms;
    assert_int_equal(sscanf(stage.text, "%4d-%2d-%2d %2d:%2d:%2d.%3d DEBUG test: one", &year,
                            &month, &day, &hour, &minute, &second, &ms),
                     7);
    assert_non_null(strstr(stage.text, " WARN  test: two\n"));
    assert_non_null(strstr(stage.text, " ERROR test: three\n"));
}

static const char *tag;

static const char *tag_now(void)
{
    return tag;
}

static void test_a_tag_stands_in_front_of_the_text(void **state)
{
    (void)state;
    stage_open(CV_LOG_DEBUG);
    cv_log_tag(tag_now);
    cv_info("one");
    tag = "7";
    cv_info("two");
    cv_log_tag(NULL);
    cv_info("three");
    stage_close();
    assert_non_null(strstr(stage.text, " INFO  test: one\n"));
    assert_non_null(strstr(stage.text, " INFO  test: [7] two\n"));
    assert_non_null(strstr(stage.text, " INFO  test: three\n"));
}

/* ---- Lines of JSON ---- */

static void json_open(void)
{
    stage_open(CV_LOG_DEBUG);
    cv_log_process("worker 2");
    cv_log_json("shop");
}

static void json_close(void)
{
    cv_log_json(NULL);
    stage_close();
}

/* What the first line says behind its time. */
static const char *behind_time(void)
{
    int year, month, day, hour, minute, second, ms;
    assert_int_equal(sscanf(stage.text, "{\"time\":\"%4d-%2d-%2dT%2d:%2d:%2d.%3dZ\",", &year,
                            &month, &day, &hour, &minute, &second, &ms),
                     7);
    return strchr(stage.text, ',');
}

static void test_a_line_may_be_an_object(void **state)
{
    (void)state;
    json_open();
    cv_warn("out of %s\n\033[31m%c%c", "\"tea\"", '\\', '\xff');
    json_close();
    assert_string_equal(behind_time(),
                        ",\"level\":\"warn\",\"server\":\"shop\",\"process\":\"worker 2\","
                        "\"message\":\"out of \\u0022tea\\u0022\\u000a\\u001b[31m\\u005c"
                        "\\ufffd\"}\n");
}

static void test_an_object_has_the_tag_as_a_member(void **state)
{
    (void)state;
    json_open();
    cv_log_tag(tag_now);
    tag = "a\"b";
    cv_debug("one");
    tag = NULL;
    cv_error("two");
    cv_log_tag(NULL);
    json_close();
    assert_non_null(strstr(stage.text, "\"debug\""));
    assert_non_null(strstr(stage.text, ",\"request_id\":\"a\\u0022b\",\"message\":\"one\"}\n"));
    assert_non_null(strstr(stage.text, "\"error\""));
    assert_non_null(strstr(stage.text, "\"worker 2\",\"message\":\"two\"}\n"));
}

/* Cut, and still whole. */
static void test_a_long_object_is_one_line(void **state)
{
    static char long_text[2 * CV_LOG_LINE_MAX];
    (void)state;
    memset(long_text, '\n', sizeof(long_text) - 1);
    json_open();
    cv_info("%0*d", 3 * CV_LOG_LINE_MAX, 7);
    cv_info("%s", long_text);
    json_close();
    assert_int_equal(count_of("\n"), 2);
    assert_int_equal(count_of("\"}\n"), 2);
    size_t first = strcspn(stage.text, "\n") + 1;
    assert_in_range(first, CV_LOG_LINE_MAX - 10, CV_LOG_LINE_MAX);
    assert_in_range(stage.len - first, CV_LOG_LINE_MAX - 10, CV_LOG_LINE_MAX);
}

static void test_a_signal_handlers_line_is_of_the_same_form(void **state)
{
    char line[64];
    (void)state;
    line[cv_log_line(line, sizeof(line) - 1, "all of it")] = '\0';
    assert_string_equal(line, "all of it\n");
    line[cv_log_line(line, 5, "all of it")] = '\0';
    assert_string_equal(line, "all \n");

    char object[256];
    json_open();
    object[cv_log_line(object, sizeof(object) - 1, "signal 11")] = '\0';
    json_close();
    assert_memory_equal(object, "{\"time\":\"", 9);
    assert_non_null(strstr(object, "\"error\",\"server\":\"shop\",\"process\":\"worker 2\","
                                   "\"message\":\"signal 11\"}\n"));
}

static void test_lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    stage_open(CV_LOG_WARN);
    cv_info("not this one");
    cv_warn("this one");
    cv_log(CV_LOG_OFF, "nor this");
    bool info = cv_log_on(CV_LOG_INFO);
    bool error = cv_log_on(CV_LOG_ERROR);
    stage_close();
    assert_null(strstr(stage.text, "not this one"));
    assert_null(strstr(stage.text, "nor this"));
    assert_non_null(strstr(stage.text, "this one"));
    assert_false(info);
    assert_true(error);
}

static void test_off_is_off(void **state)
{
    (void)state;
    stage_open(CV_LOG_OFF);
    cv_error("not even this");
    cv_log(CV_LOG_OFF, "nor this");
    stage_close();
    assert_string_equal(stage.text, "");
}

static void test_the_description_of_the_shell_is_not_touched(void **state)
{
    (void)state;
    stage_open(CV_LOG_INFO);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    int own = cv_log_reopen(STDERR_FILENO);
    int own_flags = fcntl(own, F_GETFL);
    int cloexec = fcntl(own, F_GETFD);
    (void)close(own);
    stage_close();
    assert_int_equal(flags & (O_NONBLOCK | O_APPEND), 0);
    assert_int_equal(own_flags & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(cloexec, FD_CLOEXEC);
}

static void test_opening_again_leaks_no_descriptor(void **state)
{
    (void)state;
    stage_open(CV_LOG_INFO);
    cv_log_open("again", CV_LOG_INFO);
    int first = dup(STDERR_FILENO);
    (void)close(first);
    for (int i = 0; i < 20; i++)
        cv_log_open("again", CV_LOG_INFO);
    int last = dup(STDERR_FILENO);
    (void)close(last);
    stage_close();
    assert_in_range(last, first - 1, first + 1);
}

/* ---- Log files ---- */

/* What a pipe holds; it is closed. */
static void drain_into(int fd, char *to, size_t cap)
{
    ssize_t got = read(fd, to, cap - 1);
    to[got > 0 ? got : 0] = '\0';
    (void)close(fd);
}

static void test_lines_go_to_what_replaces_standard_error(void **state)
{
    (void)state;
    int fds[2];
    char text[512];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    stage_open(CV_LOG_INFO);
    int number = cv_log_fd();
    cv_info("before");
    bool follows = cv_log_replace(fds[1]);
    (void)close(fds[1]);
    bool same_number = cv_log_fd() == number;
    cv_info("after");
    (void)!write(STDERR_FILENO, "raw\n", 4);
    stage_close();
    drain_into(fds[0], text, sizeof(text));
    assert_false(follows);
    assert_true(same_number);
    assert_non_null(strstr(stage.text, "before\n"));
    assert_null(strstr(stage.text, "after"));
    assert_non_null(strstr(text, "after\nraw\n"));
}

static void test_standard_output_follows_if_it_is_the_same(void **state)
{
    (void)state;
    int fds[2];
    char text[512];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    (void)fflush(stdout);
    int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    stage_open(CV_LOG_INFO);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    bool follows = cv_log_replace(fds[1]);
    (void)close(fds[1]);
    (void)!write(STDOUT_FILENO, "raw\n", 4);
    (void)dup2(out, STDOUT_FILENO);
    (void)close(out);
    stage_close();
    drain_into(fds[0], text, sizeof(text));
    assert_true(follows);
    assert_string_equal(text, "raw\n");
}

static void test_a_witness_hears_of_what_is_wrong(void **state)
{
    (void)state;
    int fds[2];
    char text[512];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    stage_open(CV_LOG_INFO);
    cv_log_witness(fds[1]);
    cv_info("fine");
    cv_warn("odd");
    cv_error("bad");
    cv_log_witness(-1);
    cv_error("later");
    stage_close();
    drain_into(fds[0], text, sizeof(text));
    assert_null(strstr(text, "fine"));
    assert_non_null(strstr(text, "odd\n"));
    assert_non_null(strstr(text, "bad\n"));
    assert_null(strstr(text, "later"));
    assert_non_null(strstr(stage.text, "later\n"));
}

static void test_a_witness_that_is_the_log_hears_nothing_twice(void **state)
{
    (void)state;
    stage_open(CV_LOG_INFO);
    cv_log_witness(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    cv_error("bad");
    cv_log_witness(-1);
    stage_close();
    const char *first = strstr(stage.text, "bad\n");
    assert_non_null(first);
    assert_null(strstr(first + 1, "bad\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_that_do_not_fit_are_dropped_and_counted),
        cmocka_unit_test(test_dropped_lines_are_told_of_once),
        cmocka_unit_test(test_a_full_blocking_socket_does_not_block),
        cmocka_unit_test(test_a_reader_that_has_gone_changes_nothing),
        cmocka_unit_test(test_a_closed_standard_error_changes_nothing),
        cmocka_unit_test(test_signals_cost_no_line),
        cmocka_unit_test(test_an_event_is_one_line_whatever_it_holds),
        cmocka_unit_test(test_a_long_line_is_cut_and_still_ends),
        cmocka_unit_test(test_a_line_says_when_how_bad_and_who),
        cmocka_unit_test(test_a_tag_stands_in_front_of_the_text),
        cmocka_unit_test(test_a_line_may_be_an_object),
        cmocka_unit_test(test_an_object_has_the_tag_as_a_member),
        cmocka_unit_test(test_a_long_object_is_one_line),
        cmocka_unit_test(test_a_signal_handlers_line_is_of_the_same_form),
        cmocka_unit_test(test_lines_below_the_level_are_not_written),
        cmocka_unit_test(test_off_is_off),
        cmocka_unit_test(test_the_description_of_the_shell_is_not_touched),
        cmocka_unit_test(test_opening_again_leaks_no_descriptor),
        cmocka_unit_test(test_lines_go_to_what_replaces_standard_error),
        cmocka_unit_test(test_standard_output_follows_if_it_is_the_same),
        cmocka_unit_test(test_a_witness_hears_of_what_is_wrong),
        cmocka_unit_test(test_a_witness_that_is_the_log_hears_nothing_twice),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
