#include "app/files/file_list.h"

#include "serve/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const struct cv_file_entry *one = a, *other = b;
    if (one->is_directory != other->is_directory)
        return one->is_directory ? -1 : 1;
    return strcmp(one->name, other->name);
}

static int add(struct cv_file_list *list, const char *name, const struct cv_file_id *id,
               bool is_directory)
{
    if (list->n % 64 == 0) {
        struct cv_file_entry *more = reallocarray(list->at, list->n + 64, sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        list->at = more;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return -ENOMEM;
    list->at[list->n++] = (struct cv_file_entry){copy, is_directory, is_directory ? 0 : id->size,
                                                 id->modified.tv_sec};
    return 0;
}

/* Not the entry is at fault. */
static bool has_run_out(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EINTR || rc == -EAGAIN;
}

/* What may not be looked at, leads out, or is neither file nor directory is not there. */
static int look_at(int root, const char *path, const char *name, struct cv_file_list *list)
{
    char full[PATH_MAX];
    struct cv_file_id id;
    if (snprintf(full, sizeof(full), "%s%s", path, name) >= (int)sizeof(full))
        return 0;
    int rc = cv_file_find(root, full, &id);
    if (rc == 0 || rc == -EISDIR)
        return add(list, name, &id, rc == -EISDIR);
    return has_run_out(rc) ? rc : 0;
}

bool cv_file_is_plain(const char *path)
{
    for (const char *at = path; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\')
            return false;
    }
    return true;
}

static bool is_shown(const char *name, bool hidden)
{
    if (name[0] != '.')
        return cv_file_is_plain(name);
    return hidden && cv_file_is_plain(name) && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int read_entries(DIR *directory, int root, const char *path, bool hidden,
                        struct cv_file_list *list)
{
    int rc = 0;
    const struct dirent *entry;
    errno = 0;
    while (rc == 0 && (entry = readdir(directory)) != NULL) {
        if (!is_shown(entry->d_name, hidden))
            continue;
        list->is_cut = list->n == CV_FILE_LIST_MAX;
        if (list->is_cut)
            break;
        rc = look_at(root, path, entry->d_name, list);
        errno = 0;
    }
    return rc == 0 ? -errno : rc;
}

int cv_file_list_read(int root, const char *path, bool hidden, struct cv_file_list *ret)
{
    *ret = (struct cv_file_list){0};
    int fd = cv_file_open_directory(root, path[0] != '\0' ? path : ".");
    if (fd < 0)
        return fd;
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int rc = -errno;
        (void)close(fd);
        return rc;
    }
    int rc = read_entries(directory, root, path, hidden, ret);
    (void)closedir(directory);
    if (ret->n > 0)
        qsort(ret->at, ret->n, sizeof(*ret->at), compare);
    return rc;
}

void cv_file_list_done(struct cv_file_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->at[i].name);
    free(list->at);
    *list = (struct cv_file_list){0};
}
