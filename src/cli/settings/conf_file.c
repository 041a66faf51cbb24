#include "cli/settings/conf_file.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(INI_MAX_LINE == CV_CONF_FILE_LINE, "the parser's lines are as long as ours");

struct file {
    const char *path;
    FILE *stream;
    int line;
    bool is_wrong; /* said in `reason`; nothing more is read */
    cv_conf_file_fn *take;
    void *arg;
    char *reason;
    size_t cap;
};

/* Where the reading is. Of a long path the end tells more. */
static void put_place(const struct file *file, int line, char *to, size_t cap)
{
    size_t len = strlen(file->path);
    const char *end = len > cap / 2 ? file->path + len - cap / 2 : file->path;
    (void)snprintf(to, cap, "%s%s:%d", end > file->path ? "..." : "", end, line);
}

static void complain(struct file *file, int line, const char *what)
{
    char where[256];
    put_place(file, line, where, sizeof(where));
    (void)snprintf(file->reason, file->cap, "%s: %s", where, what);
    file->is_wrong = true;
}

/* fgets() for the parser, which would take the rest of a long line for a line of its own, and an
 * indented line for more of the value before it. */
static char *read_line(char *to, int cap, void *stream)
{
    struct file *file = stream;
    if (file->is_wrong || fgets(to, cap, file->stream) == NULL)
        return NULL;
    file->line++;
    size_t len = strlen(to);
    if ((len == 0 || to[len - 1] != '\n') && !feof(file->stream)) {
        complain(file, file->line, "the line is too long, or holds a NUL byte");
        return NULL;
    }
    size_t blanks = strspn(to, " \t");
    memmove(to, to + blanks, len - blanks + 1);
    return to;
}

/* Nonzero: it was right. */
static int on_setting(void *user, const char *section, const char *name, const char *value)
{
    struct file *file = user;
    char where[256];
    if (section[0] != '\0' && strcmp(section, "covey") != 0) {
        complain(file, file->line, "the only section there is, is [covey]");
        return 0;
    }
    put_place(file, file->line, where, sizeof(where));
    if (file->take(file->arg, name, value, where) < 0)
        file->is_wrong = true;
    return !file->is_wrong;
}

static int cannot_read(const struct file *file, const char *why)
{
    (void)snprintf(file->reason, file->cap, "cannot read the settings in %.255s: %s", file->path,
                   why);
    return -EBADMSG;
}

/* A reload reads it again, so a pipe would not do. */
static int open_file(struct file *file, int pinned)
{
    char link[32];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", pinned); /* a place of its own in it */
    CV_AUTOCLOSE int fd = open(pinned >= 0 ? link : file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return cannot_read(file, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return cannot_read(file, "it is no regular file");
    file->stream = fdopen(fd, "r");
    if (file->stream == NULL)
        return cannot_read(file, strerror(errno));
    fd = -1;
    return 0;
}

int cv_conf_file_read(const char *path, int pinned, cv_conf_file_fn *take, void *arg, char *reason,
                      size_t cap)
{
    struct file file = {.path = path, .take = take, .arg = arg, .reason = reason, .cap = cap};
    int rc = open_file(&file, pinned);
    if (rc < 0)
        return rc;
    /* The first wrong line. After one that is no setting at all the parser goes on; what it finds
     * then does not count. */
    int wrong = ini_parse_stream(read_line, &file, on_setting, &file);
    if (wrong > 0 && (!file.is_wrong || wrong < file.line))
        complain(&file, wrong, "neither \"name = value\" nor a comment");
    else if (!file.is_wrong && ferror(file.stream))
        (void)cannot_read(&file, strerror(errno));
    bool is_right = !file.is_wrong && !ferror(file.stream);
    (void)fclose(file.stream);
    return is_right ? 0 : -EBADMSG;
}
