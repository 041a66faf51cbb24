/* Files that outlive who made them: Unix sockets, and the shared memory and semaphores of Python.
 */
#include "cli/doctor/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define DEPTH_MAX 4        /* /run/user/1000/gnupg/S.gpg-agent */
#define ENTRIES_MAX 200000 /* in one of the folders: a full /tmp must not keep anyone waiting */

struct walk {
    struct cv_arena *arena;
    struct cv_buf *files;
    dev_t dev; /* other file systems are left alone: they may be far away, and hang */
    long entries;
};

bool cv_doctor_is_bound(int folder, const char *name)
{
    CV_AUTOCLOSE int file = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    CV_AUTOCLOSE int asking = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
    /* The kernel refuses by the type of the socket (EPROTOTYPE) before it tells the other side, and
     * connecting datagram sockets tells nobody anything; but first it looks whether there is one.
     */
    return file < 0 || asking < 0 ||
           connect(asking, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
           errno != ECONNREFUSED;
}

/* statx(), because it can be told not to ask the server of a network file system. */
static int look_up(int folder, const char *name, struct statx *ret)
{
    return statx(folder, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                 STATX_BASIC_STATS, ret);
}

static bool is_known(const struct cv_buf *files, dev_t dev, ino_t ino)
{
    const struct cv_doctor_file *known = (const struct cv_doctor_file *)(void *)files->at;
    for (size_t i = 0; i < files->len / sizeof(*known); i++)
        if (known[i].ino == ino && known[i].dev == dev)
            return true;
    return false;
}

static int add(struct walk *walk, const char *folder, const char *name, const struct statx *about,
               bool is_used)
{
    struct cv_doctor_file file = {
        .is_socket = S_ISSOCK(about->stx_mode),
        .is_used = is_used,
        .path = cv_arena_printf(walk->arena, "%s/%s", folder, name),
        .uid = about->stx_uid,
        .changed_s = about->stx_mtime.tv_sec,
        .size = (int64_t)about->stx_size,
        .dev = makedev(about->stx_dev_major, about->stx_dev_minor),
        .ino = about->stx_ino,
    };
    if (file.path == NULL)
        return -ENOMEM;
    if (is_known(walk->files, file.dev, file.ino))
        return 0;
    return cv_buf_append(walk->files, cv_span(&file, sizeof(file)));
}

/* ---- Sockets ---- */

static int walk_into(struct walk *walk, int fd, const char *path, int depth);

static int visit(struct walk *walk, DIR *folder, const char *path, const char *name, int depth)
{
    struct statx about;
    int parent = dirfd(folder);
    if (look_up(parent, name, &about) < 0)
        return 0;
    if (S_ISSOCK(about.stx_mode)) {
        bool is_used = cv_doctor_is_bound(parent, name);
        return is_used ? 0 : add(walk, path, name, &about, false);
    }
    if (!S_ISDIR(about.stx_mode) || depth >= DEPTH_MAX ||
        makedev(about.stx_dev_major, about.stx_dev_minor) != walk->dev)
        return 0;
    const char *below = cv_arena_printf(walk->arena, "%s/%s", path, name);
    if (below == NULL)
        return -ENOMEM;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? 0 : walk_into(walk, fd, below, depth + 1);
}

/* Takes `fd` over. */
static int walk_into(struct walk *walk, int fd, const char *path, int depth)
{
    DIR *folder = fdopendir(fd);
    if (folder == NULL) {
        (void)close(fd);
        return 0;
    }
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL && walk->entries++ < ENTRIES_MAX) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_type == DT_SOCK || entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)
            rc = visit(walk, folder, path, entry->d_name, depth);
    }
    (void)closedir(folder);
    return rc;
}

static int walk_root(struct cv_arena *arena, struct cv_buf *files, const char *root)
{
    char real[PATH_MAX];
    if (root == NULL || root[0] != '/' || realpath(root, real) == NULL)
        return 0;
    struct stat about;
    CV_AUTOCLOSE int fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) < 0)
        return 0;
    struct walk walk = {.arena = arena, .files = files, .dev = about.st_dev};
    const char *path = cv_arena_strndup(arena, cv_span_str(real));
    return path == NULL ? -ENOMEM : walk_into(&walk, cv_take_fd(&fd), path, 1);
}

/* ---- Shared memory ---- */

/* SharedMemory() is psm_XXXXXXXX, the semaphores of locks and queues are sem.mp-XXXXXXXX. Whether
 * they are in use is seen later, in the maps of all processes: only root, and only for his own the
 * owner, sees enough of those. */
static int look_at_memory(struct cv_arena *arena, struct cv_buf *files)
{
    DIR *folder = opendir("/dev/shm");
    if (folder == NULL)
        return 0;
    struct walk walk = {.arena = arena, .files = files};
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        struct statx about;
        if ((strncmp(entry->d_name, "psm_", 4) == 0 || strncmp(entry->d_name, "sem.mp-", 7) == 0) &&
            look_up(dirfd(folder), entry->d_name, &about) == 0 && S_ISREG(about.stx_mode))
            rc = add(&walk, "/dev/shm", entry->d_name, &about,
                     geteuid() != 0 && about.stx_uid != geteuid());
    }
    (void)closedir(folder);
    return rc;
}

int cv_doctor_look_at_files(struct cv_arena *arena, struct cv_buf *files)
{
    const char *roots[] = {"/run", "/tmp", "/var/tmp", getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR")};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < CV_COUNT(roots); i++)
        rc = walk_root(arena, files, roots[i]);
    return rc == 0 ? look_at_memory(arena, files) : rc;
}
