/* Open files between two answers, so that a request for one costs no system call.
 *
 * A file is known by its root and path. What is kept is bounded in number and memory, the least
 * recently used goes first, and descriptors never take more than a quarter of the process's.
 * Whether the file is still the one at the path is looked at (one stat) when it is used and the
 * last look is older than `valid`: that costs the same whatever changes, needs no watch on every
 * directory of a path, misses nothing on network file systems, and an idle worker never wakes for
 * it; inotify would tell sooner. A missing file is remembered only where the caller expects that
 * (variants of a file that exists): names that clients make up must not push out the others.
 */
#ifndef CV_SERVE_FILE_CACHE_H
#define CV_SERVE_FILE_CACHE_H

#include "base/macros.h"
#include "serve/file.h"

struct cv_file_cache;
struct cv_file_root;

struct cv_file_cache_config {
    size_t files_max;  /* 0: nothing is kept */
    size_t memory_max; /* bytes of small files */
    int64_t valid;     /* ns between two looks; 0: at each use */
};

/* 0 or -ENOMEM. The second fits NULL, too; files in use live on. */
CV_MUST_CHECK int cv_file_cache_new(const struct cv_file_cache_config *config,
                                    struct cv_file_cache **ret);
void cv_file_cache_free(struct cv_file_cache *cache);

/* The directory as a root, opened once and again when another one stands at its path (looked at
 * like a file). It belongs to the cache. Errors as cv_file_root_open(). */
CV_MUST_CHECK int cv_file_cache_root(struct cv_file_cache *cache, const char *path, int64_t now,
                                     struct cv_file_root **ret);

/* Its descriptor, -1 for NULL; valid until the next cv_file_cache_root(). */
int cv_file_root_fd(const struct cv_file_root *root);

/* What is kept: 0 with a reference in *ret, -ENOENT: known to be missing; -EAGAIN: to be opened.
 * root NULL: none, the path is trusted. */
CV_MUST_CHECK int cv_file_cache_find(struct cv_file_cache *cache, const struct cv_file_root *root,
                                     const char *path, int64_t now, struct cv_file **ret);

/* Keeps an opened file (its reference stays the caller's), or with NULL that there is none. */
void cv_file_cache_keep(struct cv_file_cache *cache, const struct cv_file_root *root,
                        const char *path, int64_t now, struct cv_file *file);

/* Closes what nobody uses at the moment: descriptors have run out. */
void cv_file_cache_shed(struct cv_file_cache *cache);

#endif
