#include "supervise/spawn.h"

#include "base/exit.h"
#include "base/fd.h"
#include "supervise/signals.h"

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

/* 0 or -errno. */
static int keep_descriptors(const struct cv_boot *boot, int boot_fd)
{
    const int always[] = {boot_fd, boot->channel, boot->state, boot->parent_fd};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < CV_COUNT(always); i++)
        rc = cv_fd_set_cloexec(always[i], 0);
    if (rc == 0 && boot->object >= 0)
        rc = cv_fd_set_cloexec(boot->object, 0);
    if (rc == 0 && boot->settings >= 0)
        rc = cv_fd_set_cloexec(boot->settings, 0);
    if (rc == 0 && boot->access_log >= 0)
        rc = cv_fd_set_cloexec(boot->access_log, 0);
    for (uint32_t i = 0; rc == 0 && i < boot->n_listeners; i++)
        rc = cv_fd_set_cloexec(boot->listeners[i], 0);
    return rc;
}

/* The environment of the child: ours, without an outer covey's tag, with boot and tag. */
static char **make_environment(char *boot_entry, char *tag_entry)
{
    size_t n = 0;
    while (environ != NULL && environ[n] != NULL)
        n++;
    char **entries = calloc(n + 3, sizeof(*entries));
    if (entries == NULL)
        return NULL;
    size_t to = 0;
    entries[to++] = boot_entry;
    entries[to++] = tag_entry;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], CV_TAG_VARIABLE "=", sizeof(CV_TAG_VARIABLE)) != 0)
            entries[to++] = environ[i];
    return entries;
}

/* In a function of its own, as vfork(2) asks: the child must not return from it nor touch its
 * parent's locals. */
__attribute__((noinline)) static pid_t vfork_exec(const struct cv_pinned *pinned,
                                                  const struct cv_boot *boot, int boot_fd,
                                                  char *const *argv, char *const *envp, int door,
                                                  volatile int *error)
{
    pid_t pid = vfork();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    int rc = cv_spawn_set_up(boot->parent, door);
    if (rc == 0)
        rc = keep_descriptors(boot, boot_fd);
    if (rc == 0) {
        (void)syscall(SYS_execveat, pinned->program, "", argv, envp, AT_EMPTY_PATH);
        rc = -errno;
    }
    *error = -rc;
    _exit(127);
}

pid_t cv_spawn_exec(const struct cv_pinned *pinned, const struct cv_boot *boot, char *const *argv,
                    int door)
{
    CV_AUTOCLOSE int boot_fd = cv_boot_seal(boot);
    if (boot_fd < 0)
        return boot_fd;
    char boot_entry[32];
    char tag_entry[sizeof(CV_TAG_VARIABLE) + CV_TAG_BYTES];
    (void)snprintf(boot_entry, sizeof(boot_entry), CV_BOOT_VARIABLE "=%d", boot_fd);
    (void)snprintf(tag_entry, sizeof(tag_entry), CV_TAG_VARIABLE "=%s", boot->tag);
    CV_AUTOFREE char **envp = make_environment(boot_entry, tag_entry);
    if (envp == NULL)
        return -ENOMEM;

    volatile int error = 0;
    pid_t pid = vfork_exec(pinned, boot, boot_fd, argv, envp, door, &error);
    /* A child whose exec failed is reaped like any other: its pid belongs to nobody and is ignored
     * there. */
    return error != 0 ? -error : pid;
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
