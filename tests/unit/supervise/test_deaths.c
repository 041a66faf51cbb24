/* Ten thousand deaths, each matched to the right slot: guardian and master as they are, workers
 * that end right after they are ready, and no back-off, so that the pids, descriptors and events of
 * the dead are in use again at once.
 *
 * A worker ends with a code or a signal that names its slot, and gives the same as its reason just
 * before. What the master says of both must be of that slot, and every reason must be there.
 */
#include "supervise/supervise.h"

#include <stdlib.h>

#include "brood.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "supervise/shared/manifest.h"

#define WORKERS 16
#define FIRST_CODE 100
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEATHS 1000u
#else
#define DEATHS 10000u
#endif

static int live_and_die(void *arg, struct cv_child *child)
{
    (void)arg;
    int slot = (int)child->boot.slot;
    uint64_t random = (uint64_t)getpid();
    struct cv_buf manifest;
    cv_buf_init(&manifest, CV_MESSAGE_BODY_MAX);
    if (cv_manifest_begin(&manifest) < 0 || cv_child_hello(child, 1, cv_buf_span(&manifest)) < 0 ||
        cv_child_wait_go(child) < 0)
        _exit(0);
    cv_child_tell(child, CV_MSG_READY);
    (void)usleep((useconds_t)(cv_rand_next(&random) % 1000));

    char reason[64];
    (void)snprintf(reason, sizeof(reason), "pid %d had slot %d", getpid(), slot);
    cv_child_failed(child, FIRST_CODE + slot, reason);
    if (cv_rand_next(&random) % 2 == 0)
        (void)raise(SIGRTMIN + slot);
    _exit(FIRST_CODE + slot);
}

/* The server, which says on `log` what happens. */
static int serve(int log)
{
    static char name[] = "deaths";
    static char *argv[] = {name, NULL};
    static struct cv_listeners listeners;
    static struct cv_control_file control = {.fd = -1, .folder = -1};
    static struct cv_logs logs = {"", "", -1};
    struct cv_supervise how = {.name = name,
                               .argv = argv,
                               .abi = 1,
                               .method = CV_START_FORK,
                               .log_level = CV_LOG_ERROR,
                               .listeners = &listeners,
                               .control = &control,
                               .logs = &logs,
                               .ready = -1,
                               .slow_listener = CV_NEVER,
                               .worker = live_and_die};
    cv_fleet_defaults(&how.fleet);
    how.fleet.capacity = WORKERS + 1;
    how.fleet.workers = WORKERS;
    how.fleet.starters_max = WORKERS;
    how.fleet.backoff_first = how.fleet.backoff_max = 0;
    (void)setpgid(0, 0);
    (void)dup2(log, STDERR_FILENO);
    cv_log_open(name, CV_LOG_ERROR);
    return cv_supervise(&how);
}

struct count {
    unsigned ends[WORKERS];
    unsigned reasons[WORKERS];
    unsigned signals;
    unsigned wrong;
};

/* The number behind `words`, if they are there. */
static bool has_number(const char *line, const char *words, int *ret)
{
    const char *at = strstr(line, words);
    return at != NULL && sscanf(at + strlen(words), "%d", ret) == 1;
}

/* "... worker 3 ended with exit code 103" or "... worker 3: pid 4711 had slot 3". */
static void read_line(struct count *count, const char *line)
{
    int worker;
    if (!has_number(line, "worker ", &worker) || worker < 0 || worker >= WORKERS)
        return;
    int code = FIRST_CODE - 1;
    int signal = SIGRTMIN - 1;
    int reason = -1;
    bool is_exit = has_number(line, "ended with exit code ", &code);
    bool is_signal = has_number(line, "ended with signal ", &signal);
    count->reasons[worker] += has_number(line, " had slot ", &reason);
    count->ends[worker] += is_exit || is_signal;
    count->signals += is_signal;
    if (code - FIRST_CODE == worker || signal - SIGRTMIN == worker || reason == worker)
        return;
    count->wrong++;
    print_error("wrong: %s\n", line);
}

static unsigned sum(const unsigned *counts)
{
    unsigned all = 0;
    for (int i = 0; i < WORKERS; i++)
        all += counts[i];
    return all;
}

/* Reads what is said until `deaths` have been told. */
static void read_until(FILE *log, struct count *count, unsigned deaths)
{
    char line[CV_LOG_LINE_MAX];
    while (sum(count->ends) < deaths && fgets(line, sizeof(line), log) != NULL)
        read_line(count, line);
}

static void test_every_death_is_of_the_right_slot(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe(ends), 0);
    (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    pid_t guardian = brood_fork();
    if (guardian == 0) {
        (void)close(ends[0]);
        _exit(serve(ends[1]));
    }
    (void)close(ends[1]);
    FILE *log = fdopen(ends[0], "r");
    assert_non_null(log);
    struct count count = {0};
    read_until(log, &count, DEATHS);
    brood_signal(guardian, SIGTERM);
    read_until(log, &count, UINT32_MAX); /* up to the last word, so that nobody has to drop any */
    (void)fclose(log);

    assert_int_equal(brood_wait(guardian), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(count.wrong, 0);
    assert_true(sum(count.ends) >= DEATHS);
    assert_true(sum(count.reasons) >= sum(count.ends));
    assert_in_range(count.signals, DEATHS / 4, DEATHS);
    for (int i = 0; i < WORKERS; i++)
        assert_true(count.ends[i] >= DEATHS / WORKERS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {brood_test(test_every_death_is_of_the_right_slot)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
