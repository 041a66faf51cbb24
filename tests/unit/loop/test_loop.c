/* The step and the watches. */
#include "unit/loop/rig.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

struct ear {
    struct cv_watch watch;
    unsigned heard;
    int count;
    void (*then)(struct ear *ear);
};

static struct cv_loop *loop;
static int pair[2];
static struct ear *others[2];

static void listen_to(struct cv_watch *watch, unsigned events)
{
    struct ear *ear = CV_CONTAINER_OF(watch, struct ear, watch);
    ear->heard = events;
    ear->count++;
    if (ear->then != NULL)
        ear->then(ear);
}

static int open_loop(void **state)
{
    (void)state;
    assert_int_equal(cv_loop_new(&loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    return 0;
}

static int close_loop(void **state)
{
    (void)state;
    cv_loop_free(loop);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static bool fd_is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void test_adding_a_closed_descriptor_fails_and_watches_nothing(void **state)
{
    (void)state;
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, 987654, CV_READ), -EBADF);
    cv_loop_del(loop, &ear.watch);
    assert_int_equal(cv_loop_step(loop, 0), 0);
}

static void test_adding_a_descriptor_twice_fails(void **state)
{
    (void)state;
    struct ear one = {.watch.ready = listen_to};
    struct ear two = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &one.watch, pair[0], CV_READ), 0);
    assert_int_equal(cv_loop_add(loop, &two.watch, pair[0], CV_READ), -EEXIST);
}

static void test_exclusive_watch_cannot_be_modified(void **state)
{
    (void)state;
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], CV_READ | CV_EXCLUSIVE), 0);
    assert_int_equal(cv_loop_mod(loop, &ear.watch, CV_READ), -EINVAL);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(ear.heard, CV_READ);
}

static void test_deleting_an_unwatched_or_zeroed_watch_is_harmless(void **state)
{
    (void)state;
    struct ear zeroed = {0};
    cv_loop_del(loop, &zeroed.watch);
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], CV_READ), 0);
    cv_loop_del(loop, &ear.watch);
    cv_loop_del(loop, &ear.watch);
    assert_int_equal(ear.watch.fd, -1);
    assert_int_equal(fcntl(0, F_GETFD) >= 0, 1);
}

static void test_step_in_the_past_does_not_wait(void **state)
{
    (void)state;
    assert_int_equal(cv_loop_step(loop, 0), 0);
    assert_int_equal(cv_loop_step(loop, 1), 0);
    assert_int_equal(cv_loop_step(loop, INT64_MIN), 0);
}

static void test_step_waits_until_its_limit_and_not_less(void **state)
{
    (void)state;
    int64_t until = cv_clock_ns() + 5 * CV_MS;
    assert_int_equal(cv_loop_step(loop, until), 0);
    assert_true(cv_loop_now(loop) >= until);
}

static void test_watch_hears_only_what_it_wants(void **state)
{
    (void)state;
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], CV_READ), 0);
    assert_int_equal(cv_loop_step(loop, 0), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(ear.heard, CV_READ);
    assert_int_equal(cv_loop_mod(loop, &ear.watch, CV_READ | CV_WRITE), 0);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(ear.heard, CV_READ | CV_WRITE);
}

static void test_level_watch_repeats_and_edge_watch_does_not(void **state)
{
    (void)state;
    struct ear level = {.watch.ready = listen_to};
    struct ear edge = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &level.watch, pair[0], CV_READ), 0);
    assert_int_equal(cv_loop_add(loop, &edge.watch, pair[1], CV_READ | CV_EDGE), 0);
    assert_int_equal(write(pair[0], "x", 1), 1);
    assert_int_equal(write(pair[1], "x", 1), 1);
    for (int i = 0; i < 3; i++)
        assert_true(cv_loop_step(loop, 0) >= 1);
    assert_int_equal(level.count, 3);
    assert_int_equal(edge.count, 1);
    assert_int_equal(write(pair[0], "y", 1), 1);
    assert_int_equal(cv_loop_step(loop, 0), 2);
    assert_int_equal(edge.count, 2);
}

static void test_peer_that_shut_down_its_sending_side_is_reported(void **state)
{
    (void)state;
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], CV_READ | CV_PEER_CLOSED | CV_EDGE), 0);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_int_equal(ear.heard, CV_READ | CV_PEER_CLOSED);
}

static void test_hang_up_is_a_failure_with_the_events_asked_for(void **state)
{
    (void)state;
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], CV_WRITE), 0);
    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_int_equal(ear.heard, CV_WRITE | CV_FAILED);
}

static void test_failure_is_reported_to_a_watch_that_asked_for_nothing(void **state)
{
    (void)state;
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], 0), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(cv_loop_step(loop, 0), 0);
    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_int_equal(ear.heard, CV_FAILED);
    cv_loop_del(loop, &ear.watch);
    assert_int_equal(cv_loop_step(loop, 0), 0);
}

static void delete_both(struct ear *ear)
{
    (void)ear;
    cv_loop_del(loop, &others[0]->watch);
    cv_loop_del(loop, &others[1]->watch);
    /* Freed memory: AddressSanitizer sees whether the loop looks at it again. */
    free(others[0]);
    free(others[1]);
}

static void test_watches_deleted_and_freed_by_a_callback_of_the_same_step_stay_silent(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        others[i] = calloc(1, sizeof *others[i]);
        others[i]->watch.ready = listen_to;
        others[i]->then = delete_both;
        assert_int_equal(cv_loop_add(loop, &others[i]->watch, pair[i], CV_WRITE), 0);
    }
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_int_equal(cv_loop_step(loop, 0), 0);
}

static void readd_other(struct ear *ear)
{
    struct ear *other = ear == others[0] ? others[1] : others[0];
    int fd = other->watch.fd;
    cv_loop_del(loop, &other->watch);
    assert_int_equal(cv_loop_add(loop, &other->watch, fd, CV_READ), 0);
}

static void test_watch_added_again_does_not_get_the_events_of_before(void **state)
{
    (void)state;
    struct ear a = {.watch.ready = listen_to, .then = readd_other};
    struct ear b = {.watch.ready = listen_to, .then = readd_other};
    others[0] = &a;
    others[1] = &b;
    assert_int_equal(cv_loop_add(loop, &a.watch, pair[0], CV_WRITE), 0);
    assert_int_equal(cv_loop_add(loop, &b.watch, pair[1], CV_WRITE), 0);
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_int_equal(a.count + b.count, 1);
}

static void quiet_other(struct ear *ear)
{
    struct ear *other = ear == others[0] ? others[1] : others[0];
    assert_int_equal(cv_loop_mod(loop, &other->watch, CV_READ), 0);
}

static void test_events_no_longer_wanted_are_not_delivered(void **state)
{
    (void)state;
    struct ear a = {.watch.ready = listen_to, .then = quiet_other};
    struct ear b = {.watch.ready = listen_to, .then = quiet_other};
    others[0] = &a;
    others[1] = &b;
    assert_int_equal(cv_loop_add(loop, &a.watch, pair[0], CV_WRITE), 0);
    assert_int_equal(cv_loop_add(loop, &b.watch, pair[1], CV_WRITE), 0);
    assert_int_equal(cv_loop_step(loop, 0), 1);
}

static void test_more_events_than_a_batch_are_all_delivered(void **state)
{
    (void)state;
    enum { N = 300 };
    static struct ear ears[N];
    static int fds[N];
    memset(ears, 0, sizeof ears);
    for (int i = 0; i < N; i++) {
        fds[i] = dup(pair[0]);
        ears[i].watch.ready = listen_to;
        assert_int_equal(cv_loop_add(loop, &ears[i].watch, fds[i], CV_WRITE | CV_EDGE), 0);
    }
    int fired = 0, steps = 0;
    while (fired < N && steps++ < N)
        fired += cv_loop_step(loop, 0);
    assert_int_equal(fired, N);
    assert_true(steps > 1);
    for (int i = 0; i < N; i++) {
        assert_int_equal(ears[i].count, 1);
        cv_loop_del(loop, &ears[i].watch);
        close(fds[i]);
    }
}

static void test_outer_loop_sees_readiness_in_the_descriptor(void **state)
{
    (void)state;
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], CV_READ | CV_EDGE), 0);
    assert_false(fd_is_readable(cv_loop_fd(loop)));
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_true(fd_is_readable(cv_loop_fd(loop)));
    assert_int_equal(cv_loop_step(loop, 0), 1);
    assert_false(fd_is_readable(cv_loop_fd(loop)));
}

static void ignore(int sig)
{
    (void)sig;
}

static void test_signal_ends_the_wait_without_an_error(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = ignore};
    struct sigaction before;
    sigaction(SIGALRM, &action, &before);
    struct itimerval soon = {.it_value.tv_usec = 5000, .it_interval.tv_usec = 5000};
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 0);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    sigaction(SIGALRM, &before, NULL);
}

struct beats {
    int waiting;
    int running;
    int64_t now;
};

static void beat(void *arg, bool running, int64_t now)
{
    struct beats *beats = arg;
    *(running ? &beats->running : &beats->waiting) += 1;
    beats->now = now;
}

static void test_beat_says_waiting_only_before_waits_that_may_block(void **state)
{
    (void)state;
    struct beats beats = {0};
    cv_loop_on_wait(loop, beat, &beats);
    assert_int_equal(cv_loop_step(loop, 0), 0);
    assert_int_equal(beats.waiting, 0);
    assert_int_equal(beats.running, 1);
    assert_int_equal(cv_loop_step(loop, cv_clock_ns() + CV_MS), 0);
    assert_int_equal(beats.waiting, 1);
    assert_int_equal(beats.running, 2);
    assert_int_equal(beats.now, cv_loop_now(loop));
    cv_loop_on_wait(loop, NULL, NULL);
    assert_int_equal(cv_loop_step(loop, 0), 0);
    assert_int_equal(beats.running, 2);
}

static void *write_late(void *arg)
{
    (void)arg;
    (void)poll(NULL, 0, 20);
    assert_int_equal(write(pair[1], "x", 1), 1);
    return NULL;
}

static void test_a_loop_that_polls_first_sleeps_only_when_nothing_has_come(void **state)
{
    (void)state;
    struct beats beats = {0};
    struct ear ear = {.watch.ready = listen_to};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], CV_READ | CV_EDGE), 0);
    cv_loop_on_wait(loop, beat, &beats);
    cv_loop_poll_first(loop, 10 * CV_SECOND);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_late, NULL), 0);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(ear.count, 1);
    assert_int_equal(beats.waiting, 0);

    cv_loop_poll_first(loop, CV_MS);
    int64_t until = cv_clock_ns() + 20 * CV_MS;
    assert_int_equal(cv_loop_step(loop, until), 0);
    assert_true(cv_clock_ns() >= until);
    assert_int_equal(beats.waiting, 1);
    cv_loop_del(loop, &ear.watch);
}

static void test_a_loop_that_polls_first_keeps_its_deadlines(void **state)
{
    (void)state;
    struct beats beats = {0};
    cv_loop_on_wait(loop, beat, &beats);
    cv_loop_poll_first(loop, 3600 * CV_SECOND);
    assert_int_equal(cv_loop_step(loop, cv_clock_ns()), 0); /* no wait, no look */
    cv_loop_poll_first(loop, 5 * CV_MS);
    assert_int_equal(cv_loop_step(loop, cv_clock_ns() + CV_MS), 0); /* over when it has looked */
    assert_int_equal(beats.waiting, 0);
}

struct errand {
    struct cv_soon soon;
    int runs;
    bool again;
};

static struct errand errand;

static void run_errand(struct cv_soon *soon)
{
    struct errand *self = CV_CONTAINER_OF(soon, struct errand, soon);
    assert_false(soon->is_set);
    self->runs++;
    if (self->again)
        cv_loop_soon(loop, soon);
}

static void test_what_comes_soon_is_called_once_by_a_step_that_does_not_wait(void **state)
{
    (void)state;
    errand = (struct errand){.soon.fire = run_errand};
    assert_int_equal(cv_loop_deadline(loop), CV_NEVER);
    cv_loop_soon(loop, &errand.soon);
    cv_loop_soon(loop, &errand.soon);
    assert_int_equal(cv_loop_deadline(loop), cv_loop_now(loop));
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(errand.runs, 1);
    assert_int_equal(cv_loop_step(loop, 0), 0);
}

static void test_what_comes_soon_may_be_set_again_and_taken_back(void **state)
{
    (void)state;
    errand = (struct errand){.soon.fire = run_errand, .again = true};
    cv_loop_not_soon(&errand.soon);
    cv_loop_soon(loop, &errand.soon);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
        assert_int_equal(errand.runs, i);
    }
    cv_loop_not_soon(&errand.soon);
    assert_int_equal(cv_loop_step(loop, 0), 0);
    assert_int_equal(errand.runs, 3);
}

static void set_errand(struct ear *ear)
{
    (void)ear;
    cv_loop_soon(loop, &errand.soon);
}

static void test_what_a_callback_sets_soon_is_for_the_next_step(void **state)
{
    (void)state;
    errand = (struct errand){.soon.fire = run_errand};
    struct ear ear = {.watch.ready = listen_to, .then = set_errand};
    assert_int_equal(cv_loop_add(loop, &ear.watch, pair[0], CV_WRITE | CV_EDGE), 0);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(errand.runs, 0);
    assert_int_equal(cv_loop_step(loop, CV_NEVER), 1);
    assert_int_equal(errand.runs, 1);
}

static void step_inside(struct ear *ear)
{
    (void)ear;
    (void)cv_loop_step(loop, 0);
}

static void test_step_from_a_callback_is_our_bug(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        struct ear ear = {.watch.ready = listen_to, .then = step_inside};
        (void)!cv_loop_add(loop, &ear.watch, pair[0], CV_WRITE);
        (void)cv_loop_step(loop, 0);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_freeing_nothing_is_harmless(void **state)
{
    (void)state;
    cv_loop_free(NULL);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_adding_a_closed_descriptor_fails_and_watches_nothing),
        WITH_LOOP(test_adding_a_descriptor_twice_fails),
        WITH_LOOP(test_exclusive_watch_cannot_be_modified),
        WITH_LOOP(test_deleting_an_unwatched_or_zeroed_watch_is_harmless),
        WITH_LOOP(test_step_in_the_past_does_not_wait),
        WITH_LOOP(test_step_waits_until_its_limit_and_not_less),
        WITH_LOOP(test_watch_hears_only_what_it_wants),
        WITH_LOOP(test_level_watch_repeats_and_edge_watch_does_not),
        WITH_LOOP(test_peer_that_shut_down_its_sending_side_is_reported),
        WITH_LOOP(test_hang_up_is_a_failure_with_the_events_asked_for),
        WITH_LOOP(test_failure_is_reported_to_a_watch_that_asked_for_nothing),
        WITH_LOOP(test_watches_deleted_and_freed_by_a_callback_of_the_same_step_stay_silent),
        WITH_LOOP(test_watch_added_again_does_not_get_the_events_of_before),
        WITH_LOOP(test_events_no_longer_wanted_are_not_delivered),
        WITH_LOOP(test_more_events_than_a_batch_are_all_delivered),
        WITH_LOOP(test_outer_loop_sees_readiness_in_the_descriptor),
        WITH_LOOP(test_signal_ends_the_wait_without_an_error),
        WITH_LOOP(test_beat_says_waiting_only_before_waits_that_may_block),
        WITH_LOOP(test_a_loop_that_polls_first_sleeps_only_when_nothing_has_come),
        WITH_LOOP(test_a_loop_that_polls_first_keeps_its_deadlines),
        WITH_LOOP(test_what_comes_soon_is_called_once_by_a_step_that_does_not_wait),
        WITH_LOOP(test_what_comes_soon_may_be_set_again_and_taken_back),
        WITH_LOOP(test_what_a_callback_sets_soon_is_for_the_next_step),
        WITH_LOOP(test_step_from_a_callback_is_our_bug),
        cmocka_unit_test(test_freeing_nothing_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
