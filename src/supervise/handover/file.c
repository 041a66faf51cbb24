#include "supervise/handover/file.h"

#include "base/fd.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

extern char **environ;

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const char *const roles[] = {
    [CV_HANDED_TRIAL] = "trial", [CV_HANDED_MASTER] = "master", [CV_HANDED_GUARDIAN] = "guardian"};

void cv_handed_begin(struct cv_handover *to, enum cv_handed_role role, pid_t pid, int settings,
                     int answer)
{
    cv_handover_begin(to);
    cv_handover_section(to, "for");
    cv_handover_put_text(to, "role", roles[role]);
    cv_handover_put(to, "pid", pid);
    cv_handover_put_fd(to, "settings", settings);
    cv_handover_put_fd(to, "answer", answer);
}

int cv_handed_seal(struct cv_span record)
{
    CV_AUTOCLOSE int fd = memfd_create("covey-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int rc = cv_fd_write_all(fd, record.at, record.len);
    if (rc < 0)
        return rc;
    return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : cv_take_fd(&fd);
}

/* ---- Taking ---- */

/* The descriptor the variable names; -ENOENT if that is no fully sealed memfd; -errno if it cannot
 * be told. */
static int named_descriptor(const char *text)
{
    uint64_t fd;
    if (text == NULL || cv_num_u64(cv_span_str(text), INT32_MAX, &fd) < 0)
        return -ENOENT;
    int seals = fcntl((int)fd, F_GET_SEALS);
    if (seals < 0 && errno != EBADF && errno != EINVAL)
        return -errno;
    return seals >= 0 && (seals & SEALS) == SEALS ? (int)fd : -ENOENT;
}

/* Mapped, and never unmapped: what is read refers to it. */
static int map(int fd, struct cv_span *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size <= 0 || st.st_size > CV_HANDOVER_BYTES_MAX)
        return -EBADMSG;
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    *ret = cv_span(at, (size_t)st.st_size);
    return 0;
}

static bool read_role(const struct cv_handover_section *section, enum cv_handed_role *ret)
{
    struct cv_span role = cv_handover_get_bytes(section, "role");
    for (size_t i = 0; i < CV_COUNT(roles); i++) {
        if (!cv_span_eq(role, cv_span_str(roles[i])))
            continue;
        *ret = (enum cv_handed_role)i;
        return true;
    }
    return false;
}

/* All descriptors in the record. 0, or the error of the first that failed. */
struct marking {
    int on;
    int rc;
};

static void mark(void *arg, int fd)
{
    struct marking *marking = arg;
    int rc = cv_fd_set_cloexec(fd, marking->on);
    if (marking->rc == 0)
        marking->rc = rc;
}

static int mark_all(struct cv_span record, int on)
{
    struct marking marking = {.on = on};
    cv_handover_each_fd(record, mark, &marking);
    return marking.rc;
}

int cv_handed_take(struct cv_handed *ret)
{
    CV_AUTOCLOSE int fd = named_descriptor(getenv(CV_HANDOVER_VARIABLE));
    (void)unsetenv(CV_HANDOVER_VARIABLE);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    struct cv_span record = cv_span(NULL, 0);
    int rc = map(fd, &record);
    if (rc == 0)
        rc = cv_handover_check(record);
    if (rc < 0)
        return rc == -EBADMSG ? 0 : rc;
    struct cv_handover_section section = cv_handover_find(record, "for");
    enum cv_handed_role role;
    if (!read_role(&section, &role))
        return 0;
    pid_t own = role == CV_HANDED_TRIAL ? getppid() : getpid();
    if (cv_handover_get(&section, "pid", 0) != own)
        return 0;
    *ret = (struct cv_handed){.role = role,
                              .record = record,
                              .settings = cv_handover_get_fd(&section, "settings"),
                              .answer = cv_handover_get_fd(&section, "answer")};
    rc = role != CV_HANDED_TRIAL ? mark_all(record, 1) : 0;
    return rc < 0 ? rc : 1;
}

/* A single write of a pipe's size or less, with its NUL: whole or not at all. */
void cv_handed_answer(const struct cv_handed *handed, const char *why_not)
{
    (void)!write(handed->answer, why_not, strlen(why_not) + 1);
}

/* ---- Becoming ---- */

int cv_handed_become(int program, int file, struct cv_span record, char *const *argv)
{
    char entry[sizeof(CV_HANDOVER_VARIABLE) + 16];
    (void)snprintf(entry, sizeof(entry), CV_HANDOVER_VARIABLE "=%d", file);
    size_t n = 0;
    while (environ != NULL && environ[n] != NULL)
        n++;
    CV_AUTOFREE char **envp = calloc(n + 2, sizeof(*envp));
    if (envp == NULL)
        return -ENOMEM;
    envp[0] = entry;
    if (n > 0)
        memcpy(envp + 1, environ, n * sizeof(*envp));

    int rc = mark_all(record, 0);
    if (rc == 0)
        rc = cv_fd_set_cloexec(file, 0);
    if (rc == 0) {
        (void)syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
        rc = -errno;
    }
    (void)mark_all(record, 1);
    (void)cv_fd_set_cloexec(file, 1);
    return rc;
}
