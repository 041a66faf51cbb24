/* Finds the setup function in a shared object: what COVEY_APP has put there. */
#ifndef CV_HOST_NATIVE_LOAD_H
#define CV_HOST_NATIVE_LOAD_H

#include "base/macros.h"

#include <covey/app.h>

/* The name COVEY_APP exports. */
#define CV_LOAD_SYMBOL "covey_app_entry"

/* Splits "FILE[:SYMBOL]": the file goes to `ret_file` (room for `cap`), *ret_symbol points into
 * `spec`, or is NULL if it names none. A colon counts only before a C name, and not where a file of
 * the whole name exists. 0 or -ENAMETOOLONG. */
CV_MUST_CHECK int cv_load_split(const char *spec, char *ret_file, size_t cap,
                                const char **ret_symbol);

/* Loads `path` (a file, or /proc/self/fd/N of one) for the life of the process and gives the setup
 * function behind `symbol` (NULL: COVEY_APP's). 0; or an exit code with a sentence in `reason`: 4
 * (no such file, no shared object, no such symbol), 78 (built for another ABI). */
CV_MUST_CHECK int cv_load(const char *path, const char *symbol, covey_setup_fn **ret, char *reason,
                          size_t cap);

#endif
