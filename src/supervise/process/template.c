#include "supervise/process/template.h"

#include "base/exit.h"
#include "base/fd.h"
#include "supervise/process/child.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* So long a copy waits until it is the master's child; it takes microseconds. */
#define ADOPTION_MS 2000

/* What comes with an order, in this order; listeners follow, then the slot's region and the door,
 * if there are such. */
enum { FD_BOOT, FD_CHANNEL, FD_LISTENERS };

int cv_template_ask(struct cv_template *template, const struct cv_boot *boot, unsigned slot,
                    uint32_t incarnation, int door)
{
    struct cv_files files = {.n = FD_LISTENERS + boot->n_listeners};
    _Static_assert(FD_LISTENERS + CV_BOOT_LISTENERS_MAX + 2 <= CV_CHANNEL_FILES_MAX, "all fit");
    CV_AUTOCLOSE int sealed = cv_boot_seal(boot);
    if (sealed < 0)
        return sealed;
    files.fd[FD_BOOT] = sealed;
    files.fd[FD_CHANNEL] = boot->channel;
    for (uint32_t i = 0; i < boot->n_listeners; i++)
        files.fd[FD_LISTENERS + i] = boot->listeners[i];
    if (boot->region >= 0)
        files.fd[files.n++] = boot->region;
    if (door >= 0)
        files.fd[files.n++] = door;
    static struct cv_message message;
    message.kind = CV_MSG_MAKE;
    message.word[0] = slot;
    message.word[1] = incarnation;
    return cv_channel_send_files(template->channel, &message, &files);
}

/* ---- In the copy ---- */

/* Of those that every order has. */
static unsigned count_files(const struct cv_boot *boot)
{
    return FD_LISTENERS + boot->n_listeners + (boot->region >= 0 ? 1 : 0);
}

/* The one in between has gone by now, or will in a moment. Whose master is gone meanwhile must not
 * live: the parent-death signal is not armed yet. */
static void wait_for_master(const struct cv_boot *boot)
{
    for (int ms = 0; getppid() != boot->parent; ms++) {
        struct pollfd master = {.fd = boot->parent_fd, .events = POLLIN};
        if (poll(&master, 1, 1) != 0 || ms > ADOPTION_MS)
            _exit(CV_EXIT_PEER_LOST);
    }
}

/* Pages, pidfd, object: the template's own copies are as good as those of the order. */
static int become(struct cv_child *child, struct cv_boot *boot, const struct cv_files *came)
{
    const int *fds = came->fd;
    if (came->n > count_files(boot)) {
        int door = fds[came->n - 1];
        if (write(door, "0", 1) < 0)
            return -errno;
        (void)close(door);
    }
    (void)close(child->channel);
    (void)close(fds[FD_BOOT]);
    boot->channel = fds[FD_CHANNEL];
    boot->state = child->boot.state;
    boot->parent_fd = child->boot.parent_fd;
    boot->object = child->boot.object;
    boot->access_log = child->boot.access_log;
    boot->settings = -1;
    for (uint32_t i = 0; i < boot->n_listeners; i++)
        boot->listeners[i] = fds[FD_LISTENERS + i];
    if (boot->region >= 0)
        boot->region = fds[FD_LISTENERS + boot->n_listeners];
    wait_for_master(boot);
    int own_stdout = child->own_stdout;
    int rc = cv_child_forked(child, boot);
    child->own_stdout = own_stdout;
    return rc;
}

/* ---- In the template ---- */

/* A copy that is the master's child. CLONE_PARENT would do that in one call, but past the C
 * library: without its fork handlers (of which cryptographic libraries live), with a wrong thread
 * id in its locks. So a process in between, which shares our memory (vfork), forks and ends; the
 * master is a subreaper and gets its child. In a function of its own, as vfork(2) asks. The pid, 0
 * in the copy, -errno. */
__attribute__((noinline)) static pid_t fork_for_master(volatile pid_t *shared)
{
    *shared = -EAGAIN;
    pid_t between = vfork();
    if (between == 0) {
        pid_t pid = fork();
        if (pid == 0)
            return 0;
        *shared = pid < 0 ? -errno : pid;
        _exit(0);
    }
    if (between < 0)
        return -errno;
    while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
        ;
    return *shared;
}

/* Checks the order: 0 or -EPROTO. */
static int read_order(struct cv_boot *boot, const struct cv_files *came)
{
    if (came->n < FD_LISTENERS || cv_boot_read_fd(came->fd[FD_BOOT], boot) < 0)
        return -EPROTO;
    unsigned files = count_files(boot);
    return came->n == files || came->n == files + 1 ? 0 : -EPROTO;
}

/* 1 in the copy; 0 in the template. */
static int make(struct cv_child *child, const struct cv_message *order, const struct cv_files *came,
                volatile pid_t *shared)
{
    struct cv_boot boot;
    pid_t pid = read_order(&boot, came);
    if (pid == 0) {
        (void)fflush(NULL); /* or each copy would write it once more */
        pid = fork_for_master(shared);
        if (pid == 0 && become(child, &boot, came) < 0)
            _exit(CV_EXIT_OS);
        if (pid == 0)
            return 1;
    }
    for (unsigned i = 0; i < came->n; i++)
        (void)close(came->fd[i]);
    static struct cv_message answer;
    answer.kind = CV_MSG_MADE;
    answer.word[0] = order->word[0];
    answer.word[1] = order->word[1];
    answer.word[2] = pid > 0 ? (uint32_t)pid : 0;
    answer.word[3] = pid < 0 ? (uint32_t)-pid : 0;
    cv_channel_send(child->channel, &answer);
    return 0;
}

int cv_template_serve(struct cv_child *child)
{
    static struct cv_message message;
    volatile pid_t *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -errno;
    for (;;) {
        struct pollfd ready = {.fd = child->channel, .events = POLLIN};
        if (poll(&ready, 1, -1) < 0 && errno != EINTR)
            return -errno;
        struct cv_files came;
        int rc = cv_child_hear_files(child, &message, &came);
        if (rc == -EAGAIN)
            continue;
        if (rc <= 0)
            return -EPIPE;
        if (message.kind == CV_MSG_MAKE && make(child, &message, &came, shared) == 1) {
            (void)munmap((void *)(uintptr_t)shared, sizeof(*shared));
            return 0;
        }
    }
}
