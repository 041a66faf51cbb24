/* Where files come from: the cache, the page cache, or a disk that a thread waits for. See file.h.
 */
#include "app/files/file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>

static struct cv_file_cache *cache_of(covey_app *app)
{
    if (app->files != NULL)
        return app->files;
    const struct cv_file_cache_config config = {
        .files_max = (size_t)covey_config_int(app, "FILE_CACHE_MAX", 1024),
        .memory_max = (size_t)covey_config_int(app, "FILE_CACHE_MEMORY", 16 << 20),
        .valid = covey_config_int(app, "FILE_CACHE_VALID", 1000) * CV_MS,
    };
    return cv_file_cache_new(&config, &app->files) == 0 ? app->files : NULL;
}

static int64_t now_of(const covey_app *app)
{
    return app->loop != NULL ? cv_loop_now(app->loop) : cv_clock_ns();
}

struct job {
    struct cv_file_how how;
    const char *path;
    struct cv_file *file;
};

static int run(void *arg)
{
    struct job *job = arg;
    return cv_file_open(&job->how, job->path, &job->file);
}

/* On a thread, with a descriptor of its own, because the root's may be replaced meanwhile. */
static int open_elsewhere(covey_app *app, int root, const char *path, struct cv_file **ret)
{
    CV_AUTOCLOSE int own = root >= 0 ? fcntl(root, F_DUPFD_CLOEXEC, 3) : -1;
    if (root >= 0 && own < 0)
        return -errno;
    struct job job = {.how = {.root = own}, .path = path};
    int rc = cv_fiber_self() != NULL ? cv_offload(app->offload, run, &job) : -EAGAIN;
    if (rc == -EAGAIN)
        rc = run(&job); /* no thread can be had */
    *ret = job.file;
    return rc;
}

static int open_file(covey_app *app, int root, const char *path, struct cv_file **ret)
{
    const struct cv_file_how quick = {.root = root, .quick = true};
    int rc = cv_file_open(&quick, path, ret);
    if (rc == -EMFILE || rc == -ENFILE) {
        cv_file_cache_shed(app->files);
        rc = cv_file_open(&quick, path, ret);
    }
    return rc == -EAGAIN ? open_elsewhere(app, root, path, ret) : rc;
}

int cv_app_file(covey_app *app, const char *root, const char *path, bool expect_none,
                struct cv_file **ret)
{
    struct cv_file_cache *cache = cache_of(app);
    struct cv_file_root *from = NULL;
    int64_t now = now_of(app);
    if (cache == NULL)
        return -ENOMEM;
    int rc = root != NULL ? cv_file_cache_root(cache, root, now, &from) : 0;
    if (rc == 0)
        rc = cv_file_cache_find(cache, from, path, now, ret);
    if (rc != -EAGAIN)
        return rc;
    rc = open_file(app, cv_file_root_fd(from), path, ret);
    if (rc == 0)
        cv_file_cache_keep(cache, from, path, now, *ret);
    else if (rc == -ENOENT && expect_none)
        cv_file_cache_keep(cache, from, path, now, NULL);
    return rc;
}

static int find_root(covey_app *app, const char *root, struct cv_file_root **ret)
{
    struct cv_file_cache *cache = cache_of(app);
    return cache != NULL ? cv_file_cache_root(cache, root, now_of(app), ret) : -ENOMEM;
}

int cv_app_file_root(covey_app *app, const char *root)
{
    struct cv_file_root *ignored;
    return find_root(app, root, &ignored);
}

int cv_app_file_root_dup(covey_app *app, const char *root)
{
    struct cv_file_root *found;
    int rc = find_root(app, root, &found);
    if (rc < 0)
        return rc;
    int fd = fcntl(cv_file_root_fd(found), F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}
