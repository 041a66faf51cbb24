/* Whatever fails half-way gives back all it has taken: the n-th call fails, until none does. */
#include "unit/supervise/wrapped.h"

#include "base/fd.h"
#include "supervise/control/control.h"
#include "supervise/control/file.h"
#include "supervise/guardian/pidfile.h"
#include "supervise/master/doing.h"
#include "supervise/notify/outer.h"
#include "supervise/policy/fleet_handover.h"
#include "supervise/process/program.h"
#include "supervise/process/snapshot.h"
#include "supervise/process/spawn.h"
#include "supervise/shared/boot.h"
#include "supervise/shared/channel.h"
#include "supervise/shared/manifest.h"
#include "supervise/shared/slots.h"
#include "supervise/sockets/listen.h"
#include "supervise/sockets/seats.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

static char folder[64];
static char reason[PATH_MAX + 256];

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int count_entries(const char *path)
{
    DIR *entries = opendir(path);
    int n = 0;
    while (readdir(entries) != NULL)
        n++;
    (void)closedir(entries);
    return n;
}

/* `attempt` returns 0 once it has succeeded and undone all it did. Of memory, descriptors and files
 * there is afterwards what there was, whatever has failed. */
static void until_success(int (*attempt)(void))
{
    for (unsigned n = 1;; n++) {
        int blocks = wrapped_blocks;
        int fds = count_entries("/proc/self/fd");
        int files = count_entries(folder);
        wrapped_calls = 0;
        wrapped_fail_at = n;
        int rc = attempt();
        wrapped_fail_at = 0;
        assert_true(rc <= 0);
        if (wrapped_blocks != blocks || count_entries("/proc/self/fd") != fds ||
            count_entries(folder) != files)
            fail_msg("call %u fails: %d blocks, %d descriptors, %d files are left", n,
                     wrapped_blocks - blocks, count_entries("/proc/self/fd") - fds,
                     count_entries(folder) - files);
        if (wrapped_calls >= n)
            continue;
        assert_int_equal(rc, 0);
        assert_true(n > 1); /* something could fail */
        return;
    }
}

/* ---- Memory ---- */

static int a_fleet(void)
{
    struct cv_fleet_config config;
    struct cv_fleet *fleet;
    cv_fleet_defaults(&config);
    int rc = cv_fleet_new(&config, 0, &fleet);
    if (rc == 0)
        cv_fleet_free(fleet);
    return rc;
}

static int a_handed_over_fleet(void)
{
    struct cv_fleet_config config;
    struct cv_fleet *fleet;
    struct cv_fleet *again;
    struct cv_action action;
    struct cv_handover to;
    struct cv_span record;
    cv_fleet_defaults(&config);
    int rc = cv_fleet_new(&config, 0, &fleet);
    if (rc < 0)
        return rc;
    while (cv_fleet_next(fleet, &action))
        continue;
    cv_handover_begin(&to);
    cv_fleet_export(fleet, &to);
    rc = cv_handover_end(&to, &record);
    if (rc == 0)
        rc = cv_handover_check(record);
    if (rc == 0)
        rc = cv_fleet_import(&config, record, &again);
    if (rc == 0)
        cv_fleet_free(again);
    cv_handover_done(&to);
    cv_fleet_free(fleet);
    return rc;
}

static int seats(void)
{
    struct cv_seats seats;
    int rc = cv_seats_init(&seats, 16);
    cv_seats_done(&seats);
    return rc;
}

static int doings(void)
{
    struct cv_doings doings;
    int rc = cv_doings_init(&doings, 16, 1);
    free(doings.of);
    return rc;
}

static int a_manifest(void)
{
    struct cv_buf buf;
    cv_buf_init(&buf, CV_MESSAGE_BODY_MAX);
    int rc = cv_manifest_begin(&buf);
    for (int i = 0; rc == 0 && i < 100; i++)
        rc = cv_manifest_add(&buf, CV_MANIFEST_ROUTE, CV_SPAN("/a/route/of/some/length"));
    cv_buf_done(&buf);
    return rc;
}

/* ---- Descriptors ---- */

static int close_it(int fd)
{
    if (fd >= 0)
        (void)close(fd);
    return fd < 0 ? fd : 0;
}

static int slots(void)
{
    struct cv_slots slots;
    int rc = cv_slots_new(&slots, 4);
    if (rc == 0)
        cv_slots_done(&slots);
    return rc;
}

static int a_channel(void)
{
    int pair[2];
    int rc = cv_channel_pair(pair);
    if (rc == 0)
        (void)close_it(pair[0]), (void)close_it(pair[1]);
    return rc;
}

static int a_boot(void)
{
    struct cv_boot boot;
    cv_boot_init(&boot);
    return close_it(cv_boot_seal(&boot));
}

static int a_snapshot(void)
{
    return close_it(cv_snapshot(in_folder("settings"), reason, sizeof(reason)));
}

static int a_pinned_program(void)
{
    struct cv_program program = {"/bin/true", "/bin/false"};
    struct cv_pinned pinned;
    int rc = cv_program_pin(&program, &pinned, reason, sizeof(reason));
    if (rc == 0)
        cv_program_unpin(&pinned);
    return rc;
}

static int a_worker(void)
{
    static char name[] = "true";
    static char *argv[] = {name, NULL};
    static const struct cv_program program = {.path = "/bin/true"};
    struct cv_pinned pinned;
    struct cv_boot boot;
    int rc = cv_program_pin(&program, &pinned, reason, sizeof(reason));
    if (rc < 0)
        return rc;
    cv_boot_init(&boot);
    boot.parent = getpid();
    boot.channel = boot.state = boot.parent_fd = STDERR_FILENO;
    boot.object = -1;
    pid_t pid = cv_spawn_exec(&pinned, &boot, argv, -1);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    cv_program_unpin(&pinned);
    return pid < 0 ? pid : 0;
}

/* ---- Sockets and files ---- */

static int listeners(void)
{
    static struct cv_listeners listeners;
    char list[256];
    (void)snprintf(list, sizeof(list), "127.0.0.1:0,unix:%s", in_folder("http"));
    listeners.n = 0;
    int rc = cv_listen_parse(&listeners, list, reason, sizeof(reason));
    if (rc == 0)
        rc = cv_listen_open(&listeners, 8, reason, sizeof(reason));
    if (rc < 0)
        return rc;
    cv_listen_close(&listeners);
    cv_listen_unlink(&listeners);
    (void)unlink(in_folder("http")); /* if it could not be looked at, it is nobody's */
    return 0;
}

static int a_control_file(void)
{
    static struct cv_control_file file;
    int rc = cv_control_open_at(&file, in_folder("control"), reason, sizeof(reason));
    if (rc < 0)
        return rc;
    wrapped_fail_at = 0; /* a file that cannot be removed is left */
    cv_control_close(&file);
    cv_control_unlink(&file);
    return close_it(file.folder);
}

static int a_control_file_in_its_own_folder(void)
{
    static struct cv_control_file file;
    int rc = cv_control_open(&file, "test", reason, sizeof(reason));
    if (rc < 0)
        return rc;
    wrapped_fail_at = 0; /* a file that cannot be removed is left */
    cv_control_close(&file);
    cv_control_unlink(&file);
    return close_it(file.folder);
}

static int control(void)
{
    static struct cv_control control;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (fd < 0)
        return -errno;
    (void)bind(fd, (const struct sockaddr *)&(sa_family_t){AF_UNIX}, sizeof(sa_family_t));
    (void)listen(fd, 1);
    int rc = cv_control_start(&control, fd);
    cv_control_done(&control);
    return rc;
}

static int a_pid_file(void)
{
    struct cv_pidfile pidfile;
    int rc = cv_pidfile_take(&pidfile, in_folder("pid"), reason, sizeof(reason));
    if (rc < 0) {
        struct stat st;
        /* One that could not be locked or read is nobody's to remove: it stays, empty. */
        assert_true(stat(in_folder("pid"), &st) < 0 || st.st_size == 0);
        (void)unlink(in_folder("pid"));
        return rc;
    }
    cv_pidfile_remove(&pidfile);
    (void)unlink(in_folder("pid"));
    return close_it(pidfile.fd);
}

static int news(void)
{
    struct cv_outer outer = {.address = {.sun_family = AF_UNIX, .sun_path = "/nowhere"},
                             .address_len = sizeof(struct sockaddr_un)};
    cv_outer_tell(&outer, "READY=1");
    return 0;
}

/* ---- The tests ---- */

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/covey-faults-%d", (int)getpid());
    if (mkdir(folder, 0700) < 0)
        return -1;
    CV_AUTOCLOSE int fd = open(in_folder("settings"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return setenv("XDG_RUNTIME_DIR", folder, 1) < 0 ? -1 : cv_fd_write_all(fd, "workers = 2\n", 12);
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(in_folder("settings"));
    return rmdir(folder);
}

#define TEST(name)                                                                                 \
    static void test_##name##_gives_all_back(void **state)                                         \
    {                                                                                              \
        (void)state;                                                                               \
        until_success(name);                                                                       \
    }
#define ATTEMPTS(X)                                                                                \
    X(a_fleet)                                                                                     \
    X(a_handed_over_fleet)                                                                         \
    X(seats)                                                                                       \
    X(doings)                                                                                      \
    X(a_manifest)                                                                                  \
    X(slots)                                                                                       \
    X(a_channel)                                                                                   \
    X(a_boot)                                                                                      \
    X(a_snapshot)                                                                                  \
    X(a_pinned_program)                                                                            \
    X(a_worker)                                                                                    \
    X(listeners)                                                                                   \
    X(a_control_file)                                                                              \
    X(a_control_file_in_its_own_folder)                                                            \
    X(control)                                                                                     \
    X(a_pid_file)                                                                                  \
    X(news)
ATTEMPTS(TEST)

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ENTRY(name) cmocka_unit_test(test_##name##_gives_all_back),
        ATTEMPTS(ENTRY)
#undef ENTRY
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
