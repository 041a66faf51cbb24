/* Settings as the app sees them: text from the host, read as what the app asks for. */
#include "app/app.h"

#include "base/log.h"
#include "base/num.h"

#include <errno.h>
#include <strings.h>

static const char *setting(covey_app *app, const char *name, const char *call)
{
    if (!cv_app_here(app, call) || name == NULL || app->root->host.setting == NULL)
        return NULL;
    return app->root->host.setting(app->root->host.arg, name);
}

/* A wrong value ends the start; a running server goes on with the fallback. */
static void complain(covey_app *app, const char *name, const char *value, const char *wanted)
{
    if (app->root->phase == CV_APP_RUNNING)
        cv_error("setting %s: \"%s\" is no %s; the default is used", name, value, wanted);
    else
        cv_app_fail(app, "setting %s: \"%s\" is no %s", name, value, wanted);
}

const char *covey_config_str(covey_app *app, const char *name, const char *fallback)
{
    const char *value = setting(app, name, "covey_config_str");
    return value != NULL ? value : fallback;
}

int64_t covey_config_int(covey_app *app, const char *name, int64_t fallback)
{
    const char *value = setting(app, name, "covey_config_int");
    int64_t number;

    if (value == NULL)
        return fallback;
    if (cv_num_i64(cv_span_str(value), &number) == 0)
        return number;
    complain(app, name, value, "whole number");
    return fallback;
}

static bool is_one_of(const char *value, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (cv_string_ieq(value, *words))
            return true;
    }
    return false;
}

int cv_app_truth(const char *text)
{
    static const char *const yes[] = {"1",   "true", "yes",    "y",       "on", "t",
                                      "yep", "yup",  "enable", "enabled", NULL};
    static const char *const no[] = {"0", "false",   "no",       "n", "off",
                                     "f", "disable", "disabled", NULL};
    if (is_one_of(text, yes))
        return 1;
    return is_one_of(text, no) ? 0 : -1;
}

bool covey_config_bool(covey_app *app, const char *name, bool fallback)
{
    const char *value = setting(app, name, "covey_config_bool");

    if (value == NULL)
        return fallback;
    int truth = cv_app_truth(value);
    if (truth >= 0)
        return truth == 1;
    complain(app, name, value, "truth value (true, false)");
    return fallback;
}
