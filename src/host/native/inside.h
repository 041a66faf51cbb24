/* What the files of this folder share: one worker's (or the main process's) state. See native.h. */
#ifndef CV_HOST_NATIVE_INSIDE_H
#define CV_HOST_NATIVE_INSIDE_H

#include "app/app.h"
#include "base/list.h"
#include "host/native/native.h"

/* The listeners of one event, run on a fiber. Lives in the app's arena: the fiber may outlast the
 * caller's patience. */
struct cv_native_listeners {
    struct cv_native *native;
    enum covey_event event;
    struct cv_fiber *fiber;
    const struct cv_hook *current; /* the one that runs */
    bool is_done;
    int code; /* of the start listener that failed */
};

/* The function of a managed process, on its fiber. Lives in the app's arena. */
struct cv_native_process {
    struct cv_native *native;
    const struct cv_process *what;
    struct cv_fiber *fiber; /* NULL once it has returned */
    bool is_done;
    int result;
};

struct cv_native {
    struct cv_native_config config;
    covey_app app;
    struct cv_loop *loop;
    struct cv_fibers *fibers;
    struct cv_offload *offload;            /* for the app's calls */
    struct cv_offload *disk;               /* for bodies that are written */
    struct cv_server *server;              /* NULL in the main process */
    struct cv_native_listeners *listeners; /* that run, or have run last; NULL: none yet */

    struct cv_native_process *process; /* NULL: this is none, or it has not begun */

    bool has_served; /* the server has begun to accept */
    int start_code;  /* the exit code if the start fails */

    /* The wish to end. */
    bool is_drain_wanted;
    bool is_draining; /* the server knows */
    bool is_drained;  /* the server has said so */
    enum cv_drain drain_kind;
    int64_t drain_until;
    int64_t stop_left; /* ns of stop_timeout that have not been used yet */

    int64_t flushed_at;          /* inside a batch */
    int64_t looked_at;           /* the clock */
    unsigned ran;                /* handlers since then */
    unsigned in_a_row;           /* so many may run before it is, if they go on being as short */
    int64_t tick;                /* while this is the last one, they do */
    int64_t slow;                /* ns that a handler may take without waiting */
    const struct cv_route *last; /* whose handler was begun last; NULL: of no route */
    struct cv_fiber *going;      /* one started for a request that has not waited; NULL: none */
    struct cv_link canceled;     /* requests that were told to end, oldest first */
    struct cv_timer naming;      /* when the oldest of them is to be named */
    int64_t stacks_at;           /* when they were last looked at */
};

/* ---- requests.c ---- */

/* Prepares what the two below need. */
void cv_native_requests_init(struct cv_native *native);

/* Handles the server's events: starts, wakes and cancels handlers. */
void cv_native_handle_events(struct cv_native *native);

/* ---- turn.c ---- */

/* `what` has held the loop for `ns`, which is too long. */
void cv_native_blame(const struct cv_native *native, const char *what, int64_t ns);

/* "the handler of GET /block (app.c:40)"; NULL: of no route. */
void cv_native_describe_route(const struct cv_route *route, char *to, size_t cap);

/* Turns until *condition, one of the native's own flags, holds. 0 or -errno of the loop. */
CV_MUST_CHECK int cv_native_turn_until(struct cv_native *native, const bool *condition);

/* ---- listeners.c ---- */

/* "before_server_start listener init (app.c:12)". */
void cv_native_describe_listener(const struct cv_native_listeners *run, char *to, size_t cap);

/* Runs the listeners of a start event. 0, or a negative code: app.failed and a sentence in
 * app.reason, or -ECANCELED when only the end was wanted meanwhile. */
CV_MUST_CHECK int cv_native_start_listeners(struct cv_native *native, enum covey_event event);

/* Runs the listeners of a stop event in reverse, as long as stop_left (and before the drain its
 * deadline) allows. 0; -EBUSY if one ignores its cancellation (named in the log), which may still
 * be running; -errno of the loop. */
int cv_native_stop_listeners(struct cv_native *native, enum covey_event event);

#endif
