#include "supervise/master/doing.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cv_doings_init(struct cv_doings *doings, unsigned n, int64_t slow)
{
    *doings = (struct cv_doings){
        .of = calloc(n, sizeof(*doings->of)), .n = n, .slow = slow, .next = CV_NEVER};
    return doings->of != NULL ? 0 : -ENOMEM;
}

void cv_doings_set(struct cv_doings *doings, unsigned slot, struct cv_span what, int64_t now)
{
    struct cv_doing *doing = &doings->of[slot];
    size_t len = what.len < sizeof(doing->what) ? what.len : sizeof(doing->what) - 1;
    if (len > 0)
        memcpy(doing->what, what.at, len);
    doing->what[len] = '\0';
    if (len == 0 || doings->slow == CV_NEVER)
        return;
    doing->since = now;
    doing->say_at = now + doings->slow;
    if (doing->say_at < doings->next)
        doings->next = doing->say_at;
}

void cv_doings_look(struct cv_doings *doings, int64_t now,
                    void (*say)(void *arg, unsigned slot, const char *what, int64_t for_ns),
                    void *arg)
{
    doings->next = CV_NEVER;
    for (unsigned i = 0; i < doings->n; i++) {
        struct cv_doing *doing = &doings->of[i];
        if (doing->what[0] == '\0')
            continue;
        if (doing->say_at <= now) {
            say(arg, i, doing->what, now - doing->since);
            doing->say_at = doing->since + 2 * (now - doing->since);
        }
        if (doing->say_at < doings->next)
            doings->next = doing->say_at;
    }
}
