/* Blueprints: one set of routes in two places, of which one lets nobody in without a key.
 *
 *     curl http://127.0.0.1:8000/users/7                             user 7, read only
 *     curl http://127.0.0.1:8000/admin/users/7                       401
 *     curl -H 'X-Key: sesame' http://127.0.0.1:8000/admin/users/7    user 7, with all rights
 */
#include <covey/covey.h>

#include <string.h>

static int show(covey_req *req)
{
    const char *rights = covey_app_ctx(covey_blueprint_of(req));
    return covey_textf(req, 200, "user %s, %s\n", covey_param(req, "id"), rights);
}

static int users(covey_app *bp) /* declares, as an app's setup does */
{
    covey_get(bp, "/<id:int>", show);
    return 0;
}

static int check_key(covey_req *req)
{
    const char *key = covey_header(req, "X-Key");
    if (key == NULL || strcmp(key, "sesame") != 0)
        return covey_fail(req, 401, "which key?");
    return 0;
}

static int setup(covey_app *app)
{
    static char few[] = "read only", all[] = "with all rights";
    covey_app_set_ctx(covey_blueprint(app, "users", users, .prefix = "/users"), few);

    covey_app *admin = covey_blueprint(app, "admin", .prefix = "/admin");
    covey_middleware(admin, COVEY_REQUEST, check_key); /* for all that lies in it */
    covey_app_set_ctx(covey_blueprint(admin, "users", users, .prefix = "/users"), all);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
