#include "supervise/process/spawn.h"

#include "base/assert.h"
#include "base/exit.h"
#include "base/fd.h"
#include "supervise/handover/file.h"
#include "supervise/process/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

extern char **environ;

/* So much likelier than master and guardian is a worker to be chosen when memory runs out. */
#define OOM_SCORE "200"

/* Runs in the new process, in a vfork in its parent's memory: system calls only. A parent that is
 * killed before the parent-death signal is armed is seen right after. */
void cv_spawn_arm(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(CV_EXIT_PEER_LOST);
}

int cv_spawn_set_up(pid_t parent, int door)
{
    int rc = 0;
    cv_spawn_arm(parent);
    if (door >= 0 && write(door, "0", 1) < 0)
        rc = -errno;
    cv_signals_reset();
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, OOM_SCORE, sizeof(OOM_SCORE) - 1);
        (void)close(fd);
    }
    return rc;
}

#define KEPT_MAX (CV_BOOT_LISTENERS_MAX + 9)

/* What is to be started. */
struct birth {
    int program;
    int kept[KEPT_MAX]; /* descriptors that it inherits; -1: none */
    size_t n_kept;
    const char *variable; /* that names the first of them */
    const char *tag;
    char *const *argv;
    int door; /* of its cgroup; -1 */
};

static void keep(struct birth *birth, int fd)
{
    birth->kept[birth->n_kept++] = fd;
}

/* The environment of the child: ours, without an outer covey's tag, with boot and tag. */
static char **make_environment(char *first, char *second)
{
    size_t n = 0;
    while (environ != NULL && environ[n] != NULL)
        n++;
    char **entries = calloc(n + 3, sizeof(*entries));
    if (entries == NULL)
        return NULL;
    size_t to = 0;
    entries[to++] = first;
    entries[to++] = second;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], CV_TAG_VARIABLE "=", sizeof(CV_TAG_VARIABLE)) != 0)
            entries[to++] = environ[i];
    return entries;
}

/* In a function of its own, as vfork(2) asks: the child must not return from it nor touch its
 * parent's locals. */
__attribute__((noinline)) static pid_t vfork_exec(const struct birth *birth, pid_t self,
                                                  char *const *envp, volatile int *error)
{
    pid_t pid = vfork();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    int rc = cv_spawn_set_up(self, birth->door);
    for (size_t i = 0; rc == 0 && i < birth->n_kept; i++)
        if (birth->kept[i] >= 0)
            rc = cv_fd_set_cloexec(birth->kept[i], 0);
    if (rc == 0) {
        (void)syscall(SYS_execveat, birth->program, "", birth->argv, envp, AT_EMPTY_PATH);
        rc = -errno;
    }
    *error = -rc;
    _exit(127);
}

static pid_t give_birth(const struct birth *birth)
{
    char variable[48];
    char tag[sizeof(CV_TAG_VARIABLE) + CV_TAG_BYTES];
    (void)snprintf(variable, sizeof(variable), "%s=%d", birth->variable, birth->kept[0]);
    (void)snprintf(tag, sizeof(tag), CV_TAG_VARIABLE "=%s", birth->tag);
    CV_AUTOFREE char **envp = make_environment(variable, tag);
    if (envp == NULL)
        return -ENOMEM;

    volatile int error = 0;
    pid_t pid = vfork_exec(birth, getpid(), envp, &error);
    /* A child whose exec failed is reaped like any other: its pid belongs to nobody and is ignored
     * there. */
    return error != 0 ? -error : pid;
}

pid_t cv_spawn_exec(const struct cv_pinned *pinned, const struct cv_boot *boot, char *const *argv,
                    int door)
{
    CV_AUTOCLOSE int boot_fd = cv_boot_seal(boot);
    if (boot_fd < 0)
        return boot_fd;
    struct birth birth = {.program = pinned->program,
                          .variable = CV_BOOT_VARIABLE,
                          .tag = boot->tag,
                          .argv = argv,
                          .door = door};
    keep(&birth, boot_fd);
    keep(&birth, boot->channel);
    keep(&birth, boot->state);
    keep(&birth, boot->parent_fd);
    keep(&birth, boot->object);
    keep(&birth, boot->settings);
    keep(&birth, boot->access_log);
    keep(&birth, boot->region);
    for (uint32_t i = 0; i < boot->n_listeners; i++)
        keep(&birth, boot->listeners[i]);
    return give_birth(&birth);
}

pid_t cv_spawn_trial(int program, const int *kept, size_t n_kept, const char *tag,
                     char *const *argv, int door)
{
    struct birth birth = {.program = program,
                          .variable = CV_HANDOVER_VARIABLE,
                          .tag = tag,
                          .argv = argv,
                          .door = door};
    CV_ASSERT(n_kept <= KEPT_MAX);
    for (size_t i = 0; i < n_kept; i++)
        keep(&birth, kept[i]);
    return give_birth(&birth);
}

pid_t cv_spawn_fork(int door)
{
    (void)fflush(NULL);
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0 && cv_spawn_set_up(self, door) < 0)
        _exit(CV_EXIT_OS);
    return pid;
}
