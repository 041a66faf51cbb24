/* Files as bodies of answers: opened once, counted, shared by all answers that send them.
 *
 * A small file is read into memory, so that it leaves in one call together with the head; of a
 * larger one the descriptor is kept. (Not mapped: a file that shrinks would kill the process.)
 * Knows nothing of HTTP.
 */
#ifndef CV_SERVE_FILE_H
#define CV_SERVE_FILE_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Up to this size a file is read into memory. The kernel's copy from there costs more than sendfile
 * from 8 KiB on (16 KiB: 0.7 us, 64 KiB: 4 us), but a file in memory needs no descriptor, and its
 * disk is waited for by a thread. */
#define CV_FILE_SMALL 16384

/* What changes when a file does. */
struct cv_file_id {
    dev_t dev;
    ino_t ino;
    uint64_t size;
    struct timespec modified;
    struct timespec changed; /* its inode, too */
};

struct cv_file {
    unsigned refs;
    int fd;            /* -1: `bytes` has all of it */
    const char *bytes; /* NULL: only the descriptor has it */
    struct cv_file_id id;
    int64_t sure_until; /* cold.c's: until then the descriptor's bytes are taken to be in memory */
    bool young;  /* modified so shortly before it was opened that a change might leave no trace */
    char name[]; /* for messages */
};

/* How to open. */
struct cv_file_how {
    int root;   /* directory that nothing may lead out of; -1: none, `path` is trusted */
    bool quick; /* -EAGAIN instead of waiting for the disk */
};

/* Opens a regular file: one reference in *ret. -ENOENT, -EACCES, -EISDIR, -EXDEV (out of the
 * root), -ENXIO (neither file nor directory), -EAGAIN, -EMFILE, -ENOMEM, or what else the system
 * says. From any thread. */
CV_MUST_CHECK int cv_file_open(const struct cv_file_how *how, const char *path,
                               struct cv_file **ret);

/* References are counted by the loop's thread alone. The last one closes. */
struct cv_file *cv_file_ref(struct cv_file *file);
void cv_file_unref(struct cv_file *file);

/* Whether `len` bytes of the descriptor are in memory, as far as their last one tells; true where
 * the file system does not say. If they are not, the kernel begins to read, up to `ahead` bytes. */
bool cv_file_is_near(const struct cv_file *file, uint64_t offset, size_t len, size_t ahead);

/* What is at the path now: 0 or -errno. */
CV_MUST_CHECK int cv_file_look(int root, const char *path, struct cv_file_id *ret);
bool cv_file_same(const struct cv_file_id *a, const struct cv_file_id *b);

/* A directory in a root. As cv_file_open(), -ENOTDIR. */
CV_MUST_CHECK int cv_file_open_directory(int root, const char *path);

/* What is at a path in a root, without opening it. As cv_file_open(); *ret is set also for
 * -EISDIR. */
CV_MUST_CHECK int cv_file_find(int root, const char *path, struct cv_file_id *ret);

/* A directory as a root. -ENOENT, -ENOTDIR, ..., -ENOSYS: this kernel cannot keep paths inside
 * (Linux 5.6 can). */
CV_MUST_CHECK int cv_file_root_open(const char *path);

#endif
