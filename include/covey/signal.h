/* Signals: who announces something need not know who listens.
 *
 *     static int greet(covey_app *app, const struct covey_signal_event *event)
 *     {
 *         covey_info("welcome, user %s", event->param);
 *         return 0;
 *     }
 *     covey_signal(app, "user.created.<id>", greet);    // in setup()
 *     covey_dispatch(app, "user.created.42");           // in a handler
 *
 * A name is one word, or three with dots in between; of a handler's, the last may be a parameter:
 * <id>, or * without a name. server.*, http.* and websocket.* are covey's own, which it dispatches
 * itself: docs/signals.md has them all. These have nothing to do with the signals of the system.
 */
#ifndef COVEY_SIGNAL_H
#define COVEY_SIGNAL_H

#include <covey/app.h>

/* What has happened. Valid until the handler has returned. */
struct covey_signal_event {
    const char *name;      /* as it was dispatched: "user.created.42" */
    const char *param;     /* what stands in place of the parameter; NULL: there is none */
    const char *condition; /* as it was dispatched; NULL: none */
    covey_req *req;        /* of http signals and errors in requests, else NULL */
    const void *bytes; /* of http.lifecycle.read_body and .send; server.exception.report: a text */
    size_t len;
    void *data; /* the dispatcher's */
};

/* Is told of a signal, with what it was registered with (the app or a blueprint), on the
 * dispatcher's fiber: it may wait, and the dispatcher waits with it. 0; or any other value, which
 * ends the signal: those behind are not told, and covey_dispatch() returns it. A negative value
 * means that it has failed; for covey's own signals, that is logged and changes nothing. */
typedef int covey_signal_fn(covey_app *app, const struct covey_signal_event *event);

struct covey_signal {
    covey_signal_fn *handler;
    size_t size;           /* set by the macro below */
    int priority;          /* 0; higher ones are told first, equals in the order of registration */
    const char *condition; /* only if it is dispatched with the same ("attach_to=request") */
    int exclusive;         /* COVEY_OFF: also if it is dispatched without any condition */
};

/* Has `handler` told of the signals of that name, in setup() only. One without a condition is not
 * told of what is dispatched with one. */
#define covey_signal(app, name, ...)                                                               \
    covey_signal_at((app), (name),                                                                 \
                    &(struct covey_signal){__VA_ARGS__, .size = sizeof(struct covey_signal)},      \
                    #__VA_ARGS__, __FILE__, __LINE__)
COVEY_API void covey_signal_at(covey_app *app, const char *name, const struct covey_signal *how,
                               const char *source, const char *file, int line);

struct covey_dispatch {
    const char *name;
    size_t size; /* set by the macro below */
    void *data;
    const char *condition;
    bool reverse;                /* the lowest priority and the last registered first */
    bool background;             /* on a fiber of its own; `data` must live as long */
    void (*release)(void *data); /* called with it when all are done, also on error; may be NULL */
};

/* Announces a signal: covey_dispatch(app, "user.created.42", .data = user). All handlers of the app
 * have returned when it does; on a blueprint, only its own and those of what is in it are told, and
 * only who waits there. 0 or the first value that was not; -ENOENT (nobody listens), -EINVAL (no
 * name, or one of covey's own), -EPERM off a fiber. With .background: 0, -ENOENT, -EINVAL, or as
 * covey_add_task(). */
#define covey_dispatch(app, ...)                                                                   \
    covey_dispatch_with(                                                                           \
        (app), &(struct covey_dispatch){__VA_ARGS__, .size = sizeof(struct covey_dispatch)})
COVEY_API int covey_dispatch_with(covey_app *app, const struct covey_dispatch *what);

struct covey_wait {
    const char *name; /* as for covey_signal() */
    size_t size;      /* set by the macro below */
    int64_t timeout;  /* ms; 0: none */
    const char *condition;
    int exclusive; /* as in covey_signal() */
    /* Gets a copy of the parameter, cut off to `param_size` with its NUL; may be NULL. */
    char *param;
    size_t param_size;
    void **data; /* gets the dispatcher's, which may have ended meanwhile; may be NULL */
};

/* Waits until a signal is dispatched: covey_wait_signal(app, "user.created.*", .timeout = 1000); on
 * a blueprint, until it is dispatched there or in what it lies in. 0, -ETIMEDOUT, -ECANCELED,
 * -EINVAL (no name), -EPERM off a fiber. */
#define covey_wait_signal(app, ...)                                                                \
    covey_wait_signal_with((app),                                                                  \
                           &(struct covey_wait){__VA_ARGS__, .size = sizeof(struct covey_wait)})
COVEY_API int covey_wait_signal_with(covey_app *app, const struct covey_wait *wait);

#endif
