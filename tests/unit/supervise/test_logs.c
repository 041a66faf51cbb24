#include "supervise/log/logs.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "brood.h"

struct place {
    char folder[64];
    char log[96];
    char access[96];
    char reason[256];
    struct cv_logs logs;
    int before; /* descriptors */
};

static struct place place;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(place.folder, sizeof(place.folder), "/tmp/covey-test-logs-XXXXXX");
    if (mkdtemp(place.folder) == NULL)
        return -1;
    (void)snprintf(place.log, sizeof(place.log), "%s/log", place.folder);
    (void)snprintf(place.access, sizeof(place.access), "%s/access", place.folder);
    place.logs = (struct cv_logs){place.log, place.access, -1};
    place.reason[0] = '\0';
    place.before = open_descriptors();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(place.log);
    (void)unlink(place.access);
    (void)rmdir(place.access);
    return rmdir(place.folder);
}

static int open_files(struct cv_log_files *files)
{
    return cv_logs_open(&place.logs, files, place.reason, sizeof(place.reason));
}

static void close_files(const struct cv_log_files *files)
{
    if (files->log >= 0)
        (void)close(files->log);
    if (files->access >= 0)
        (void)close(files->access);
}

static void test_one_that_cannot_be_opened_leaves_none_open(void **state)
{
    (void)state;
    struct cv_log_files files;
    assert_int_equal(mkdir(place.access, 0700), 0);
    assert_int_equal(open_files(&files), -EISDIR);
    assert_non_null(strstr(place.reason, place.access));
    assert_int_equal(files.log, -1);
    assert_int_equal(files.access, -1);
    assert_int_equal(open_descriptors(), place.before);
}

static void test_a_fifo_without_a_reader_is_refused_at_once(void **state)
{
    (void)state;
    struct cv_log_files files;
    assert_int_equal(mkfifo(place.log, 0600), 0);
    assert_int_equal(open_files(&files), -ENXIO);
    assert_non_null(strstr(place.reason, "nobody reads"));
}

static void test_what_has_no_path_is_not_opened(void **state)
{
    (void)state;
    struct cv_log_files files;
    place.logs = (struct cv_logs){"", "", -1};
    assert_int_equal(open_files(&files), 0);
    assert_int_equal(files.log, -1);
    assert_int_equal(files.access, -1);
    assert_false(cv_logs_are_files(&place.logs));
}

static void test_files_are_made_and_appended_to(void **state)
{
    (void)state;
    struct cv_log_files files;
    struct stat st;
    (void)umask(022);
    assert_int_equal(open_files(&files), 0);
    assert_int_equal(fstat(files.log, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(fcntl(files.log, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND);
    assert_int_equal(fcntl(files.access, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
    assert_int_equal(fcntl(files.log, F_GETFD), FD_CLOEXEC);
    close_files(&files);
}

static void test_files_are_sent_and_received(void **state)
{
    (void)state;
    int pair[2];
    struct cv_log_files files;
    struct cv_log_files got = {-1, -1};
    struct cv_files came;
    static struct cv_message message;
    assert_int_equal(cv_channel_pair(pair), 0);
    assert_int_equal(open_files(&files), 0);
    for (int which = 0; which < 4; which++) {
        struct cv_log_files some = {which & 1 ? files.log : -1, which & 2 ? files.access : -1};
        assert_int_equal(cv_logs_send(pair[0], 17, &some), 0);
        assert_int_equal(cv_channel_receive_files(pair[1], &message, &came), 1);
        assert_int_equal(message.word[0], 17);
        assert_true(cv_logs_received(&message, &came, &got));
        assert_int_equal(got.log >= 0, (which & 1) != 0);
        assert_int_equal(got.access >= 0, (which & 2) != 0);
        close_files(&got);
    }
    /* One of two is lost on the way. */
    assert_int_equal(cv_logs_send(pair[0], 17, &files), 0);
    assert_int_equal(cv_channel_receive_files(pair[1], &message, &came), 1);
    (void)close(came.fd[1]);
    came = (struct cv_files){1, {came.fd[0], -1}};
    assert_false(cv_logs_received(&message, &came, &got));
    assert_int_equal(got.log, -1);
    close_files(&files);
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(open_descriptors(), place.before);
}

int main(void)
{
#define LOGS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOGS_TEST(test_one_that_cannot_be_opened_leaves_none_open),
        LOGS_TEST(test_a_fifo_without_a_reader_is_refused_at_once),
        LOGS_TEST(test_what_has_no_path_is_not_opened),
        LOGS_TEST(test_files_are_made_and_appended_to),
        LOGS_TEST(test_files_are_sent_and_received),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
