/* The managed processes that an app has declared. */
#ifndef CV_APP_MANAGE_H
#define CV_APP_MANAGE_H

#include "base/span.h"

#include <covey/manage.h>

struct cv_process {
    struct cv_process *next; /* in the order of declaration */
    const char *name;
    covey_process_fn *fn; /* NULL: a command */
    struct cv_span words; /* of a command: each with its NUL */
    unsigned workers;
    enum covey_restart restart;
    bool is_transient;
    const char *file;
    int line;
};

/* Bytes that the words of all commands together may have. */
#define CV_PROCESS_WORDS_MAX 8192

/* The one of that name, NULL if there is none. */
const struct cv_process *cv_app_process(const covey_app *app, const char *name);

#endif
