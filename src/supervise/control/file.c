#include "supervise/control/file.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BACKLOG 128
#define RETRY_FOR CV_SECOND
#define RETRY_EVERY_MS 20

/* ---- Places ---- */

static void add_folder(struct cv_control_folders *folders, const char *above, const char *name)
{
    char *path = folders->path[folders->n];
    int n = snprintf(path, PATH_MAX, "%s/%s", above, name);
    folders->n += n > 0 && n < PATH_MAX;
}

void cv_control_folders(struct cv_control_folders *ret, uid_t uid, const char *runtime)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "covey-%u", (unsigned)uid);
    ret->n = 0;
    if (runtime != NULL && runtime[0] == '/')
        add_folder(ret, runtime, "covey");
    if (uid == 0)
        add_folder(ret, "/run", "covey");
    add_folder(ret, "/tmp", name);
}

int cv_control_open_folder(const char *path, uid_t uid)
{
    CV_AUTOCLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != uid || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return -EPERM;
    return cv_take_fd(&fd);
}

static int make_folder(const char *path)
{
    if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST)
        return -errno;
    return cv_control_open_folder(path, geteuid());
}

int cv_control_split(const char *path, char folder[PATH_MAX], char name[CV_CONTROL_NAME_MAX])
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t above = slash != NULL ? (size_t)(slash - path) : 0;
    if (base[0] == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        return -EINVAL;
    size_t len = strlen(base);
    if (len >= CV_CONTROL_NAME_MAX || above >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(name, base, len + 1);
    if (slash == NULL)
        (void)snprintf(folder, PATH_MAX, ".");
    else
        (void)snprintf(folder, PATH_MAX, "%.*s", above > 0 ? (int)above : 1, path);
    return 0;
}

/* ---- Sockets ---- */

static struct sockaddr_un address_of(int folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _Static_assert(sizeof("/proc/self/fd/2147483647/") + CV_CONTROL_NAME_MAX <=
                       sizeof(address.sun_path),
                   "every name fits behind its folder's descriptor");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder, name);
    return address;
}

static int new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 ? fd : -errno;
}

int cv_control_connect(int folder, const char *name)
{
    CV_AUTOCLOSE int fd = new_socket();
    if (fd < 0)
        return fd;
    struct sockaddr_un address = address_of(folder, name);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return cv_take_fd(&fd);
}

static int bind_and_listen(int folder, const char *name)
{
    CV_AUTOCLOSE int fd = new_socket();
    if (fd < 0)
        return fd;
    struct sockaddr_un address = address_of(folder, name);
    /* The mode of the socket becomes that of its file: there is no moment in which it is wider. */
    if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    if (listen(fd, BACKLOG) < 0) {
        int rc = -errno;
        (void)unlinkat(folder, name, 0);
        return rc;
    }
    return cv_take_fd(&fd);
}

/* Removes a socket that nobody listens on. (A file that is no socket refuses in the same way.) */
static void remove_if_stale(int folder, const char *name)
{
    struct statx file;
    if (!cv_sockfile_look(folder, name, &file) || !S_ISSOCK(file.stx_mode))
        return;
    CV_AUTOCLOSE int fd = cv_control_connect(folder, name);
    if (fd == -ECONNREFUSED)
        cv_sockfile_unlink(folder, name, &file);
}

/* What servers that were killed have left. */
static void sweep(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    if (entries == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL)
        if (strlen(entry->d_name) < CV_CONTROL_NAME_MAX)
            remove_if_stale(folder, entry->d_name);
    (void)closedir(entries);
}

/* ---- A server's own ---- */

/* Between bind and listen a socket looks stale: whoever removes such, or makes one, holds the
 * folder's lock. */
static int lock(int folder)
{
    int64_t until = cv_clock_ns() + RETRY_FOR;
    while (flock(folder, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK || cv_clock_ns() >= until)
            return -errno;
        (void)poll(NULL, 0, RETRY_EVERY_MS);
    }
    return 0;
}

static int open_in(struct cv_control_file *file, int folder)
{
    int rc = lock(folder);
    if (rc < 0)
        return rc;
    if (file->is_ours)
        sweep(folder);
    else
        remove_if_stale(folder, file->name);
    CV_AUTOCLOSE int fd = bind_and_listen(folder, file->name);
    rc = fd < 0 ? fd : 0;
    if (rc == 0 && !cv_sockfile_look(folder, file->name, &file->file)) {
        rc = -errno;
        (void)unlinkat(folder, file->name, 0);
    }
    (void)flock(folder, LOCK_UN); /* the master's copy would hold it as well */
    if (rc < 0)
        return rc;
    file->fd = cv_take_fd(&fd);
    return 0;
}

static const char *explain(int error)
{
    switch (error) {
    case -EPERM: return "the folder is another user's, or open to others";
    case -EADDRINUSE: return "another server listens there, or the file is no socket";
    case -EWOULDBLOCK: return "another process holds a lock on the folder (lslocks shows which)";
    default: return strerror(-error);
    }
}

static int open_named(struct cv_control_file *file, char *reason, size_t cap)
{
    CV_AUTOCLOSE int folder = file->is_ours
                                  ? make_folder(file->folder_path)
                                  : open(file->folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!file->is_ours && folder < 0)
        folder = -errno;
    int rc = folder < 0 ? folder : open_in(file, folder);
    if (rc < 0) {
        if (file->is_ours)
            (void)rmdir(file->folder_path); /* if nobody has a socket there */
        (void)snprintf(reason, cap, "no control socket at %s/%s: %s", file->folder_path, file->name,
                       explain(rc));
        return rc;
    }
    file->folder = cv_take_fd(&folder);
    return 0;
}

/* What stands in a file name and in what people type. */
static void name_file(struct cv_control_file *file, const char *name)
{
    char clean[48];
    (void)snprintf(clean, sizeof(clean), "%s", name[0] != '\0' ? name : "covey");
    for (char *at = clean; *at != '\0'; at++)
        if (*at == '/' || *at <= ' ' || *at == 0x7f || (at == clean && *at == '.'))
            *at = '_';
    (void)snprintf(file->name, sizeof(file->name), "%s-%d" CV_CONTROL_SUFFIX, clean, (int)getpid());
}

int cv_control_open(struct cv_control_file *file, const char *name, char *reason, size_t cap)
{
    static struct cv_control_folders folders;
    cv_control_folders(&folders, geteuid(), getenv("XDG_RUNTIME_DIR"));
    *file = (struct cv_control_file){.fd = -1, .folder = -1, .is_ours = true};
    name_file(file, name);
    int rc = -ENOENT;
    for (int i = 0; i < folders.n; i++) {
        (void)snprintf(file->folder_path, sizeof(file->folder_path), "%s", folders.path[i]);
        /* A server that ends at this moment may have removed the folder once it was empty. */
        for (int tries = 3; tries > 0; tries--) {
            rc = open_named(file, reason, cap);
            if (rc == 0)
                return 0;
            if (rc != -ENOENT)
                break;
        }
    }
    return rc;
}

int cv_control_open_at(struct cv_control_file *file, const char *path, char *reason, size_t cap)
{
    *file = (struct cv_control_file){.fd = -1, .folder = -1};
    int rc = cv_control_split(path, file->folder_path, file->name);
    if (rc < 0) {
        (void)snprintf(reason, cap,
                       "\"%s\" is no path for a control socket: its last part has 1 to %d bytes",
                       path, CV_CONTROL_NAME_MAX - 1);
        return rc;
    }
    return open_named(file, reason, cap);
}

void cv_control_close(struct cv_control_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

void cv_control_unlink(const struct cv_control_file *file)
{
    if (file->folder < 0)
        return;
    cv_sockfile_unlink(file->folder, file->name, &file->file);
    if (file->is_ours)
        (void)rmdir(file->folder_path);
}
