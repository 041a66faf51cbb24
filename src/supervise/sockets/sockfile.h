/* Socket files: telling one of our own from another that has taken its name. */
#ifndef CV_SUPERVISE_SOCKFILE_H
#define CV_SUPERVISE_SOCKFILE_H

#include "base/macros.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

/* What lies under a name in `folder` (or AT_FDCWD), links not followed. False if nothing does. */
CV_MUST_CHECK bool cv_sockfile_look(int folder, const char *name, struct statx *ret);

/* Removes the file if it is still the one that was `made`. */
void cv_sockfile_unlink(int folder, const char *name, const struct statx *made);

#endif
