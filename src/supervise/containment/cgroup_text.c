#include "supervise/containment/cgroup_text.h"

#include "base/num.h"
#include "base/span.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The line that `at` points to, without its end; moves `at` on. False when there is none. */
static bool next_line(const char **at, struct cv_span *ret)
{
    if (**at == '\0')
        return false;
    size_t len = strcspn(*at, "\n");
    *ret = cv_span(*at, len);
    *at += len + ((*at)[len] == '\n');
    return true;
}

/* What stands before the next `stop`; the rest stays in `text`. */
static struct cv_span cut(struct cv_span *text, char stop)
{
    const char *end = text->len > 0 ? memchr(text->at, stop, text->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - text->at) : text->len;
    struct cv_span ret = cv_span(text->at, len);
    size_t used = len + (end != NULL);
    *text = cv_span(text->at + used, text->len - used);
    return ret;
}

static bool has_word(struct cv_span list, const char *word)
{
    while (list.len > 0)
        if (cv_span_eq(cut(&list, ','), cv_span_str(word)))
            return true;
    return false;
}

/* ---- /proc/PID/cgroup ---- */

int cv_cgroup_text_path(const char *cgroups, const char *controller, char *ret, size_t cap)
{
    struct cv_span line;
    while (next_line(&cgroups, &line)) {
        struct cv_span id = cut(&line, ':');
        struct cv_span controllers = cut(&line, ':');
        bool is_it = controller != NULL ? has_word(controllers, controller)
                                        : cv_span_eq(id, CV_SPAN("0")) && controllers.len == 0;
        if (!is_it || line.len == 0 || line.at[0] != '/')
            continue;
        if (line.len >= cap)
            return -ENAMETOOLONG;
        memcpy(ret, line.at, line.len);
        ret[line.len] = '\0';
        return 0;
    }
    return -ENOENT;
}

/* ---- /proc/PID/mountinfo ---- */

static bool is_octal(struct cv_span text, size_t at)
{
    for (size_t i = at; i < at + 3; i++)
        if (i >= text.len || text.at[i] < '0' || text.at[i] > '7')
            return false;
    return true;
}

/* Blanks and backslashes stand there as \040 and the like. */
static int unescape(struct cv_span text, char *ret, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (len + 1 >= cap)
            return -ENAMETOOLONG;
        char c = text.at[i];
        if (c == '\\' && is_octal(text, i + 1)) {
            const char *digits = text.at + i + 1;
            c = (char)((digits[0] - '0') << 6 | (digits[1] - '0') << 3 | (digits[2] - '0'));
            i += 3;
        }
        ret[len++] = c;
    }
    ret[len] = '\0';
    return 0;
}

struct mount {
    char root[PATH_MAX];  /* the cgroup that is its root */
    char point[PATH_MAX]; /* where it is */
};

/* Whether the line is a mount of that hierarchy. */
static bool read_mount(struct cv_span line, const char *controller, struct mount *ret)
{
    for (int i = 0; i < 3; i++) /* id, parent, device */
        (void)cut(&line, ' ');
    struct cv_span root = cut(&line, ' ');
    struct cv_span point = cut(&line, ' ');
    while (line.len > 0 && !cv_span_eq(cut(&line, ' '), CV_SPAN("-")))
        continue;
    struct cv_span type = cut(&line, ' ');
    (void)cut(&line, ' ');
    bool is_it = controller != NULL
                     ? cv_span_eq(type, CV_SPAN("cgroup")) && has_word(line, controller)
                     : cv_span_eq(type, CV_SPAN("cgroup2"));
    return is_it && unescape(root, ret->root, sizeof(ret->root)) == 0 &&
           unescape(point, ret->point, sizeof(ret->point)) == 0;
}

/* What of `path` lies below `root`; NULL if it does not. */
static const char *below(const char *path, const char *root)
{
    size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return NULL;
    return strcmp(path + len, "/") == 0 ? "" : path + len;
}

int cv_cgroup_text_place(const char *mountinfo, const char *cgroups, const char *controller,
                         char *ret, size_t cap)
{
    char path[PATH_MAX];
    int rc = cv_cgroup_text_path(cgroups, controller, path, sizeof(path));
    if (rc < 0)
        return rc;
    struct cv_span line;
    struct mount mount;
    rc = -ENOENT;
    while (next_line(&mountinfo, &line)) {
        if (!read_mount(line, controller, &mount))
            continue;
        rc = -EXDEV;
        const char *rest = below(path, mount.root);
        if (rest == NULL || strncmp(rest, "/..", 3) == 0)
            continue;
        int n = snprintf(ret, cap, "%s%s", mount.point, rest);
        return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
    }
    return rc;
}

/* ---- Counters ---- */

int cv_cgroup_text_field(const char *text, const char *key, uint64_t *ret)
{
    struct cv_span line;
    while (next_line(&text, &line))
        if (cv_span_eq(cut(&line, ' '), cv_span_str(key)))
            return cv_num_u64(line, UINT64_MAX, ret) == 0 ? 0 : -ENOENT;
    return -ENOENT;
}
