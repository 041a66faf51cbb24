/* In which order middleware runs: each notes its name, and the answer shows them all.
 *
 *     curl -i http://127.0.0.1:8000/         X-Order: first, A, B, handler, D, C
 *     curl -i http://127.0.0.1:8000/?stop    X-Order: first, A, D, C (A has answered)
 */
#include <covey/covey.h>

#include <errno.h>

static int note(covey_req *req, const char *name)
{
    const char *before = covey_ctx(req);
    char *names = covey_sprintf(req, "%s%s%s", before != NULL ? before : "",
                                before != NULL ? ", " : "", name);
    covey_set_ctx(req, names);
    return names == NULL ? -ENOMEM : 0;
}

static int first(covey_req *req) { return note(req, "first"); }

static int a(covey_req *req)
{
    int rc = note(req, "A");
    if (rc == 0 && covey_query(req, "stop") != NULL)
        return covey_text(req, 403, "stopped\n"); /* an answer ends the chain */
    return rc;
}

static int b(covey_req *req) { return note(req, "B"); }

static int handler(covey_req *req)
{
    int rc = note(req, "handler");
    return rc < 0 ? rc : covey_text(req, 200, "handled\n");
}

static int c(covey_req *req)
{
    int rc = note(req, "C");
    return rc < 0 ? rc : covey_set_header(req, "X-Order", covey_ctx(req));
}

static int d(covey_req *req) { return note(req, "D"); }

static int setup(covey_app *app)
{
    covey_middleware(app, COVEY_REQUEST, a);
    covey_middleware(app, COVEY_REQUEST, b);
    covey_middleware(app, COVEY_RESPONSE, c); /* the other way round: the last one runs first */
    covey_middleware(app, COVEY_RESPONSE, d);
    covey_middleware(app, COVEY_REQUEST, first, .priority = 1);
    covey_get(app, "/", handler);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
