#include "supervise/log/words.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* What happens to one that hangs or is late. */
#define DUMPED "it is to say where it is, and is then killed"

struct cv_who cv_words_who(unsigned slot, unsigned capacity)
{
    struct cv_who who = {"main"};
    if (slot < capacity)
        (void)snprintf(who.text, sizeof(who.text), "worker %u", slot);
    return who;
}

struct cv_who cv_words_managed(const char *name, unsigned index)
{
    struct cv_who who;
    (void)snprintf(who.text, sizeof(who.text), "%.31s %u", name, index);
    return who;
}

/* What a worker's exit code means, where that is known. */
static const char *meaning(const struct cv_fleet_exit *exit)
{
    if (exit->foreign && exit->code != CV_EXIT_OK)
        return "";
    switch (exit->code) {
    case CV_EXIT_OK: return exit->asked ? " (it was asked to go)" : " (it left unasked)";
    case CV_EXIT_BOOT: return " (a start listener failed)";
    case CV_EXIT_LOAD: return " (the app could not be loaded or set up)";
    case CV_EXIT_OS: return " (the system refused something)";
    case CV_EXIT_CONFIG: return " (built against another covey)";
    default: return "";
    }
}

/* Why a signal came, where that is known: the kernel kills without a word to us. */
static const char *sender(const struct cv_fleet_exit *exit)
{
    if (exit->by_us)
        return ", sent by covey";
    if (exit->code != SIGKILL)
        return "";
    switch (exit->oom) {
    case CV_OOM_YES: return ", killed by the kernel: out of memory";
    case CV_OOM_LIKELY: return ", killed by the kernel, most likely: out of memory";
    case CV_OOM_NO: return ", not sent by covey and not by the OOM killer";
    case CV_OOM_UNKNOWN: break;
    }
    return ", not sent by covey: out of memory? see dmesg";
}

struct cv_how cv_words_exit(struct cv_fleet_exit exit)
{
    struct cv_how how;
    if (exit.signaled)
        (void)snprintf(how.text, sizeof(how.text), "signal %d (%s)%s%s", exit.code,
                       strsignal(exit.code), sender(&exit), exit.core ? ", core dumped" : "");
    else
        (void)snprintf(how.text, sizeof(how.text), "exit code %d%s", exit.code, meaning(&exit));
    return how;
}

static void say_serving(int64_t workers, const struct cv_listeners *listeners)
{
    for (int i = 0; i < listeners->n; i++) {
        const struct cv_listener *listener = &listeners->item[i];
        if (listener->owner[0] != '\0')
            cv_info("%s on %s", listener->owner, listener->text);
        else
            cv_info("listening on %s (%lld worker%s)", listener->text, (long long)workers,
                    workers == 1 ? "" : "s");
    }
}

static void say_stopping(int64_t kind)
{
    static const char *const how[] = {
        [CV_STOP_TERM] = "stopping: requests in flight are finished",
        [CV_STOP_INT] = "stopping: requests in flight have a moment to finish (again: at once)",
        [CV_STOP_QUIT] = "stopping at once",
        [CV_STOP_NOW] = "killing everything: the guardian is gone"};
    cv_info("%s", how[kind]);
}

static void say_failed(const char *who, struct cv_fleet_exit last, int64_t pause_ms)
{
    struct cv_how how = cv_words_exit(last);
    if (pause_ms > 0)
        cv_error("%s ended with %s; next try in %lld ms", who, how.text, (long long)pause_ms);
    else
        cv_error("%s ended with %s", who, how.text); /* the next one starts at once, if any does */
}

static void say_not_started(const char *who, int64_t pause_ms)
{
    if (pause_ms > 0)
        cv_error("%s is tried again in %lld ms", who, (long long)pause_ms);
}

void cv_words_say(const struct cv_action *action, const char *who, struct cv_fleet_exit last,
                  const struct cv_listeners *listeners)
{
    long long value = action->value;
    switch (action->say) {
    case CV_SAY_SERVING: say_serving(value, listeners); break;
    case CV_SAY_FAILED: say_failed(who, last, value); break;
    case CV_SAY_NOT_STARTED: say_not_started(who, value); break;
    case CV_SAY_HUNG:
        cv_error("%s has not come round its loop for %.1f s (HANG_TIMEOUT): " DUMPED, who,
                 (double)value / 1e3);
        break;
    case CV_SAY_LATE:
        cv_error("%s was not ready after %.1f s (START_TIMEOUT): " DUMPED, who,
                 (double)value / 1e3);
        break;
    case CV_SAY_PAUSED_LONG:
        cv_error("%s was stopped by a signal for %.1f s: killed", who, (double)value / 1e3);
        break;
    case CV_SAY_UNSTOPPED:
        cv_warn("%s did not end within %.1f s: killed", who, (double)value / 1e3);
        break;
    case CV_SAY_UNKILLABLE:
        cv_error("%s cannot be killed (uninterruptible sleep in the kernel): left behind", who);
        break;
    case CV_SAY_LEAVING: cv_info("%s was asked to go and is replaced", who); break;
    case CV_SAY_SPENT: cv_info("%s serves on until another has taken its place", who); break;
    case CV_SAY_DONE:
        cv_info("%s ended with %s and is not started again", who, cv_words_exit(last).text);
        break;
    case CV_SAY_DEGRADED:
        cv_error("degraded: workers have failed %lld times within the last minute", value);
        break;
    case CV_SAY_CRASH_LOOP:
        cv_error("giving up: workers have failed %lld times and none is ready", value);
        break;
    case CV_SAY_START_FAILED: cv_error("the start has failed: exit code %lld", value); break;
    case CV_SAY_RELOADED: cv_info("reloaded: generation %lld serves", value); break;
    case CV_SAY_RELOAD_FAILED:
        cv_error(
            "the reload has failed: %s of generation %lld did not get ready; the old one stays",
            who, value);
        break;
    case CV_SAY_SCALED: cv_info("%lld workers wanted", value); break;
    case CV_SAY_SCALE_REFUSED:
        cv_warn("the number of workers stays %lld: that is the limit", value);
        break;
    case CV_SAY_STOPPING: say_stopping(value); break;
    case CV_SAY_SERVING_ON:
        cv_info("connections are accepted for another %.1f s (PRE_DRAIN)", (double)value / 1e3);
        break;
    }
}
