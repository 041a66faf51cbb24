/* Server-sent events: a counter that goes on where it was when a browser connects again.
 *
 *     curl -N http://127.0.0.1:8000/events                            1, 2, 3, ...
 *     curl -N -H 'Last-Event-ID: 41' http://127.0.0.1:8000/events     42, 43, ...
 *
 * or http://127.0.0.1:8000/ in a browser.
 */
#include <covey/covey.h>

#include <stdio.h>
#include <stdlib.h>

static int page(covey_req *req)
{
    return covey_html(req, 200,
                      "<!DOCTYPE html><title>Events</title><h1>...</h1><script>\n"
                      "new EventSource('/events').onmessage = event =>\n"
                      "    document.querySelector('h1').textContent = event.data\n"
                      "</script>\n");
}

static int events(covey_req *req)
{
    const char *last = covey_sse_last_id(req);
    long n = last != NULL ? strtol(last, NULL, 10) : 0;

    int rc = covey_sse_begin(req);
    while (rc == 0 && !covey_is_stopping(covey_app_of(req))) {
        char id[24];
        snprintf(id, sizeof(id), "%ld", ++n);
        rc = covey_sse_send(req, id, .id = id);
        if (rc == 0)
            rc = covey_sleep_ms(500);
    }
    return rc; /* -ECANCELED when the browser has left */
}

static int setup(covey_app *app)
{
    covey_get(app, "/", page);
    covey_get(app, "/events", events);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
