#include "supervise/process/foreign.h"

#include "supervise/process/spawn.h"
#include "supervise/shared/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

extern char **environ;

#define FIRST_FD 3

/* ---- Environment ---- */

static size_t length_of_name(const char *entry)
{
    return strcspn(entry, "=");
}

static bool is_same_variable(const char *a, const char *b)
{
    size_t len = length_of_name(a);
    return len == length_of_name(b) && memcmp(a, b, len) == 0;
}

static bool is_replaced(const char *entry, char *const *entries)
{
    if (is_same_variable(entry, CV_TAG_VARIABLE) || is_same_variable(entry, CV_BOOT_VARIABLE))
        return true;
    for (; *entries != NULL; entries++)
        if (is_same_variable(entry, *entries))
            return true;
    return false;
}

char **cv_foreign_environment(char *const *entries)
{
    size_t n = 0;
    size_t more = 0;
    while (environ != NULL && environ[n] != NULL)
        n++;
    while (entries[more] != NULL)
        more++;
    char **all = calloc(n + more + 1, sizeof(*all));
    if (all == NULL)
        return NULL;
    memcpy(all, entries, more * sizeof(*all));
    for (size_t i = 0; i < n; i++)
        if (!is_replaced(environ[i], entries))
            all[more++] = environ[i];
    return all;
}

/* ---- In the child of the vfork: system calls only ---- */

static void write_pid(char *to)
{
    char digits[CV_FOREIGN_PID_BYTES];
    unsigned pid = (unsigned)getpid();
    size_t n = 0;
    do
        digits[n++] = (char)('0' + pid % 10);
    while ((pid /= 10) > 0);
    while (n > 0)
        *to++ = digits[--n];
    *to = '\0';
}

static void restore_limit(uint64_t nofile)
{
    struct rlimit limit;
    if (nofile == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = nofile;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* First out of the way, then into place: their numbers may be among those wanted. *program moves
 * too. 0 or -errno. */
static int place_listeners(const struct cv_foreign *foreign, int *program, int *high)
{
    int behind = FIRST_FD + foreign->n_listeners;
    if (*program >= 0) {
        *program = fcntl(*program, F_DUPFD_CLOEXEC, behind);
        if (*program < 0)
            return -errno;
    }
    for (int i = 0; i < foreign->n_listeners; i++) {
        high[i] = fcntl(foreign->listeners[i], F_DUPFD_CLOEXEC, behind);
        if (high[i] < 0)
            return -errno;
    }
    for (int i = 0; i < foreign->n_listeners; i++)
        if (dup2(high[i], FIRST_FD + i) < 0)
            return -errno;
    return 0;
}

/* The calls themselves: those of libc would tell threads of it that are the parent's. */
static int become(const struct cv_privilege *user)
{
    if (!cv_privilege_is_change(user))
        return 0;
    if (syscall(SYS_setgroups, user->n_groups, user->groups) < 0 ||
        syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0 ||
        syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0)
        return -errno;
    return 0;
}

/* A path is nicer (it is what `ps` and `pgrep` show), but what was pinned is what runs. */
static bool is_still_there(int program, const char *path)
{
    struct stat pinned;
    struct stat now;
    return fstat(program, &pinned) == 0 && stat(path, &now) == 0 && pinned.st_dev == now.st_dev &&
           pinned.st_ino == now.st_ino;
}

static int run(const struct cv_foreign *foreign, pid_t parent, int *high)
{
    int program = foreign->program;
    int rc = cv_spawn_set_up(parent, foreign->door);
    if (rc == 0)
        rc = place_listeners(foreign, &program, high);
    if (rc < 0)
        return rc;
    restore_limit(foreign->nofile);
    rc = become(foreign->user);
    if (rc < 0)
        return rc;
    cv_spawn_arm(parent); /* which that has cleared */
    if (foreign->pid_text != NULL)
        write_pid(foreign->pid_text);
    if (program < 0 || is_still_there(program, foreign->path))
        (void)execve(foreign->path, foreign->argv, foreign->envp);
    else
        (void)syscall(SYS_execveat, program, "", foreign->argv, foreign->envp, AT_EMPTY_PATH);
    return -errno;
}

/* ---- In the master ---- */

/* In a function of its own, as vfork(2) asks. */
__attribute__((noinline)) static pid_t vfork_and_run(const struct cv_foreign *foreign, pid_t parent,
                                                     int *high, volatile int *error)
{
    pid_t pid = vfork();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    *error = run(foreign, parent, high);
    _exit(127);
}

pid_t cv_foreign_start(const struct cv_foreign *foreign)
{
    static int high[CV_BOOT_LISTENERS_MAX];
    volatile int error = 0;
    pid_t pid = vfork_and_run(foreign, getpid(), high, &error);
    return error != 0 ? error : pid;
}
