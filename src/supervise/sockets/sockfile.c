#include "supervise/sockets/sockfile.h"

bool cv_sockfile_look(int folder, const char *name, struct statx *ret)
{
    return statx(folder, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, ret) == 0;
}

/* The number of a removed file is soon given to a new one: the time of birth tells them apart. */
static bool is_same(const struct statx *a, const struct statx *b)
{
    return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
           a->stx_dev_minor == b->stx_dev_minor && a->stx_btime.tv_sec == b->stx_btime.tv_sec &&
           a->stx_btime.tv_nsec == b->stx_btime.tv_nsec;
}

void cv_sockfile_unlink(int folder, const char *name, const struct statx *made)
{
    struct statx now;
    if (cv_sockfile_look(folder, name, &now) && is_same(&now, made))
        (void)unlinkat(folder, name, 0);
}
