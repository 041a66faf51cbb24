/* A file of settings in the form of INI: "name = value", "; comment", a section [covey] or none. */
#ifndef CV_CLI_CONF_FILE_H
#define CV_CLI_CONF_FILE_H

#include "base/macros.h"

#include <stddef.h>

/* Where a line may end at the latest: what it says is shorter. */
#define CV_CONF_FILE_LINE 200

/* Takes one setting. 0, or -errno, having said what is wrong with it at `where` ("FILE:LINE"). */
typedef int cv_conf_file_fn(void *arg, const char *name, const char *value, const char *where);

/* Reads a regular file, up to what is wrong in it; `pinned` is a descriptor to read it from,
 * however many do so, or -1. 0, or -EBADMSG with a sentence in `reason`, written here or by `take`.
 */
CV_MUST_CHECK int cv_conf_file_read(const char *path, int pinned, cv_conf_file_fn *take, void *arg,
                                    char *reason, size_t cap);

#endif
