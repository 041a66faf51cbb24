/* Registration of signal handlers. See signal.h. */
#include "app/app.h"
#include "app/options.h"

#include <errno.h>
#include <string.h>

/* Behind those of the same priority and higher ones. */
static void insert(struct cv_signals *signals, struct cv_signal_hook *hook)
{
    struct cv_signal_hook *before = signals->last;
    while (before != NULL && before->priority < hook->priority)
        before = before->previous;
    hook->previous = before;
    hook->next = before != NULL ? before->next : signals->first;
    *(hook->next != NULL ? &hook->next->previous : &signals->last) = hook;
    *(before != NULL ? &before->next : &signals->first) = hook;
    signals->listened |= cv_signal_name_own(&hook->name);
    signals->heard = signals->listened;
}

/* NULL: everything is right. */
static const char *fill(struct cv_signal_hook *hook, struct cv_arena *arena, const char *name,
                        const struct covey_signal *how)
{
    const char *copy = cv_arena_strndup(arena, cv_span_str(name));
    if (copy == NULL)
        return "out of memory";
    const char *fault = cv_signal_name_parse_heard(copy, &hook->name);
    if (fault != NULL)
        return fault;
    if (how->handler == NULL)
        return "the handler is NULL";
    hook->handler = how->handler;
    hook->priority = how->priority;
    hook->is_exclusive = how->exclusive >= 0;
    if (how->condition == NULL)
        return NULL;
    hook->condition = cv_arena_strndup(arena, cv_span_str(how->condition));
    return hook->condition != NULL ? NULL : "out of memory";
}

void covey_signal_at(covey_app *app, const char *name, const struct covey_signal *how,
                     const char *source, const char *file, int line)
{
    struct covey_signal known;

    if (!cv_app_can_register(app, "covey_signal", file, line))
        return;
    struct cv_arena *arena = &app->root->arena;
    struct cv_signal_hook *hook = cv_arena_alloc(arena, sizeof(*hook));
    if (hook == NULL || name == NULL || !CV_OPTIONS_READ(&known, how)) {
        cv_app_fail(app, "%s:%d: signal %s: %s", file, line, name != NULL ? name : "",
                    hook == NULL   ? "out of memory"
                    : name == NULL ? "the name is NULL"
                                   : CV_OPTIONS_UNKNOWN);
        return;
    }
    *hook = (struct cv_signal_hook){
        .of = app, .called = cv_app_name_of(app, source), .file = file, .line = line};
    const char *fault = fill(hook, arena, name, &known);
    if (fault == NULL)
        insert(&app->root->signals, hook);
    else
        cv_app_fail(app, "%s:%d: signal %s: %s", file, line, name, fault);
}

int cv_signals_copy(covey_app *app, const covey_app *from)
{
    /* The copies stand behind their originals, so that none is met twice but those of `app`. */
    for (struct cv_signal_hook *hook = app->root->signals.first; hook != NULL; hook = hook->next) {
        if (hook->of != from)
            continue;
        struct cv_signal_hook *copy = cv_arena_alloc(&app->root->arena, sizeof(*copy));
        if (copy == NULL)
            return -ENOMEM;
        *copy = *hook;
        copy->of = app;
        insert(&app->root->signals, copy);
    }
    return 0;
}
