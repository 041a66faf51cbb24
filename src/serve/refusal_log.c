#include "serve/refusal_log.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/exchange.h"
#include "serve/inside.h"

/* ---- The table ---- */

enum unit { COUNT, BYTES, MS, RATE };

static const struct row {
    int status;
    const char *setting;
    const char *option;
    enum unit unit;
    const char *sentence;
    const char *named; /* the sentence with the setting */
    const char *answer;
} rows[CV_REFUSED_COUNT] = {
#define NAMED(sentence, setting, end)                                                              \
    (sizeof(setting) > 1 ? sentence " (" setting ")" end : sentence end)
#define ROW(name, word, status, setting, option, unit, value, sentence)                            \
    [CV_REFUSED_##name] = {status,                                                                 \
                           setting,                                                                \
                           option,                                                                 \
                           unit,                                                                   \
                           sentence,                                                               \
                           NAMED(sentence, setting, ""),                                           \
                           NAMED(sentence, setting, ".\n")},
    CV_REFUSALS(ROW)
#undef ROW
#undef NAMED
};

int cv_refused_status(enum cv_refused reason)
{
    return rows[reason].status;
}

const char *cv_refused_sentence(enum cv_refused reason)
{
    return rows[reason].named;
}

const char *cv_refused_text(enum cv_refused reason)
{
    return rows[reason].answer;
}

static int64_t setting_of(const struct cv_limits *limits, enum cv_refused reason)
{
    switch (reason) {
#define VALUE(name, word, status, setting, option, unit, value, sentence)                          \
    case CV_REFUSED_##name: return value;
        CV_REFUSALS(VALUE)
#undef VALUE
    case CV_REFUSED_COUNT: break;
    }
    return 0;
}

/* The limit of the request's own route; 0: it has none. */
static int64_t own_of(const struct cv_exchange *x, enum cv_refused reason)
{
    if (x == NULL)
        return 0;
    switch ((int)reason) {
    case CV_REFUSED_BODY_TOO_LARGE: return x->body_max;
    case CV_REFUSED_BODY_TIMEOUT: return x->own_request_timeout;
    case CV_REFUSED_BODY_RATE: return x->own_body_rate_min;
    case CV_REFUSED_RESPONSE_TIMEOUT: return x->own_timeout;
    default: return 0;
    }
}

/* ---- Words ---- */

/* Room for "RESPONSE_TIMEOUT is 60 s" and its like. */
#define LIMIT_TEXT 96

static void write_limit(const struct row *row, const char *name, int64_t value,
                        char text[LIMIT_TEXT])
{
    static const char *const words[] = {"", " bytes", " ms", " bytes a second"};
    bool seconds = row->unit == MS && value % 1000 == 0;
    (void)snprintf(text, LIMIT_TEXT, " (%s is %lld%s)", name,
                   (long long)(seconds ? value / 1000 : value), seconds ? " s" : words[row->unit]);
}

static void describe_limit(const struct cv_server *server, enum cv_refused reason,
                           const struct cv_exchange *x, char text[LIMIT_TEXT])
{
    const struct row *row = &rows[reason];
    int64_t value = setting_of(&server->limits, reason);
    int64_t own = own_of(x, reason);
    text[0] = '\0';
    if (own > 0 && own != value)
        write_limit(row, row->option, own, text);
    else if (row->setting[0] != '\0')
        write_limit(row, row->setting, value, text);
}

/* "refused with 413", or "closed" where nothing can be said any more. */
static void write_verb(int status, char text[32])
{
    if (status != 0)
        (void)snprintf(text, 32, "refused with %d", status);
    else
        (void)snprintf(text, 32, "closed");
}

static enum cv_log_level level_of(const struct row *row)
{
    bool ours = row->setting[0] != '\0' || row->status == 503 || row->status == 507;
    return ours ? CV_LOG_WARN : CV_LOG_INFO;
}

static void tell(const struct cv_server *server, enum cv_refused reason, const struct cv_peer *peer,
                 const struct cv_exchange *x)
{
    const struct row *row = &rows[reason];
    char who[CV_PEER_TEXT];
    char verb[32];
    char limit[LIMIT_TEXT];
    describe_limit(server, reason, x, limit);
    if (x == NULL && peer == NULL) {
        cv_log(level_of(row), "%s%s", row->sentence, limit);
        return;
    }
    cv_peer_write(x != NULL ? &x->peer : peer, who);
    write_verb(x != NULL && x->begun ? 0 : row->status, verb);
    bool routed = x != NULL && x->name != NULL;
    cv_log(level_of(row), "%s: %s%s%s: %s%s", who[0] != '\0' ? who : "unix", verb,
           routed ? " at " : "", routed ? x->name : "", row->sentence, limit);
}

static void tell_number(enum cv_refused reason, uint64_t n)
{
    const struct row *row = &rows[reason];
    char verb[32] = "";
    if (row->status != 0)
        write_verb(row->status, verb);
    cv_log(level_of(row), "%llu more in the last %d s: %s%s%s", (unsigned long long)n,
           (int)(CV_TALLY_SPAN / CV_SECOND), verb, row->status != 0 ? ": " : "", row->sentence);
}

/* ---- When ---- */

void cv_refused(struct cv_server *server, enum cv_refused reason, const struct cv_peer *peer,
                const struct cv_exchange *x)
{
    struct cv_refusal_log *log = &server->refusals;
    struct cv_tally *tally = &log->tallies[reason];
    cv_metrics_refused(server, reason);
    if (cv_tally_note(tally, server->now)) {
        tell(server, reason, peer, x);
        return;
    }
    if (cv_tally_due(tally) < log->due) {
        log->due = cv_tally_due(tally);
        cv_timer_move(server->loop, &server->refusals.timer, log->due);
    }
}

/* Tells of what is due by `now`; when the next is. */
static int64_t tell_numbers(struct cv_refusal_log *log, int64_t now)
{
    int64_t next = CV_NEVER;
    for (int reason = 0; reason < CV_REFUSED_COUNT; reason++) {
        struct cv_tally *tally = &log->tallies[reason];
        int64_t due = cv_tally_due(tally);
        if (due <= now && due != CV_NEVER)
            tell_number((enum cv_refused)reason, cv_tally_take(tally, now));
        else if (due < next)
            next = due;
    }
    return next;
}

static void fire(struct cv_timer *timer)
{
    struct cv_server *server = CV_CONTAINER_OF(timer, struct cv_server, refusals.timer);
    cv_timer_move(server->loop, &server->refusals.timer, CV_NEVER);
    server->refusals.due = tell_numbers(&server->refusals, cv_loop_now(server->loop));
    cv_timer_move(server->loop, &server->refusals.timer, server->refusals.due);
}

int cv_refusal_log_init(struct cv_server *server)
{
    server->refusals.timer.fire = fire;
    server->refusals.due = CV_NEVER;
    return cv_timer_set(server->loop, &server->refusals.timer, CV_NEVER);
}

void cv_refusal_log_done(struct cv_server *server)
{
    (void)tell_numbers(&server->refusals, CV_NEVER);
    cv_timer_stop(server->loop, &server->refusals.timer);
}
