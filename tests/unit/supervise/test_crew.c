#include "supervise/crew/crew.h"

#include <fcntl.h>
#include <stdlib.h>

#include "brood.h"
#include "supervise/process/title.h"

#define CAPACITY 3

static const struct cv_fleet_config fleet = {.capacity = CAPACITY, .managed_max = 2};

static struct cv_crew crew;
static struct cv_run run;
static struct cv_listeners listeners;
static struct cv_supervise how;
static struct cv_logs no_logs = {"", "", -1};
static char reason[512];
static char name[] = "worker";
static char *argv[] = {name, NULL};

static int pin(uint32_t generation)
{
    return cv_crew_pin(&crew, &how, generation, reason, sizeof(reason));
}

static int start(void **state)
{
    (void)state;
    cv_run_init(&run);
    listeners = (struct cv_listeners){.n = 2};
    for (int i = 0; i < listeners.n; i++)
        listeners.item[i].fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    how = (struct cv_supervise){.name = "test",
                                .argv = argv,
                                .method = CV_START_FORK,
                                .listeners = &listeners,
                                .logs = &no_logs};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || cv_crew_new(&crew, &fleet, NULL) < 0)
        return -1;
    return pin(1);
}

static int finish(void **state)
{
    (void)brood_end(state);
    for (unsigned i = 0; i < cv_fleet_slots(&fleet); i++)
        if (crew.members[i].channel >= 0)
            cv_crew_bury(&crew, i, (struct cv_fleet_exit){0});
    for (unsigned i = 0; i < cv_fleet_slots(&fleet); i++)
        if (crew.members[i].region >= 0)
            (void)close(crew.members[i].region);
    for (size_t i = 0; i < CV_CREW_GENERATIONS; i++)
        cv_program_unpin(&crew.pinned[i]);
    (void)close(crew.self);
    cv_oom_close(&crew.oom);
    cv_slots_done(&crew.slots);
    free(crew.members);
    for (int i = 0; i < listeners.n; i++)
        (void)close(listeners.item[i].fd);
    return 0;
}

/* Starts a worker that calls `fn` with its boot and ends with the result; NULL: it stays. */
static pid_t spawn(unsigned slot, int (*fn)(const struct cv_boot *boot))
{
    struct cv_boot boot;
    (void)fflush(NULL);
    int rc = cv_crew_spawn(&crew, &how, &run, slot, 1, -1, &boot);
    if (rc == CV_CREW_IN_CHILD) {
        (void)alarm(BROOD_SECONDS);
        cv_crew_forget(&crew, &boot);
        if (fn != NULL)
            _exit(fn(&boot));
        for (;;)
            (void)pause();
    }
    assert_int_equal(rc, 0);
    brood_adopt(crew.members[slot].pid);
    return crew.members[slot].pid;
}

/* ---- Generations ---- */

static void test_a_forked_program_cannot_be_reloaded_and_says_what_can(void **state)
{
    (void)state;
    assert_int_equal(pin(2), -ENOTSUP);
    assert_non_null(strstr(reason, "--start-method spawn"));
}

static void test_more_generations_than_there_is_room_for_wait(void **state)
{
    (void)state;
    how.method = CV_START_SPAWN;
    for (uint32_t generation = 2; generation <= CV_CREW_GENERATIONS; generation++)
        assert_int_equal(pin(generation), 0);
    int before = open_descriptors();
    assert_int_equal(pin(99), -EBUSY);
    assert_non_null(strstr(reason, "still running"));
    cv_crew_drop(&crew, 2);
    cv_crew_drop(&crew, 2); /* again, and one there never was */
    cv_crew_drop(&crew, 77);
    assert_int_equal(open_descriptors(), before - 1);
    assert_int_equal(pin(99), 0);
}

static void test_a_program_that_is_gone_is_named_and_takes_no_room(void **state)
{
    (void)state;
    how.method = CV_START_SPAWN;
    (void)snprintf(crew.program.path, sizeof(crew.program.path), "/nowhere/app");
    for (int i = 0; i < 3 * CV_CREW_GENERATIONS; i++) {
        assert_int_equal(pin(2), -ENOENT);
        assert_non_null(strstr(reason, "/nowhere/app"));
    }
}

/* ---- Members ---- */

/* Signal 0 to pid 0 would be fine, KILL would be the end of us all. */
static void test_a_signal_to_nobody_hits_nobody(void **state)
{
    (void)state;
    cv_member_signal(&crew.members[0], SIGKILL);
    struct cv_member without_pidfd = {.pid = 0, .pidfd = -1};
    cv_member_signal(&without_pidfd, SIGKILL);
    assert_int_equal(cv_crew_find(&crew, getpid()), -1);
}

static void test_a_member_without_a_pidfd_is_reached_by_its_pid(void **state)
{
    (void)state;
    pid_t pid = spawn(0, NULL);
    (void)close(crew.members[0].pidfd);
    crew.members[0].pidfd = -1;
    cv_member_signal(&crew.members[0], SIGKILL);
    assert_int_equal(brood_wait(pid), 128 + SIGKILL);
}

static void test_the_dead_leave_nothing(void **state)
{
    (void)state;
    int before = open_descriptors();
    pid_t pid = spawn(1, NULL);
    struct cv_slot_page *page = &crew.slots.pages[1];
    atomic_store(&page->serving, 1);
    atomic_store(&page->connections, 500);
    atomic_store(&page->running_since, 1);
    atomic_store(&page->pid, (uint32_t)pid);
    assert_int_equal(cv_crew_find(&crew, pid), 1);
    cv_member_signal(&crew.members[1], SIGKILL);
    assert_int_equal(brood_wait(pid), 128 + SIGKILL);
    cv_crew_bury(&crew, 1, (struct cv_fleet_exit){.signaled = true, .code = SIGKILL});
    assert_int_equal(cv_crew_find(&crew, pid), -1);
    assert_int_equal(crew.members[1].last_exit.code, SIGKILL);
    assert_int_equal(atomic_load(&page->serving), 0);
    assert_int_equal(atomic_load(&page->connections), 0);
    assert_int_equal(atomic_load(&page->running_since), 0);
    assert_int_equal(atomic_load(&page->pid), 0);
    assert_int_equal(open_descriptors(), before + 1); /* brood's pidfd */
}

/* TERM and then KILL: it may die of either; and the next one has been sent nothing. */
static void test_the_signal_of_a_death_is_ours_if_we_had_sent_it(void **state)
{
    (void)state;
    struct cv_fleet_exit killed = {.signaled = true, .code = SIGKILL};
    pid_t pid = spawn(0, NULL);
    cv_member_signal(&crew.members[0], SIGTERM);
    cv_member_signal(&crew.members[0], SIGKILL);
    (void)brood_wait(pid);
    cv_crew_bury(&crew, 0, (struct cv_fleet_exit){.signaled = true, .code = SIGTERM});
    assert_true(crew.members[0].last_exit.by_us);

    pid = spawn(0, NULL);
    (void)kill(pid, SIGKILL);
    (void)brood_wait(pid);
    cv_crew_bury(&crew, 0, killed);
    assert_false(crew.members[0].last_exit.by_us);

    pid = spawn(0, NULL);
    cv_member_signal(&crew.members[0], SIGKILL);
    (void)brood_wait(pid);
    cv_crew_bury(&crew, 0, (struct cv_fleet_exit){.code = SIGKILL}); /* an exit code */
    assert_false(crew.members[0].last_exit.by_us);
}

static const struct cv_region_kind two_words = {.layout = 1, .bytes = 16, .fleeting = 8};

/* Adds 1 to each word; says what they were. */
static int count_in_region(const struct cv_boot *boot)
{
    uint64_t *words = cv_region_map(boot->region, two_words.bytes, true);
    if (words == NULL || boot->region_layout != two_words.layout)
        return 99;
    return (int)(10 * words[0]++ + words[1]++);
}

static void test_a_worker_counts_on_where_the_last_one_of_its_slot_has_ended(void **state)
{
    (void)state;
    crew.region_kind = two_words;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(brood_wait(spawn(1, count_in_region)), i); /* the first word is cleared */
        cv_crew_bury(&crew, 1, (struct cv_fleet_exit){.code = i});
    }
    assert_int_equal(brood_wait(spawn(0, count_in_region)), 0);
    assert_int_equal(crew.members[2].region, -1);
}

/* What is open but for 0-2, its channel, the state pages, the master's pidfd, the listeners, and
 * the descriptors of this test. */
static int count_more(const struct cv_boot *boot)
{
    return open_descriptors() - 3 - 3 - (int)boot->n_listeners - brood.n;
}

/* A channel kept by a brother would never report the end of its owner. */
static void test_a_forked_worker_keeps_nothing_of_its_brothers(void **state)
{
    (void)state;
    (void)spawn(0, NULL);
    (void)spawn(2, NULL);
    assert_int_equal(brood_wait(spawn(1, count_more)), 0);
}

static int count_one_more(const struct cv_boot *boot)
{
    return count_more(boot) - 1;
}

static void test_a_forked_worker_keeps_no_region_but_its_own(void **state)
{
    (void)state;
    crew.region_kind = two_words;
    (void)spawn(0, NULL);
    (void)spawn(2, NULL);
    assert_int_equal(brood_wait(spawn(1, count_one_more)), 0);
}

static int report_role(const struct cv_boot *boot)
{
    return (int)(boot->role * 100 + boot->slot * 10 + boot->n_listeners);
}

static void test_main_has_no_listeners(void **state)
{
    (void)state;
    assert_int_equal(brood_wait(spawn(CAPACITY, report_role)),
                     CV_ROLE_MAIN * 100 + CAPACITY * 10 + 0);
    assert_int_equal(brood_wait(spawn(2, report_role)), CV_ROLE_WORKER * 100 + 2 * 10 + 2);
    assert_int_equal(atomic_load(&crew.slots.head->slots_used), 3); /* main is none of them */
}

static void test_a_program_that_cannot_start_leaves_no_member(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it makes a fork of vfork, whose child has no way to tell */
#endif
    struct cv_boot boot;
    how.method = CV_START_SPAWN;
    cv_crew_drop(&crew, 1);
    (void)snprintf(crew.program.path, sizeof(crew.program.path), "/dev/null");
    assert_int_equal(pin(1), 0);
    int before = open_descriptors();
    assert_int_equal(cv_crew_spawn(&crew, &how, &run, 0, 1, -1, &boot), -EACCES);
    assert_int_equal(crew.members[0].pid, 0);
    assert_int_equal(open_descriptors(), before);
    siginfo_t info;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED), 0);
}

/* ---- Strays ---- */

/* A child that carries the tag of this incarnation, or none. */
static pid_t leave(uint32_t incarnation)
{
    int fds[2];
    char byte;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = brood_fork();
    if (pid == 0) {
        char tag[CV_TAG_BYTES];
        char variable[64];
        cv_run_tag(&run, incarnation, tag);
        (void)snprintf(variable, sizeof(variable), CV_TAG_VARIABLE "=%s", tag);
        cv_title_set("stray", "of a test", incarnation != 0 ? variable : NULL);
        (void)!write(fds[1], "x", 1);
        for (;;)
            (void)pause();
    }
    ssize_t got = read(fds[0], &byte, 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(got, 1);
    return pid;
}

static void test_only_strays_of_the_dead_are_killed(void **state)
{
    (void)state;
    pid_t member = spawn(0, NULL);
    pid_t of_living = leave(crew.members[0].incarnation);
    pid_t of_dead = leave(crew.members[0].incarnation + 1);
    pid_t untagged = leave(0);
    cv_crew_end_strays(&crew, &run);
    assert_int_equal(brood_wait(of_dead), 128 + SIGKILL);
    assert_false(brood_is_over(of_living, 0));
    assert_false(brood_is_over(untagged, 0));
    assert_false(brood_is_over(member, 0));
}

/* ---- Reasons ---- */

static bool is_new(const char *text)
{
    return cv_crew_is_new_reason(&crew, cv_span_str(text));
}

static void test_the_same_reason_is_new_once_per_generation(void **state)
{
    (void)state;
    static char text[2000];
    assert_true(is_new("no database"));
    assert_false(is_new("no database"));
    assert_true(is_new("no cache"));
    assert_true(is_new("no database"));
    memset(text, 'r', sizeof(text) - 1);
    assert_true(is_new(text));
    assert_false(is_new(text));
    how.method = CV_START_SPAWN;
    assert_int_equal(pin(2), 0);
    assert_true(is_new(text));
}

#define crew_test(test) cmocka_unit_test_setup_teardown(test, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        crew_test(test_a_forked_program_cannot_be_reloaded_and_says_what_can),
        crew_test(test_more_generations_than_there_is_room_for_wait),
        crew_test(test_a_program_that_is_gone_is_named_and_takes_no_room),
        crew_test(test_a_signal_to_nobody_hits_nobody),
        crew_test(test_a_member_without_a_pidfd_is_reached_by_its_pid),
        crew_test(test_the_dead_leave_nothing),
        crew_test(test_the_signal_of_a_death_is_ours_if_we_had_sent_it),
        crew_test(test_a_forked_worker_keeps_nothing_of_its_brothers),
        crew_test(test_a_forked_worker_keeps_no_region_but_its_own),
        crew_test(test_a_worker_counts_on_where_the_last_one_of_its_slot_has_ended),
        crew_test(test_main_has_no_listeners),
        crew_test(test_a_program_that_cannot_start_leaves_no_member),
        crew_test(test_only_strays_of_the_dead_are_killed),
        crew_test(test_the_same_reason_is_new_once_per_generation),
    };
    (void)close_range(3, ~0U, 0); /* whatever this program was given */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
