#include "supervise/containment/strays.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/rand.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LIST_MAX 4096

void cv_run_init(struct cv_run *run)
{
    uint64_t id;
    cv_rand_bytes(&id, sizeof(id));
    (void)snprintf(run->id, sizeof(run->id), "%016llx", (unsigned long long)id);
}

void cv_run_tag(const struct cv_run *run, uint32_t incarnation, char ret[CV_TAG_BYTES])
{
    (void)snprintf(ret, CV_TAG_BYTES, "%s-%x", run->id, incarnation);
}

/* ---- Children ---- */

static pid_t parent_of(pid_t pid)
{
    char path[32];
    char stat[512];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (cv_fd_slurp(path, stat, sizeof(stat)) < 0)
        return -1;
    const char *at = strrchr(stat, ')');
    return at != NULL && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : -1;
}

/* Where the kernel does not list children (CONFIG_PROC_CHILDREN), every process is looked at. */
static int list_by_parent(pid_t *ret, int max)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    int n = 0;
    const struct dirent *entry;
    while (n < max && (entry = readdir(proc)) != NULL) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (pid > 0 && *end == '\0' && parent_of((pid_t)pid) == getpid())
            ret[n++] = (pid_t)pid;
    }
    (void)closedir(proc);
    return n;
}

int cv_strays_list(pid_t *ret, int max)
{
    static char text[LIST_MAX * 8];
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    ssize_t len = cv_fd_slurp(path, text, sizeof(text));
    if (len < 0)
        return len == -ENOENT ? list_by_parent(ret, max) : (int)len;
    int n = 0;
    char *at = text;
    while (n < max) {
        char *end;
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        ret[n++] = (pid_t)pid;
        at = end;
    }
    return n;
}

/* ---- Tags ---- */

uint32_t cv_strays_incarnation(const struct cv_run *run, pid_t pid)
{
    static char block[1 << 17]; /* a variable further back than this is not found; then the stop
                                   finds the process */
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", pid);
    ssize_t len = cv_fd_slurp(path, block, sizeof(block));
    char wanted[64];
    int n = snprintf(wanted, sizeof(wanted), CV_TAG_VARIABLE "=%s-", run->id);
    for (const char *at = block; len > 0 && at < block + len; at += strlen(at) + 1) {
        if (strncmp(at, wanted, (size_t)n) == 0)
            return (uint32_t)strtoul(at + n, NULL, 16);
    }
    return 0;
}

/* ---- The end ---- */

int cv_strays_kill(pid_t pid)
{
    CV_AUTOCLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -errno;
    if (parent_of(pid) != getpid())
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0 ? 0 : -errno;
}

static bool is_among(pid_t pid, const pid_t *pids, int n)
{
    for (int i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* Reaps who is dead. Whether there are living children. */
static bool reap_all(void)
{
    siginfo_t info;
    int rc;
    do {
        info.si_pid = 0;
        rc = waitid(P_ALL, 0, &info, WEXITED | WNOHANG);
    } while (rc == 0 && info.si_pid != 0);
    return rc == 0;
}

int cv_strays_end(const pid_t *kept, int n_kept, const struct cv_run *run, int bound_ms)
{
    static pid_t children[LIST_MAX];
    static pid_t known[LIST_MAX]; /* to carry the tag: who is dying shows it no longer */
    int n_known = 0;
    int64_t until = cv_clock_ns() + bound_ms * CV_MS;
    for (int round = 0;; round++) {
        bool has_children = reap_all();
        int n = cv_strays_list(children, LIST_MAX);
        int left = n < 0 && has_children ? 1 : 0; /* who they are cannot be told: try again */
        for (int i = 0; i < n; i++) {
            if (is_among(children[i], kept, n_kept))
                continue;
            if (run != NULL && !is_among(children[i], known, n_known)) {
                if (cv_strays_incarnation(run, children[i]) == 0)
                    continue;
                if (n_known < LIST_MAX)
                    known[n_known++] = children[i];
            }
            left++;
            (void)cv_strays_kill(children[i]);
        }
        if (left == 0 || cv_clock_ns() >= until)
            return left;
        (void)poll(NULL, 0, round < 10 ? 0 : 1); /* they need the processor to die */
    }
}
