#include "supervise/process/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int unknown(const char *kind, const char *name, char *reason, size_t cap)
{
    (void)snprintf(reason, cap, "there is no %s \"%s\" on this machine", kind, name);
    return -EINVAL;
}

/* Some libraries say ENOENT and the like for a name that is not there: these errors only are of
 * another kind. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR || error == EIO;
}

static int not_found(const char *kind, const char *name, char *reason, size_t cap)
{
    int error = errno;
    if (!is_shortage(error))
        return unknown(kind, name, reason, cap);
    (void)snprintf(reason, cap, "cannot look up the %s \"%s\": %s", kind, name, strerror(error));
    return -error;
}

static bool is_self(const struct cv_privilege *privilege)
{
    return geteuid() == privilege->uid && getegid() == privilege->gid;
}

int cv_privilege_find(struct cv_privilege *ret, const char *text, char *reason, size_t cap)
{
    *ret = (struct cv_privilege){0};
    if (text[0] == '\0')
        return 0;
    size_t len = strcspn(text, ":");
    if (len >= sizeof(ret->user))
        return unknown("user", text, reason, cap);
    (void)snprintf(ret->user, sizeof(ret->user), "%.*s", (int)len, text);
    errno = 0;
    const struct passwd *user = getpwnam(ret->user);
    if (user == NULL)
        return not_found("user", ret->user, reason, cap);
    ret->uid = user->pw_uid;
    ret->gid = user->pw_gid;
    if (text[len] == ':') {
        errno = 0;
        const struct group *group = getgrnam(text + len + 1);
        if (group == NULL)
            return not_found("group", text + len + 1, reason, cap);
        ret->gid = group->gr_gid;
    }
    ret->n_groups = CV_PRIVILEGE_GROUPS_MAX;
    if (getgrouplist(ret->user, ret->gid, ret->groups, &ret->n_groups) < 0) {
        (void)snprintf(reason, cap, "user \"%s\" is in more than %d groups", ret->user,
                       CV_PRIVILEGE_GROUPS_MAX);
        return -EINVAL;
    }
    if (geteuid() != 0 && !is_self(ret)) {
        (void)snprintf(reason, cap, "only root can become user \"%s\"", text);
        return -EPERM;
    }
    return 0;
}

bool cv_privilege_is_change(const struct cv_privilege *privilege)
{
    return privilege->user[0] != '\0' && (geteuid() == 0 || !is_self(privilege));
}

int cv_privilege_drop(const struct cv_privilege *privilege)
{
    if (!cv_privilege_is_change(privilege))
        return 0;
    if (setgroups((size_t)privilege->n_groups, privilege->groups) < 0 ||
        setresgid(privilege->gid, privilege->gid, privilege->gid) < 0 ||
        setresuid(privilege->uid, privilege->uid, privilege->uid) < 0)
        return -errno;
    if (privilege->uid != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
        return -EPERM;
    /* /proc/self would be root's else: own descriptors could not be opened anew. Nothing secret
     * has been read so far. */
    return prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : -errno;
}
