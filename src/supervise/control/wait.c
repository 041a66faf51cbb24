#include "supervise/control/wait.h"

#include <stdio.h>

#define NOT_READY "does not get ready; it is tried again, the log says why it ends"

/* `are_ready`: as many as are wanted, and those that are meant. */
static enum cv_control_verdict judge_ready(const struct cv_control_facts *facts, bool are_ready,
                                           char *sentence, size_t cap)
{
    if (are_ready) {
        (void)snprintf(sentence, cap, "%u worker%s ready", facts->ready,
                       facts->ready == 1 ? "" : "s");
        return CV_VERDICT_DONE;
    }
    if (facts->struggling >= 0) {
        (void)snprintf(sentence, cap, "worker %d " NOT_READY, facts->struggling);
        return CV_VERDICT_FAILED;
    }
    return CV_VERDICT_WAIT;
}

static enum cv_control_verdict judge_scale(uint32_t number, const struct cv_control_facts *facts,
                                           char *sentence, size_t cap)
{
    if (facts->wanted != number) {
        (void)snprintf(sentence, cap, "another request has made it %u workers", facts->wanted);
        return CV_VERDICT_FAILED;
    }
    return judge_ready(facts, facts->ready == facts->wanted, sentence, cap);
}

/* Main and managed processes have no others that would do in their place. */
static enum cv_control_verdict
judge_restart(enum cv_kind kind, const struct cv_control_facts *facts, char *sentence, size_t cap)
{
    if (kind == CV_KIND_WORKER)
        return judge_ready(facts, facts->is_replaced && facts->ready == facts->wanted, sentence,
                           cap);
    if (facts->is_subject_ready) {
        (void)snprintf(sentence, cap, "%s is ready", facts->subject);
        return CV_VERDICT_DONE;
    }
    if (!facts->does_subject_struggle)
        return CV_VERDICT_WAIT;
    (void)snprintf(sentence, cap, "%s " NOT_READY, facts->subject);
    return CV_VERDICT_FAILED;
}

static enum cv_control_verdict judge_reload(const struct cv_control_wait *wait,
                                            const struct cv_control_facts *facts, char *sentence,
                                            size_t cap)
{
    const char *done = wait->command == CV_CONTROL_UPGRADE ? "upgraded" : "reloaded";
    if (facts->reloaded >= wait->number) {
        (void)snprintf(sentence, cap, "%s: generation %u serves", done, facts->reloaded);
        return CV_VERDICT_DONE;
    }
    if (facts->reload_failed >= wait->number || facts->refusals != wait->refusals) {
        (void)snprintf(sentence, cap, "not %s: %s", done, facts->why);
        return CV_VERDICT_FAILED;
    }
    return CV_VERDICT_WAIT;
}

static enum cv_control_verdict judge_logs(uint32_t number, const struct cv_control_facts *facts,
                                          char *sentence, size_t cap)
{
    if (facts->logs < number)
        return CV_VERDICT_WAIT;
    if (facts->keeps_logs != NULL) {
        (void)snprintf(sentence, cap, "%s keeps the old log files; the log says why",
                       facts->keeps_logs);
        return CV_VERDICT_FAILED;
    }
    (void)snprintf(sentence, cap, "the log files have been opened anew");
    return CV_VERDICT_DONE;
}

enum cv_control_verdict cv_control_judge(const struct cv_control_wait *wait,
                                         const struct cv_control_facts *facts, char *sentence,
                                         size_t cap)
{
    if (wait->command == CV_CONTROL_STOP)
        return CV_VERDICT_WAIT; /* what ends is the connection */
    if (facts->is_stopping) {
        (void)snprintf(sentence, cap, "the server is stopping");
        return CV_VERDICT_FAILED;
    }
    switch (wait->command) {
    case CV_CONTROL_SCALE: return judge_scale(wait->number, facts, sentence, cap);
    case CV_CONTROL_RELOAD:
    case CV_CONTROL_UPGRADE: return judge_reload(wait, facts, sentence, cap);
    case CV_CONTROL_RESTART: return judge_restart(wait->kind, facts, sentence, cap);
    case CV_CONTROL_LOGS: return judge_logs(wait->number, facts, sentence, cap);
    case CV_CONTROL_STATUS:
    case CV_CONTROL_METRICS: /* answered at once */
    case CV_CONTROL_STOP: break;
    }
    return CV_VERDICT_WAIT;
}
