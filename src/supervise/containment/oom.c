#include "supervise/containment/oom.h"

#include "base/fd.h"
#include "supervise/containment/cgroup_text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

/* /proc/vmstat has a few KiB. */
#define TEXT_MAX (1 << 15)

/* That file in the cgroup of this process, if it counts; -1. */
static int open_counter(const char *controller, const char *name)
{
    static char mountinfo[1 << 18];
    static char cgroups[1 << 14];
    char place[PATH_MAX];
    char path[PATH_MAX];
    if (cv_fd_slurp("/proc/self/mountinfo", mountinfo, sizeof(mountinfo)) < 0 ||
        cv_fd_slurp("/proc/self/cgroup", cgroups, sizeof(cgroups)) < 0 ||
        cv_cgroup_text_place(mountinfo, cgroups, controller, place, sizeof(place)) < 0)
        return -1;
    int n = snprintf(path, sizeof(path), "%s/%s", place, name);
    return n < 0 || (size_t)n >= sizeof(path) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

static int read_counter(int fd, uint64_t *ret)
{
    static char text[TEXT_MAX];
    size_t len = 0;
    ssize_t got;
    while (len < sizeof(text) - 1 &&
           (got = pread(fd, text + len, sizeof(text) - 1 - len, (off_t)len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    return cv_cgroup_text_field(text, "oom_kill", ret);
}

void cv_oom_open(struct cv_oom *oom)
{
    const int counters[] = {open_counter(NULL, "memory.events"),
                            open_counter("memory", "memory.oom_control"),
                            open("/proc/vmstat", O_RDONLY | O_CLOEXEC)};
    *oom = (struct cv_oom){.counter = -1};
    for (size_t i = 0; i < CV_COUNT(counters); i++) {
        CV_AUTOCLOSE int fd = counters[i];
        if (oom->counter >= 0 || fd < 0 || read_counter(fd, &oom->blamed) < 0)
            continue;
        oom->counter = cv_take_fd(&fd);
        oom->is_ours = i < CV_COUNT(counters) - 1;
    }
}

void cv_oom_close(struct cv_oom *oom)
{
    if (oom->counter >= 0)
        (void)close(oom->counter);
    oom->counter = -1;
}

uint64_t cv_oom_count(const struct cv_oom *oom)
{
    uint64_t count = 0;
    return oom->counter >= 0 && read_counter(oom->counter, &count) == 0 ? count : 0;
}

enum cv_oom_verdict cv_oom_weigh(struct cv_oom *oom, uint64_t count_at_birth, uint64_t now)
{
    uint64_t explained = count_at_birth > oom->blamed ? count_at_birth : oom->blamed;
    if (now <= explained)
        return CV_OOM_NO;
    oom->blamed = explained + 1;
    return oom->is_ours ? CV_OOM_YES : CV_OOM_LIKELY;
}

enum cv_oom_verdict cv_oom_judge(struct cv_oom *oom, uint64_t count_at_birth)
{
    uint64_t now;
    if (oom->counter < 0 || read_counter(oom->counter, &now) < 0)
        return CV_OOM_UNKNOWN;
    return cv_oom_weigh(oom, count_at_birth, now);
}
