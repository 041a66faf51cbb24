/* Cookies: a counter that the browser keeps.
 *
 *     curl -b jar -c jar http://127.0.0.1:8000/           visit 1, visit 2, ...
 *     curl -b jar -c jar http://127.0.0.1:8000/forget     and from 1 again
 */
#include <covey/covey.h>

#include <stdlib.h>

static int visit(covey_req *req)
{
    const char *before = covey_cookie(req, "visits");
    unsigned long n = before != NULL ? strtoul(before, NULL, 10) + 1 : 1;

    char *value = covey_sprintf(req, "%lu", n);
    int rc = covey_set_cookie(req, "visits", value, .max_age = 86400, .httponly = true);
    return rc < 0 ? rc : covey_textf(req, 200, "visit %lu\n", n);
}

static int forget(covey_req *req)
{
    int rc = covey_delete_cookie(req, "visits");
    return rc < 0 ? rc : covey_redirect(req, 303, "/");
}

static int setup(covey_app *app)
{
    covey_get(app, "/", visit);
    covey_get(app, "/forget", forget);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
