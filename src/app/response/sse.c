/* Server-sent events: a streamed answer of small texts, with a comment where nothing else is sent
 * for long. */
#include "app/options.h"
#include "app/request/request.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/event_stream.h"

#include <errno.h>

#define HEARTBEAT_DEFAULT 15000

/* In the request's arena. */
struct cv_sse {
    struct covey_req *req;
    struct cv_timer timer;
    int64_t every; /* ns; CV_NEVER: no heartbeat */
    int64_t sent_at;
};

/* ---- The heartbeat ---- */

static void set_timer(struct cv_sse *sse)
{
    if (sse->every == CV_NEVER)
        return;
    if (cv_timer_set(sse->req->app->loop, &sse->timer, sse->sent_at + sse->every) < 0)
        cv_debug("no memory for a timer");
}

/* On the loop, while the handler waits for something else. Moved only here, not by each event.
 * Nothing is put behind what a client does not take: its handler waits for room then. */
static void beat(struct cv_timer *timer)
{
    struct cv_sse *sse = CV_CONTAINER_OF(timer, struct cv_sse, timer);
    struct covey_req *req = sse->req;
    int64_t now = cv_loop_now(req->app->loop);
    if (req->stream != CV_STREAM_BEGUN)
        return;
    if (sse->sent_at + sse->every <= now) {
        if (req->wait != CV_REQ_WAITS_ROOM && cv_exchange_write(req->x, CV_SPAN(":\n\n")) < 0)
            return; /* the client has left, as the handler will be told */
        sse->sent_at = now;
    }
    set_timer(sse);
}

static void stop(void *arg)
{
    struct cv_sse *sse = arg;
    cv_timer_stop(sse->req->app->loop, &sse->timer);
}

/* ---- Beginning ---- */

static int put_fields(struct covey_req *req)
{
    int rc = 0;
    if (cv_field_value(req, CV_SPAN("Cache-Control")).at == NULL)
        rc = cv_field_put(req, CV_SPAN("Cache-Control"), CV_SPAN("no-store"));
    /* nginx and others collect an answer before they pass it on, unless they are told. */
    return rc == 0 ? cv_field_put(req, CV_SPAN("X-Accel-Buffering"), CV_SPAN("no")) : rc;
}

static int start(struct cv_sse *sse, int64_t heartbeat)
{
    struct covey_req *req = sse->req;
    if (heartbeat == 0)
        heartbeat = HEARTBEAT_DEFAULT;
    bool has_one = heartbeat > 0 && heartbeat < CV_NEVER / CV_MS / 2;
    sse->every = has_one ? heartbeat * CV_MS : CV_NEVER;
    sse->sent_at = cv_loop_now(req->app->loop);
    req->sse = sse;
    int rc = covey_defer(req, stop, sse);
    if (rc == 0)
        set_timer(sse);
    return rc;
}

static int begin(struct covey_req *req, int64_t heartbeat)
{
    int rc = cv_stage_check(req, 200, "covey_sse_begin");
    struct cv_sse *sse = cv_arena_alloc(req->arena, sizeof(*sse));
    if (rc == 0 && sse == NULL)
        rc = -ENOMEM;
    if (rc == 0)
        rc = cv_field_may_change(req, "Cache-Control");
    if (rc == 0)
        rc = put_fields(req);
    if (rc == 0)
        rc = covey_respond(req, 200, .type = "text/event-stream");
    if (rc < 0)
        return rc;
    *sse = (struct cv_sse){.req = req, .timer = {.fire = beat}};
    return start(sse, heartbeat);
}

int covey_sse_begin_with(const struct covey_sse *how)
{
    struct covey_sse known;
    if (!CV_OPTIONS_READ(&known, how)) {
        cv_error("covey_sse_begin(): " CV_OPTIONS_UNKNOWN);
        return -EINVAL;
    }
    return cv_req_here(known.req) ? begin(known.req, known.heartbeat) : -EPERM;
}

/* ---- Sending ---- */

static struct cv_span or_none(const char *text)
{
    return text != NULL ? cv_span_str(text) : cv_span(NULL, 0);
}

static int read_event(struct covey_req *req, const struct covey_sse_event *event,
                      struct cv_event_text *ret)
{
    struct covey_sse_event known;
    if (!CV_OPTIONS_READ(&known, event)) {
        cv_error("%s: covey_sse_send(): " CV_OPTIONS_UNKNOWN, cv_req_name(req));
        return -EINVAL;
    }
    *ret = (struct cv_event_text){.data = or_none(known.data),
                                  .name = or_none(known.event),
                                  .id = or_none(known.id),
                                  .retry = known.retry > 0 ? known.retry : -1};
    if (cv_event_text_is_sound(ret))
        return 0;
    cv_error("%s: covey_sse_send(): a line end in .event or .id", cv_req_name(req));
    return -EINVAL;
}

int covey_sse_send_with(covey_req *req, const struct covey_sse_event *event)
{
    struct cv_event_text text;

    if (!cv_req_here(req))
        return -EPERM;
    if (req->sse == NULL) {
        cv_error("%s: covey_sse_send() before covey_sse_begin()", cv_req_name(req));
        return -EINVAL;
    }
    int rc = read_event(req, event, &text);
    if (rc < 0)
        return rc;
    /* Not in the arena, which a stream of days would fill. */
    CV_AUTOFREE char *bytes = malloc(cv_event_text_max(&text));
    if (bytes == NULL)
        return -ENOMEM;
    rc = covey_send(req, bytes, cv_event_text_write(&text, bytes));
    req->sse->sent_at = cv_clock_tick_ns();
    return rc;
}

const char *covey_sse_last_id(covey_req *req)
{
    return covey_header(req, "Last-Event-ID");
}
