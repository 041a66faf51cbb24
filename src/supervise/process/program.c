#include "supervise/process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

static int make_absolute(const char *path, char to[PATH_MAX])
{
    char cwd[PATH_MAX] = "";
    if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
        return -errno;
    int n = snprintf(to, PATH_MAX, "%s%s%s", cwd, cwd[0] != '\0' ? "/" : "", path);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* A program started by descriptor has no path of its own; then the kernel's link must do. */
static int own_path(char to[PATH_MAX])
{
    const char *path = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    if (path != NULL && strncmp(path, "/dev/fd/", 8) != 0 && strncmp(path, "/proc/", 6) != 0)
        return make_absolute(path, to);
    ssize_t n = readlink("/proc/self/exe", to, PATH_MAX - 1);
    if (n < 0)
        return -errno;
    to[n] = '\0';
    return 0;
}

int cv_program_find(struct cv_program *program, const char *object)
{
    program->object[0] = '\0';
    int rc = own_path(program->path);
    if (rc == 0 && object != NULL)
        rc = make_absolute(object, program->object);
    return rc;
}

int cv_program_set(struct cv_program *program, const char *path)
{
    return make_absolute(path, program->path);
}

/* One that may not be read is no script: the interpreter could not read it either. */
static bool is_script(const char *path)
{
    char head[2] = "";
    CV_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) && head[0] == '#' &&
           head[1] == '!';
}

static int open_file(const char *path, char *reason, size_t cap)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    int rc = -errno;
    (void)snprintf(reason, cap, "cannot open %s: %s", path, strerror(-rc));
    return rc;
}

int cv_program_pin(const struct cv_program *program, struct cv_pinned *ret, char *reason,
                   size_t cap)
{
    CV_AUTOCLOSE int program_fd = open_file(program->path, reason, cap);
    if (program_fd < 0)
        return program_fd;
    CV_AUTOCLOSE int object_fd = -1;
    if (program->object[0] != '\0') {
        object_fd = open_file(program->object, reason, cap);
        if (object_fd < 0)
            return object_fd;
    }
    ret->is_script = is_script(program->path);
    ret->program = cv_take_fd(&program_fd);
    ret->object = cv_take_fd(&object_fd);
    return 0;
}

void cv_program_unpin(struct cv_pinned *pinned)
{
    if (pinned->program >= 0)
        (void)close(pinned->program);
    if (pinned->object >= 0)
        (void)close(pinned->object);
    *pinned = (struct cv_pinned){.program = -1, .object = -1};
}
