#include "serve/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* Changes within one tick of the file system's clock, of at most 10 ms, may have one time; clocks
 * of file servers differ by more. */
#define YOUNG_S 2

/* The kernel gives up when a directory is renamed while it resolves ".."; and a file may change
 * while it is read. */
#define TRIES 4

static int sys_openat2(int root, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    long fd;
    do
        fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : (int)fd;
}

/* O_NONBLOCK: a FIFO without a writer must not be waited for. */
#define FLAGS_FILE (O_RDONLY | O_NONBLOCK | O_NOCTTY)

static int open_fd(const struct cv_file_how *how, const char *path, uint64_t flags)
{
    int root = how->root >= 0 ? how->root : AT_FDCWD;
    uint64_t resolve = how->root >= 0 ? RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS : 0;
    if (how->quick) {
        int fd = sys_openat2(root, path, flags, resolve | RESOLVE_CACHED);
        return fd == -EINVAL ? -EAGAIN : fd; /* before Linux 5.12 */
    }
    int fd = -EAGAIN;
    for (int i = 0; i < TRIES && fd == -EAGAIN; i++)
        fd = sys_openat2(root, path, flags, resolve);
    return fd == -EAGAIN ? -ELOOP : fd;
}

static void read_id(const struct stat *st, struct cv_file_id *ret)
{
    *ret = (struct cv_file_id){.dev = st->st_dev,
                               .ino = st->st_ino,
                               .size = (uint64_t)st->st_size,
                               .modified = st->st_mtim,
                               .changed = st->st_ctim};
}

static int id_of(int fd, struct cv_file_id *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    read_id(&st, ret);
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return S_ISREG(st.st_mode) ? 0 : -ENXIO;
}

static bool is_young(const struct cv_file_id *id)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return id->modified.tv_sec + YOUNG_S > now.tv_sec;
}

/* Up to `size` bytes: the number read, fewer if the file ends before, or -errno. */
static ssize_t read_bytes(int fd, char *to, size_t size, bool quick)
{
    size_t n = 0;
    while (n < size) {
        struct iovec part = {to + n, size - n};
        ssize_t got = preadv2(fd, &part, 1, (off_t)n, quick ? RWF_NOWAIT : 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EOPNOTSUPP && quick ? -EAGAIN : -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

/* All of a small file, as it was at one moment; one that never stands still, as it comes. */
static int read_small(int fd, struct cv_file_id *id, bool quick, char *to)
{
    for (int i = 0; i < TRIES && id->size <= CV_FILE_SMALL; i++) {
        struct cv_file_id after;
        ssize_t n = read_bytes(fd, to, id->size, quick);
        if (n < 0)
            return (int)n;
        int rc = id_of(fd, &after);
        if (rc < 0)
            return rc;
        bool same = cv_file_same(id, &after);
        *id = after;
        if (same || i == TRIES - 1) {
            id->size = (uint64_t)n;
            return 0;
        }
    }
    return 0; /* it has become large */
}

/* Closes `fd` if the bytes have been read. */
static int fill(struct cv_file *file, bool quick)
{
    file->young = is_young(&file->id);
    if (file->id.size > CV_FILE_SMALL)
        return 0;
    char *bytes = malloc(CV_FILE_SMALL);
    if (bytes == NULL)
        return -ENOMEM;
    int rc = read_small(file->fd, &file->id, quick, bytes);
    if (rc < 0 || file->id.size > CV_FILE_SMALL) {
        free(bytes);
        return rc;
    }
    char *fitting = realloc(bytes, file->id.size > 0 ? file->id.size : 1);
    file->bytes = fitting != NULL ? fitting : bytes;
    (void)close(file->fd);
    file->fd = -1;
    return 0;
}

int cv_file_open_directory(int root, const char *path)
{
    return open_fd(&(struct cv_file_how){.root = root}, path, O_RDONLY | O_DIRECTORY);
}

int cv_file_find(int root, const char *path, struct cv_file_id *ret)
{
    CV_AUTOCLOSE int fd = open_fd(&(struct cv_file_how){.root = root}, path, O_PATH);
    return fd < 0 ? fd : id_of(fd, ret);
}

int cv_file_open(const struct cv_file_how *how, const char *path, struct cv_file **ret)
{
    CV_AUTOCLOSE int fd = open_fd(how, path, FLAGS_FILE);
    if (fd < 0)
        return fd;
    struct cv_file_id id;
    int rc = id_of(fd, &id);
    if (rc < 0)
        return rc;
    size_t len = strlen(path) + 1;
    struct cv_file *file = malloc(sizeof(*file) + len);
    if (file == NULL)
        return -ENOMEM;
    *file = (struct cv_file){.refs = 1, .fd = cv_take_fd(&fd), .id = id};
    memcpy(file->name, path, len);
    rc = fill(file, how->quick);
    if (rc < 0) {
        cv_file_unref(file);
        return rc;
    }
    *ret = file;
    return 0;
}

struct cv_file *cv_file_ref(struct cv_file *file)
{
    file->refs++;
    return file;
}

void cv_file_unref(struct cv_file *file)
{
    if (--file->refs > 0)
        return;
    if (file->fd >= 0)
        (void)close(file->fd);
    free((char *)(uintptr_t)file->bytes);
    free(file);
}

bool cv_file_is_near(const struct cv_file *file, uint64_t offset, size_t len, size_t ahead)
{
    char last;
    struct iovec part = {&last, 1};
    ssize_t n = preadv2(file->fd, &part, 1, (off_t)(offset + len - 1), RWF_NOWAIT);
    if (n >= 0 || errno != EAGAIN)
        return true;
    (void)posix_fadvise(file->fd, (off_t)offset, (off_t)ahead, POSIX_FADV_WILLNEED);
    return false;
}

int cv_file_look(int root, const char *path, struct cv_file_id *ret)
{
    struct stat st;
    if (fstatat(root >= 0 ? root : AT_FDCWD, path, &st, 0) < 0)
        return -errno;
    read_id(&st, ret);
    return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool cv_file_same(const struct cv_file_id *a, const struct cv_file_id *b)
{
    return a->ino == b->ino && a->dev == b->dev && a->size == b->size &&
           same_time(&a->modified, &b->modified) && same_time(&a->changed, &b->changed);
}

int cv_file_root_open(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int probe = sys_openat2(fd, ".", O_PATH | O_DIRECTORY, RESOLVE_BENEATH);
    if (probe < 0) {
        (void)close(fd);
        /* EPERM: a filter of system calls that does not know it. */
        return probe == -EPERM ? -ENOSYS : probe;
    }
    (void)close(probe);
    return fd;
}
