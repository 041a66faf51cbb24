/* A chat: what was said stands in a ring; a signal wakes all who listen, and each goes on from
 * where it was, however slow it is. A browser that has lost its connection misses nothing that is
 * kept.
 *
 *     curl -N http://127.0.0.1:8000/chat          hears
 *     curl -d hello http://127.0.0.1:8000/chat    says
 *
 * Each worker has a chat of its own: --workers 1.
 */
#include <covey/covey.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 64

static char lines[KEPT][256];
static long n_said; /* all lines ever; the last KEPT are there */

static int wake(covey_app *app)
{
    int rc = covey_dispatch(app, "said");
    return rc == -ENOENT ? 0 : rc; /* nobody listens */
}

static int say(covey_req *req)
{
    size_t len;
    const char *text = covey_body(req, &len);
    if (len == 0 || len >= sizeof(lines[0]))
        return covey_fail(req, 400, "say something, in less than %zu bytes", sizeof(lines[0]));
    memcpy(lines[n_said++ % KEPT], text, len + 1); /* a NUL follows a body */
    int rc = wake(covey_app_of(req));
    return rc < 0 ? rc : covey_empty(req, 204);
}

/* Waits only when it has sent all, so that nothing comes unheard between two waits. */
static int hear(covey_req *req)
{
    covey_app *app = covey_app_of(req);
    const char *last = covey_sse_last_id(req);
    long next = last != NULL ? strtol(last, NULL, 10) : n_said;

    int rc = covey_sse_begin(req);
    while (rc == 0 && !covey_is_stopping(app)) {
        if (next < n_said - KEPT || next > n_said)
            next = n_said > KEPT ? n_said - KEPT : 0; /* it was away, or is another worker's */
        if (next == n_said) {
            rc = covey_wait_signal(app, "said");
            continue;
        }
        const char *line = lines[next % KEPT];
        char id[24];
        snprintf(id, sizeof(id), "%ld", ++next);
        rc = covey_sse_send(req, line, .id = id);
    }
    return rc;
}

static int setup(covey_app *app)
{
    covey_get(app, "/chat", hear);
    covey_post(app, "/chat", say, .body_max = sizeof(lines[0]));
    covey_listener(app, COVEY_BEFORE_SERVER_STOP, wake); /* so that hear() sees it, and ends */
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
