#include "supervise/notify/notify.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

/* While it starts, reloads or stops, the manager is asked each second for so much more time. */
#define EXTEND_EVERY CV_SECOND
#define EXTEND_BY "EXTEND_TIMEOUT_USEC=2000000"

enum cv_news cv_news_of(enum cv_say say)
{
    static const enum cv_news news[] = {
        [CV_SAY_SERVING] = CV_NEWS_SERVING,
        [CV_SAY_SCALED] = CV_NEWS_SCALED,
        [CV_SAY_DEGRADED] = CV_NEWS_DEGRADED,
        [CV_SAY_RELOADED] = CV_NEWS_RELOADED,
        [CV_SAY_RELOAD_FAILED] = CV_NEWS_RELOAD_FAILED,
        [CV_SAY_STOPPING] = CV_NEWS_STOPPING,
        [CV_SAY_START_FAILED] = CV_NEWS_START_FAILED,
        [CV_SAY_CRASH_LOOP] = CV_NEWS_CRASH_LOOP,
    };
    return (size_t)say < CV_COUNT(news) ? news[say] : CV_NEWS_NONE;
}

/* ---- Datagrams ---- */

static struct cv_notify_text CV_PRINTF(1, 2) compose(const char *format, ...)
{
    struct cv_notify_text ret;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ret.text, sizeof(ret.text), format, args);
    va_end(args);
    return ret;
}

static struct cv_notify_text nothing(void)
{
    return compose("%s", "");
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- News ---- */

/* Busy: whoever waits for it needs patience. */
static bool is_busy(const struct cv_notify *notify)
{
    return notify->phase != CV_NOTIFY_SERVING;
}

static void enter(struct cv_notify *notify, enum cv_notify_phase phase, int64_t now)
{
    if (!is_busy(notify))
        notify->next_extend = now + EXTEND_EVERY;
    notify->phase = phase;
}

struct cv_notify_text cv_notify_begin(struct cv_notify *notify, int64_t watchdog, int64_t now)
{
    *notify = (struct cv_notify){.phase = CV_NOTIFY_STARTING,
                                 .watchdog_every = watchdog / 3,
                                 .next_watchdog = now + watchdog / 3,
                                 .next_extend = now + EXTEND_EVERY};
    return compose("STATUS=starting");
}

/* READY=1 is said once after the start, and after each RELOADING=1, whether the reload has
 * succeeded or not: the manager waits for it. */
static const char *ready(struct cv_notify *notify, enum cv_notify_phase awaited, int64_t at)
{
    if (notify->phase != awaited)
        return "";
    enter(notify, CV_NOTIFY_SERVING, at);
    return "READY=1\n";
}

/* A reload before the first READY=1 is part of the start. */
static struct cv_notify_text reloading(struct cv_notify *notify, int64_t generation, int64_t at)
{
    if (notify->phase != CV_NOTIFY_SERVING)
        return compose("STATUS=reloading: generation %lld", (long long)generation);
    enter(notify, CV_NOTIFY_RELOADING, at);
    return compose("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading: generation %lld",
                   (long long)(at / 1000), (long long)generation);
}

static struct cv_notify_text stopping(struct cv_notify *notify, const char *why, int64_t at)
{
    const char *said = notify->phase == CV_NOTIFY_STOPPING ? "" : "STOPPING=1\n";
    enter(notify, CV_NOTIFY_STOPPING, at);
    return compose("%sSTATUS=%s", said, why);
}

static struct cv_notify_text failed(struct cv_notify *notify, enum cv_news news, int64_t value,
                                    int64_t at)
{
    char why[96];
    if (news == CV_NEWS_START_FAILED)
        (void)snprintf(why, sizeof(why), "the start has failed: exit code %lld", (long long)value);
    else
        (void)snprintf(why, sizeof(why), "giving up: workers have failed %lld times, none is ready",
                       (long long)value);
    return stopping(notify, why, at);
}

struct cv_notify_text cv_notify_news(struct cv_notify *notify, enum cv_news news, int64_t value,
                                     int64_t at)
{
    long long n = (long long)value;
    if (notify->phase == CV_NOTIFY_STOPPING && news != CV_NEWS_STOPPING)
        return nothing(); /* STOPPING=1 is final */
    switch (news) {
    case CV_NEWS_SERVING:
        return compose("%sSTATUS=serving: %lld worker%s", ready(notify, CV_NOTIFY_STARTING, at), n,
                       plural(value));
    case CV_NEWS_SCALED: return compose("STATUS=%lld worker%s wanted", n, plural(value));
    case CV_NEWS_DEGRADED:
        return compose("STATUS=degraded: workers have failed %lld times within a minute", n);
    case CV_NEWS_RELOADING: return reloading(notify, value, at);
    case CV_NEWS_RELOADED:
        return compose("%sSTATUS=serving: generation %lld", ready(notify, CV_NOTIFY_RELOADING, at),
                       n);
    case CV_NEWS_RELOAD_FAILED:
        return compose("%sSTATUS=the reload to generation %lld has failed: the old one serves",
                       ready(notify, CV_NOTIFY_RELOADING, at), n);
    case CV_NEWS_STOPPING:
        return stopping(notify, value == CV_STOP_TERM ? "stopping: draining" : "stopping", at);
    case CV_NEWS_START_FAILED:
    case CV_NEWS_CRASH_LOOP: return failed(notify, news, value, at);
    case CV_NEWS_UPGRADE_REFUSED:
        return compose("STATUS=not upgraded (the log says why): the old program serves");
    case CV_NEWS_MASTER_GONE: return stopping(notify, "the master is gone: all is stopped", at);
    case CV_NEWS_NONE:
    case CV_NEWS_COUNT: break;
    }
    return nothing();
}

/* ---- Signs of life ---- */

int64_t cv_notify_deadline(const struct cv_notify *notify)
{
    int64_t deadline = CV_NEVER;
    if (notify->is_asking)
        return deadline;
    if (notify->watchdog_every > 0)
        deadline = notify->next_watchdog;
    if (is_busy(notify) && notify->next_extend < deadline)
        deadline = notify->next_extend;
    return deadline;
}

bool cv_notify_asks(struct cv_notify *notify, int64_t now)
{
    if (cv_notify_deadline(notify) > now)
        return false;
    notify->watchdog_due = notify->watchdog_every > 0 && notify->next_watchdog <= now;
    notify->extend_due = is_busy(notify) && notify->next_extend <= now;
    if (notify->watchdog_due)
        notify->next_watchdog = now + notify->watchdog_every;
    if (notify->extend_due)
        notify->next_extend = now + EXTEND_EVERY;
    notify->is_asking = true;
    return true;
}

struct cv_notify_text cv_notify_answered(struct cv_notify *notify)
{
    bool extends = notify->extend_due && is_busy(notify);
    struct cv_notify_text text =
        compose("%s%s%s", notify->watchdog_due ? "WATCHDOG=1" : "",
                notify->watchdog_due && extends ? "\n" : "", extends ? EXTEND_BY : "");
    notify->watchdog_due = notify->extend_due = notify->is_asking = false;
    return text;
}
