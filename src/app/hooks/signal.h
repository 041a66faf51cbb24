/* Who is to be told of which signal.
 *
 * `heard` has a bit for each of covey's own signals that somebody listens to or waits for: where
 * one would be dispatched, this is looked at, and nothing else happens if the bit is not set.
 */
#ifndef CV_APP_SIGNAL_H
#define CV_APP_SIGNAL_H

#include "app/hooks/signal_name.h"
#include "base/list.h"
#include "base/macros.h"

#include <covey/signal.h>

enum cv_signal {
#define CV_SIGNAL_ENUM(name, text) CV_SIGNAL_##name,
    CV_SIGNALS(CV_SIGNAL_ENUM)
#undef CV_SIGNAL_ENUM
        CV_SIGNAL_COUNT
};

/* A bit each. */
#define CV_SIGNAL_BIT(which) (UINT32_C(1) << (which))

/* For these, every connection with a request is known. */
#define CV_SIGNALS_CONNECTION (CV_SIGNAL_BIT(CV_SIGNAL_BEGIN) | CV_SIGNAL_BIT(CV_SIGNAL_COMPLETE))

/* What is told when a request's turn has come, at once. */
#define CV_SIGNALS_ARRIVAL                                                                         \
    (CV_SIGNALS_CONNECTION | CV_SIGNAL_BIT(CV_SIGNAL_READ_HEAD) |                                  \
     CV_SIGNAL_BIT(CV_SIGNAL_REQUEST) | CV_SIGNAL_BIT(CV_SIGNAL_HANDLE) |                          \
     CV_SIGNAL_BIT(CV_SIGNAL_ROUTING_BEFORE) | CV_SIGNAL_BIT(CV_SIGNAL_ROUTING_AFTER) |            \
     CV_SIGNAL_BIT(CV_SIGNAL_READ_BODY))

/* And when its answer is ready. */
#define CV_SIGNALS_ANSWER (CV_SIGNAL_BIT(CV_SIGNAL_RESPONSE) | CV_SIGNAL_BIT(CV_SIGNAL_SEND))

/* What is told also of a request that no code of the app's is to handle. */
#define CV_SIGNALS_REQUEST                                                                         \
    (CV_SIGNALS_ARRIVAL | CV_SIGNALS_ANSWER | CV_SIGNAL_BIT(CV_SIGNAL_EXCEPTION) |                 \
     CV_SIGNAL_BIT(CV_SIGNAL_REPORT))

struct cv_signal_hook {
    struct cv_signal_hook *next; /* in the order in which they are told */
    struct cv_signal_hook *previous;
    covey_app *of;
    covey_signal_fn *handler;
    struct cv_signal_name name;
    const char *condition;
    bool is_exclusive;
    int priority;
    const char *called; /* as written in the source */
    const char *file;
    int line;
};

struct cv_signals {
    struct cv_signal_hook *first;
    struct cv_signal_hook *last;
    struct cv_link waiting[2]; /* for the app's signals, for covey's own */
    uint32_t listened;         /* by handlers */
    uint32_t heard;            /* by handlers and who waits */
};

/* Nobody listens. */
void cv_signals_init(struct cv_signals *signals);

/* Registers the handlers of the blueprint `from` with `app`, too. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_signals_copy(covey_app *app, const covey_app *from);

/* Tells one of covey's own; `event` (name and parameter are filled in) may be NULL. To be called
 * where its bit is set; on a fiber. */
void cv_signal_tell(covey_app *app, enum cv_signal which, const struct covey_signal_event *event);

#endif
