#include "supervise/privilege.h"

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
    const struct passwd *user = getpwnam(ret->user);
    if (user == NULL)
        return unknown("user", ret->user, reason, cap);
    ret->uid = user->pw_uid;
    ret->gid = user->pw_gid;
    if (text[len] == ':') {
        const struct group *group = getgrnam(text + len + 1);
        if (group == NULL)
            return unknown("group", text + len + 1, reason, cap);
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
