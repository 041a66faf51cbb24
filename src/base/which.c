#include "base/which.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

static int look(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -ENOENT;
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

int cv_which(const char *name, char ret[PATH_MAX])
{
    if (strchr(name, '/') != NULL || name[0] == '\0') {
        if (snprintf(ret, PATH_MAX, "%s", name) >= PATH_MAX)
            return -ENAMETOOLONG;
        return look(ret);
    }
    const char *at = getenv("PATH");
    if (at == NULL)
        at = PATH_DEFAULT;
    int found = -ENOENT;
    for (;;) {
        size_t len = strcspn(at, ":");
        const char *folder = len > 0 ? at : "."; /* so POSIX */
        int n = snprintf(ret, PATH_MAX, "%.*s/%s", len > 0 ? (int)len : 1, folder, name);
        int rc = n < PATH_MAX ? look(ret) : -ENAMETOOLONG;
        if (rc == 0)
            return 0;
        if (rc == -EACCES)
            found = rc;
        if (at[len] == '\0')
            return found;
        at += len + 1;
    }
}
