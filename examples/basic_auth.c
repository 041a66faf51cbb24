/* Who may in: a middleware asks for a name and a password, for all routes of a blueprint.
 *
 *     curl -i http://127.0.0.1:8000/vault                     401, and how to do better
 *     curl -u otter:sesame http://127.0.0.1:8000/vault        Hello, otter!
 */
#include <covey/covey.h>

#include <string.h>

static int check(covey_req *req)
{
    const struct covey_credentials *who = covey_credentials(req);
    if (who != NULL && who->username != NULL && strcmp(who->username, "otter") == 0 &&
        strcmp(who->password, "sesame") == 0) /* a real one keeps a hash: crypt(3) */
        return 0;

    int rc = covey_set_header(req, "WWW-Authenticate", "Basic realm=\"vault\", charset=\"UTF-8\"");
    return rc < 0 ? rc : covey_fail(req, 401, "name and password, please");
}

static int vault(covey_req *req)
{
    return covey_textf(req, 200, "Hello, %s!\n", covey_credentials(req)->username);
}

static int setup(covey_app *app)
{
    covey_app *closed = covey_blueprint(app, "closed", .prefix = "/vault");
    covey_middleware(closed, COVEY_REQUEST, check);
    covey_get(closed, "", vault);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
