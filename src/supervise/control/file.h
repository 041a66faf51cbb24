/* The control socket's file: where it lies, how it is made, found and removed.
 *
 * It lies in a folder of the server's user that nobody else may enter. Everything is done relative
 * to that folder's descriptor, so that whoever renames what is above it changes nothing; addresses
 * are bound and connected through /proc/self/fd, which also fits paths too long for one.
 */
#ifndef CV_SUPERVISE_CONTROL_FILE_H
#define CV_SUPERVISE_CONTROL_FILE_H

#include "base/macros.h"
#include "supervise/sockets/sockfile.h"

#include <limits.h>
#include <sys/types.h>

#define CV_CONTROL_NAME_MAX 80
#define CV_CONTROL_SUFFIX ".sock"

/* A path made of a folder's and a file's name. */
#define CV_CONTROL_PATH_MAX (PATH_MAX + CV_CONTROL_NAME_MAX)

struct cv_control_file {
    int fd;                         /* listening; -1: closed, or there is none */
    int folder;                     /* -1: there is none */
    bool is_ours;                   /* the folder is for control sockets only */
    char folder_path[PATH_MAX];     /* for messages, and to remove the folder */
    char name[CV_CONTROL_NAME_MAX]; /* in the folder */
    struct statx file;              /* so that only our own is removed */
};

/* Where the sockets of a user's servers may lie, in the order in which a server tries. */
#define CV_CONTROL_FOLDERS 3
struct cv_control_folders {
    char path[CV_CONTROL_FOLDERS][PATH_MAX];
    int n;
};

/* `runtime` is $XDG_RUNTIME_DIR or NULL. */
void cv_control_folders(struct cv_control_folders *ret, uid_t uid, const char *runtime);

/* Opens a folder if it belongs to `uid` and nobody else may enter it. The descriptor or -errno:
 * -EPERM if it is another's or open to others, -ENOTDIR for a link too. */
CV_MUST_CHECK int cv_control_open_folder(const char *path, uid_t uid);

/* Listens as NAME-PID.sock in the first folder that can be had; sockets that nobody listens on any
 * more are removed there. 0, or -errno with a sentence in `reason` and nothing open. */
CV_MUST_CHECK int cv_control_open(struct cv_control_file *file, const char *name, char *reason,
                                  size_t cap);

/* Listens at a path. A socket that nobody listens on is replaced, any other file is left alone. */
CV_MUST_CHECK int cv_control_open_at(struct cv_control_file *file, const char *path, char *reason,
                                     size_t cap);

/* Splits a path into its folder and the name in it. 0, -EINVAL, or -ENAMETOOLONG. */
CV_MUST_CHECK int cv_control_split(const char *path, char folder[PATH_MAX],
                                   char name[CV_CONTROL_NAME_MAX]);

/* Connects to a socket in a folder. The descriptor (non-blocking) or -errno: -ECONNREFUSED if
 * nobody listens on it, -EAGAIN if too many wait to be heard. */
CV_MUST_CHECK int cv_control_connect(int folder, const char *name);

/* Stops listening in this process. */
void cv_control_close(struct cv_control_file *file);

/* Removes the file if it is still ours, and the folder if it was for control sockets only and is
 * empty. */
void cv_control_unlink(const struct cv_control_file *file);

#endif
