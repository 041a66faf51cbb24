#include "supervise/belongings.h"
#include "supervise/crew/handover.h"
#include "supervise/guardian/inside.h"
#include "supervise/handover/file.h"
#include "supervise/master/inside.h"
#include "supervise/sockets/seating_handover.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "brood.h"

/* ---- Crew ---- */

static struct cv_span end(struct cv_handover *to)
{
    struct cv_span record;
    assert_int_equal(cv_handover_end(to, &record), 0);
    assert_int_equal(cv_handover_check(record), 0);
    return record;
}

static void fill_crew(struct cv_crew *crew)
{
    assert_int_equal(cv_crew_make(crew, 4, 7), 0);
    crew->slots.fd = 9;
    crew->slots.count = 7;
    crew->nofile = 1024;
    crew->incarnations = 12;
    (void)snprintf(crew->program.path, sizeof(crew->program.path), "/srv/current/shop");
    crew->pinned[2] = (struct cv_pinned){.program = 20, .object = 21};
    crew->pinned_generation[2] = 5;
    crew->pinned_settings[2] = 22;
    crew->commands[2].of[0] = (struct cv_command){.name = "function"};
    crew->commands[2].of[1] = (struct cv_command){.name = "queue", .at = 3, .len = 9, .n = 2};
    memcpy(crew->commands[2].bytes + 3, "work\0now", 9);
    crew->templates[2] = (struct cv_template){
        .pid = 90, .pidfd = 23, .channel = 24, .generation = 5, .incarnation = 4, .orders = 1};
    crew->members[3].order = (struct cv_order){
        .is_wanted = true, .generation = 5, .template = 4, .is_sent = true, .channel = 25};
    crew->members[1] = (struct cv_member){.pid = 100,
                                          .pidfd = 30,
                                          .channel = 31,
                                          .incarnation = 11,
                                          .generation = 5,
                                          .signals_sent = UINT64_C(1) << 63,
                                          .starts = 3,
                                          .has_ended = true,
                                          .last_exit = {.signaled = true, .code = 9}};
    crew->members[1].region = 32;
    crew->region_kind = (struct cv_region_kind){.layout = 2, .bytes = 4000, .fleeting = 8};
    crew->members[6] = crew->members[1];
    crew->members[6].pid = 101;
    cv_crew_name(crew, 6, "queue", 2);
}

static void test_crew_comes_back(void **state)
{
    (void)state;
    struct cv_crew crew;
    struct cv_crew back;
    struct cv_handover to;
    fill_crew(&crew);
    cv_handover_begin(&to);
    cv_crew_export(&crew, &to);
    struct cv_span record = end(&to);
    assert_int_equal(cv_crew_import(&back, record), 0);
    assert_true(back.capacity == 4 && back.slots.count == 7 && back.slots.fd == 9);
    assert_true(back.nofile == 1024 && back.incarnations == 12);
    assert_string_equal(back.program.path, "/srv/current/shop");
    assert_int_equal(back.pinned[2].program, 20);
    assert_int_equal(back.pinned[2].object, 21);
    assert_int_equal(back.pinned_generation[2], 5);
    assert_int_equal(back.pinned_settings[2], 22);
    assert_int_equal(back.pinned[1].program, -1);
    assert_string_equal(back.commands[2].of[0].name, "queue");
    assert_int_equal(back.commands[2].of[0].n, 2);
    assert_memory_equal(back.commands[2].bytes + back.commands[2].of[0].at, "work\0now", 9);
    assert_int_equal(back.commands[2].of[1].n, 0);
    assert_memory_equal(&back.members[1].last_exit, &crew.members[1].last_exit,
                        sizeof(struct cv_fleet_exit));
    assert_true(back.members[1].signals_sent == UINT64_C(1) << 63);
    assert_int_equal(back.members[1].channel, 31);
    assert_int_equal(back.members[0].channel, -1);
    assert_int_equal(back.members[1].region, 32);
    assert_int_equal(back.members[0].region, -1);
    assert_memory_equal(&back.region_kind, &crew.region_kind, sizeof(back.region_kind));
    assert_string_equal(back.members[1].who.text, "worker 1");
    assert_string_equal(back.members[6].who.text, crew.members[6].who.text);
    assert_int_equal(cv_crew_find(&back, 101), 6);
    assert_int_equal(back.templates[2].channel, 24);
    assert_int_equal(back.templates[2].orders, 1);
    assert_int_equal(back.templates[1].pid, 0);
    assert_true(back.members[3].order.is_sent && back.members[3].order.channel == 25);
    free(crew.members);
    free(back.members);
    cv_handover_done(&to);
}

static void test_half_a_member_is_refused(void **state)
{
    (void)state;
    struct cv_crew crew;
    struct cv_crew back;
    struct cv_handover to;
    fill_crew(&crew);
    crew.members[1].channel = -1;
    cv_handover_begin(&to);
    cv_crew_export(&crew, &to);
    assert_int_equal(cv_crew_import(&back, end(&to)), -EBADMSG);
    free(crew.members);
    free(back.members);
    cv_handover_done(&to);
}

/* ---- Seats ---- */

static void test_seats_come_back(void **state)
{
    (void)state;
    struct cv_listeners listeners = {.n = 2};
    int fds[4 * 2] = {-1, -1, 40, 41, -1, -1, 42, -1};
    struct cv_seating seating = {.listeners = &listeners, .fds = fds, .has_complained = true};
    struct cv_seating back;
    struct cv_handover to;
    assert_int_equal(cv_seats_init(&seating.seats, 4), 0);
    cv_seats_open(&seating.seats, 0);
    cv_seats_open(&seating.seats, 1);
    (void)cv_seats_take(&seating.seats, 3, -1);
    (void)cv_seats_take(&seating.seats, 2, -1);
    cv_seats_going(&seating.seats, 2);
    cv_handover_begin(&to);
    cv_seating_export(&seating, &to);
    assert_int_equal(cv_seating_import(&back, &listeners, 4, end(&to)), 1);
    assert_true(back.has_complained);
    assert_int_equal(back.seats.n_open, seating.seats.n_open);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(back.seats.slot[i].seat, seating.seats.slot[i].seat);
        assert_int_equal(back.seats.slot[i].is_going, seating.seats.slot[i].is_going);
        assert_int_equal(back.seats.seat[i].staying, seating.seats.seat[i].staying);
        assert_int_equal(back.seats.seat[i].is_open, seating.seats.seat[i].is_open);
    }
    assert_int_equal(back.fds[2], 40);
    assert_int_equal(back.fds[3], 41);
    assert_int_equal(back.fds[6], -1); /* of a seat that is closed */
    cv_seats_done(&seating.seats);
    cv_seats_done(&back.seats);
    free(back.fds);
    cv_handover_done(&to);

    cv_handover_begin(&to);
    assert_int_equal(cv_seating_import(&back, &listeners, 4, end(&to)), 0);
    cv_handover_done(&to);
}

/* ---- Belongings ---- */

static void test_belongings_come_back(void **state)
{
    (void)state;
    static struct cv_listeners listeners;
    static struct cv_listeners listeners_back;
    static struct cv_control_file control = {.fd = 50, .folder = 51, .is_ours = true};
    static struct cv_control_file control_back;
    static struct cv_supervise how;
    static struct cv_supervise back;
    static struct cv_logs logs = {"/var/log/shop", "", 54};
    static struct cv_logs logs_back;
    struct cv_handover to;
    char reason[256] = "";
    listeners.n = 2;
    listeners.backlog = 77;
    listeners.item[1].fd = 52;
    (void)snprintf(listeners.item[1].text, sizeof(listeners.item[1].text), "unix:/run/shop.sock");
    listeners.item[1].file.stx_ino = 4711;
    (void)snprintf(listeners.item[1].owner, sizeof(listeners.item[1].owner), "inspector");
    (void)snprintf(control.name, sizeof(control.name), "shop-1.sock");
    how = (struct cv_supervise){.version = "1.2",
                                .abi = 3,
                                .listeners = &listeners,
                                .control = &control,
                                .logs = &logs,
                                .pidfile = {.path = "/run/shop.pid", .fd = 53},
                                .outer = {.address_len = 12, .watchdog = 5}};
    back = (struct cv_supervise){.version = "1.3",
                                 .abi = 3,
                                 .listeners = &listeners_back,
                                 .control = &control_back,
                                 .logs = &logs_back};
    cv_handover_begin(&to);
    cv_belongings_export(&how, &to);
    struct cv_span record = end(&to);
    assert_int_equal(cv_belongings_import(&back, record, reason, sizeof(reason)), 0);
    assert_int_equal(listeners_back.n, 2);
    assert_int_equal(listeners_back.backlog, 77);
    assert_int_equal(listeners_back.item[1].fd, 52);
    assert_string_equal(listeners_back.item[1].text, "unix:/run/shop.sock");
    assert_int_equal(listeners_back.item[1].file.stx_ino, 4711);
    assert_string_equal(listeners_back.item[1].owner, "inspector");
    assert_true(control_back.fd == 50 && control_back.folder == 51 && control_back.is_ours);
    assert_string_equal(back.pidfile.path, "/run/shop.pid");
    assert_int_equal(back.pidfile.fd, 53);
    assert_int_equal(back.outer.address_len, 12);
    assert_string_equal(logs_back.log, "/var/log/shop");
    assert_string_equal(logs_back.access, "");
    assert_int_equal(logs_back.access_fd, 54);

    back.abi = 4;
    assert_int_equal(cv_belongings_import(&back, record, reason, sizeof(reason)), -EPROTO);
    assert_string_equal(reason, "covey 1.3 of the new program and covey 1.2 of the one that runs "
                                "do not understand each other's workers: restart instead");
    cv_handover_done(&to);
}

/* ---- From program to program ---- */

/* What cv_handed_take() makes of a record for `role` and `pid`, in a child. */
static int taken(enum cv_handed_role role, pid_t pid, bool is_sealed)
{
    struct cv_handover to;
    cv_handed_begin(&to, role, pid, -1, -1);
    struct cv_span record = end(&to);
    int fd = is_sealed ? cv_handed_seal(record) : memfd_create("test", 0);
    assert_true(fd >= 0);
    if (!is_sealed)
        assert_int_equal(write(fd, record.at, record.len), record.len);
    pid_t child = brood_fork();
    if (child == 0) {
        char text[16];
        struct cv_handed handed;
        (void)snprintf(text, sizeof(text), "%d", fd);
        (void)setenv(CV_HANDOVER_VARIABLE, text, 1);
        int rc = cv_handed_take(&handed);
        bool is_right = rc == 1 && handed.role == role && handed.settings == -1;
        if (getenv(CV_HANDOVER_VARIABLE) != NULL || fcntl(fd, F_GETFD) >= 0)
            _exit(20);
        _exit(rc == 1 ? (is_right ? 11 : 21) : 10 + rc);
    }
    (void)close(fd);
    cv_handover_done(&to);
    return brood_wait(child);
}

static void test_only_what_is_meant_for_this_process_is_taken(void **state)
{
    (void)state;
    assert_int_equal(taken(CV_HANDED_TRIAL, getpid(), true), 11);
    assert_int_equal(taken(CV_HANDED_TRIAL, 1, true), 10);
    assert_int_equal(taken(CV_HANDED_MASTER, getpid(), true), 10); /* the child is another */
    assert_int_equal(taken(CV_HANDED_GUARDIAN, getpid(), true), 10);
}

static void test_what_is_not_sealed_is_not_believed(void **state)
{
    (void)state;
    struct cv_handed handed;
    assert_int_not_equal(taken(CV_HANDED_TRIAL, getpid(), false), 11);
    (void)setenv(CV_HANDOVER_VARIABLE, "0", 1);
    assert_int_equal(cv_handed_take(&handed), 0);
    (void)setenv(CV_HANDOVER_VARIABLE, "nonsense", 1);
    assert_int_equal(cv_handed_take(&handed), 0);
    assert_null(getenv(CV_HANDOVER_VARIABLE));
    assert_int_equal(cv_handed_take(&handed), 0);
}

/* Nothing is left open by an exec that fails. */
static void test_becoming_fails_without_a_trace(void **state)
{
    (void)state;
    char word[] = "x";
    char *argv[] = {word, NULL};
    struct cv_handover to;
    int kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int folder = open("/", O_PATH | O_CLOEXEC);
    cv_handed_begin(&to, CV_HANDED_MASTER, getpid(), kept, -1);
    struct cv_span record = end(&to);
    int file = cv_handed_seal(record);
    assert_int_equal(cv_handed_become(folder, file, record, argv), -EACCES);
    assert_int_equal(fcntl(kept, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
    (void)close(kept);
    (void)close(folder);
    (void)close(file);
    cv_handover_done(&to);
}

static int teardown(void **state)
{
    (void)state;
    brood_end(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crew_comes_back),
        cmocka_unit_test(test_half_a_member_is_refused),
        cmocka_unit_test(test_seats_come_back),
        cmocka_unit_test(test_belongings_come_back),
        cmocka_unit_test_teardown(test_only_what_is_meant_for_this_process_is_taken, teardown),
        cmocka_unit_test_teardown(test_what_is_not_sealed_is_not_believed, teardown),
        cmocka_unit_test(test_becoming_fails_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
