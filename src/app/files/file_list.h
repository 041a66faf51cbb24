/* What is in a directory that lies in a root, for pages that list it. */
#ifndef CV_APP_FILE_LIST_H
#define CV_APP_FILE_LIST_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

#define CV_FILE_LIST_MAX 10000 /* entries that are read */

struct cv_file_entry {
    char *name;
    bool is_directory;
    uint64_t size;    /* of a file */
    int64_t modified; /* seconds since 1970 */
};

struct cv_file_list {
    struct cv_file_entry *at; /* directories first, each by name */
    size_t n;
    bool is_cut; /* there are more */
};

/* Whether a path has no control characters and no backslash; files with others are not served. */
bool cv_file_is_plain(const char *path);

/* Reads the directory `path` ("": the root itself), which nothing leads out of: regular files and
 * directories, also behind links that stay inside, if they are served; with `hidden` also names
 * that begin with a dot. 0 or -errno; cv_file_list_done() in either case. Waits for the disk; from
 * any thread. */
CV_MUST_CHECK int cv_file_list_read(int root, const char *path, bool hidden,
                                    struct cv_file_list *ret);

void cv_file_list_done(struct cv_file_list *list);

#endif
