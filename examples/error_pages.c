/* Error handlers: pages of one's own where something is missing or has failed.
 *
 *     curl http://127.0.0.1:8000/nowhere    the app's own 404
 *     curl http://127.0.0.1:8000/broken     its page for 5xx; the reason is in the log
 *     curl http://127.0.0.1:8000/tea        418 has none, so it is covey's: text, or with
 *                                           -H 'Accept: application/json' JSON
 */
#include <covey/covey.h>

static int not_found(covey_req *req)
{
    return covey_textf(req, 404, "There is no %s here. Try /tea.\n", covey_path(req));
}

static int sorry(covey_req *req)
{
    return covey_text(req, covey_error_status(req), "It is our fault. Try again later.\n");
}

static int broken(covey_req *req) { return covey_fail(req, 500, "the kettle leaks"); }

static int tea(covey_req *req) { return covey_fail(req, 418, "I am a teapot"); }

static int setup(covey_app *app)
{
    covey_on_error(app, 404, not_found);
    covey_on_error(app, COVEY_SERVER_ERROR, sorry);
    covey_get(app, "/broken", broken);
    covey_get(app, "/tea", tea);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
