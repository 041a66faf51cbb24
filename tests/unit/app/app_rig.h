/* An app without a server, for tests of what setup() declares. */
#ifndef TEST_APP_RIG_H
#define TEST_APP_RIG_H

#include "app/app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static covey_app app;

static int open_app(void **state)
{
    (void)state;
    struct cv_app_host host = {0};
    return cv_app_init(&app, &host, NULL, NULL, NULL);
}

static int close_app(void **state)
{
    (void)state;
    cv_app_done(&app);
    return 0;
}

/* The app has failed for this reason, which names a line of `file`; forgets it. */
static void assert_refused_in(const char *file, const char *why)
{
    assert_true(app.failed);
    if (strstr(app.reason, why) == NULL || strstr(app.reason, file) == NULL)
        fail_msg("\"%s\" does not say \"%s\" with file and line", app.reason, why);
    app.failed = false;
}

#define assert_refused(why) assert_refused_in(__FILE__ ":", why)

#endif
