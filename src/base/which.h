/* Where a command's program is. */
#ifndef CV_BASE_WHICH_H
#define CV_BASE_WHICH_H

#include "base/macros.h"

#include <limits.h>

/* The file that `name` means: itself if it holds a '/', else the first in PATH that may be
 * executed. 0; -ENOENT, or -EACCES where all that there is may not be executed; -ENAMETOOLONG. */
CV_MUST_CHECK int cv_which(const char *name, char ret[PATH_MAX]);

#endif
