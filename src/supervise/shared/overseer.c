#include "supervise/shared/overseer.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* A master only ever makes short calls: so long is a hang beyond doubt, also on a loaded machine.
 */
#define RUN_LIMIT (10 * CV_SECOND)
#define DUMP_LIMIT (1 * CV_SECOND)

int cv_overseer_map(int fd, struct cv_overseer_page **ret)
{
    void *page = mmap(NULL, sizeof(**ret), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return -errno;
    *ret = page;
    return 0;
}

int cv_overseer_init(struct cv_overseer *overseer, int64_t pause_limit)
{
    CV_AUTOCLOSE int fd = memfd_create("covey-beat", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof(struct cv_overseer_page)) < 0)
        return -errno;
    *overseer =
        (struct cv_overseer){.pause_limit = pause_limit, .stop_by = CV_NEVER, .kill_at = CV_NEVER};
    int rc = cv_overseer_map(fd, &overseer->page);
    if (rc < 0)
        return rc;
    overseer->fd = cv_take_fd(&fd);
    cv_beats_init(&overseer->beats, &overseer->page->looking, RUN_LIMIT);
    return 0;
}

void cv_overseer_beat(struct cv_overseer *overseer, int64_t now)
{
    cv_beats_wake(&overseer->beats, now);
}

void cv_overseer_paused(struct cv_overseer *overseer, bool is_paused, int64_t now)
{
    overseer->paused_at = is_paused ? now : 0;
    if (is_paused)
        return;
    overseer->resumed_at = now;
    cv_beats_wake(&overseer->beats, now);
}

void cv_overseer_stop_asked(struct cv_overseer *overseer, int64_t until)
{
    if (until < overseer->stop_by)
        overseer->stop_by = until;
}

void cv_overseer_forgive(struct cv_overseer *overseer, int64_t now)
{
    cv_beats_forgive(&overseer->beats, now);
    if (overseer->paused_at != 0)
        overseer->paused_at = now;
    overseer->resumed_at = now;
}

void cv_overseer_suspended(struct cv_overseer *overseer, int64_t gap, int64_t now)
{
    cv_overseer_forgive(overseer, now);
    if (overseer->stop_by != CV_NEVER)
        overseer->stop_by += gap;
    if (overseer->kill_at != CV_NEVER)
        overseer->kill_at += gap;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t cv_overseer_deadline(const struct cv_overseer *overseer)
{
    int64_t pause =
        overseer->paused_at != 0 ? overseer->paused_at + overseer->pause_limit : CV_NEVER;
    return earlier(earlier(overseer->beats.next, pause),
                   earlier(overseer->stop_by, overseer->kill_at));
}

/* One look at the master. */
struct look {
    const struct cv_overseer *overseer;
    bool is_hung;
};

static int64_t since(void *arg, unsigned i)
{
    (void)i;
    const struct look *look = arg;
    const struct cv_overseer *overseer = look->overseer;
    if (overseer->paused_at != 0 || overseer->kill_at != CV_NEVER)
        return 0; /* judged by another deadline */
    int64_t at = atomic_load(&overseer->page->running_since);
    return at > 0 && at < overseer->resumed_at ? overseer->resumed_at : at;
}

static bool hung(void *arg, unsigned i, int64_t for_ns)
{
    (void)i;
    (void)for_ns;
    struct look *look = arg;
    look->is_hung = true;
    return true;
}

static bool is_hung(struct cv_overseer *overseer, int64_t now)
{
    if (now < overseer->beats.next)
        return false;
    struct look look = {overseer, false};
    const struct cv_beat_source source = {1, since, hung, &look};
    cv_beats_look(&overseer->beats, &source, now);
    return look.is_hung;
}

enum cv_overseer_verdict cv_overseer_look(struct cv_overseer *overseer, int64_t now)
{
    if (now >= overseer->kill_at) {
        overseer->kill_at = CV_NEVER;
        return CV_OVERSEER_SILENT;
    }
    if (now >= overseer->stop_by) {
        overseer->stop_by = CV_NEVER;
        return CV_OVERSEER_LATE;
    }
    if (overseer->paused_at != 0 && now - overseer->paused_at >= overseer->pause_limit) {
        overseer->paused_at = 0;
        return CV_OVERSEER_STOPPED;
    }
    if (!is_hung(overseer, now))
        return CV_OVERSEER_WELL;
    overseer->kill_at = now + DUMP_LIMIT;
    return CV_OVERSEER_HUNG;
}
